"""Which models predict, and that it is what MMPose predicts."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.hub import get_config
from mmpose.apis import inference_bottomup, inference_topdown, init_model

from srpose_mm.inference.predict import predict

from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    assert_same,
    draw_weights,
    load,
    people,
    picture,
    save,
)


def test_the_whole_image_is_one_box(run, model, tmp_path):
    image = picture(tmp_path / 'a.png')
    result = run(tmp_path / 'a.png')
    out = tmp_path / 'out'
    assert (result.images, result.people, result.skipped) == (1, 1, [])
    assert result.files == [out / 'a.png', out / 'a.png.json']
    [person] = people(out / 'a.png.json')
    [sample] = inference_topdown(model, image)
    assert_same([person], sample)
    assert_same([person],
                inference_topdown(model, str(tmp_path / 'a.png'))[0])
    assert person['bbox'] == [0, 0, 64, 48] and person['bbox_score'] == 1
    meta = load(out / 'a.png.json')['meta']
    assert meta['source'] == str(tmp_path / 'a.png')
    assert meta['size'] == [64, 48] and meta['fps'] is None
    assert meta['keypoint_names'][:2] == ['nose', 'left_eye']
    assert len(meta['keypoint_names']) == 17
    assert [15, 13] in meta['skeleton_links']
    drawn = cv2.imread(str(out / 'a.png'))
    assert drawn.shape == image.shape and (drawn != image).any()


def test_no_keypoint_above_the_threshold_is_drawn(run, tmp_path):
    image = picture(tmp_path / 'a.png')
    run(tmp_path / 'a.png', kpt_thr=1e9)
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'out/a.png')), image)


def test_bottom_up(bottom_up, tmp_path):
    model, weights = bottom_up
    image = picture(tmp_path / 'a.png', 80, 120)
    result = predict(
        BOTTOM_UP,
        weights,
        tmp_path / 'a.png',
        tmp_path / 'out',
        device='cpu',
        cfg_options=SMALL_BOTTOM_UP)
    [sample] = inference_bottomup(model, image)
    instances = people(tmp_path / 'out/a.png.json')
    assert result.people == len(instances)
    assert_same(instances, sample)
    scores = [person['bbox_score'] for person in instances]
    np.testing.assert_allclose(scores, sample.pred_instances.bbox_scores)
    for person in instances:
        x, y = np.transpose(person['keypoints'])
        assert person['bbox'] == [x.min(), y.min(), x.max(), y.max()]


@pytest.mark.parametrize('name', [
    'topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192',
    'simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192',
    'yoloxpose/coco/yoloxpose_tiny_4xb64-300e_coco-416'
])
def test_stock_models(name, tmp_path):
    config = f'mmpose::body_2d_keypoint/{name}.py'
    model = init_model(get_config(config), None, device='cpu')
    draw_weights(model)
    weights = save(model, tmp_path / 'weights.pth')
    image = picture(tmp_path / 'a.png')
    predict(config, weights, tmp_path / 'a.png', tmp_path / 'out',
            device='cpu')
    instances = people(tmp_path / 'out/a.png.json')
    infer = inference_bottomup if 'yoloxpose' in name else \
        inference_topdown
    [sample] = infer(model, image)
    assert_same(instances, sample)
    np.testing.assert_array_equal(
        [person['bbox'] for person in instances],
        sample.pred_instances.bboxes)


def test_numbers_that_are_not_finite(weights, tmp_path):
    contents = torch.load(weights)
    predictor = list(contents['state_dict'].values())[-1]
    bad = tmp_path / 'bad.pth'
    picture(tmp_path / 'a.png')

    predictor.fill_(3e38)
    torch.save(contents, bad)
    result = predict(DEMO, bad, tmp_path / 'a.png', tmp_path / 'out')
    assert 'not finite' in result.skipped[0][1]
    assert not list((tmp_path / 'out').iterdir())

    predictor.fill_(float('nan'))
    torch.save(contents, bad)
    with pytest.raises(ValueError, match='NaN or infinity in head'):
        predict(DEMO, bad, tmp_path / 'a.png', tmp_path / 'out')


def test_neither_top_down_nor_bottom_up(tmp_path):
    config = ('mmpose::body_3d_keypoint/image_pose_lift/h36m/'
              'image-pose-lift_tcn_8xb64-200e_h36m.py')
    model = init_model(get_config(config), None, device='cpu')
    weights = save(model, tmp_path / 'weights.pth')
    picture(tmp_path / 'a.png')
    with pytest.raises(TypeError, match='got PoseLifter'):
        predict(config, weights, tmp_path / 'a.png', tmp_path / 'out')
