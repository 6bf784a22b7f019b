"""Pixels, cells and Gaussians: the geometry that the codecs share.

Letters: N instances, K keypoints, w and h the size of the input in px, W and H
the size of the heatmap in cells.
"""
from typing import Optional, Tuple, TypeVar

import numpy as np
import torch
from torch import Tensor

Size = Tuple[int, int]
Array = TypeVar('Array', np.ndarray, Tensor)


def cell_size(input_size: Size, heatmap_size: Size) -> np.ndarray:
    """Return the size of a cell in px, (w / W, h / H), float32.

    The usual way to map pixels: W cells divide the width of w pixels.
    """
    return (np.array(input_size) / heatmap_size).astype(np.float32)


def cell_spacing(input_size: Size, heatmap_size: Size) -> np.ndarray:
    """Return the px between two cells, (w - 1) / (W - 1), float32.

    UDP's way to map pixels: the first and the last cell lie on the first and
    the last pixel.
    """
    size, cells = np.array(input_size), np.array(heatmap_size)
    return ((size - 1) / (cells - 1)).astype(np.float32)


def nearest_cell(coordinates: Array) -> Array:
    """Round coordinates in cells as MMPose does: integers truncate."""
    if isinstance(coordinates, Tensor):
        return torch.trunc(coordinates + 0.5)
    return np.trunc(coordinates + 0.5)


def gaussian_radius(sigma: float) -> float:
    """Return the cells from the centre of a Gaussian to its last value."""
    return 3 * sigma


def usable_keypoints(
        keypoints: np.ndarray,
        visible: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Make annotated keypoints safe to encode.

    Args:
        keypoints: Coordinates in shape (N, K, 2). Not changed.
        visible: Visibility in shape (N, K); ``None`` means all visible. Not
            changed.

    Returns:
        New arrays in the same shapes, float32: finite coordinates, and
        visibility that is 0 where the given one is below 0.5 or not finite,
        or where a coordinate is not finite.
    """
    if visible is None:
        visible = np.ones(keypoints.shape[:2], dtype=np.float32)
    finite = np.isfinite(keypoints).all(axis=-1)
    usable = finite & np.isfinite(visible) & (np.nan_to_num(visible) >= 0.5)
    keypoints = np.where(finite[..., None], keypoints, 0)
    visible = np.where(usable, visible, 0).astype(np.float32)
    # Far beyond any heatmap, and still an integer that NumPy can hold.
    return np.clip(keypoints, -1e6, 1e6).astype(np.float32), visible


def reaches_map(centres: np.ndarray, heatmap_size: Size,
                sigma: float) -> np.ndarray:
    """Return which Gaussians reach the heatmap, by MMPose's rule.

    Args:
        centres: Their centres in shape (N, K, 2), in cells.
        heatmap_size: (W, H) of the heatmap.
        sigma: Standard deviation in cells.

    Returns:
        bool in shape (N, K).
    """
    radius = gaussian_radius(sigma)
    outside = (centres - radius >= heatmap_size) | (centres + radius + 1 < 0)
    return ~outside.any(axis=-1)
