"""Metrics score predictions that equal the annotations."""
import copy
import re

import numpy as np
import pytest
from mmpose.datasets.transforms import PackPoseInputs

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

# MMPose's bottom-up configs leave the categories out.
PACK = dict(
    type='PackPoseInputs',
    meta_keys=[key for key in PackPoseInputs().meta_keys
               if key != 'category_id'])
BOTTOM_UP = dict(data_mode='bottomup', pipeline=[PACK])
CROWD = dict(iou_type='keypoints_crowd', use_area=False)


def evaluate(folder, metric=None, **dataset):
    """Return (kind, effect, message) of the faults of a test."""
    coco = dict(type='CocoMetric', ann_file=str(folder / FILE))
    if not metric or 'type' not in metric:
        metric = {**coco, **(metric or {})}
    found = faults(
        folder, split='val', evaluator=metric, test_mode=True, **dataset)
    return [(fault.kind, fault.effect, fault.message) for fault in found]


def write_changed(folder, change, **entry):
    """Write valid annotations after a change of their first entry."""
    content = valid_content(folder)
    content['annotations'][0].update(entry)
    change(content)
    write(folder, content)
    return content


def write_detections(folder):
    boxes = [dict(image_id=number, category_id=1, bbox=[9, 9, 30, 30], score=1)
             for number in (1, 2)]
    write(folder, boxes, 'boxes.json')
    return dict(bbox_file=str(folder / 'boxes.json'))


def to_category_18(content):
    content['categories'][0]['id'] = 18
    for entry in content['annotations']:
        entry['category_id'] = 18


def test_valid_annotations_are_perfect(tmp_path):
    content = write_changed(tmp_path, lambda content: None)
    assert evaluate(tmp_path) == []
    assert evaluate(tmp_path, dict(ann_file=None)) == []
    assert evaluate(tmp_path, **BOTTOM_UP) == []
    assert evaluate(tmp_path, **write_detections(tmp_path)) == []
    assert evaluate(tmp_path, dict(type='PCKAccuracy')) == []
    for image in content['images']:
        image['crowdIndex'] = 0.5
    write(tmp_path, content)
    assert evaluate(tmp_path, CROWD) == []


def test_more_instances_than_coco_scores(tmp_path):
    """COCO scores 20 predictions in an image, which is no fault."""
    content = valid_content(tmp_path)
    content['annotations'] += [
        {**content['annotations'][0], 'id': 100 + number}
        for number in range(30)
    ]
    write(tmp_path, content)
    assert evaluate(tmp_path) == []


@pytest.mark.parametrize('scheme', ['detections', 'bottom-up'])
def test_category_of_predictions(scheme, tmp_path):
    """Predictions have category 1, so that category 18 scores nothing."""
    write_changed(tmp_path, to_category_18)
    options = BOTTOM_UP if scheme == 'bottom-up' else write_detections(
        tmp_path)
    category, score = evaluate(tmp_path, **options)
    assert category == ('category', WRONG, '3 instances have category 18, '
                        'the metric scores none')
    assert score[0] == 'evaluation'
    assert 'AP is 0.000 instead of 1' in score[2]
    # The samples of annotated boxes carry their category.
    assert evaluate(tmp_path) == []


def test_unlisted_category(tmp_path):
    write_changed(tmp_path, lambda content: content['categories'].clear())
    category, score = evaluate(tmp_path)
    assert category == ('category', WRONG, '3 instances have category 1, '
                        'the metric scores none')
    assert 'AP is -1.000 instead of 1' in score[2]


@pytest.mark.parametrize('change, message', [
    (lambda values: [values[at:at + 3] for at in range(0, 51, 3)],
     r'keypoints to be a flat list of numbers, got \[\['),
    (lambda values: [str(value) for value in values],
     r"keypoints to be a flat list of numbers, got \['"),
    (lambda values: [None, *values[1:]], r'got \[None'),
])
def test_keypoints_that_only_the_loader_understands(change, message,
                                                    tmp_path):
    content = valid_content(tmp_path)
    entry = content['annotations'][0]
    entry['keypoints'] = change(entry['keypoints'])
    write(tmp_path, content)
    first = evaluate(tmp_path)[0]
    assert first[:2] == ('evaluated_value', STOPS)
    assert re.search(message, first[2])
    # Training converts them.
    assert not [fault for fault in faults(tmp_path)
                if fault.kind != 'keypoint_not_finite']


@pytest.mark.parametrize('key', ['num_keypoints', 'crowdIndex'])
@pytest.mark.parametrize('value', [..., None, '17'])
def test_values_of_crowdpose(key, value, tmp_path):
    content = valid_content(tmp_path)
    for image in content['images']:
        image['crowdIndex'] = 0.5
    entry = content['annotations' if key == 'num_keypoints' else 'images'][0]
    entry.update({key: value})
    if value is ...:
        del entry[key]
    write(tmp_path, content)
    fault, = evaluate(tmp_path, CROWD)
    # The metric compares num_keypoints with 0, which works with any type.
    stops = key == 'crowdIndex' or value is ...
    shown = repr(None if value is ... else value)
    assert fault == ('evaluated_value', STOPS if stops else WRONG,
                     f'{key} {shown}')
    assert evaluate(tmp_path, dict(iou_type='keypoints')) == []


@pytest.mark.parametrize('area, effect', [(..., STOPS), (None, STOPS),
                                          (0, WRONG), (float('nan'), WRONG),
                                          (-5, WRONG), (float('inf'), WRONG)])
def test_areas(area, effect, tmp_path):
    content = valid_content(tmp_path)
    instance(area=area)(content, tmp_path)
    write(tmp_path, content)
    assert not faults(tmp_path)
    assert not evaluate(tmp_path, dict(use_area=False))
    fault = evaluate(tmp_path)[0]
    assert fault[:2] == ('evaluated_value', effect) and 'area' in fault[2]


def test_area_in_a_multi_dataset_evaluator(tmp_path):
    write_changed(tmp_path, lambda content: content['annotations'][0].pop(
        'area'))
    coco = dict(type='CocoDataset')
    evaluator = dict(
        type='MultiDatasetEvaluator',
        metrics=[dict(type='CocoMetric', use_area=False),
                 dict(type='CocoMetric', ann_file=str(tmp_path / FILE))],
        datasets=[dict(type='AicDataset'), coco])
    fault, = faults(tmp_path, split='val', evaluator=evaluator)
    assert (fault.kind, fault.annotation) == ('evaluated_value', '10')
    evaluator['datasets'].reverse()
    assert not faults(tmp_path, split='val', evaluator=evaluator)


def test_evaluator_with_another_file(tmp_path):
    """Scores a quarter of the instances as missed, or stops."""
    content = write_changed(tmp_path, lambda content: None)
    more = copy.deepcopy(content)
    more['images'].append(dict(content['images'][0], id=3))
    more['annotations'].append(
        dict(content['annotations'][0], id=30, image_id=3))
    write(tmp_path, more, 'more.json')
    path = tmp_path / 'more.json'
    fault, = evaluate(tmp_path, dict(ann_file=str(path)))
    # Precision is 1 at the recalls 0, 0.01, ... 0.75, and 0 at the others.
    assert fault == ('evaluation', WRONG, f'CocoMetric with ann_file {path}: '
                     f'AP is {76 / 101:.3f} instead of 1')
    write(tmp_path, content, 'copy.json')
    assert not evaluate(tmp_path, dict(ann_file=str(tmp_path / 'copy.json')))
    content['images'].pop()
    content['annotations'].pop()
    write(tmp_path, content, 'fewer.json')
    fault, = evaluate(tmp_path, dict(ann_file=str(tmp_path / 'fewer.json')))
    assert fault[:2] == ('evaluation', STOPS)
    assert 'do not correspond' in fault[2]
    fault, = evaluate(tmp_path, dict(ann_file=str(tmp_path / 'no.json')))
    assert 'FileNotFoundError' in fault[2]


def test_evaluation_of_a_part_of_the_data_set(tmp_path):
    """``indices`` leaves instances out that the metric counts as missed."""
    write_changed(tmp_path, lambda content: None)
    fault, = evaluate(tmp_path, indices=1)
    assert fault[2] == f'CocoMetric: AP is {34 / 101:.3f} instead of 1'


def test_no_label_no_score(tmp_path):
    content = valid_content(tmp_path)
    for entry in content['annotations']:
        entry['keypoints'][2::3] = [0] * 17
    write(tmp_path, content)
    assert {kind for kind, *_ in evaluate(tmp_path)} == {'num_keypoints'}


def test_metric_options_that_no_annotation_satisfies(tmp_path):
    """PCKh needs head sizes, which COCO does not have."""
    write_changed(tmp_path, lambda content: None)
    fault, = faults(
        tmp_path, split='val',
        evaluator=dict(type='PCKAccuracy', norm_item='head'))
    assert (fault.kind, fault.effect) == ('evaluation', STOPS)
    assert 'head_size' in fault.message


@pytest.mark.parametrize('length', [16, 18])
def test_sigmas_stop_the_evaluation(length, tmp_path):
    write_changed(tmp_path, lambda content: None)
    sigmas = np.resize(COCO_INFO['sigmas'], length).tolist()
    fault, = evaluate(tmp_path, metainfo=dict(COCO_INFO, sigmas=sigmas))
    assert fault == ('metainfo', STOPS, f'{length} sigmas for 17 keypoints')


def test_nothing_is_printed(tmp_path, capsys):
    write_changed(tmp_path, lambda content: None)
    evaluate(tmp_path)
    assert capsys.readouterr().out == ''
