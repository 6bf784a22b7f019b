"""MMPose's own functions and inferencer run all configs and agree."""
import cv2
import numpy as np
import pytest
from mmpose.apis import (
    MMPoseInferencer,
    inference_bottomup,
    inference_topdown,
    init_model,
)

from srpose_mm.inference import predict

from ..conftest import CONFIGS
from ..support.predict_helpers import (
    DEMO,
    assert_same,
    draw_weights,
    instances_of,
    picture,
    save,
)

KEYPOINTS = dict(CocoDataset=17, CrowdPoseDataset=14, MpiiDataset=16)

stock_drawing = pytest.mark.xfail(
    np.lib.NumpyVersion(np.__version__) >= '2.4.0',
    reason='MMPose draws with int(array), which numpy 2.4 refuses',
    raises=TypeError, strict=True)


def configs():
    """Yield all configs; most take seconds to build."""
    for path in sorted(CONFIGS.rglob('*.py')):
        if '_base_' not in path.parts:
            marks = [] if path == DEMO else [pytest.mark.slow]
            yield pytest.param(path, marks=marks, id=path.stem)


@stock_drawing
@pytest.mark.parametrize('path', configs())
def test_every_config(path, tmp_path):
    model = init_model(str(path), None, device='cpu')
    model.test_cfg['flip_test'] = False
    draw_weights(model)
    checkpoint = save(model, tmp_path / 'weights.pth')
    image = picture(tmp_path / 'a.png', 80, 100)
    if model.cfg.data_mode == 'bottomup':
        [sample] = inference_bottomup(model, image)
    else:
        [sample] = inference_topdown(model, image)
        _, two = inference_topdown(
            model, image, np.float32([[0, 0, 100, 80], [30, 10, 80, 70]]))
        # The input shows 1.25 times the box, in the input's proportions.
        assert abs(two.input_center - [55, 40]).max() < 1e-4
        offsets = two.pred_instances.keypoints[0] - two.input_center
        assert (abs(offsets) <= two.input_scale / 2 + 1e-3).all()
    assert sample.pred_instances.keypoints.shape[1:] == (
        KEYPOINTS[model.cfg.dataset_type], 2)

    inferencer = MMPoseInferencer(
        pose2d=str(path),
        pose2d_weights=str(checkpoint),
        det_model='whole_image',
        device='cpu')
    estimator = inferencer.inferencer.model
    # MMPose copies the head's settings again for each bottom-up image.
    estimator.test_cfg = estimator.head.test_cfg
    estimator.test_cfg['flip_test'] = False
    [result] = inferencer(
        str(tmp_path / 'a.png'), vis_out_dir=str(tmp_path / 'vis'))
    assert_same(result['predictions'][0], sample)
    assert cv2.imread(str(tmp_path / 'vis/a.png')).shape == image.shape


@stock_drawing
def test_heatmaps(weights):
    """MMPose merges them over the instances, in px of the image."""
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


def test_bottom_up(bottom_up, tmp_path, monkeypatch):
    model, checkpoint = bottom_up
    model.cfg.dump(tmp_path / 'config.py')
    image = picture(tmp_path / 'a.png', 64, 96)
    [sample] = inference_bottomup(model, image)
    inferencer = MMPoseInferencer(
        pose2d=str(tmp_path / 'config.py'),
        pose2d_weights=str(checkpoint),
        device='cpu')
    [result] = inferencer(str(tmp_path / 'a.png'))
    assert_same(result['predictions'][0], sample)
    monkeypatch.setitem(model.test_cfg, 'output_heatmaps', True)
    [sample] = inference_bottomup(model, str(tmp_path / 'a.png'))
    assert sample.pred_fields.heatmaps.shape[0] == 17


def test_detectors(weights, detector, tmp_path):
    """The same boxes and keypoints come from predict."""
    picture(tmp_path / 'a.png', 90, 130)
    predict(
        tmp_path / 'a.png', DEMO, weights, tmp_path / 'out', *detector,
        bbox_thr=0.05, nms_thr=0.4, device='cpu')
    instances = instances_of(tmp_path / 'out/a.png.json')
    inferencer = MMPoseInferencer(
        pose2d=str(DEMO),
        pose2d_weights=str(weights),
        det_model=str(detector[0]),
        det_weights=str(detector[1]),
        det_cat_ids=0,
        device='cpu')
    [result] = inferencer(str(tmp_path / 'a.png'), bbox_thr=0.05, nms_thr=0.4)
    [predictions] = result['predictions']
    assert len(predictions) == len(instances) > 1
    for wanted, instance in zip(predictions, instances):
        [wanted['bbox']] = wanted['bbox']
        assert wanted == instance
