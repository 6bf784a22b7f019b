"""Candidates and searches on heatmaps that are evaluated in windows.

Letters: B batch, K keypoints, L numbers in a tag, h and w the rows and columns
of the features, r heatmap cells for one feature cell along each axis, M
candidates of each keypoint. Coordinates are (x, y).
"""
from dataclasses import dataclass
from typing import Callable, Sequence, Tuple

import torch
from torch import Tensor

from .geometry import cells_of_index, last_cell, window_index
from .grouping import strongest_of_nearest, tag_cost
from .peaks import Peaks, local_maxima, tags_at
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
            to the right.
    """

    pooled: Tensor
    tags: Tensor
    factor: int
    windows: Callable[[Tensor], Tensor]
    tag_shifts: Sequence[int]

    @property
    def map_hw(self) -> Tuple[int, int]:
        """Rows and columns of the heatmaps."""
        return tuple(size * self.factor for size in self.pooled.shape[-2:])

    @property
    def keypoint_tags(self) -> Tensor:
        """The tags in shape (B, L, K, h, w)."""
        return self.tags.unflatten(1, (-1, self.pooled.shape[1]))

    def tags_at(self, points: Tensor) -> Tensor:
        """Return the tags (B, K, M, L) of heatmap cells with points."""
        return tags_at(points, self.keypoint_tags, self.factor,
                       self.tag_shifts)


def window_candidates(maps: WindowedHeatmaps, nms_kernel: int,
                      count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the highest peaks of each heatmap, refined.

    Each local maximum of the pooled heatmap is replaced by the highest cell
    of its window. A cell on the edge of a window is no peak: it lies on the
    slope of another candidate. Within ``nms_kernel`` heatmap cells around a
    peak there is no higher one.

    Returns:
        Points of M = ``count`` candidates in shape (B, K, M, 2), in heatmap
        cells; values (B, K, M), falling, 0 where a heatmap has fewer peaks or
        a number is not finite; tags (B, K, M, L).
    """
    reach = nms_kernel // 2
    averages, middle = local_maxima(
        maps.pooled, 2 * max(reach // maps.factor, 1) + 1, count)
    shape = averages.shape
    corners = (middle - 1) * maps.factor
    # Each window as a heatmap of its own.
    peaks = Peaks.of_windows(
        maps.windows(middle).flatten(1, 2)[:, :, None],
        corners.flatten(1, 2)[:, :, None], maps.map_hw)
    last = last_cell(maps.map_hw, averages.device)
    on_edge = (peaks.patch_cells % (3 * maps.factor - 1) == 0) & (
        peaks.cells > 0) & (peaks.cells < last)
    tags = maps.tags_at(peaks.cells.view(*shape, 2))
    usable = (averages > 0) & tags.isfinite().all(dim=-1)
    usable &= ~on_edge.any(dim=-1).view(shape)
    values = peaks.scores.view(shape).masked_fill(~usable, 0)
    values, order = values.sort(dim=-1, descending=True, stable=True)

    def ordered(numbers: Tensor) -> Tensor:
        return torch.take_along_dim(
            numbers.view(*shape, -1), order[..., None], dim=2)

    cells = ordered(peaks.cells)
    steps = (cells[..., None, :] - cells[..., None, :, :]).abs().amax(dim=-1)
    # A candidate does not count next to a higher one.
    beaten = (steps <= reach).tril(-1) & (values > 0)[..., None, :]
    values = values.masked_fill(beaten.any(dim=-1), 0)
    return ordered(refine_shift(peaks)), values, ordered(tags)


def strongest_in_windows(maps: WindowedHeatmaps, index: Tensor,
                         instance: Tensor, wanted: Tensor) -> Tensor:
    """Return for each search the cell whose tag is nearest to the wanted tag.

    Of cells with equally near tags, the one with the highest value counts. The
    pooled heatmap is searched, then the window around the cell there. Each
    of Q searches has a heatmap b * K + k, an instance, both int64, and a tag
    (L, ); no two have the same heatmap and instance. The result is (x, y,
    value) of the cells in shape (Q, 3).
    """
    (batch, keypoints, _, width), r = maps.pooled.shape, maps.factor
    found = strongest_of_nearest(maps.pooled, maps.keypoint_tags, index,
                                 wanted)
    middle = found.new_zeros(batch * keypoints, int(instance.max()) + 1, 2)
    middle[index, instance] = cells_of_index(found, width)
    middle = middle.unflatten(0, (batch, keypoints))
    steps = torch.arange(3 * r, device=found.device)
    cells, inside = window_index((middle - 1) * r, steps, steps, maps.map_hw)
    cells = cells_of_index(cells.flatten(3), width * r)
    tags = maps.tags_at(cells.flatten(2, 3)).unflatten(2, cells.shape[2:4])
    values = maps.windows(middle)
    cells, inside, tags, values = (
        t.flatten(0, 1)[index, instance]
        for t in (cells, inside.flatten(3), tags, values.flatten(3).float()))
    cost = tag_cost((tags - wanted[:, None]).unbind(-1), values)
    cost = cost.masked_fill(~inside | cost.isnan(), torch.inf)
    best = cost.argmin(dim=1)[:, None, None].expand(-1, -1, 3)
    answers = torch.cat([cells.float(), values[..., None]], dim=-1)
    return answers.gather(1, best)[:, 0]
