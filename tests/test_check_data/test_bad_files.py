"""What becomes of bad detections, of MPII's files, and in an evaluation."""
import numpy as np
import pytest
from mmpose.registry import METRICS
from scipy.io import savemat

from ..support.bad_data import (
    FILE,
    INF,
    NAN,
    TARGETS,
    build,
    person,
    pipeline,
    sound,
    weights_left,
    write,
)


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('visible, left', [(INF, 15), (-INF, 15), (NAN, 15),
                                           (-1, 15), (0, 15), (1, 16),
                                           (2, 17)])
def test_visibility_of_mpii(visible, left, target, tmp_path):
    """MMPose takes it for a weight as it is; our codecs, if it is finite."""
    sound(tmp_path)
    (tmp_path / '1.png').rename(tmp_path / '001.png')
    write(tmp_path, [
        dict(
            image='001.png',
            center=[30, 20],
            scale=0.2,
            joints=[[20 + k, 30] for k in range(16)],
            joints_vis=[visible] + 15 * [1])
    ])
    dataset = build(tmp_path, target=target, type='MpiiDataset')
    assert weights_left(dataset) == {0: left}


def test_too_few_heads_of_mpii(tmp_path):
    write(tmp_path, [
        dict(
            image='001.png',
            center=[30, 20],
            scale=0.2,
            joints=[[9, 9]] * 16,
            joints_vis=[1] * 16)
    ] * 2)
    path = str(tmp_path / 'heads.mat')
    savemat(path, dict(headboxes_src=np.ones((2, 2, 1))))
    with pytest.raises(IndexError, match='index 1 is out of bounds'):
        build(
            tmp_path, type='MpiiDataset', headbox_file=path, test_mode=True)


DETECTION = dict(image_id=1, category_id=1, bbox=[16, 8, 28, 32], score=.9)


@pytest.mark.parametrize('change, error', [
    (dict(bbox=[1, 2, 3]), 'cannot reshape array of size 3'),
    (dict(bbox=None), 'not subscriptable'),
    (dict(score='x'), 'could not convert string'),
    (dict(image_id=99), '99'),
    (dict(image_id='1'), 'not subscriptable'),
    (dict(category_id=2), 'need at least one array'),
])
def test_detections_that_stop_a_test(change, error, tmp_path):
    write(tmp_path, sound(tmp_path))
    write(tmp_path, [{**DETECTION, **change}], 'boxes.json')
    with pytest.raises(Exception, match=error):
        build(
            tmp_path, test_mode=True, bbox_file=str(tmp_path / 'boxes.json'))


@pytest.mark.parametrize('change', [
    dict(bbox=[NAN, 8, 28, 32]),
    dict(bbox=[16, 8, 0, 0]),
    dict(bbox=[16, 8, -9, -9]),
    dict(bbox=[99, 8, 9, 9]),
    dict(score=NAN),
])
def test_detections_that_go_through(change, tmp_path):
    """A test crops what they say, and predicts somebody there."""
    write(tmp_path, sound(tmp_path))
    write(tmp_path, [{**DETECTION, **change}], 'boxes.json')
    steps = pipeline('topdown', 'heatmaps', flip=0.)
    dataset = build(
        tmp_path,
        test_mode=True,
        bbox_file=str(tmp_path / 'boxes.json'),
        pipeline=[*steps[:-2], steps[-1]])
    assert len(dataset) == 1
    assert dataset[0]['inputs'].shape == (3, 64, 48)


@pytest.mark.parametrize('area, score', [(400, 1), (0, 0.721), (..., None),
                                         (None, None)])
def test_areas_in_an_evaluation(area, score, tmp_path):
    """Somebody without an area is never found."""
    content = sound(tmp_path)
    person(area=area)(content, tmp_path)
    # Others in other images keep what is asked here apart.
    content['annotations'][1]['image_id'] = 2
    write(tmp_path, content)
    dataset = build(tmp_path, test_mode=True, pipeline=[])
    metric = METRICS.build(
        dict(type='CocoMetric', ann_file=str(tmp_path / FILE)))
    metric.dataset_meta = dataset.metainfo
    people = [dataset.get_data_info(i) for i in range(len(dataset))]

    def evaluate():
        metric.process([], [
            dict(
                id=one['id'],
                img_id=one['img_id'],
                gt_instances=dict(),
                pred_instances=dict(
                    keypoints=one['keypoints'],
                    keypoint_scores=np.ones((1, 17)),
                    bbox_scores=one['bbox_score'],
                    bboxes=one['bbox'],
                    areas=np.array([400.]))) for one in people
        ])
        return metric.evaluate(len(people))['coco/AP']

    if score is None:
        with pytest.raises((KeyError, TypeError)):
            evaluate()
    elif score == 1:
        assert evaluate() == pytest.approx(1)
    else:
        assert evaluate() < 0.9
