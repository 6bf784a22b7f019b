"""Models, detectors and batches behind predict."""
import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import inference_detector, init_detector
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.apis import inference_bottomup, inference_topdown, init_model
from mmpose.structures import PoseDataSample, merge_data_samples

from srpose_mm.configs import load_config
from srpose_mm.inference import predict
from srpose_mm.inference.inferencer import KeypointVisualizer, PoseInferencer

from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    assert_same,
    draw_weights,
    instances_of,
    load,
    picture,
    save,
    video,
)

BOXES = np.float32([[x, 5, x + 30, 45] for x in range(0, 30, 6)])


def infer(inferencer, image, **options):
    """Return the instances of an image."""
    [result] = inferencer(image, return_datasamples=True, **options)
    return result['predictions'][0].pred_instances


def image_of(height=48, width=64):
    return np.random.randint(0, 256, (height, width, 3), dtype=np.uint8)


def assert_close(instances, samples):
    wanted = merge_data_samples(samples).pred_instances
    assert len(instances) == len(wanted)
    for key in ('keypoints', 'keypoint_scores'):
        # Convolutions of a batch differ in the last bits from those of one.
        np.testing.assert_allclose(
            instances[key], wanted[key], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('name', [
    'topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192',
    'simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192',
    'yoloxpose/coco/yoloxpose_tiny_4xb64-300e_coco-416'
])
def test_stock_models(name, tmp_path):
    config = f'mmpose::body_2d_keypoint/{name}.py'
    model = init_model(load_config(config), None, device='cpu')
    draw_weights(model)
    weights = save(model, tmp_path / 'weights.pth')
    image = picture(tmp_path / 'a.png')
    predict(tmp_path / 'a.png', config, weights, tmp_path / 'out',
            device='cpu')
    instances = instances_of(tmp_path / 'out/a.png.json')
    mmpose = inference_bottomup if 'yoloxpose' in name else inference_topdown
    [sample] = mmpose(model, image)
    assert_same(instances, sample)
    np.testing.assert_array_equal(
        [instance['bbox'] for instance in instances],
        sample.pred_instances.bboxes)


def test_neither_top_down_nor_bottom_up():
    config = ('mmpose::body_3d_keypoint/image_pose_lift/h36m/'
              'image-pose-lift_tcn_8xb64-200e_h36m.py')
    with pytest.raises(TypeError, match='got PoseLifter'):
        PoseInferencer(config, 'weights.pth', 'cpu')


def test_missing_weights(weights, tmp_path):
    """MMEngine would predict with random ones."""
    contents = torch.load(weights)
    for key in list(contents['state_dict']):
        if key.startswith('head'):
            del contents['state_dict'][key]
    torch.save(contents, tmp_path / 'backbone.pth')
    with pytest.raises(ValueError, match=r'backbone.pth: .*\(such as head\.'):
        PoseInferencer(DEMO, tmp_path / 'backbone.pth', 'cpu')
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        PoseInferencer('nowhere.py', weights, 'cpu')


def test_batches_are_bounded(inferencer, model, monkeypatch):
    sizes = []
    step = inferencer.model.test_step

    def test_step(batch):
        sizes.append(len(batch['inputs']))
        return step(batch)

    monkeypatch.setattr(inferencer.model, 'test_step', test_step)
    monkeypatch.setattr(inferencer, 'batch_size', 2)
    image = image_of()
    instances = infer(inferencer, image, bboxes=[BOXES])
    assert sizes == [2, 2, 1]
    assert_close(instances, inference_topdown(model, image, BOXES))
    np.testing.assert_array_equal(instances.bboxes, BOXES)
    with pytest.raises(ValueError, match='batch_size to be at least 1, got 0'):
        PoseInferencer(DEMO, 'weights.pth', batch_size=0)


@pytest.mark.parametrize('error', [
    torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB'),
    RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    RuntimeError('channels_last memory format is not supported')
])
def test_out_of_memory(inferencer, error, monkeypatch):

    def test_step(batch):
        raise error

    monkeypatch.setattr(inferencer.model, 'test_step', test_step)
    reason = 'memory format' if 'format' in str(error) else \
        r'a batch of 5 boxes; set a smaller batch_size \(--batch-size\)'
    with pytest.raises(RuntimeError, match=reason):
        infer(inferencer, image_of(), bboxes=[BOXES])


@pytest.mark.parametrize('label, name', [(0, 'person'), (14, 'bird')])
def test_boxes_of_a_detector(weights, model, detector, label, name, tmp_path):
    """Those of a class; one score above the threshold."""
    image = picture(tmp_path / 'a.png', 90, 130)
    inferencer = PoseInferencer(
        DEMO, weights, 'cpu', None, *detector, det_classes=[name])
    instances = infer(inferencer, image, bbox_thr=0., nms_thr=0.3)
    with DefaultScope.overwrite_default_scope('mmdet'):
        stock = init_detector(str(detector[0]), str(detector[1]), device='cpu')
        boxes = inference_detector(stock, image).pred_instances.numpy()
    boxes = boxes[boxes.labels == label]
    wanted = {tuple(box) for box in boxes.bboxes}
    assert {tuple(box) for box in instances.bboxes} <= wanted
    assert 1 < len(instances) <= len(wanted)
    assert_close(instances, inference_topdown(model, image, instances.bboxes))
    scores = instances.bbox_scores
    assert (scores == np.sort(scores)[::-1]).all() and scores[0] < 1
    kept = infer(inferencer, image, bbox_thr=float(scores[1]), nms_thr=0.3)
    assert len(kept) == 1


def test_detector_is_on_the_device_of_the_model(weights, detector,
                                                monkeypatch):
    devices = []

    def init_detector(self, device, **kwargs):
        devices.append(device)
        self.detector = print

    monkeypatch.setattr(PoseInferencer, '_init_detector', init_detector)
    PoseInferencer(DEMO, weights, None, None, *detector)
    assert devices == [get_device()]


def test_no_instance(weights, detector, tmp_path):
    """An empty list, and the picture as it was."""
    image = picture(tmp_path / 'a.png')
    video(tmp_path / 'b.avi', 2)
    summary = predict(
        [tmp_path / 'a.png', tmp_path / 'b.avi'], DEMO, weights,
        tmp_path / 'out', *detector, bbox_thr=1., device='cpu')
    assert (summary.images, summary.instances, summary.skipped) == (3, 0, [])
    [instances] = summary.predictions[tmp_path / 'a.png']
    assert instances.keypoints.shape == (0, 17, 2)
    assert instances_of(tmp_path / 'out/a.png.json') == []
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'out/a.png')), image)
    assert load(tmp_path / 'out/b.avi.json')['predictions'] == [
        dict(frame_id=index, instances=[]) for index in (0, 1)
    ]


def test_detectors_that_are_refused(weights, bottom_up, detector, tmp_path):
    config, checkpoint = detector
    with pytest.raises(ValueError, match='no det_config for a bottom-up'):
        PoseInferencer(
            BOTTOM_UP, bottom_up[1], 'cpu', SMALL_BOTTOM_UP, *detector)
    with pytest.raises(ValueError, match='give both'):
        PoseInferencer(DEMO, weights, 'cpu', det_config=config)
    with pytest.raises(ValueError, match='demo.pth: expected the weights of'):
        PoseInferencer(DEMO, weights, 'cpu', None, config, weights)
    with pytest.raises(ValueError, match=r"person, .*; got \['penguin'\]"):
        PoseInferencer(
            DEMO, weights, 'cpu', None, *detector, det_classes=['penguin'])
    contents = torch.load(checkpoint)
    contents['meta'] = dict(dataset_meta=dict(CLASSES=('cat', 'dog')))
    torch.save(contents, tmp_path / 'pets.pth')
    with pytest.raises(ValueError, match=r"cat, dog; got \['person'\]"):
        PoseInferencer(
            DEMO, weights, 'cpu', None, config, tmp_path / 'pets.pth')


def gray_model(cfg, folder, **loader):
    """Save a model of gray images and return its config and checkpoint."""
    cfg.model.backbone.in_channels = 1
    cfg.model.data_preprocessor.update(
        mean=[120.], std=[60.], bgr_to_rgb=False)
    cfg.test_dataloader.dataset.pipeline[0].update(loader)
    model = init_model(cfg, None, device='cpu')
    draw_weights(model)
    return model, save(model, folder / 'gray.pth')


@pytest.mark.parametrize('name, color_type', [('a.jpg', 'grayscale'),
                                              ('a.png', 'unchanged')])
def test_gray_models(name, color_type, demo, tmp_path):
    model, weights = gray_model(demo, tmp_path, color_type=color_type)
    pixels = picture(tmp_path / name, channels=1 if name == 'a.png' else 3)
    out = tmp_path / 'out'
    predict(tmp_path / name, demo, weights, out, device='cpu')
    [sample] = inference_topdown(model, str(tmp_path / name))
    assert_same(instances_of(out / f'{name}.json'), sample)
    assert cv2.imread(str(out / name)).shape == (*pixels.shape[:2], 3)


def test_selected_keypoints(weights, model, demo, tmp_path):
    """Metainfo of all channels: what is predicted counts."""
    indices = [0, 5, 6, 11]
    demo.model.test_cfg.output_keypoint_indices = indices
    image = picture(tmp_path / 'a.png')
    predict(tmp_path / 'a.png', demo, weights, tmp_path / 'out', device='cpu')
    [sample] = inference_topdown(model, image)
    [instance] = instances_of(tmp_path / 'out/a.png.json')
    np.testing.assert_array_equal(
        instance['keypoints'],
        sample.pred_instances.keypoints[0, indices])
    meta = load(tmp_path / 'out/a.png.json')['meta']
    assert meta['keypoint_names'] == [
        'nose', 'left_shoulder', 'right_shoulder', 'left_hip'
    ]
    # COCO's links between these four.
    assert meta['skeleton_links'] == [[1, 3], [1, 2]]


def test_selected_keypoints_that_the_metainfo_names(weights, model, demo,
                                                    tmp_path):
    indices = [0, 5, 6, 11]
    demo.model.test_cfg.output_keypoint_indices = indices
    names = dict(enumerate('abcd'))
    meta = dict(model.dataset_meta, keypoint_id2name=names,
                keypoint_colors=np.zeros((4, 3), np.uint8),
                skeleton_links=[[0, 3]],
                skeleton_link_colors=np.zeros((1, 3), np.uint8))
    path = save(model, tmp_path / 'weights.pth', dataset_meta=meta)
    picture(tmp_path / 'a.png')
    predict(tmp_path / 'a.png', demo, path, tmp_path / 'out', device='cpu')
    meta = load(tmp_path / 'out/a.png.json')['meta']
    assert meta['keypoint_names'] == list('abcd')
    assert meta['skeleton_links'] == [[0, 3]]


def test_no_default_scope(weights, demo):
    demo.default_scope = None
    DefaultScope._instance_dict.clear()
    inferencer = PoseInferencer(demo, weights, 'cpu')
    assert infer(inferencer, image_of()).keypoints.shape == (1, 17, 2)


def test_keypoints_are_drawn_as_circles():
    points = np.float32([[[9.6, 12.2], [30, 20]]])
    sample = PoseDataSample(
        pred_instances=InstanceData(
            keypoints=points,
            keypoint_scores=np.ones((1, 2)),
            keypoints_visible=np.float32([[1, 0.1]])))
    visualizer = KeypointVisualizer(radius=5, alpha=1)
    visualizer.set_dataset_meta(
        dict(keypoint_colors=np.uint8([[10, 200, 90]] * 2)))
    image = np.full((32, 40, 3), 60, np.uint8)
    drawn = visualizer.add_datasample(
        '', image, sample, draw_gt=False, draw_bbox=False, kpt_thr=0.3)
    expected = cv2.circle(image.copy(), (9, 12), 5, (10, 200, 90), -1)
    np.testing.assert_array_equal(drawn, expected)
