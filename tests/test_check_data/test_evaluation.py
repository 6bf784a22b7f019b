"""What COCO's metrics cannot score."""
import numpy as np
import pytest

from ..support.bad_data import (
    COCO_INFO,
    FILE,
    STOPS,
    WRONG,
    instance,
    valid_content,
    write,
)
from ..support.checked import faults


def evaluate(folder, metric=None, **dataset):
    """Return (kind, effect, message) of the faults of a test."""
    metric = dict(
        dict(type='CocoMetric', ann_file=str(folder / FILE)), **metric or {})
    found = faults(
        folder, split='val', evaluator=metric, test_mode=True, **dataset)
    return [(fault.kind, fault.effect, fault.message) for fault in found]


def write_detections(folder):
    boxes = [dict(image_id=number, category_id=1, bbox=[9, 9, 30, 30], score=1)
             for number in (1, 2)]
    write(folder, boxes, 'boxes.json')
    return dict(bbox_file=str(folder / 'boxes.json'))


def test_valid_annotations(tmp_path):
    write(tmp_path, valid_content(tmp_path))
    assert evaluate(tmp_path) == []
    assert evaluate(tmp_path, dict(ann_file=None)) == []
    assert evaluate(tmp_path, data_mode='bottomup') == []
    assert evaluate(tmp_path, **write_detections(tmp_path)) == []


@pytest.mark.parametrize('scheme', ['detections', 'bottom-up'])
def test_category_of_predictions(scheme, tmp_path):
    """Predictions have category 1, so that category 18 scores nothing."""
    content = valid_content(tmp_path)
    content['categories'][0]['id'] = 18
    for entry in content['annotations']:
        entry['category_id'] = 18
    write(tmp_path, content)
    options = dict(data_mode='bottomup')
    if scheme == 'detections':
        options = write_detections(tmp_path)
    assert evaluate(tmp_path, **options) == [
        ('category', WRONG, '3 instances have category 18, the metric scores '
         'none')]
    # The samples of annotated boxes carry their category.
    assert evaluate(tmp_path) == []


def test_unlisted_category(tmp_path):
    content = valid_content(tmp_path)
    content['categories'].append(dict(id=2, name='dog'))
    content['annotations'][0]['category_id'] = 3
    write(tmp_path, content)
    assert evaluate(tmp_path) == [
        ('category', WRONG, '1 instances have category 3, the metric scores '
         '[1, 2]')]
    assert not faults(tmp_path)


@pytest.mark.parametrize('area, effect', [(..., STOPS), (None, STOPS),
                                          (0, WRONG), (float('nan'), WRONG),
                                          (-5, WRONG), (float('inf'), WRONG)])
def test_areas(area, effect, tmp_path):
    content = valid_content(tmp_path)
    instance(area=area)(content, tmp_path)
    write(tmp_path, content)
    assert not faults(tmp_path)
    assert not evaluate(tmp_path, dict(use_area=False))
    shown = None if area is ... else area
    assert evaluate(tmp_path) == [('area', effect, f'area {shown}')]


def test_evaluator_with_another_file(tmp_path):
    content = valid_content(tmp_path)
    write(tmp_path, content)
    write(tmp_path, content, 'more.json')
    path = tmp_path / 'more.json'
    assert evaluate(tmp_path, dict(ann_file=str(path))) == [
        ('evaluation', WRONG,
         f'CocoMetric reads {path}; name the same file in both')]


@pytest.mark.parametrize('length', [16, 18])
def test_sigmas(length, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    sigmas = np.resize(COCO_INFO['sigmas'], length).tolist()
    info = dict(COCO_INFO, sigmas=sigmas)
    assert evaluate(tmp_path, metainfo=info) == [
        ('metainfo', STOPS, f'{length} sigmas for 17 keypoints')]
    assert not faults(tmp_path, metainfo=info)
