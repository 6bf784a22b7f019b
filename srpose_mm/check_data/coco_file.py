import math
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Tuple

from .findings import Findings
from .keypoint_names import check_keypoint_names
from .people import People
from .pictures import Picture
from .read_file import is_list_of_dicts, is_number, read_file
from .sources import Source

KEYS = ('id', 'image_id', 'category_id')


def check_coco_file(source: Source, findings: Findings) -> Dict[int, Picture]:
    """Check a file of annotations in COCO's layout.

    Args:
        source: The data set.
        findings: Gets the faults, and the numbers of annotations.

    Returns:
        Image id to image, of those that the data set loads; with detections,
        of all that are listed.
    """
    path = source.dataset.ann_file
    content = read_file(path, findings)
    if content is None or not _has_layout(content, source, findings):
        return {}
    check_keypoint_names(source, content.get('categories', []), findings)
    images, records = _images(source, content.get('images', []), findings)
    annotations = content.get('annotations', [])
    _check_ids(path, annotations, findings)
    people = People(source, content.get('categories', []), findings)
    for place, annotation in enumerate(annotations):
        label = annotation.get('id', f'at {place}')
        lacking = [
            f'{key!r} {annotation.get(key)!r}' for key in KEYS
            if not _is_key(annotation.get(key, []))
        ]
        key = annotation.get('image_id')
        if lacking:
            image = images.get(key) if _is_key(key) else None
            findings.add(
                'annotation_record', 'expected ids of it, its image and its '
                f'category, got {", ".join(lacking)}', path,
                image and image.label, label)
        elif key in images:
            people.check(annotation, label, records[key], images[key])
        elif key not in records:
            findings.add('unknown_image', f'no image has the id {key!r}',
                         path, annotation=label)
    used = people.used
    if source.dataset.bbox_file or (source.bottom_up
                                    and source.dataset.test_mode):
        used = images
    if not used:
        findings.add('no_people', 'nobody can be trained or tested on', path)
    return {key: image for key, image in images.items() if key in used}


def _has_layout(content: Any, source: Source, findings: Findings) -> bool:
    path = source.dataset.ann_file
    if not isinstance(content, dict):
        findings.add('layout', 'expected a dict with images and annotations, '
                     f'got a {type(content).__name__}', path)
        return False
    for key in ('images', 'annotations', 'categories'):
        if not is_list_of_dicts(content.get(key, [])):
            findings.add('layout', f'expected {key} to be a list of dicts',
                         path)
            return False
    categories = content.get('categories', [])
    if not all(_is_key(entry.get('id', [])) for entry in categories):
        findings.add('layout', 'expected an id of each category', path)
        return False
    if 'categories' not in content and source.dataset.test_mode:
        findings.add('layout', 'expected categories, which the evaluation '
                     'reads', path)
    return True


def _images(
        source: Source, entries: List[dict], findings: Findings
) -> Tuple[Dict[int, Picture], Dict[int, dict]]:
    """Image id to image, and to its entry, which may be useless."""
    images, records = {}, {}
    path = source.dataset.ann_file
    for place, record in enumerate(entries):
        label = f'{record.get("id", f"at {place}")} {record.get("file_name")}'
        lacking = [
            f'{key} {record.get(key)!r}' for key, kind in (
                ('id', int), ('file_name', str))
            if type(record.get(key)) is not kind
        ] + [
            f'{key} {record.get(key)!r}' for key in ('width', 'height')
            if not is_number(record.get(key))
        ]
        if lacking:
            findings.add(
                'image_record', 'expected a whole id, a file_name, and width '
                f'and height in px, got {", ".join(lacking)}', path, label)
            if _is_key(record.get('id')):
                records[record.get('id')] = record
            continue
        if record['id'] in images:
            findings.add(
                'duplicate_image_id', 'the id is that of '
                f'{records[record["id"]]["file_name"]} too', path, label)
        size = record['width'], record['height']
        if not all(0 < side < math.inf for side in size):
            findings.add('recorded_size',
                         f'{size[0]}x{size[1]} px are recorded', path, label)
        file = Path(source.dataset.data_prefix['img']) / record['file_name']
        records[record['id']] = dict(record, img_path=str(file))
        images[record['id']] = Picture(str(file), label, size)
    return images, records


def _check_ids(path: str, annotations: List[dict],
               findings: Findings) -> None:
    places = defaultdict(list)
    for annotation in annotations:
        places[repr(annotation.get('id'))].append(annotation)
    for label, same in places.items():
        if len(same) > 1 and 'id' in same[0]:
            images = [str(a.get('image_id')) for a in same]
            findings.add(
                'duplicate_annotation_id',
                f'{len(same)} annotations have it, of the images '
                f'{", ".join(images)}', path, annotation=label)


def _is_key(value: Any) -> bool:
    """Whether it can be a key, as the reader of COCO makes of ids."""
    return value.__hash__ is not None
