"""Peaks of heatmaps, on the device of the heatmaps.

Letters: B batch, K keypoints, H and W the rows and columns of a heatmap, L
numbers in a tag, M candidates of each keypoint.
"""
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import cells_of_index, last_cell, window_index


@dataclass
class Peaks:
    """Peaks of heatmaps, with the parts of the heatmaps around them.

    Args:
        cells: Coordinates (x, y) of the peaks, float32, (-1, -1) without one,
            in shape (B, K, 2); (B, K, M, 2) for M peaks of whole heatmaps.
        scores: Values of the peaks in shape (B, K) or (B, K, M), float32.
        patches: A part of each heatmap in shape (B, K, P, Q), or the
            heatmaps. Cells of a part outside the heatmap have no meaning.
        corners: Coordinates of each patch's first cell in shape (B, K, 2),
            int64; 0 means that the patches are the heatmaps.
        map_hw: (H, W) of the heatmaps; ``None`` means those of the patches.
    """

    cells: Tensor
    scores: Tensor
    patches: Tensor
    corners: Union[Tensor, int] = 0
    map_hw: Optional[Tuple[int, int]] = None

    def __post_init__(self) -> None:
        if self.map_hw is None:
            self.map_hw = tuple(self.patches.shape[-2:])

    @property
    def patch_cells(self) -> Tensor:
        """Coordinates of the peaks in their patches."""
        return self.cells - self.corners

    @classmethod
    def of_heatmaps(cls, heatmaps: Tensor) -> 'Peaks':
        """Return the highest cell of each heatmap (B, K, H, W)."""
        return cls(*heatmap_argmax(heatmaps), heatmaps)

    @classmethod
    def of_windows(cls, windows: Tensor, corners: Tensor,
                   map_hw: Tuple[int, int]) -> 'Peaks':
        """Return the highest cell among M square windows of each heatmap.

        The windows (B, K, M, n, n) have their first cells at ``corners``
        (B, K, M, 2). The patches are the windows of the peaks.
        """
        steps = torch.arange(windows.shape[-1], device=windows.device)
        index, inside = window_index(corners, steps, steps, map_hw)
        values = windows.masked_fill(~inside, -torch.inf).flatten(2).float()
        scores, best = values.max(dim=-1)
        scores = scores.masked_fill(scores.isnan(), 0)
        index = index.flatten(2).gather(2, best[..., None])[..., 0]
        cells = cells_of_index(index, map_hw[1]).float()
        cells = cells.masked_fill((scores <= 0)[..., None], -1)
        window = best // len(steps)**2
        return cls(cells, scores, _pick(windows, window),
                   _pick(corners, window), map_hw)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Return the value (B, K, ...) at an index (B, K) of (B, K, M, ...)."""
    shape = values.shape[3:]
    index = index.view(*index.shape, 1, *[1] * len(shape))
    return values.gather(2, index.expand(-1, -1, -1, *shape))[:, :, 0]


def heatmap_argmax(heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Return the highest cell of each heatmap (B, K, H, W).

    The function can be traced for any B and exported to ONNX.

    Returns:
        The cells' coordinates (x, y) in shape (B, K, 2) and their values in
        shape (B, K), both float32. Of equal cells the first counts. If a
        heatmap has no positive value or contains NaN, its coordinates are
        (-1, -1), as in MMPose, and its value is at most 0.
    """
    # Maxima without indices are vectorised: index one row and one column.
    scores, rows = heatmaps.amax(dim=-1).max(dim=-1)
    index = rows[..., None, None].expand(-1, -1, 1, heatmaps.shape[-1])
    columns = heatmaps.gather(2, index)[:, :, 0].argmax(dim=-1)
    keypoints = torch.stack([columns, rows], dim=-1).float()
    scores = scores.float()
    scores = scores.masked_fill(scores.isnan(), 0)
    return keypoints.masked_fill((scores <= 0)[..., None], -1), scores


def local_maxima(maps: Tensor, size: int,
                 count: int) -> Tuple[Tensor, Tensor]:
    """Return the M highest local maxima of maps (B, K, H, W).

    A local maximum is not lower than the ``size`` x ``size`` cells around it.

    Returns:
        Values (B, K, M), falling, and cells (x, y) in shape (B, K, M, 2),
        int64. If a map has fewer maxima, the other values are -inf.
    """
    peaks = maps.masked_fill(maps != highest_around(maps, size), -torch.inf)
    values, index = peaks.flatten(2).topk(
        min(count, maps.shape[-2:].numel()))
    return values, cells_of_index(index, maps.shape[-1])


def top_candidates(heatmaps: Tensor, tags: Tensor, nms_kernel: int,
                   count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the M highest peaks of each heatmap, as stock decoding does.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        tags: Tags in shape (B, L, K, H, W).
        nms_kernel: Side of the square around a peak in which no cell is
            higher, in cells, odd.
        count: Number of candidates, M; H * W if that is less.

    Returns:
        Values (B, K, M), 0 where a heatmap has fewer peaks or a number is not
        finite; tags (B, K, M, L); cells (x, y) in shape (B, K, M, 2), int64.
    """
    # On a CPU the maps of a keypoint are processed alone, in the cache.
    parts = (
        heatmaps.split(1, dim=1)
        if heatmaps.device.type == 'cpu' else [heatmaps])
    count = min(count, heatmaps.shape[-2:].numel())
    tops = [keep_peaks(part, nms_kernel).flatten(2).topk(count)
            for part in parts]
    values, index = (torch.cat(part, dim=1) for part in zip(*tops))
    cells = cells_of_index(index, heatmaps.shape[-1])
    cell_tags = tags_at(cells, tags)
    usable = values.isfinite() & cell_tags.isfinite().all(dim=-1)
    return values.masked_fill(~usable, 0), cell_tags, cells


def tags_at(points: Tensor,
            tags: Tensor,
            factor: int = 1,
            shifts: Sequence[int] = (0, )) -> Tensor:
    """Return the tags (B, K, M, L) of heatmap cells with points (B, K, M, 2).

    The tags (B, L, K, h, w) have one cell for ``factor`` x ``factor`` heatmap
    cells. Each of the L maps of tags is moved to the right by its shift, in
    heatmap cells.
    """
    height, width = tags.shape[-2:]
    last = last_cell((height * factor, width * factor), points.device)
    x, y = torch.minimum(points.long().clamp_min(0), last).unbind(-1)
    x = (x[..., None] - torch.tensor(shifts, device=x.device)).clamp_min(0)
    index = (y // factor)[..., None] * width + x // factor
    tags = tags.flatten(3).permute(0, 2, 3, 1)
    return torch.take_along_dim(tags, index, dim=2)


def keep_peaks(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Set each cell of (B, K, H, W) to 0 if a cell around it is higher.

    The peaks are those of MMPose's ``batch_heatmap_nms``.
    """
    highest = highest_around(heatmaps, kernel_size)
    # PyTorch on a CPU compares into floats faster than into bools.
    mask = torch.eq(heatmaps, highest, out=torch.empty_like(heatmaps))
    return heatmaps * mask


def highest_around(maps: Tensor, size: int) -> Tensor:
    """Return the maximum of the ``size`` x ``size`` cells around each cell.

    Windows of 1, 2, 4, ... cells are joined in log2(size) comparisons, on a
    CPU faster than ``max_pool2d``.
    """
    maps = F.pad(maps, [size // 2] * 4, value=-torch.inf)
    for dim in (-2, -1):
        covered = 1
        while covered < size:
            step = min(covered, size - covered)
            length = maps.shape[dim] - step
            maps = torch.maximum(
                maps.narrow(dim, 0, length), maps.narrow(dim, step, length))
            covered += step
    return maps
