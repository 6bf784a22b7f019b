"""Boxes of people from a detector."""
import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmpose.apis import inference_topdown
from mmpose.structures import merge_data_samples

from srpose_mm.inference.predict import predict

from ..support.predict_helpers import (
    BOTTOM_UP,
    SMALL_BOTTOM_UP,
    assert_same,
    load,
    people,
    picture,
    save,
    video,
)


def detector(folder):
    """A detector of MMDetection with random weights, small."""
    from mmdet.apis import init_detector
    cfg = get_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    resize = cfg.test_dataloader.dataset.pipeline[1]
    assert resize.type == 'Resize'
    resize.scale = (160, 160)
    cfg.model.test_cfg.max_per_img = 8
    with DefaultScope.overwrite_default_scope('mmdet'):
        net = init_detector(copy.deepcopy(cfg), None, device='cpu')
    # One class wins everywhere: person.
    for layer in net.bbox_head.rtm_cls:
        layer.bias.data.fill_(-9).narrow(0, 0, 1).fill_(0)
    return cfg, save(net, folder / 'detector.pth')


def test_keypoints_are_those_of_its_boxes(run, model, tmp_path):
    image = picture(tmp_path / 'a.png', 90, 130)
    cfg, weights = detector(tmp_path)
    result = run(
        tmp_path / 'a.png',
        det_config=cfg,
        det_checkpoint=weights,
        bbox_thr=0.,
        nms_thr=0.2)
    instances = people(tmp_path / 'out/a.png.json')
    assert result.people == len(instances) > 1
    boxes = np.float32([person['bbox'] for person in instances])
    samples = inference_topdown(model, image, boxes)
    assert_same(instances, merge_data_samples(samples))
    scores = [person['bbox_score'] for person in instances]
    assert scores == sorted(scores, reverse=True) and scores[0] < 1
    kept = run(
        tmp_path / 'a.png',
        det_config=cfg,
        det_checkpoint=weights,
        bbox_thr=scores[1],
        nms_thr=0.2)
    assert kept.people == 1


def test_nobody(run, tmp_path):
    """No box: an empty list, and the picture as it was."""
    image = picture(tmp_path / 'a.png')
    video(tmp_path / 'b.avi', 2)
    cfg, weights = detector(tmp_path)
    result = run([tmp_path / 'a.png', tmp_path / 'b.avi'],
                 det_config=cfg,
                 det_checkpoint=weights,
                 bbox_thr=1.)
    assert (result.images, result.people, result.skipped) == (3, 0, [])
    assert people(tmp_path / 'out/a.png.json') == []
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'out/a.png')), image)
    frames = load(tmp_path / 'out/b.avi.json')['predictions']
    assert frames == [
        dict(frame_id=index, instances=[]) for index in (0, 1)
    ]


def test_errors(run, weights, bottom_up, tmp_path):
    picture(tmp_path / 'a.png')
    cfg, checkpoint = detector(tmp_path)
    with pytest.raises(ValueError, match='no det_config for a bottom-up'):
        predict(
            BOTTOM_UP,
            bottom_up[1],
            tmp_path / 'a.png',
            tmp_path / 'out',
            cfg,
            checkpoint,
            cfg_options=SMALL_BOTTOM_UP)
    with pytest.raises(ValueError, match='give both'):
        run(tmp_path / 'a.png', det_config=cfg)
    with pytest.raises(ValueError, match='are not there, such as'):
        run(tmp_path / 'a.png', det_config=cfg, det_checkpoint=weights)
    contents = torch.load(checkpoint)
    contents['meta'] = dict(dataset_meta=dict(CLASSES=('cat', 'dog')))
    torch.save(contents, checkpoint)
    with pytest.raises(ValueError, match=r"person, got \['cat', 'dog'\]"):
        run(tmp_path / 'a.png', det_config=cfg, det_checkpoint=checkpoint)
