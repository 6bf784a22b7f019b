"""MMPose's own functions and inferencer take every config of ours by path."""
import cv2
import numpy as np
import pytest
from mmpose.apis import (
    MMPoseInferencer,
    inference_bottomup,
    inference_topdown,
    init_model,
)

from srpose_mm.inference.predict import predict

from ..conftest import CONFIGS
from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    assert_same,
    draw_weights,
    people,
    picture,
    save,
)
from .test_detector import detector

PATHS = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
# Each backbone and each of SR head, SRPose, MPII and CrowdPose.
QUICK = ('td-srpose_res18_1xb16-5e_toy-128x96',
         'td-sr_transpose-r-a4_8xb32-210e_coco-256x192',
         'td-sr_res50_8xb32-210e_crowdpose-256x192',
         'td-srpose_res50_8xb32-210e_mpii-256x256',
         'td-sr_hrnet-w32_8xb32-210e_coco-256x192',
         'td-srpose_hrformer-small_8xb32-210e_coco-256x192')


def quick_and_slow():
    """Most build their model in seconds, and bottom-up ones take longer."""
    for path in PATHS:
        marks = [] if path.stem in QUICK else [pytest.mark.slow]
        yield pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize('path', quick_and_slow())
def test_every_config(path, tmp_path):
    """``init_model``, ``inference_*`` and the inferencer agree."""
    model = init_model(str(path), None, device='cpu')
    model.test_cfg['flip_test'] = False
    draw_weights(model)
    checkpoint = save(model, tmp_path / 'weights.pth')
    image = picture(tmp_path / 'a.png', 80, 100)
    if model.cfg.data_mode == 'bottomup':
        [sample] = inference_bottomup(model, image)
    else:
        [sample] = inference_topdown(model, image)
        one, two = inference_topdown(
            model, image, np.float32([[0, 0, 100, 80], [30, 10, 80, 70]]))
        # Convolutions of a batch differ in the last bits from those of one.
        np.testing.assert_allclose(
            one.pred_instances.keypoint_scores,
            sample.pred_instances.keypoint_scores,
            rtol=1e-3)
        assert two.pred_instances.bboxes.tolist() == [[30, 10, 80, 70]]
        # The input shows 1.25 times the box, in the input's proportions.
        assert abs(two.input_center - [55, 40]).max() < 1e-4
        cells = two.pred_instances.keypoints[0] - two.input_center
        assert (abs(cells) <= two.input_scale / 2 + 1e-3).all()
    num_keypoints = dict(
        CocoDataset=17, CrowdPoseDataset=14, MpiiDataset=16)
    assert sample.pred_instances.keypoints.shape[1:] == (
        num_keypoints[model.cfg.dataset_type], 2)

    inferencer = MMPoseInferencer(
        pose2d=str(path),
        pose2d_weights=str(checkpoint),
        det_model='whole_image',
        device='cpu')
    estimator = inferencer.inferencer.model
    # A bottom-up model gets its head's settings once more for each image.
    estimator.test_cfg = estimator.head.test_cfg
    estimator.test_cfg['flip_test'] = False
    [result] = inferencer(
        str(tmp_path / 'a.png'), vis_out_dir=str(tmp_path / 'vis'))
    assert_same(result['predictions'][0], sample)
    drawn = cv2.imread(str(tmp_path / 'vis/a.png'))
    assert drawn.shape == image.shape


def test_heatmaps_of_the_inferencer(weights):
    """Merged over the people, in px of the image, and drawn below it."""
    image = np.random.randint(0, 256, (64, 96, 3), dtype=np.uint8)
    inferencer = MMPoseInferencer(
        pose2d=str(DEMO),
        pose2d_weights=str(weights),
        det_model='whole_image',
        device='cpu')
    [result] = inferencer(
        image, draw_heatmap=True, return_vis=True, return_datasamples=True)
    [sample] = result['predictions']
    assert sample.pred_fields.heatmaps.shape == (17, 64, 96)
    [drawn] = result['visualization']
    assert drawn.shape == (2 * 64, 96, 3)


def test_small_bottom_up(tmp_path):
    model = init_model(
        str(BOTTOM_UP), None, device='cpu', cfg_options=SMALL_BOTTOM_UP)
    draw_weights(model)
    model.cfg.dump(tmp_path / 'config.py')
    checkpoint = save(model, tmp_path / 'weights.pth')
    image = picture(tmp_path / 'a.png', 64, 96)
    [sample] = inference_bottomup(model, image)
    # One for the image, so it names no detector.
    inferencer = MMPoseInferencer(
        pose2d=str(tmp_path / 'config.py'),
        pose2d_weights=str(checkpoint),
        device='cpu')
    [result] = inferencer(str(tmp_path / 'a.png'))
    assert_same(result['predictions'][0], sample)
    model.test_cfg['output_heatmaps'] = True
    [sample] = inference_bottomup(model, str(tmp_path / 'a.png'))
    assert sample.pred_fields.heatmaps.shape[0] == 17


def test_detectors_agree_with_predict(weights, tmp_path):
    cfg, checkpoint = detector(tmp_path)
    cfg.dump(tmp_path / 'detector.py')
    picture(tmp_path / 'a.png', 90, 130)
    predict(
        DEMO,
        weights,
        tmp_path / 'a.png',
        tmp_path / 'out',
        det_config=tmp_path / 'detector.py',
        det_checkpoint=checkpoint,
        bbox_thr=0.05,
        nms_thr=0.4,
        device='cpu')
    instances = people(tmp_path / 'out/a.png.json')
    inferencer = MMPoseInferencer(
        pose2d=str(DEMO),
        pose2d_weights=str(weights),
        det_model=str(tmp_path / 'detector.py'),
        det_weights=str(checkpoint),
        det_cat_ids=0,
        device='cpu')
    [result] = inferencer(str(tmp_path / 'a.png'), bbox_thr=0.05, nms_thr=0.4)
    [predictions] = result['predictions']
    assert len(predictions) == len(instances) > 1
    for wanted, person in zip(predictions, instances):
        [wanted['bbox']] = wanted['bbox']
        assert wanted == person


def test_no_boxes_are_the_whole_image(weights):
    """As MMPose has it; :func:`predict` never asks for no boxes."""
    model = init_model(str(DEMO), str(weights), device='cpu')
    image = np.random.randint(0, 256, (48, 64, 3), dtype=np.uint8)
    for boxes in ([], np.zeros((0, 4))):
        [sample] = inference_topdown(model, image, boxes)
        assert sample.pred_instances.bboxes.tolist() == [[0, 0, 64, 48]]
    box = [10, 5, 50, 40]
    xyxy = inference_topdown(model, image, [box])[0].pred_instances
    xywh = inference_topdown(
        model, image, np.float32([[10, 5, 40, 35]]), 'xywh')[0].pred_instances
    np.testing.assert_allclose(xyxy.keypoints, xywh.keypoints, atol=1e-3)
