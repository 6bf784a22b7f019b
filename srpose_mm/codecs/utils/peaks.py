"""Peaks of heatmaps, on the device of the heatmaps.

Letters: B batch, K keypoints, H and W the rows and columns of a heatmap, L
numbers in a tag, M candidates of each keypoint.
"""
from dataclasses import dataclass
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Cells of a segment, a run of cells in a heatmap, row after row.
SEGMENT = 64


@dataclass
class Peaks:
    """Peaks of heatmaps, with the parts of the heatmaps around them.

    Args:
        cells: Coordinates (x, y) of the peaks in shape (B, K, ..., 2),
            float32, in heatmap cells; (-1, -1) without a peak.
        scores: Values of the peaks in shape (B, K, ...), float32.
        patches: A part of each heatmap in shape (B, K, P, Q), or the
            heatmaps. Cells of a part outside the heatmap have no meaning.
        corners: Coordinates of each patch's first cell in shape (B, K, 2),
            int64; ``None`` means that the patches are the heatmaps.
        map_hw: (H, W) of the heatmaps; needed for patches.
    """

    cells: Tensor
    scores: Tensor
    patches: Tensor
    corners: Optional[Tensor] = None
    map_hw: Optional[Tuple[int, int]] = None

    def __post_init__(self) -> None:
        if self.corners is None:
            self.map_hw = tuple(self.patches.shape[-2:])

    @property
    def patch_cells(self) -> Tensor:
        """Coordinates of the peaks in their patches."""
        if self.corners is None:
            return self.cells
        shape = self.corners.shape
        corners = self.corners.view(
            *shape[:2], *[1] * (self.cells.ndim - 3), 2)
        return self.cells - corners

    @classmethod
    def of_heatmaps(cls, heatmaps: Tensor) -> 'Peaks':
        """Return the highest cell of each heatmap (B, K, H, W)."""
        return cls(*heatmap_argmax(heatmaps), heatmaps)

    @classmethod
    def of_windows(cls, windows: Tensor, corners: Tensor,
                   map_hw: Tuple[int, int]) -> 'Peaks':
        """Return the highest cell among some windows of each heatmap.

        Args:
            windows: Square windows in shape (B, K, M, n, n).
            corners: Coordinates of their first cells in shape (B, K, M, 2).
            map_hw: (H, W) of the heatmaps.

        Returns:
            Peaks like those of :meth:`of_heatmaps`; the patches are the
            windows of the peaks.
        """
        size = windows.shape[-1]
        steps = torch.arange(size, device=windows.device)
        limits = torch.tensor([*map_hw[::-1]], device=windows.device)
        places = corners[..., None, :] + steps[:, None]
        x, y = ((places >= 0) & (places < limits)).unbind(-1)
        inside = y[..., :, None] & x[..., None, :]
        values = windows.masked_fill(~inside, -torch.inf).flatten(2).float()
        scores, index = values.max(dim=-1)
        scores = scores.masked_fill(scores.isnan(), 0)
        window = torch.div(index, size**2, rounding_mode='floor')
        corners = _pick(corners, window)
        index = index - window * size**2
        row = torch.div(index, size, rounding_mode='floor')
        cells = corners + torch.stack([index - row * size, row], dim=-1)
        cells = cells.float().masked_fill((scores <= 0)[..., None], -1)
        return cls(cells, scores, _pick(windows, window), corners, map_hw)


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """Return the value (B, K, ...) at an index (B, K) of (B, K, M, ...)."""
    shape = values.shape[3:]
    index = index.view(*index.shape, 1, *[1] * len(shape))
    return values.gather(2, index.expand(-1, -1, -1, *shape))[:, :, 0]


def heatmap_argmax(heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Return the highest cell of each heatmap.

    The function can be traced for any B and exported to ONNX.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W), of any floating dtype.

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


def top_candidates(heatmaps: Tensor, tags: Tensor, nms_kernel: int,
                   count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the highest peaks of each heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        tags: Tags in shape (B, L, K, H, W).
        nms_kernel: Cells around a peak without a higher one, odd.
        count: Number of candidates, M; H * W if that is less.

    Returns:
        Values (B, K, M), 0 where a heatmap has fewer peaks or a number is not
        finite; tags (B, K, M, L); cells (x, y) in shape (B, K, M, 2), int64.
    """
    values, index = _top_cells(keep_peaks(heatmaps, nms_kernel), count)
    cell_tags = tags_of_cells(tags, index)
    usable = values.isfinite() & cell_tags.isfinite().all(dim=-1)
    width = heatmaps.shape[-1]
    rows = torch.div(index, width, rounding_mode='floor')
    cells = torch.stack([index % width, rows], dim=-1)
    return values.masked_fill(~usable, 0), cell_tags, cells


def tags_of_cells(tags: Tensor, index: Tensor) -> Tensor:
    """Return the tags (B, K, M, L) of cells y * W + x (B, K, M)."""
    return torch.stack(
        [tag.flatten(2).gather(2, index) for tag in tags.unbind(1)], dim=-1)


def _top_cells(peaks: Tensor, count: int) -> Tuple[Tensor, Tensor]:
    """Return the highest cells of (B, K, H, W): values and y * W + x.

    Only the segments with the highest maxima are sorted. ``topk`` returns
    equal values in an order that depends on the first cells of its input: the
    first segment and the order of the segments are kept.
    """
    segments = in_segments(peaks, fill=0)
    tops = segments.amax(dim=-1)
    tops[..., 0] = torch.inf
    picked = tops.topk(min(count + 1, tops.shape[-1])).indices.sort().values
    cells = segments.gather(2, picked[..., None].expand(
        -1, -1, -1, SEGMENT)).flatten(2)
    size = peaks.shape[-2:].numel()
    values, index = cells.topk(min(count, size))
    segment = torch.div(index, SEGMENT, rounding_mode='floor')
    index = picked.gather(2, segment) * SEGMENT + index % SEGMENT
    # The cells that fill up the last segment do not exist.
    return values, index.clamp_max(size - 1)


def in_segments(maps: Tensor, fill: float) -> Tensor:
    """Cut maps (..., H, W) into segments (..., M, 64).

    The result is a view if H * W is a multiple of 64; else ``fill`` is the
    value of the cells that the last segment lacks.
    """
    cells = maps.flatten(-2)
    lacking = -cells.shape[-1] % SEGMENT
    if lacking:
        cells = F.pad(cells, (0, lacking), value=fill)
    return cells.unflatten(-1, (-1, SEGMENT))


def keep_peaks(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Set each cell to 0 that has a higher one around it.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        kernel_size: Size of the square around a cell, odd.

    Returns:
        The peaks in the same shape, as from MMPose's ``batch_heatmap_nms``.
    """
    maps = heatmaps.flatten(0, 1)
    # On a CPU each map is processed alone and stays in the cache.
    parts = maps.split(1 if maps.device.type == 'cpu' else len(maps))
    peaks = torch.empty_like(maps)
    for part, out in zip(parts, peaks.split([len(part) for part in parts])):
        highest = F.pad(part, [kernel_size // 2] * 4, value=-torch.inf)
        for dim in (-2, -1):
            highest = running_maximum(highest, kernel_size, dim)
        # PyTorch on a CPU compares into floats faster than into bools.
        mask = torch.eq(part, highest, out=torch.empty_like(part))
        torch.mul(part, mask, out=out)
    return peaks.view(heatmaps.shape)


def running_maximum(values: Tensor, size: int, dim: int) -> Tensor:
    """Return the maximum of each ``size`` neighbours along ``dim``.

    Windows of 1, 2, 4, ... values are joined in log2(size) comparisons.
    """
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        length = values.shape[dim] - step
        values = torch.maximum(
            values.narrow(dim, 0, length), values.narrow(dim, step, length))
        covered += step
    return values
