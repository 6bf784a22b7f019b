"""Keypoint candidates from heatmaps that hold several people.

Letters: B batch, K keypoints, H and W the rows and columns of a heatmap, L
numbers in a tag, M candidates of each keypoint.
"""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .segments import SEGMENT, in_segments


def top_candidates(heatmaps: Tensor, tags: Tensor, nms_kernel: int,
                   count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Find the highest peaks of each heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        tags: Tags in shape (B, L, K, H, W).
        nms_kernel: Cells around a peak that hold no higher one, odd.
        count: Number of candidates, M; all H * W cells where these are fewer.

    Returns:
        Responses (B, K, M), 0 where there are no more peaks or something is
        not finite, tags (B, K, M, L) and places (x, y) in shape (B, K, M, 2),
        int64.
    """
    width = heatmaps.shape[-1]
    values, index = _top_cells(keep_peaks(heatmaps, nms_kernel), count)
    found = torch.stack(
        [tag.flatten(2).gather(2, index) for tag in tags.unbind(1)], dim=-1)
    usable = values.isfinite() & found.isfinite().all(dim=-1)
    rows = torch.div(index, width, rounding_mode='floor')
    places = torch.stack([index % width, rows], dim=-1)
    return values.masked_fill(~usable, 0), found, places


def _top_cells(peaks: Tensor, count: int) -> Tuple[Tensor, Tensor]:
    """The highest cells of (B, K, H, W): their values and y * W + x.

    They lie in the segments with the highest maxima, so that only these are
    sorted. ``topk`` leaves equal values in an order that depends on the cells
    it starts with: the first segment and the segments' order are kept.
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
    # Cells that fill the last segment up are not there.
    return values, index.clamp_max(size - 1)


def keep_peaks(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Set every cell to 0 that has a higher one around it.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        kernel_size: Size of the square around a cell, odd.

    Returns:
        Heatmaps of the same shape, as ``batch_heatmap_nms`` of MMPose gives.
    """
    maps = heatmaps.flatten(0, 1)
    # A CPU takes one map at a time, which stays in its cache.
    parts = maps.split(1 if maps.device.type == 'cpu' else len(maps))
    peaks = torch.empty_like(maps)
    for part, out in zip(parts, peaks.split([len(part) for part in parts])):
        highest = F.pad(part, [kernel_size // 2] * 4, value=-torch.inf)
        for dim in (-2, -1):
            highest = running_maximum(highest, kernel_size, dim)
        # Comparing into floats: PyTorch is slow at masks of bool on a CPU.
        mask = torch.eq(part, highest, out=torch.empty_like(part))
        torch.mul(part, mask, out=out)
    return peaks.view(heatmaps.shape)


def running_maximum(values: Tensor, size: int, dim: int) -> Tensor:
    """Maximum of each ``size`` neighbours along ``dim``.

    It joins windows of 1, 2, 4 ... values, so that log2(size) comparisons do.

    Args:
        values: Any tensor with n values along ``dim``.
        size: Values in a window, at most n.
        dim: The dimension.

    Returns:
        The same, with n - size + 1 values along ``dim``.
    """
    covered = 1
    while covered < size:
        step = min(covered, size - covered)
        length = values.shape[dim] - step
        values = torch.maximum(
            values.narrow(dim, 0, length), values.narrow(dim, step, length))
        covered += step
    return values
