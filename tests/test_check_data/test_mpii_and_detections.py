"""Faults of detections and of annotations in MPII's format.

Beside each report: MMPose's error, or the weight that is left of 16.
"""
import re

import pytest

from ..support.bad_data import (
    STOPS,
    WRONG,
    build,
    valid_content,
    weights_left,
    write,
)
from ..support.checked import faults

NAN, INF = float('nan'), float('inf')
DETECTION = dict(image_id=1, category_id=1, bbox=[16, 8, 28, 32], score=.9)


@pytest.mark.parametrize('change, effect, message, error', [
    (dict(), None, '', None),
    (dict(bbox=[NAN, 8, 28, 32]), WRONG, 'nan', None),
    (dict(bbox=[None, 8, 28, 32]), WRONG, 'None', None),
    (dict(bbox=[16, 8, 0, 32]), WRONG, '0, 32', None),
    (dict(bbox=[16, 8, -9, 32]), WRONG, '-9', None),
    (dict(bbox=[99, 8, 9, 32]), WRONG, '99', None),
    (dict(score=NAN), WRONG, 'score is not finite', None),
    (dict(score=None), WRONG, "'score': None", None),
    (dict(score='x'), STOPS, "'score': 'x'", 'could not convert string'),
    (dict(bbox=[1, 2, 3]), STOPS, r'\[1, 2, 3\]', 'cannot reshape array'),
    (dict(bbox=None), STOPS, 'bbox.*None', 'not subscriptable'),
    (dict(image_id=99), STOPS, 'KeyError: 99', '99'),
    (dict(image_id='1'), STOPS, "KeyError: '1'", 'not subscriptable'),
])
def test_detections(change, effect, message, error, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    write(tmp_path, [DETECTION, {**DETECTION, **change}], 'boxes.json')
    options = dict(test_mode=True, bbox_file=str(tmp_path / 'boxes.json'))
    found = faults(tmp_path, split='val', **options)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [('detection', effect)] * bool(effect)
    for fault in found:
        assert fault.file == options['bbox_file']
        assert fault.annotation == 'at 1'
        assert re.search(message, fault.message)
    if error:
        with pytest.raises(Exception, match=error):
            build(tmp_path, **options)
    else:
        assert len(build(tmp_path, **options)) == 2


@pytest.mark.parametrize('content, kind', [(None, 'file'), ('[{', 'file'),
                                           ('{}', 'file'),
                                           ('[]', 'no_instances')])
def test_files_of_detections(content, kind, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    if content:
        write(tmp_path, content, 'boxes.json')
    fault, = faults(tmp_path, split='val', test_mode=True,
                    bbox_file=str(tmp_path / 'boxes.json'))
    assert (fault.kind, fault.effect) == (kind, STOPS)


def mpii_entry(**values):
    entry = dict(
        image='001.png',
        center=[30, 30],
        scale=0.2,
        joints=[[20 + k, 30] for k in range(16)],
        joints_vis=[1] * 16)
    return {**entry, **values}


def write_mpii(folder, *entries):
    valid_content(folder)
    (folder / '1.png').rename(folder / '001.png')
    write(folder, list(entries))


@pytest.mark.parametrize('change, kind, effect, message, left', [
    (dict(), None, None, '', 16),
    (dict(joints=[[NAN, 3]] + 15 * [[29, 29]]), 'keypoint_not_finite',
     'weight 0', r'right_ankle \(nan, 3, 1\)', 15),
    (dict(joints_vis=[2] + [1] * 15), 'visibility', WRONG,
     r'right_ankle \(20, 30, 2\)', 17),
    (dict(joints_vis=[INF] + [1] * 15), 'visibility', 'weight 0', 'inf', 15),
    (dict(joints_vis=[-1] + [1] * 15), 'visibility', 'weight 0', '-1', 15),
    (dict(joints_vis=[NAN] + [1] * 15), 'visibility', 'weight 0', 'nan', 15),
    (dict(joints_vis=[.7] + [1] * 15), 'visibility', WRONG, r'0\.7', 15.7),
    (dict(scale=0), 'box', 'skipped', r'bbox \[29.*, 0.0\]', None),
    (dict(scale=NAN), 'box', 'weight 0', 'bbox .*nan', 0),
    (dict(joints=15 * [[9, 9]], joints_vis=15 * [1]), 'keypoint_count', STOPS,
     '15 keypoints, expected 16', 'index'),
    (dict(joints_vis=[1]), 'keypoint_count', STOPS, '16 keypoints',
     'Mismatched'),
    (dict(joints=[1, 2, 3]), 'file', STOPS, 'reshape', 'reshape'),
    (dict(image='a.png'), 'file', STOPS, "'a'", "'a'"),
    (dict(image=7), 'file', STOPS, 'split', ''),
    (dict(center=[1]), 'file', STOPS, 'index 1', 'index'),
    (dict(scale=None), 'box', 'weight 0', 'bbox .*nan', 0),
])
def test_mpii(change, kind, effect, message, left, tmp_path):
    write_mpii(tmp_path, mpii_entry(), mpii_entry(**change))
    found = faults(tmp_path, type='MpiiDataset', images=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [(kind, effect)] * bool(kind)
    for fault in found:
        assert re.search(message, fault.message)
        if kind != 'file':
            assert (fault.annotation, fault.image) == ('1', '001.png')
    if effect == STOPS:
        with pytest.raises(Exception, match=left):
            weights_left(build(tmp_path, type='MpiiDataset'))
    else:
        weights = weights_left(build(tmp_path, type='MpiiDataset'))
        assert weights.get(1) == (left and pytest.approx(left))
