"""Faults of detections and of MPII's files."""
import re

import numpy as np
import pytest
from scipy.io import savemat

from ..support.bad_data import STOPS, WRONG, sound, write
from ..support.checked import faults

DETECTION = dict(image_id=1, category_id=1, bbox=[16, 8, 28, 32], score=.9)


@pytest.mark.parametrize('change, kind, effect, message', [
    (dict(), None, None, ''),
    (dict(bbox=[float('nan'), 8, 28, 32]), 'detection_box', WRONG, 'nan'),
    (dict(bbox=[None, 8, 28, 32]), 'detection_box', WRONG, 'None'),
    (dict(bbox=[16, 8, 0, 32]), 'detection_box', WRONG, '0, 32'),
    (dict(bbox=[16, 8, -9, 32]), 'detection_box', WRONG, '-9'),
    (dict(bbox=[99, 8, 9, 32]), 'detection_box', WRONG, '99'),
    (dict(score=float('nan')), 'detection_score', WRONG, 'score nan'),
    (dict(score=None), 'detection_score', WRONG, 'score None'),
    (dict(score='x'), 'detection_record', STOPS, "got 'x'"),
    (dict(bbox=[1, 2, 3]), 'detection_record', STOPS, r'\[1, 2, 3\]'),
    (dict(bbox=None), 'detection_record', STOPS, 'got None'),
    (dict(image_id=99), 'detection_image', STOPS, 'no image .* 99'),
    (dict(image_id='1'), 'detection_image', STOPS, "id '1'"),
])
def test_detections(change, kind, effect, message, tmp_path):
    write(tmp_path, sound(tmp_path))
    write(tmp_path, [DETECTION, {**DETECTION, **change}], 'boxes.json')
    path = str(tmp_path / 'boxes.json')
    found = faults(tmp_path, split='val', bbox_file=path, test_mode=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [(kind, effect)] * bool(kind)
    for fault in found:
        assert fault.file == path and fault.annotation == 'at 1'
        assert re.search(message, fault.message)


@pytest.mark.parametrize('content, kind', [(None, 'no_file'),
                                           ('[{', 'broken_json'),
                                           ('{}', 'layout'),
                                           ('[]', 'no_people')])
def test_files_of_detections(content, kind, tmp_path):
    write(tmp_path, sound(tmp_path))
    if content:
        write(tmp_path, content, 'boxes.json')
    fault, = faults(
        tmp_path,
        split='val',
        bbox_file=str(tmp_path / 'boxes.json'),
        test_mode=True)
    assert (fault.kind, fault.effect) == (kind, STOPS)


def mpii_entry():
    return dict(
        image='001.png',
        center=[30, 30],
        scale=0.2,
        joints=[[20 + k, 30] for k in range(16)],
        joints_vis=[1] * 16)


@pytest.mark.parametrize('change, kind, effect, message', [
    (dict(), None, None, ''),
    (dict(joints=[[float('nan'), 3]] + 15 * [[9, 9]]), 'keypoint_not_finite',
     'weight 0', r'right_ankle \(nan, 3\)'),
    (dict(joints_vis=[2] + [1] * 15), 'visibility', WRONG, 'right_ankle 2'),
    (dict(joints_vis=[float('inf')] + [1] * 15), 'visibility', 'weight 0',
     'right_ankle inf'),
    (dict(joints_vis=[-1] + [1] * 15), 'visibility', 'weight 0', '-1'),
    (dict(joints_vis=[.7] + [1] * 15), 'visibility', WRONG, r'0\.7'),
    (dict(scale=0), 'empty_box', 'skipped', 'scale 0'),
    (dict(scale=float('nan')), 'box_not_finite', 'weight 0', 'scale nan'),
    (dict(joints=15 * [[9, 9]], joints_vis=15 * [1]), 'keypoint_count', STOPS,
     '15 keypoints, the config has 16'),
    (dict(joints_vis=[1]), 'annotation_record', STOPS, 'joints_vis'),
    (dict(joints=[1, 2]), 'annotation_record', STOPS, 'pairs'),
    (dict(image='a.png'), 'annotation_record', STOPS, "'a.png'"),
    (dict(center=[1]), 'annotation_record', STOPS, 'center'),
    (dict(scale=None), 'annotation_record', STOPS, 'scale'),
])
def test_mpii(change, kind, effect, message, tmp_path):
    sound(tmp_path)
    (tmp_path / '1.png').rename(tmp_path / '001.png')
    write(tmp_path, [mpii_entry(), {**mpii_entry(), **change}])
    found = faults(tmp_path, type='MpiiDataset', images=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [(kind, effect)] * bool(kind)
    for fault in found:
        assert fault.annotation == 'at 1'
        assert fault.image == change.get('image', '001.png')
        assert re.search(message, fault.message)


@pytest.mark.parametrize('heads, effect', [(1, STOPS), (2, None), (3, WRONG)])
def test_heads_of_mpii(heads, effect, tmp_path):
    sound(tmp_path)
    (tmp_path / '1.png').rename(tmp_path / '001.png')
    write(tmp_path, [mpii_entry()] * 2)
    path = str(tmp_path / 'heads.mat')
    savemat(path, dict(headboxes_src=np.zeros((2, 2, heads))))
    found = faults(
        tmp_path,
        split='val',
        type='MpiiDataset',
        headbox_file=path,
        test_mode=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [('headboxes', effect)] * bool(effect)
