"""Faults of detections and of annotations in MPII's format."""
import re

import numpy as np
import pytest
from scipy.io import savemat

from ..support.bad_data import (
    STOPS,
    WRONG,
    build,
    valid_content,
    write,
)
from ..support.checked import faults

NAN = float('nan')
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


@pytest.mark.parametrize('change, kind, message', [
    (dict(), None, ''),
    (dict(image='002.png'), 'no_image', 'no such file'),
    (dict(joints=[1, 2, 3]), 'file', 'reshape'),
    (dict(image='a.png'), 'file', "'a'"),
    (dict(image=7), 'file', 'split'),
    (dict(center=[1]), 'file', 'index 1'),
])
def test_mpii(change, kind, message, tmp_path):
    write_mpii(tmp_path, mpii_entry(), mpii_entry(**change))
    found = faults(tmp_path, type='MpiiDataset', images=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [(kind, STOPS)] * bool(kind)
    for fault in found:
        assert re.search(message, fault.message)
    dataset = dict(type='MpiiDataset', pipeline=[dict(type='LoadImage')])
    if kind:
        with pytest.raises(Exception, match=message if kind == 'file' else
                           'No such file'):
            build(tmp_path, **dataset)[1]
    else:
        assert build(tmp_path, **dataset)[1]['img'].shape == (64, 64, 3)


def test_mpii_without_entries(tmp_path):
    write_mpii(tmp_path)
    fault, = faults(tmp_path, type='MpiiDataset')
    assert fault.kind == 'no_instances'


@pytest.mark.parametrize('heads, kind, message', [
    (0, 'evaluation', 'head_size'), (1, 'file', 'index 1 is out of bounds'),
    (2, None, '')])
def test_headboxes_of_mpii(heads, kind, message, tmp_path):
    write_mpii(tmp_path, mpii_entry(), mpii_entry())
    path = str(tmp_path / 'heads.mat')
    savemat(path, dict(headboxes_src=np.cumsum(np.ones((2, 2, heads)), 0)))
    found = faults(
        tmp_path,
        split='val',
        type='MpiiDataset',
        headbox_file=path if heads else None,
        evaluator=dict(type='MpiiPCKAccuracy'),
        test_mode=True)
    assert [(fault.kind, fault.effect) for fault in found
            ] == [(kind, STOPS)] * bool(kind)
    for fault in found:
        assert message in fault.message
