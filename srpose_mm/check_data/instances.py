"""Keypoints and boxes of instances, as MMPose parses them."""
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from ..datasets.utils import keypoint_names
from .images import ImageFile
from .report import KEPT, STOPS, WEIGHTLESS, WRONG, shorten
from .sources import DataSource

# Kind, effect and message.
FaultRow = Tuple[str, str, str]
# Annotations may count from 0 or 1, and to the last pixel or its far edge.
MARGIN = 1


def instance_faults(source: DataSource, info: dict,
                    size: Tuple[int, int]) -> Iterator[FaultRow]:
    """Yield kind, effect and message of the faults of an instance.

    Args:
        source: The dataset.
        info: Instance as the dataset parses it: ``keypoints`` (1, K, 2) and
            ``bbox`` (1, 4), xyxy, in px of the image, and
            ``keypoints_visible`` (1, K).
        size: (w, h) of the image in px.
    """
    points = info['keypoints'][0]
    flags = np.minimum(info['keypoints_visible'][0], 1)  # 2 counts as 1
    names, needed = _expected_keypoints(source, len(points))
    if not needed <= len(points) == len(flags) == len(names):
        yield ('keypoint_count', STOPS,
               f'{len(points)} keypoints, expected {needed}')
        return
    labelled = flags >= 0.5
    if 'num_keypoints' in info and not source.own_parser:
        given, number = info['num_keypoints'], int(labelled.sum())
        if (given == 0) != (number == 0):
            yield ('num_keypoints', KEPT if number else WEIGHTLESS,
                   f'num_keypoints is {given}, {number} are labelled')
    if labelled.any():
        yield from _keypoint_faults(points, flags, names, size)
        yield from _box_faults(source, info, points[labelled], size)


def are_corners(infos: List[dict], images: Dict[int, ImageFile]) -> bool:
    """Return True if most boxes of a file seem to be x1, y1, x2, y2.

    Of the boxes, 75 % then lie in their images and contain the labelled
    keypoints if they are read as corners, and at least three of these boxes
    are clearly larger if they are read as x, y, width, height. In six datasets
    with correct boxes, at most 16 % of the boxes can be read as such corners.
    """
    fits, larger = [], 0
    for info in infos:
        labelled = info['keypoints'][0][info['keypoints_visible'][0] >= 0.5]
        if info['iscrowd'] or not labelled.size:
            continue
        box = np.array(info['raw_ann_info']['bbox'], np.float32)
        fits.append(_fits_as_corners(box, labelled,
                                     images[info['img_id']].size))
        area = (box[2:] - box[:2]).prod()
        larger += fits[-1] and box[2:].prod() > 1.2 * area
    return larger >= 3 and np.mean(fits) >= 0.75


def _expected_keypoints(source: DataSource,
                        number: int) -> Tuple[List[str], int]:
    """Return the names of keypoints in the file, and their least number."""
    if source.converter is None:
        names = keypoint_names(source.dataset.metainfo)
        return names, len(names)
    needed = 1 + max(np.max(pair[0]) for pair in source.converter['mapping'])
    return [f'keypoint {index}' for index in range(number)], needed


def _keypoint_faults(points: np.ndarray, flags: np.ndarray,
                     names: Sequence[str],
                     size: Tuple[int, int]) -> Iterator[FaultRow]:
    labelled, finite = flags >= 0.5, np.isfinite(points).all(axis=-1)
    outside = ((points < -MARGIN)
               | (points > np.add(size, MARGIN))).any(axis=-1)
    odd_flags = ~np.isin(flags, (0, 1))
    for kind, effect, odd in (
        ('keypoint_not_finite', WEIGHTLESS, labelled & ~finite),
        ('keypoint_at_origin', WRONG, labelled & (points == 0).all(axis=-1)),
        ('keypoint_outside', KEPT, labelled & finite & outside),
        ('visibility', WRONG if (odd_flags & labelled).any() else
         WEIGHTLESS, odd_flags),
    ):
        if odd.any():
            yield kind, effect, shorten([
                f'{names[index]} ({points[index, 0]:g}, {points[index, 1]:g}, '
                f'{flags[index]:g})' for index in np.nonzero(odd)[0]
            ])


def _box_faults(source: DataSource, info: dict, labelled: np.ndarray,
                size: Tuple[int, int]) -> Iterator[FaultRow]:
    """Yield the first fault of a box, for labelled keypoints (K, 2)."""
    clipped, bottom_up = info['bbox'][0], source.bottom_up
    box = np.append(clipped[:2], clipped[2:] - clipped[:2]).tolist()
    if not source.own_parser:  # Other parsers read other values.
        box = info['raw_ann_info']['bbox']
    message = f'bbox {box} in an image of {size[0]}x{size[1]} px'
    box = np.array(box, np.float32)
    normalized = [name for name, values in (('bbox', box),
                                            ('keypoints', labelled))
                  if values.size >= 4 and 0 <= values.min() < values.max() <= 1
                  and min(size) > 2]
    # Bottom-up crops do not depend on the box.
    if not np.isfinite(clipped).all():
        yield 'box', KEPT if bottom_up else WEIGHTLESS, message
    elif (clipped[2:] <= clipped[:2]).any() or not np.isfinite(box).all():
        # Clipping ends an infinite box at the border of the image.
        yield 'box', KEPT if bottom_up else WRONG, message
    elif normalized:
        if len(normalized) == 2 or (bottom_up and 'keypoints' in normalized):
            effect = WRONG
        else:
            effect = KEPT if bottom_up else WEIGHTLESS
        yield 'normalized', effect, f'{" and ".join(normalized)}; {message}'
    elif ((box[:2] + box[2:] > 1.05 * np.array(size)).any()
          and _fits_as_corners(box, labelled, size)):
        yield 'box_corners', KEPT if bottom_up else WRONG, message


def _fits_as_corners(box: np.ndarray, labelled: np.ndarray,
                     size: Tuple[int, int]) -> bool:
    """Return True if x1, y1, x2, y2 lie in the image around keypoints."""
    start, end = box[:2], box[2:]
    margin = 0.2 * (end - start) + MARGIN
    return bool((end - start > MARGIN).all()
                and (end <= np.add(size, MARGIN)).all()
                and (labelled >= start - margin).all()
                and (labelled <= end + margin).all())
