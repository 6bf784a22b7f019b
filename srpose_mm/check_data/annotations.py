"""Annotation files in COCO's and MPII's format."""
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Dict, List, Optional

from mmengine.utils import is_list_of
from mmpose.registry import TRANSFORMS

from ..datasets.utils import keypoint_names
from .images import ImageFile
from .instances import instance_faults
from .report import SKIPPED, STOPS, WRONG, DatasetReport, shorten
from .sources import DataSource, UnreadableFileError, read_json


def check_coco_file(source: DataSource,
                    report: DatasetReport) -> Dict[int, ImageFile]:
    """Check an annotation file in COCO's format.

    Returns:
        The images that the data set loads, by id; with detections, all that
        the file lists.

    Raises:
        UnreadableFileError: If the file has another structure.
    """
    dataset = source.dataset
    content = read_json(dataset.ann_file, dict)
    entries, annotations, categories = parts = [
        content.get(key, []) for key in ('images', 'annotations', 'categories')
    ]
    if not all(is_list_of(part, dict) for part in parts) or any(
            category.get('id', []).__hash__ is None
            for category in categories):
        raise UnreadableFileError(
            'expected images, annotations and categories to be lists of '
            'dicts, and an id in each category', dataset.ann_file)
    images = _read_images(source, entries, report)
    groups = _group_annotations(annotations, images, report)
    _check_categories(source, categories, groups, report)
    infos = [info for key, group in groups.items()
             for info in _check_group(source, group, images[key], report)]
    used = {info['img_id'] for info in infos
            if source.bottom_up or dataset._is_valid_instance(info)}
    if dataset.bbox_file or (source.bottom_up and dataset.test_mode):
        used = images
    if not used:
        report.add('no_instances', STOPS, 'no instance can be used')
    return {key: image for key, image in images.items() if key in used}


def check_mpii_file(source: DataSource,
                    report: DatasetReport) -> Dict[int, ImageFile]:
    """Check that MMPose can parse an annotation file in MPII's format.

    Returns:
        The images that the data set loads, by id.

    Raises:
        UnreadableFileError: If MMPose cannot parse the file.
    """
    file = source.dataset.ann_file
    report.count('annotations', len(read_json(file)))
    try:
        _, images = source.dataset._load_annotations()
    # Other values than expected fail in many ways.
    except Exception as err:
        raise UnreadableFileError(f'{type(err).__name__}: {err}',
                                  file) from err
    if not images:
        report.add('no_instances', STOPS, 'no instance can be used')
    return {image['img_id']: ImageFile(
        image['img_path'], Path(image['img_path']).name) for image in images}


def _read_images(source: DataSource, entries: List[dict],
                 report: DatasetReport) -> Dict[int, ImageFile]:
    """Check the entries of images, and return the usable ones by id."""
    images = {}
    for position, entry in enumerate(entries):
        key, name, *size = map(entry.get,
                               ('id', 'file_name', 'width', 'height'))
        label = f'{entry.get("id", f"at {position}")} {name}'
        if not (type(key) is int and isinstance(name, str)
                and all(isinstance(side, (int, float)) for side in size)):
            report.add(
                'image_record', STOPS, 'expected an integer id, a file_name, '
                f'and width and height in px, got {key!r}, {name!r}, '
                f'{size[0]!r}, {size[1]!r}', label)
            continue
        if key in images:
            report.add('duplicate_id', WRONG,
                       f'also the id of {Path(images[key].path).name}', label)
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
        if any(value is None or value.__hash__ is None for value in ids):
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
    """Compare keypoints with the metainfo, and ids with the scored ones."""
    expected = keypoint_names(source.dataset.metainfo)
    for category in categories:
        names = category.get('keypoints')
        if (source.converter or source.own_parser
                or not isinstance(names, list)
                # A list of numbers has no names.
                or not re.search('[A-Za-z]', str(names))):
            continue
        faults = [f'keypoint {index} is {name}, in the metainfo {wanted}'
                  for index, (name, wanted) in enumerate(zip(names, expected))
                  if name != wanted and name in expected]
        if len(names) != len(expected):
            faults.insert(0, f'{len(names)} keypoints, the metainfo has '
                          f'{len(expected)}')
        if faults:
            report.add('keypoint_names', WRONG,
                       f'category {category["id"]}: {shorten(faults)}')
    if not source.coco_metrics:
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
    area = annotation.get('area')
    is_number = isinstance(area, (int, float))
    if any(metric.get('use_area', True) for metric in source.coco_metrics
           ) and not (is_number and 0 < area < math.inf):
        report.add('area', WRONG if is_number else STOPS, f'area {area!r}',
                   **where)
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
    if not info:  # without a box or without keypoints, as things are
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
