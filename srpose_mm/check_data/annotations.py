"""Annotation files in COCO's and MPII's format."""
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
from mmengine.utils import is_list_of
from mmpose.registry import TRANSFORMS

from .images import ImageFile
from .instances import FaultRow, are_corners, instance_faults
from .metainfo import check_keypoint_names
from .report import KEPT, SKIPPED, STOPS, WRONG, DatasetReport
from .sources import DataSource, UnreadableFileError, read_json

# Images by id, and bool in shape (K, ), True for keypoints with a label.
Content = Tuple[Dict[int, ImageFile], np.ndarray]


def check_coco_file(source: DataSource, report: DatasetReport) -> Content:
    """Check an annotation file in COCO's format.

    Returns:
        The images that the dataset loads (with detections, all that the file
        lists), and which keypoints have labels.

    Raises:
        UnreadableFileError: If the file has another structure.
    """
    dataset = source.dataset
    content = read_json(dataset.ann_file, dict)
    entries, annotations, categories = parts = [
        content.get(key, []) for key in ('images', 'annotations', 'categories')
    ]
    if not all(is_list_of(part, dict) for part in parts) or any(
            isinstance(category.get('id', []), (list, dict))
            for category in categories):
        raise UnreadableFileError(
            'expected images, annotations and categories to be lists of '
            'dicts, and an id in each category', dataset.ann_file)
    images = _read_images(source, entries, report)
    groups = _group_annotations(annotations, images, report)
    _check_categories(source, categories, groups, report)
    if not (source.converter or source.own_parser):
        check_keypoint_names(source, categories, report)
    infos = [info for key, group in groups.items()
             for info in _check_group(source, group, images[key], report)]
    if not source.own_parser and are_corners(infos, images):
        report.add('box_corners', KEPT if source.bottom_up else WRONG,
                   f'most of the {len(infos)} boxes of the file; the first '
                   f'is {infos[0]["raw_ann_info"]["bbox"]}')
    used = {info['img_id'] for info in infos
            if source.bottom_up or dataset._is_valid_instance(info)}
    if dataset.bbox_file or (source.bottom_up and dataset.test_mode):
        used = images
    if not used:
        report.add('no_instances', STOPS, 'no instance can be used')
    return {key: image for key, image in images.items()
            if key in used}, _labelled_keypoints(source, infos)


def check_mpii_file(source: DataSource, report: DatasetReport) -> Content:
    """Check that MMPose can parse an annotation file in MPII's format.

    Returns:
        The images that the dataset loads, and which keypoints have labels.

    Raises:
        UnreadableFileError: If MMPose cannot parse the file.
    """
    file = source.dataset.ann_file
    report.count('annotations', len(read_json(file)))
    try:
        infos, images = source.dataset._load_annotations()
    # Other values than expected fail in many ways.
    except Exception as err:
        raise UnreadableFileError(f'{type(err).__name__}: {err}',
                                  file) from err
    if not images:
        report.add('no_instances', STOPS, 'no instance can be used')
    return {image['img_id']: ImageFile(
        image['img_path'], Path(image['img_path']).name)
            for image in images}, _labelled_keypoints(source, infos)


def _labelled_keypoints(source: DataSource, infos: List[dict]) -> np.ndarray:
    """Return True for keypoints (K, ) with a label; if unknown, for all."""
    number = source.metainfo['num_keypoints']  # that of a wrapper, if any
    flags = [info['keypoints_visible'] for info in infos
             if info['keypoints_visible'].shape[1] == number]
    if source.converter or not flags:
        return np.ones(number, dtype=bool)
    return (np.concatenate(flags) >= 0.5).any(axis=0)


def _read_images(source: DataSource, entries: List[dict],
                 report: DatasetReport) -> Dict[int, ImageFile]:
    """Check the entries of images, and return the usable ones by id."""
    images, crowd = {}, source.coco_metrics(iou_type='keypoints_crowd')
    for position, entry in enumerate(entries):
        key, name, *size = map(entry.get,
                               ('id', 'file_name', 'width', 'height'))
        label = f'{entry.get("id", f"at {position}")} {name}'
        if not (type(key) is int and isinstance(name, str)
                and all(map(_is_number, size))):
            report.add(
                'image_record', STOPS, 'expected an integer id, a file_name, '
                f'and width and height in px, got {key!r}, {name!r}, '
                f'{size[0]!r}, {size[1]!r}', label)
            continue
        if key in images:
            report.add('duplicate_id', WRONG,
                       f'also the id of {Path(images[key].path).name}', label)
        if crowd and not _is_number(entry.get('crowdIndex')):
            report.add('evaluated_value', STOPS,
                       f'crowdIndex {entry.get("crowdIndex")!r}', label)
        path = str(Path(source.dataset.data_prefix['img']) / name)
        record = dict(entry, img_id=key, img_path=path)
        images[key] = ImageFile(path, label, tuple(size), record)
    return images


def _group_annotations(annotations: List[dict], images: Dict[int, ImageFile],
                       report: DatasetReport) -> Dict[int, List[dict]]:
    """Return the annotations with usable ids by the id of their image."""
    groups = defaultdict(list)
    numbers = Counter(repr(entry.get('id')) for entry in annotations)
    for position, annotation in enumerate(annotations):
        label = annotation.get('id', f'at {position}')
        ids = [annotation.get(name)
               for name in ('id', 'image_id', 'category_id')]
        if any(isinstance(value, (list, dict, type(None))) for value in ids):
            report.add(
                'annotation_record', STOPS, 'expected id, image_id and '
                f'category_id, got {ids}', annotation=label)
            continue
        if ids[1] in images:
            groups[ids[1]].append(annotation)
        else:
            report.add('unknown_image', SKIPPED, 'no usable image has the id '
                       f'{ids[1]!r}', annotation=label)
        number = numbers.pop(repr(ids[0]), 1)
        if number > 1:
            report.add('duplicate_id', WRONG, f'{number} annotations have it',
                       annotation=label)
    return groups


def _check_categories(source: DataSource, categories: List[dict],
                      groups: Dict[int, List[dict]],
                      report: DatasetReport) -> None:
    """Compare the categories of instances with those that are scored."""
    if not source.coco_metrics():
        return
    # Predictions of a bottom-up model and of detected boxes have category 1.
    any_id = not (source.bottom_up or source.dataset.bbox_file)
    scored = [category['id'] for category in categories
              if any_id or category['id'] == 1]
    for category, number in Counter(
            annotation['category_id'] for group in groups.values()
            for annotation in group).items():
        if category not in scored:
            report.add('category', WRONG, f'{number} instances have category '
                       f'{category}, the metric scores {scored or "none"}')


def _check_group(source: DataSource, annotations: List[dict],
                 image: ImageFile, report: DatasetReport) -> List[dict]:
    """Check the annotations of an image, and return what MMPose parses."""
    before = len(report.faults)
    infos = [_check_annotation(source, annotation, image, report)
             for annotation in annotations]
    infos = [info for info in infos if info]
    if source.bottom_up and infos and not any(
            fault.effect == STOPS for fault in report.faults[before:]):
        # Make a sample and its mask as the pipeline does.
        try:
            sample, = source.dataset._get_bottomup_data_infos(infos, [])
            mask, (width, height) = source.step('Mask'), image.size
            if mask and sample['invalid_segs'] and width and height:
                TRANSFORMS.build(mask).transform(dict(
                    sample, input_size=image.size,
                    img_shape=(int(height), int(width))))
        # Lists of other values than expected fail in many ways.
        except Exception as err:
            report.add('image_sample', STOPS, f'{type(err).__name__}: {err}',
                       image.label)
    return infos


def _check_annotation(source: DataSource, annotation: dict, image: ImageFile,
                      report: DatasetReport) -> Optional[dict]:
    """Check an annotation, and return what MMPose parses of it, if any."""
    report.count('annotations')
    where = dict(image=image.label, annotation=annotation['id'])
    for fault in _evaluated_faults(source, annotation):
        report.add(*fault, **where)
    if source.dataset.bbox_file:
        return None
    annotation.setdefault('iscrowd', False)  # as pycocotools does
    try:
        info = source.dataset.parse_data_info(
            dict(raw_ann_info=annotation, raw_img_info=image.record))
        is_valid = bool(info) and source.dataset._is_valid_instance(info)
    # Each class parses in its own way.
    except Exception as err:
        report.add('annotation_record', STOPS, f'{type(err).__name__}: {err}',
                   **where)
        return None
    if not info:  # without a box or keypoints, which is no fault
        report.count('left out')
        return None
    report.count('used', int(is_valid))
    if not annotation['iscrowd']:
        for kind, effect, message in instance_faults(source, info, image.size):
            # MMPose leaves invalid instances out, whatever else is wrong.
            if not (is_valid or source.bottom_up or effect == STOPS):
                effect = SKIPPED
            report.add(kind, effect, message, **where)
    return info


def _evaluated_faults(source: DataSource,
                      annotation: dict) -> Iterator[FaultRow]:
    """Yield values that COCO's metrics read from the file and cannot use."""
    if not source.coco_metrics():
        return
    for key in ('keypoints', 'bbox'):
        value = annotation.get(key)
        if not (isinstance(value, list) and all(map(_is_number, value))):
            yield ('evaluated_value', STOPS, f'expected {key} to be a flat '
                   f'list of numbers, got {value!r:.60}')
    area, number = annotation.get('area'), annotation.get('num_keypoints')
    if source.coco_metrics(use_area=True) and not (
            _is_number(area) and 0 < area < math.inf):
        yield ('evaluated_value', WRONG if _is_number(area) else STOPS,
               f'area {area!r}')
    if source.coco_metrics(
            iou_type='keypoints_crowd') and not _is_number(number):
        # The metric compares the value with 0.
        yield ('evaluated_value', WRONG if 'num_keypoints' in annotation
               else STOPS, f'num_keypoints {number!r}')


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))
