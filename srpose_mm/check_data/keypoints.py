"""Keypoints and boxes: metainfo, names, positions, visibility."""
import re
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .report import KEPT, STOPS, WEIGHTLESS, WRONG, DatasetReport, shorten
from .sources import DataSource

# Kind, effect and message.
Fault = Tuple[str, str, str]
# Annotations may count from 0 or 1, and to the last pixel or its far edge.
MARGIN = 1
ABBREVIATIONS = dict(l='left', r='right', f='front', b='back')
MIRROR = dict(left='right', right='left')


def check_metainfo(source: DataSource, labelled: np.ndarray,
                   report: DatasetReport) -> None:
    """Check the swaps, sigmas and joint weights of the metainfo.

    A swap has no effect on keypoints that are not ``labelled`` (K, ), bool.
    """
    meta, faults = source.metainfo, []
    names, flip = keypoint_names(meta), meta['flip_indices']
    if len(labelled) != len(names):
        labelled = [True] * len(names)
    words = list(map(_words, names))
    for index, (name, other) in enumerate(zip(names, flip)):
        mirrored = [MIRROR.get(word, word) for word in words[index]]
        if not labelled[index] and not labelled[other]:
            continue
        if flip[other] != index:
            faults.append(f'{name} swaps with {names[other]}, '
                          f'{names[other]} with {names[flip[other]]}')
        elif (mirrored != words[index] and mirrored in words
              and mirrored != words[other]):
            faults.append(f'{name} swaps with {names[other]}, not with '
                          f'{names[words.index(mirrored)]}')
    if faults:
        report.add('metainfo', WRONG, 'swap must be mutual, left with right: '
                   + shorten(faults))
    weighted = (source.step('GenerateTarget') or {}).get(
        'use_dataset_keypoint_weights')
    per_keypoint = [('joint_weights', meta['dataset_keypoint_weights'],
                     weighted)]
    # MMPose leaves sigmas empty where OKS is not used.
    if len(meta['sigmas']) or source.coco_metrics():
        per_keypoint.append(('sigmas', meta['sigmas'], source.coco_metrics()))
    for key, values, is_used in per_keypoint:
        if len(values) != len(names):
            report.add('metainfo', STOPS if is_used else KEPT,
                       f'{len(values)} {key} for {len(names)} keypoints')


def check_keypoint_names(source: DataSource, categories: Sequence[dict],
                         report: DatasetReport) -> None:
    """Compare the keypoint names of categories with the metainfo.

    Two names agree if the words of one are among the words of the other:
    ``head`` and ``top_head``, ``L_Eye`` and ``left_eye``. A list of numbers
    has no names.
    """
    expected = keypoint_names(source.dataset.metainfo)
    for category in categories:
        names = category.get('keypoints')
        if not isinstance(names, list) or not re.search('[A-Za-z]',
                                                        str(names)):
            continue
        faults = [
            f'keypoint {index} is {name}, in the metainfo {wanted}'
            for index, (name, wanted) in enumerate(zip(names, expected))
            if name != wanted and (name in expected
                                   or not _agree(str(name), wanted))
        ]
        if len(names) != len(expected):
            faults.insert(0, f'{len(names)} keypoints, the metainfo has '
                          f'{len(expected)}')
        if faults:
            report.add('keypoint_names', WRONG,
                       f'category {category.get("id")}: {shorten(faults)}')


def instance_faults(points: np.ndarray, flags: np.ndarray,
                    names: Sequence[str], box: Sequence[float],
                    clipped: np.ndarray, size: Optional[Tuple[int, int]],
                    bottom_up: bool = False) -> Iterator[Fault]:
    """Yield kind, effect and message of the faults of a labelled instance.

    Args:
        points: Keypoints in shape (K, 2), in px of the image.
        flags: Visibility as in the file, in shape (K, ); labelled from 0.5.
        names: Names of the K keypoints.
        box: Box as in the file: x, y, width, height.
        clipped: x1, y1, x2, y2 inside the image, in shape (4, ).
        size: (w, h) of the image in px, or ``None`` in MPII's format, which
            also has no visibility 2.
        bottom_up: True if the crop does not depend on the box.
    """
    mpii, labelled = size is None, is_labelled(flags)
    finite = np.isfinite(points).all(axis=-1)
    bounds = np.inf if mpii else np.add(size, MARGIN)
    outside = ((points < -MARGIN) | (points > bounds)).any(axis=-1)
    odd_flags = ~np.isin(flags, (0, 1) if mpii else (0, 1, 2))
    # MMPose clips the visibility of COCO's format only, so that a visibility
    # of 2 doubles the weight of MPII's joints. Infinite weights become 0.
    counts = odd_flags & labelled & (np.isfinite(flags) | (not mpii))
    for kind, effect, odd in (
        ('keypoint_not_finite', WEIGHTLESS, labelled & ~finite),
        ('keypoint_at_origin', WRONG, labelled & (points == 0).all(axis=-1)),
        ('keypoint_outside', KEPT, labelled & finite & outside & (not mpii)),
        ('visibility', WEIGHTLESS if not counts.any() else
         WRONG if mpii else KEPT, odd_flags)):
        if odd.any():
            yield kind, effect, shorten([
                f'{names[index]} ({points[index, 0]:g}, {points[index, 1]:g}, '
                f'{flags[index]:g})' for index in np.nonzero(odd)[0]
            ])
    message = f'bbox {box}' if mpii else (
        f'bbox {box} in an image of {size[0]}x{size[1]} px')
    box = np.array(box, np.float32)
    normalized = [part for part, values in (('bbox', box), (
        'keypoints', points[labelled])) if is_normalized(values)]
    if not np.isfinite(clipped).all():
        yield 'box', KEPT if bottom_up else WEIGHTLESS, message
    elif (clipped[2:] <= clipped[:2]).any() or not np.isfinite(box).all():
        # Clipping ends an infinite box at the border of the image.
        yield 'box', KEPT if bottom_up else WRONG, message
    elif normalized and (mpii or min(size) > 2):
        used = {'keypoints'} if bottom_up else {'bbox', 'keypoints'}
        effect = WRONG if used <= set(normalized) else (
            KEPT if bottom_up else WEIGHTLESS)
        yield 'normalized', effect, f'{" and ".join(normalized)}; {message}'


def is_labelled(flags: np.ndarray) -> np.ndarray:
    """Return True for each visibility with which MMPose trains a keypoint."""
    return np.nan_to_num(flags) >= 0.5


def is_normalized(values: np.ndarray) -> bool:
    """Return True if four or more coordinates are all between 0 and 1."""
    return (values.size >= 4 and values.min() >= 0 and values.max() <= 1
            and values.max() > values.min())


def are_corners(boxes: np.ndarray, low: np.ndarray, high: np.ndarray,
                sizes: np.ndarray) -> bool:
    """Return True if boxes seem to be x1, y1, x2, y2.

    As corners, most of the boxes then lie in their images and hold their
    labelled keypoints; as x, y, width, height, one of them leaves its image or
    several are clearly larger. In six data sets with correct boxes, at most
    16 % of the boxes can be read as such corners.

    Args:
        boxes: Boxes as in the file, in shape (N, 4), in px.
        low: Smallest coordinates of the labelled keypoints, in shape (N, 2).
        high: Largest coordinates of the labelled keypoints, in shape (N, 2).
        sizes: (w, h) of the images in shape (N, 2), in px.
    """
    start, end = boxes[:, :2], boxes[:, 2:]
    margin = 0.2 * (end - start) + MARGIN
    fits = ((end > start) & (end <= sizes + MARGIN) & (low >= start - margin)
            & (high <= end + margin)).all(axis=1)
    leaves = fits & (start + end > 1.05 * sizes).any(axis=1)
    larger = fits & (end.prod(axis=1) > 1.2 * (end - start).prod(axis=1))
    return fits.mean() >= 0.75 and (leaves.any() or larger.sum() >= 3)


def keypoint_names(metainfo: dict) -> List[str]:
    """Return the names of the keypoints in their order."""
    names = metainfo['keypoint_id2name']
    return [names[index] for index in range(metainfo['num_keypoints'])]


def _words(name: str) -> List[str]:
    return [ABBREVIATIONS.get(word, word)
            for word in re.findall('[a-z0-9]+', name.lower())]


def _agree(name: str, other: str) -> bool:
    words, others = set(_words(name)), set(_words(other))
    return words <= others or others <= words
