"""Search of a heatmap for a person's keypoint, by the person's tag.

Letters: K keypoints, H and W the rows and columns of a heatmap, L numbers in
a tag, Q searches, M segments of a heatmap, S cells of a segment.
"""
from typing import Tuple

import torch
from torch import Tensor

from .segments import SEGMENT, in_segments

SEGMENTS_AT_ONCE = 64


def strongest_of_nearest(heatmaps: Tensor, tags: Tensor, joints: Tensor,
                         wanted: Tensor) -> Tensor:
    """Find the strongest cell among those with the tag nearest to a given one.

    Distances between tags are rounded, so that the cell has the lowest
    ``100 * round(distance) - response`` of its map, and is the first of these
    in the map. The extremes of a segment's responses and tags bound what its
    cells can reach; only segments whose bound is low enough are looked at, so
    the result is that of a search of all cells.

    Args:
        heatmaps: Heatmaps in shape (K, H, W), float32.
        tags: Tags in shape (L, K, H, W), float32.
        joints: Which heatmap each search is for, int64 in shape (Q, ).
        wanted: The tag of each search in shape (Q, L).

    Returns:
        Cells y * W + x in shape (Q, ), int64. A cell whose response or tag is
        NaN is taken only where there is no other.
    """
    # Cells of NaN are never better than others.
    heat = in_segments(heatmaps, torch.nan)
    tags = in_segments(tags, torch.nan)
    wanted = wanted.T[..., None]
    lowest, highest = (x[:, joints] for x in (tags.amin(-1), tags.amax(-1)))
    gaps = torch.maximum(lowest - wanted, wanted - highest).clamp_min(0)
    bounds = _cost(gaps, heat.amax(-1)[joints]).nan_to_num(nan=-torch.inf)

    best = torch.full_like(bounds[:, 0], torch.inf)
    cells = torch.zeros_like(joints)
    active = torch.arange(len(joints), device=joints.device)
    segments = bounds.argmin(dim=1, keepdim=True)
    while len(active):
        cost, cell = _search(heat, tags, joints[active], wanted[:, active],
                             segments)
        # Equal costs go to the cell that comes first.
        better = (cost < best[active]) | (
            (cost == best[active]) & (cell < cells[active]))
        best[active] = torch.where(better, cost, best[active])
        cells[active] = torch.where(better, cell, cells[active])
        active, segments = _remaining(bounds, active, segments, best, cells)
    return cells


def _cost(differences: Tensor, responses: Tensor) -> Tensor:
    """100 * round(distance) - response; differences have L first.

    Each step is monotone in float arithmetic too, so bounds stay bounds.
    """
    squares = sum(difference**2 for difference in differences)
    return squares.sqrt().round() * 100 - responses


def _search(heat: Tensor, tags: Tensor, joints: Tensor, wanted: Tensor,
            segments: Tensor) -> Tuple[Tensor, Tensor]:
    """Lowest cost and its first cell in some segments of each search."""
    place = joints[:, None], segments
    cost = _cost(tags[(slice(None), *place)] - wanted[..., None], heat[place])
    cost = cost.nan_to_num(nan=torch.inf)
    steps = torch.arange(SEGMENT, device=segments.device)
    cell = (segments[..., None] * SEGMENT + steps).flatten(1)
    cost = cost.flatten(1)
    lowest = cost.amin(dim=1, keepdim=True)
    others = torch.iinfo(cell.dtype).max
    return lowest[:, 0], cell.masked_fill(cost != lowest, others).amin(dim=1)


def _remaining(bounds: Tensor, active: Tensor, segments: Tensor, best: Tensor,
               cells: Tensor) -> Tuple[Tensor, Tensor]:
    """The searches that are not decided, and where to look next."""
    bounds[active] = bounds[active].scatter(1, segments, torch.inf)
    bound, limit = bounds[active], best[active, None]
    starts = torch.arange(bound.shape[1], device=bound.device) * SEGMENT
    able = (bound < limit) | (
        (bound == limit) & (starts < cells[active, None]))
    able &= bound < torch.inf
    bound = bound.masked_fill(~able, torch.inf)
    undecided = able.any(dim=1)
    count = min(SEGMENTS_AT_ONCE, bound.shape[1])
    segments = bound[undecided].topk(count, largest=False).indices
    return active[undecided], segments
