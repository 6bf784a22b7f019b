from typing import Iterator, Optional, Sequence, Tuple

import numpy as np

from .keypoint_names import in_short
from .kinds import KEPT, WEIGHTLESS

# Annotations count from 0 or 1, and to the last pixel or beyond it.
MARGIN = 1


def odd_places(
        keypoints: np.ndarray, visible: np.ndarray, names: Sequence[str],
        size: Optional[Tuple[int, int]]) -> Iterator[Tuple[str, str]]:
    """Find keypoints at places where none can be.

    Args:
        keypoints: Coordinates in shape (K, 2), in image px.
        visible: Visibility in shape (K, ); below 0.5 counts as not labelled.
        names: The keypoints' names.
        size: (w, h) of the image, in px; ``None`` if it is not known.

    Yields:
        A kind of fault and which keypoints it is.
    """
    finite = np.isfinite(keypoints).all(axis=-1)
    labelled = np.nan_to_num(visible) >= 0.5
    found = dict(
        keypoint_not_finite=labelled & ~finite,
        keypoint_at_origin=labelled & (keypoints == 0).all(axis=-1))
    if size is not None:
        outside = (keypoints < -MARGIN) | (keypoints > np.add(size, MARGIN))
        found['keypoint_outside'] = labelled & finite & outside.any(axis=-1)
    for kind, which in found.items():
        if which.any():
            yield kind, in_short([
                f'{names[index]} ({keypoints[index, 0]:g}, '
                f'{keypoints[index, 1]:g})' for index in np.nonzero(which)[0]
            ])


def odd_visibility(visible: np.ndarray, names: Sequence[str],
                   allowed: Sequence[int]) -> Optional[Tuple[str, str]]:
    """Find visibilities that mean nothing.

    Args:
        visible: Visibility in shape (K, ), as in the file.
        names: The keypoints' names.
        allowed: What they may be.

    Returns:
        Which they are, and what is done with them; ``None`` if there are
        none.
    """
    odd = ~np.isin(visible, allowed)
    if not odd.any():
        return None
    counts = odd & (np.nan_to_num(visible) >= 0.5)
    return in_short([
        f'{names[index]} {visible[index]:g}' for index in np.nonzero(odd)[0]
    ]), KEPT if counts.any() else WEIGHTLESS
