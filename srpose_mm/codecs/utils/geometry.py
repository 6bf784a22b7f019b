"""Pixels, cells and Gaussians: the geometry that the codecs share.

Letters: N instances, K keypoints, W and H the columns and rows of a heatmap.
Coordinates are (x, y).
"""
from typing import Optional, Sequence, Tuple, TypeVar

import numpy as np
import torch
from torch import Tensor

Size = Tuple[int, int]
Array = TypeVar('Array', np.ndarray, Tensor)


def nearest_cell(coordinates: Array) -> Array:
    """Return the nearest cell as MMPose does: add 0.5, then truncate."""
    if isinstance(coordinates, Tensor):
        return torch.trunc(coordinates + 0.5)
    return np.trunc(coordinates + 0.5)


def gaussian_radius(sigma: float) -> float:
    """Return the cells from the center of a Gaussian to its last value."""
    return 3 * sigma


def usable_keypoints(
        keypoints: np.ndarray,
        visible: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Return keypoints (N, K, 2) and visibility (N, K), safe to encode.

    Both are new, float32: finite coordinates, and visibility that is 0 where
    the given one is below 0.5 or not finite, or where a coordinate is not
    finite. ``None`` means all visible.
    """
    if visible is None:
        visible = np.ones(keypoints.shape[:2], dtype=np.float32)
    finite = np.isfinite(keypoints).all(axis=-1)
    usable = finite & np.isfinite(visible) & (np.nan_to_num(visible) >= 0.5)
    keypoints = np.where(finite[..., None], keypoints, 0)
    visible = np.where(usable, visible, 0).astype(np.float32)
    # Beyond any heatmap, and small enough for NumPy's integers.
    return np.clip(keypoints, -1e6, 1e6).astype(np.float32), visible


def reaches_map(centers: np.ndarray, heatmap_size: Size,
                sigma: float) -> np.ndarray:
    """Return which Gaussians reach the heatmap (W, H), by MMPose's rule.

    The centers have shape (N, K, 2), in cells; the result is bool (N, K).
    """
    radius = gaussian_radius(sigma)
    outside = (centers - radius >= heatmap_size) | (centers + radius + 1 < 0)
    return ~outside.any(axis=-1)


def last_cell(map_hw: Sequence[int], device: torch.device) -> Tensor:
    """Return (W - 1, H - 1) of maps with (H, W) cells, int64."""
    height, width = map_hw
    return torch.tensor([width - 1, height - 1], device=device)


def cells_of_index(index: Tensor, width: int) -> Tensor:
    """Return the cells (x, y), int64 in shape (..., 2), of y * W + x."""
    return torch.stack([index % width, index // width], dim=-1)


def window_index(cells: Tensor, steps_x: Tensor, steps_y: Tensor,
                 map_hw: Sequence[int]) -> Tuple[Tensor, Tensor]:
    """Return the index y * W + x of window cells, and which are in the map.

    A window around a cell (..., 2) has columns at ``steps_x`` (n, ) and rows
    at ``steps_y`` (m, ) from it. The index is that of the nearest cell of the
    map (H, W); the mask is True inside the map; both have shape (..., m, n).
    """
    height, width = map_hw
    columns = cells[..., 0].long()[..., None] + steps_x
    rows = cells[..., 1].long()[..., None] + steps_y
    inside = ((rows >= 0) & (rows < height))[..., :, None] & (
        (columns >= 0) & (columns < width))[..., None, :]
    index = (rows.clamp(0, height - 1)[..., :, None] * width +
             columns.clamp(0, width - 1)[..., None, :])
    return index, inside
