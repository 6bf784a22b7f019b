"""Annotation files in COCO's and MPII's format."""
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
from mmengine.utils import is_list_of
from mmpose.registry import TRANSFORMS

from .images import ImageFile
from .keypoints import (
    Fault,
    are_corners,
    check_keypoint_names,
    instance_faults,
    is_labelled,
    keypoint_names,
)
from .report import KEPT, SKIPPED, STOPS, WEIGHTLESS, WRONG, DatasetReport
from .sources import (
    DataSource,
    UnreadableFileError,
    is_number,
    read_json,
)

# Images by id, and bool in shape (K, ), True for keypoints with a label.
Content = Tuple[Dict[Any, ImageFile], np.ndarray]


def check_coco_file(source: DataSource, report: DatasetReport) -> Content:
    """Check an annotation file in COCO's format.

    Returns:
        The images that the data set loads (with detections, all listed
        images), and which keypoints have labels.
    """
    file = _CocoFile(source, report)
    if not (source.converter or source.own_parser):
        check_keypoint_names(source, file.categories, report)
    if source.coco_metrics():
        file.check_categories()
    file.read_images()
    for key, group in file.group_annotations().items():
        file.check_image(group, key)
    file.check_boxes()
    used = file.used
    if source.dataset.bbox_file or (source.bottom_up
                                    and source.dataset.test_mode):
        used = file.images
    if not used:
        report.add('no_instances', STOPS, 'no instance can be used')
    return {key: image for key, image in file.images.items()
            if key in used}, file.labelled


class _CocoFile:
    """Checks the parts of an annotation file one after the other."""

    def __init__(self, source: DataSource, report: DatasetReport):
        self.source, self.dataset, self.report = source, source.dataset, report
        content = read_json(self.dataset.ann_file, dict)
        self.entries, self.annotations, self.categories = parts = [
            content.get(key, [])
            for key in ('images', 'annotations', 'categories')
        ]
        if not all(is_list_of(part, dict) for part in parts) or any(
                category.get('id', []).__hash__ is None
                for category in self.categories):
            raise UnreadableFileError(
                'expected images, annotations and categories to be lists of '
                'dicts, and an id in each category', self.dataset.ann_file)
        # Usable images, and the entries of all images, by id.
        self.images, self.records = {}, {}
        self.names = keypoint_names(self.dataset.metainfo)
        self.labelled = np.zeros(len(self.names), dtype=bool)
        self.used, self.boxes = set(), []
        # MMPose skips degenerate boxes only if the crop depends on them.
        self.unusable = KEPT if source.bottom_up else SKIPPED
        mask = source.bottom_up and source.step('Mask')
        self.mask = mask and TRANSFORMS.build(mask)

    def check_categories(self) -> None:
        """Compare the categories of instances with those that are scored."""
        listed = [repr(category.get('id')) for category in self.categories]
        by_model = self.source.bottom_up or self.dataset.bbox_file
        for category, number in Counter(
                repr(annotation.get('category_id'))
                for annotation in self.annotations).items():
            if category not in listed:
                reason = 'categories does not list it'
            elif by_model and category != '1':
                reason = 'predictions have category 1'
            else:
                continue
            self.report.add('category', WRONG, f'{number} instances have '
                            f'category {category}; {reason}')

    def read_images(self) -> None:
        """Check the entries of images."""
        crowd = self.source.coco_metrics(iou_type='keypoints_crowd')
        for position, entry in enumerate(self.entries):
            key, name, width, height = map(
                entry.get, ('id', 'file_name', 'width', 'height'))
            label = f'{entry.get("id", f"at {position}")} {name}'
            if not (type(key) is int and isinstance(name, str)
                    and is_number(width) and is_number(height)):
                self.report.add(
                    'image_record', STOPS, 'expected an integer id, a '
                    'file_name, and width and height in px, got '
                    f'{key!r}, {name!r}, {width!r}, {height!r}', label)
                if key.__hash__ is not None:
                    self.records[key] = entry
                continue
            if key in self.images:
                self.report.add(
                    'duplicate_id', WRONG,
                    f'also the id of {self.records[key]["file_name"]}', label)
            file = str(Path(self.dataset.data_prefix['img']) / name)
            self.images[key] = ImageFile(file, label, (width, height))
            self.records[key] = dict(entry, img_id=key, img_path=file)
            if not (0 < width < math.inf and 0 < height < math.inf):
                self.report.add('image_record', self.unusable,
                                f'the size is {width}x{height} px', label)
            if crowd and not is_number(entry.get('crowdIndex')):
                self.report.add('evaluated_value', STOPS,
                                f'crowdIndex {entry.get("crowdIndex")!r}',
                                label)

    def group_annotations(self) -> Dict[int, List[Tuple[Any, dict]]]:
        """Return labels and annotations by id of their image."""
        groups = defaultdict(list)
        numbers = Counter(repr(entry.get('id')) for entry in self.annotations)
        for position, annotation in enumerate(self.annotations):
            label = annotation.get('id', f'at {position}')
            ids = [annotation.get(name)
                   for name in ('id', 'image_id', 'category_id')]
            key = ids[1]
            if any(value is None or value.__hash__ is None for value in ids):
                self.report.add(
                    'annotation_record', STOPS, 'expected id, image_id and '
                    f'category_id, got {ids}', str(key), label)
            elif key in self.images:
                groups[key].append((label, annotation))
            elif key not in self.records:
                self.report.add('unknown_image', SKIPPED, 'no image has the '
                                f'id {key!r}', annotation=label)
            number = numbers.pop(repr(ids[0]), 1)
            if number > 1 and ids[0] is not None:
                self.report.add('duplicate_id', WRONG, f'{number} annotations '
                                'have it', annotation=label)
        return groups

    def check_image(self, group: List[Tuple[Any, dict]], key: int) -> None:
        """Check the annotations of an image, which have labels."""
        image, infos, effects = self.images[key], [], []
        for label, annotation in group:
            self.report.count('annotations')
            annotation.setdefault('iscrowd', False)  # as pycocotools does
            for fault in self._faults(annotation, key, infos):
                self.report.add(*fault, image.label, label)
                effects.append(fault[1])
        if not self.source.bottom_up or not infos or STOPS in effects:
            return
        # Make a sample and its mask as the pipeline does.
        try:
            sample, = self.dataset._get_bottomup_data_infos(infos, [])
            width, height = image.size
            if self.mask and sample['invalid_segs'] and width and height:
                self.mask.transform(dict(
                    sample, input_size=image.size,
                    img_shape=(int(height), int(width))))
        # Lists of other values than expected fail in many ways.
        except Exception as err:
            self.report.add('image_sample', STOPS,
                            f'{type(err).__name__}: {err}', image.label)

    def check_boxes(self) -> None:
        """Check the format that all boxes have in common."""
        if self.boxes and are_corners(*map(np.array, zip(*self.boxes))):
            self.report.add(
                'box_corners', KEPT if self.source.bottom_up else WRONG,
                f'{len(self.boxes)} boxes, the first is {self.boxes[0][0]}')

    def _faults(self, annotation: dict, key: int,
                infos: List[dict]) -> Iterator[Fault]:
        """Yield faults of an annotation, which is parsed into ``infos``."""
        if self.source.coco_metrics():
            yield from self._evaluated_faults(annotation)
        if self.dataset.bbox_file:
            return
        try:
            info = self.dataset.parse_data_info(dict(
                raw_ann_info=annotation, raw_img_info=self.records[key]))
            valid = bool(info) and self.dataset._is_valid_instance(info)
        # Each class parses in its own way.
        except Exception as err:
            yield 'annotation_record', STOPS, f'{type(err).__name__}: {err}'
            return
        if not info:
            self.report.count('left out')
            # Things have no keypoints, which is no fault.
            things = [category.get('id') for category in self.categories
                      if 'keypoints' not in category]
            if not (self.source.own_parser
                    or annotation['category_id'] in things):
                yield 'annotation_record', SKIPPED, 'no bbox or no keypoints'
            return
        infos.append(info)
        self.report.count('used', int(valid))
        is_used = valid or self.source.bottom_up
        if is_used:
            self.used.add(key)
        if annotation['iscrowd'] not in (0, 1):
            yield ('iscrowd', self.unusable,
                   f'iscrowd {annotation["iscrowd"]!r}')
        elif not annotation['iscrowd']:
            for kind, effect, message in self._instance_faults(
                    annotation, info, self.images[key].size):
                # MMPose leaves the instance out, whatever else is wrong.
                yield (kind, effect if is_used or effect == STOPS else SKIPPED,
                       message)

    def _evaluated_faults(self, annotation: dict) -> Iterator[Fault]:
        """Yield values that the metric reads from the file and cannot use."""
        for key, size in (('keypoints', None), ('bbox', 4)):
            value = annotation.get(key)
            if not (isinstance(value, list) and all(map(is_number, value))
                    and size in (None, len(value))):
                yield ('evaluated_value', STOPS, f'expected {key} to be a '
                       f'flat list of numbers, got {value!r:.60}')
        area, number = annotation.get('area'), annotation.get('num_keypoints')
        if self.source.coco_metrics(use_area=True) and not (
                is_number(area) and 0 < area < math.inf):
            yield ('evaluated_value', WRONG if is_number(area) else STOPS,
                   f'area {area!r}')
        if self.source.coco_metrics(
                iou_type='keypoints_crowd') and not is_number(number):
            # The metric compares the value with 0.
            yield ('evaluated_value', WRONG if 'num_keypoints' in annotation
                   else STOPS, f'num_keypoints {number!r}')

    def _instance_faults(self, annotation: dict, info: dict,
                         size: Tuple[int, int]) -> Iterator[Fault]:
        points, flags = info['keypoints'][0], info['keypoints_visible'][0]
        clipped = info['bbox'][0]
        box = [*clipped[:2].tolist(), *(clipped[2:] - clipped[:2]).tolist()]
        if not self.source.own_parser:  # Other parsers read other values.
            box = annotation['bbox']
            flags = np.array(annotation['keypoints'],
                             np.float32).reshape(-1, 3)[:, 2]
        names, needed = self.names, len(self.names)
        if self.source.converter:
            mapping = self.source.converter['mapping']
            needed = 1 + max(np.max(pair[0]) for pair in mapping)
            names = [f'keypoint {index}' for index in range(len(points))]
        if len(points) < needed or len(points) != len(names):
            yield ('keypoint_count', STOPS,
                   f'{len(points)} keypoints, expected {needed}')
            return
        labelled = is_labelled(flags)
        if not self.source.converter:
            self.labelled |= labelled
        given, number = info.get('num_keypoints'), int(labelled.sum())
        if (given == 0) != (number == 0) and not self.source.own_parser:
            yield ('num_keypoints', KEPT if number else WEIGHTLESS,
                   f'num_keypoints is {given}, {number} are labelled')
        if number:
            yield from instance_faults(points, flags, names, box, clipped,
                                       size, self.source.bottom_up)
            low, high = points[labelled].min(0), points[labelled].max(0)
            if np.isfinite([*clipped, *low, *high]).all():
                self.boxes.append((box, low, high, size))


def check_mpii_file(source: DataSource, report: DatasetReport) -> Content:
    """Check an annotation file in MPII's format, which has no image sizes."""
    names = keypoint_names(source.dataset.metainfo)
    images, labelled = {}, np.zeros(len(names), dtype=bool)
    for position, entry in enumerate(read_json(source.dataset.ann_file)):
        report.count('annotations')
        where = dict(image=str(entry.get('image')),
                     annotation=f'at {position}')
        try:
            name = entry['image']
            int(name.split('.')[0])
            points = np.array(entry['joints'], np.float32).reshape(-1, 2)
            flags = np.array(
                entry['joints_vis'], np.float32).reshape(len(points))
            x, y, scale = np.array([*entry['center'], entry['scale']],
                                   np.float32).tolist()
        except (AttributeError, KeyError, TypeError, ValueError) as err:
            report.add('annotation_record', STOPS,
                       f'{type(err).__name__}: {err}', **where)
            continue
        path = Path(source.dataset.data_prefix['img']) / name
        images[name] = ImageFile(str(path), name, None)
        if len(points) != len(names):
            report.add('keypoint_count', STOPS, f'{len(points)} keypoints, '
                       f'expected {len(names)}', **where)
            continue
        labelled |= is_labelled(flags)
        half = 100 * scale
        for kind, effect, message in instance_faults(
                points, flags, names, [x - half, y - half, 2 * half, 2 * half],
                np.array([x - half, y - half, x + half, y + half]), None):
            report.add(kind, SKIPPED if scale <= 0 else effect, message,
                       **where)
    if not images:
        report.add('no_instances', STOPS, 'no instance can be used')
    return images, labelled
