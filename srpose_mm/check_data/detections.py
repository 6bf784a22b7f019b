from typing import Dict, Optional, Set

import numpy as np

from .findings import Findings
from .pictures import Picture
from .read_file import is_list_of_dicts, is_number, read_file

KEYS = ('image_id', 'category_id', 'bbox', 'score')


def check_detections(path: str, pictures: Dict[int, Picture],
                     findings: Findings) -> Set[int]:
    """Check a file of detected boxes.

    Args:
        path: The file.
        pictures: Image id to image, of those that the annotations list.
        findings: Gets the faults, and the number of detections.

    Returns:
        The ids of the images that have one.
    """
    detections = read_file(path, findings)
    if detections is None:
        return set()
    if not is_list_of_dicts(detections):
        findings.add('layout', 'expected a list of dicts', path)
        return set()
    used = set()
    for place, detection in enumerate(detections):
        # MMPose leaves out what is not of category 1, a person.
        if detection.get('category_id', 1) != 1:
            findings.count('detections of other categories')
            continue
        findings.count('detections')
        where = dict(file=path, annotation=f'at {place}')
        reason = _unreadable(detection)
        if reason:
            findings.add('detection_record', reason, **where)
            continue
        key = detection['image_id']
        if not isinstance(key, int) or key not in pictures:
            findings.add('detection_image', f'no image has the id {key!r}',
                         **where)
            continue
        used.add(key)
        where['image'] = pictures[key].label
        if _holds_nothing(detection['bbox'], pictures[key].size):
            findings.add('detection_box', f'bbox {detection["bbox"]}', **where)
        score = detection['score']
        if score is None or not np.isfinite(score):
            findings.add('detection_score', f'score {score}', **where)
    if not used:
        findings.add('no_people', 'it has no detection of category 1', path)
    return used


def _unreadable(detection: dict) -> Optional[str]:
    lacking = [key for key in KEYS if key not in detection]
    if lacking:
        return f'it has no {", ".join(lacking)}'
    box, score = detection['bbox'], detection['score']
    if (not isinstance(box, list) or len(box) < 4
            or not all(v is None or is_number(v) for v in box[:4])):
        return f'expected a bbox of four numbers, got {box!r}'
    if score is not None and not is_number(score):
        return f'expected a number as score, got {score!r}'
    return None


def _holds_nothing(box: list, size) -> bool:
    """Whether the crop shows nothing, or something else than the box says."""
    x, y, w, h = np.array(box[:4], dtype=np.float32)
    inside = x < size[0] and y < size[1] and x + w > 0 and y + h > 0
    # A comparison with NaN is false.
    return not (w > 0 and h > 0 and inside and np.isfinite([x, y, w, h]).all())
