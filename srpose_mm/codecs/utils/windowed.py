"""Candidates and searches on heatmaps that are evaluated in windows.

Letters: B batch, K keypoints, L numbers in a tag, h and w the rows and columns
of the features, r heatmap cells for one feature cell along each axis, M
candidates of each keypoint, N instances. Coordinates are (x, y).
"""
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .grouping import strongest_of_nearest, tag_cost
from .peaks import Peaks, top_candidates
from .refinement import refine_shift


@dataclass
class WindowedHeatmaps:
    """Heatmaps that are evaluated in windows, and the tags of feature cells.

    Args:
        pooled: Average of each r x r heatmap cells in shape (B, K, h, w).
        tags: Tags in shape (B, L * K, h, w).
        factor: Heatmap cells for one feature cell, r.
        windows: Function of feature cells in shape (B, K, M, 2) that returns
            the heatmaps in the 3 x 3 feature cells around each, in shape
            (B, K, M, 3 * r, 3 * r).
        tag_shifts: Heatmap cells by which each of the L maps of tags is moved
            to the right; ``None`` means 0.
    """

    pooled: Tensor
    tags: Tensor
    factor: int
    windows: Callable[[Tensor], Tensor]
    tag_shifts: Optional[Sequence[int]] = None

    @property
    def map_hw(self) -> Tuple[int, int]:
        """Rows and columns of the heatmaps."""
        height, width = self.pooled.shape[-2:]
        return height * self.factor, width * self.factor

    def tags_at(self, points: Tensor) -> Tensor:
        """Return the tags (B, K, M, L) of the heatmap cells with points.

        Args:
            points: Coordinates in shape (B, K, M, 2), in heatmap cells.
        """
        height, width = self.map_hw
        x, y = points.long().unbind(-1)
        row = torch.div(
            y.clamp(0, height - 1), self.factor, rounding_mode='floor')
        tags = self.tags.unflatten(1, (-1, self.pooled.shape[1])).unbind(1)
        found = []
        for tag, shift in zip(tags, self.tag_shifts or [0] * len(tags)):
            column = torch.div((x.clamp(0, width - 1) - shift).clamp_min(0),
                               self.factor, rounding_mode='floor')
            index = row * tag.shape[-1] + column
            found.append(tag.flatten(2).gather(2, index))
        return torch.stack(found, dim=-1)


def window_candidates(maps: WindowedHeatmaps, nms_kernel: int,
                      count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the highest peaks of each heatmap, refined.

    Each local maximum of the pooled heatmap is replaced by the highest cell
    of its window. A cell on the edge of a window is no peak: it lies on the
    slope of another candidate.

    Args:
        maps: Heatmaps and tags.
        nms_kernel: Heatmap cells around a peak without a higher one, odd.
        count: Number of candidates, M.

    Returns:
        Points in shape (B, K, M, 2), in heatmap cells; values (B, K, M),
        falling, 0 where a heatmap has fewer peaks or a number is not finite;
        tags (B, K, M, L).
    """
    reach, tags = nms_kernel // 2, maps.tags
    kernel = 2 * max(reach // maps.factor, 1) + 1
    averages, _, middle = top_candidates(
        maps.pooled, tags.unflatten(1, (-1, maps.pooled.shape[1])), kernel,
        count)
    shape = averages.shape
    corners = (middle - 1) * maps.factor
    # Each window as a heatmap of its own.
    peaks = Peaks.of_windows(
        maps.windows(middle).flatten(1, 2)[:, :, None],
        corners.flatten(1, 2)[:, :, None], maps.map_hw)
    last = peaks.cells.new_tensor([size - 1 for size in maps.map_hw[::-1]])
    on_edge = (peaks.patch_cells % (3 * maps.factor - 1) == 0) & (
        peaks.cells > 0) & (peaks.cells < last)
    tags = maps.tags_at(peaks.cells.view(*shape, 2))
    usable = (averages > 0) & tags.isfinite().all(dim=-1)
    usable &= ~on_edge.any(dim=-1).view(shape)
    values = peaks.scores.view(shape).masked_fill(~usable, 0)
    values, order = values.sort(dim=-1, descending=True, stable=True)

    def ordered(numbers: Tensor) -> Tensor:
        index = order[..., None].expand(*shape, numbers.shape[-1])
        return numbers.view(*shape, -1).gather(2, index)

    cells = ordered(peaks.cells)
    steps = (cells[..., None, :] - cells[..., None, :, :]).abs().amax(dim=-1)
    # A candidate does not count next to a higher one.
    beaten = (steps <= reach).tril(-1) & (values > 0)[..., None, :]
    values = values.masked_fill(beaten.any(dim=-1), 0)
    return ordered(refine_shift(peaks)), values, ordered(tags)


def strongest_in_windows(maps: WindowedHeatmaps, index: Tensor,
                         instance: Tensor, wanted: Tensor) -> Tensor:
    """Return the highest cell among those with the tag nearest to a given one.

    The pooled heatmap is searched, then the window around the cell there.

    Args:
        maps: Heatmaps and tags.
        index: The heatmap b * K + k of each search, int64 in shape (Q, ).
        instance: The instance n of each search in shape (Q, ); no two
            searches have the same heatmap and instance.
        wanted: The tag of each search in shape (Q, L).

    Returns:
        (x, y, value) of the cells in shape (Q, 3).
    """
    (batch, keypoints, _, width), r = maps.pooled.shape, maps.factor
    tags = maps.tags.unflatten(1, (-1, keypoints))
    found = strongest_of_nearest(maps.pooled, tags, index, wanted)
    found = torch.stack(
        [found % width,
         torch.div(found, width, rounding_mode='floor')], dim=-1)
    middle = found.new_zeros(batch * keypoints, int(instance.max()) + 1, 2)
    middle[index, instance] = found
    middle = middle.unflatten(0, (batch, keypoints))
    steps = torch.arange(3 * r, device=found.device)
    steps = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1)
    cells = ((middle - 1) * r)[..., None, :] + steps.flatten(0, 1)
    cell_tags = maps.tags_at(cells.flatten(2, 3)).unflatten(
        2, cells.shape[2:4])
    values = maps.windows(middle).flatten(3).float()
    cells, cell_tags, values = (
        t.flatten(0, 1)[index, instance] for t in (cells, cell_tags, values))
    cost = tag_cost((cell_tags - wanted[:, None]).unbind(-1), values)
    limits = cells.new_tensor(maps.map_hw[::-1])
    inside = ((cells >= 0) & (cells < limits)).all(dim=-1) & ~cost.isnan()
    best = cost.masked_fill(~inside, torch.inf).argmin(dim=1, keepdim=True)
    answers = torch.cat([cells.float(), values[..., None]], dim=-1)
    return answers.gather(1, best[..., None].expand(-1, -1, 3))[:, 0]
