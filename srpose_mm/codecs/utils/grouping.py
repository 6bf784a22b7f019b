"""Instances from keypoint candidates, by the candidates' tags.

Letters: B batch, N instances, K keypoints, M candidates of each keypoint, L
numbers in a tag, H and W the rows and columns of a heatmap, Q searches, S
segments of a heatmap.
"""
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from munkres import Munkres
from torch import Tensor

from .peaks import SEGMENT, in_segments

SEGMENTS_AT_ONCE = 64

# The candidates of an instance, one number for each keypoint, and their tags.
Instance = Tuple[np.ndarray, List[np.ndarray]]


def group_by_tags(values: np.ndarray,
                  tags: np.ndarray,
                  order: Sequence[int],
                  value_thr: float,
                  tag_thr: float,
                  max_instances: Optional[int] = None) -> np.ndarray:
    """Group candidates with similar tags into instances.

    Each candidate of the first keypoint starts an instance. The candidates of
    each further keypoint are assigned to instances, at most one to each, such
    that the sum of rounded tag distances is the lowest and, if sums are equal,
    the sum of values the highest. An unassigned candidate starts a new
    instance. The first number of the tag that starts an instance is its key:
    instances with equal keys are one.

    Args:
        values: Values of the candidates in shape (K, M).
        tags: Tags in shape (K, M, L).
        order: Order in which keypoints are assigned, K numbers.
        value_thr: Candidates with values up to this are left out.
        tag_thr: Distance from an instance's mean tag from which on a candidate
            is not assigned.
        max_instances: Largest number of instances; ``None`` for no limit.

    Returns:
        The candidate of each keypoint in shape (N, K), int64, -1 where an
        instance has none, in the order in which instances started.

    Source: Newell et al., "Associative Embedding" (NIPS 2017), section 3.2;
    the same instances as ``mmpose.codecs.AssociativeEmbedding`` groups.
    """
    instances: Dict[float, Instance] = {}
    for k in order:
        candidates = np.flatnonzero(values[k] > value_thr)
        keys = _match(values[k][candidates], tags[k][candidates], instances,
                      tag_thr)
        for candidate, key in zip(candidates, keys):
            tag = tags[k][candidate]
            if key is None:
                key = tag[0]
                none = np.full(len(values), -1)
                instances[key] = instances.get(key, (none, ))[0], []
            instances[key][0][k] = candidate
            instances[key][1].append(tag)
    picked = [row for row, _ in instances.values()][:max_instances]
    return np.array(picked, dtype=np.int64).reshape(-1, len(values))


def _match(values: np.ndarray, tags: np.ndarray,
           instances: Dict[float, Instance],
           tag_thr: float) -> List[Optional[float]]:
    """Return the key of each candidate's instance, or None."""
    if not instances or not len(values):
        return [None] * len(values)
    keys = list(instances)
    means = np.stack(
        [np.mean(tags, axis=0) for _, tags in instances.values()])
    # In float64, as in MMPose: the last bit decides ties.
    distances = np.linalg.norm(
        tags[:, None].astype(np.float64) - means, axis=2)
    cost = np.round(distances) * 100 - values[:, None].astype(np.float64)
    columns = _assign(cost)
    return [
        keys[column] if column < len(keys) and distance[column] < tag_thr else
        None for column, distance in zip(columns, distances)
    ]


def _assign(cost: np.ndarray) -> List[int]:
    """Return the column of each row with the lowest total cost.

    A row for which no column is left gets a number beyond the last column.
    """
    rows, columns = cost.shape
    nearest = cost.argmin(axis=1)
    if len(set(nearest.tolist())) == rows:
        second = np.partition(cost, 1, axis=1)[:, 1] if columns > 1 else np.inf
        # Each row has its own best column: no other choice is as good.
        if (second - cost.min(axis=1) > 1e-3).all():
            return nearest.tolist()
    spare = np.full((rows, max(rows - columns, 0)), 1e10)
    # Munkres checks lists of floats much faster than arrays.
    pairs = Munkres().compute(np.concatenate([cost, spare], axis=1).tolist())
    return [column for _, column in sorted(pairs)]


def strongest_of_nearest(heatmaps: Tensor, tags: Tensor, maps: Tensor,
                         wanted: Tensor) -> Tensor:
    """Return the highest cell among those with the tag nearest to a given one.

    The cell has the lowest ``100 * round(distance) - value`` of its heatmap,
    and of equal cells it is the first. The extremes of the values and tags of
    a segment bound the cost of its cells: segments whose bound is too high are
    not searched, which does not change the result.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W), float32.
        tags: Tags in shape (B, L, K, H, W), float32.
        maps: The heatmap b * K + k of each search, int64 in shape (Q, ).
        wanted: The tag of each search in shape (Q, L).

    Returns:
        Cells y * W + x in shape (Q, ), int64. A cell whose value or tag is NaN
        is returned only if its heatmap has no other.
    """
    length, count = tags.shape[1:3]
    # A cost of NaN is never the lowest.
    heat = in_segments(heatmaps.flatten(0, 1), torch.nan)
    tags = in_segments(tags.flatten(0, 2), torch.nan)
    image = torch.div(maps, count, rounding_mode='floor')
    # Where the tags of each search lie in (B * L * K, S, 64).
    planes = image * (length - 1) * count + maps
    planes = planes + count * torch.arange(
        length, device=maps.device)[:, None]
    wanted = wanted.T[..., None]
    lowest, highest = tags.amin(-1)[planes], tags.amax(-1)[planes]
    gaps = torch.maximum(lowest - wanted, wanted - highest).clamp_min(0)
    bounds = tag_cost(gaps, heat.amax(-1)[maps])
    bounds = bounds.nan_to_num(nan=-torch.inf)

    best = torch.full_like(bounds[:, 0], torch.inf)
    cells = torch.zeros_like(maps)
    active = torch.arange(len(maps), device=maps.device)
    segments = bounds.argmin(dim=1, keepdim=True)
    while len(active):
        cost, cell = _search(heat, tags, maps[active], planes[:, active],
                             wanted[:, active], segments)
        # Of equal costs the first cell counts.
        better = (cost < best[active]) | (
            (cost == best[active]) & (cell < cells[active]))
        best[active] = torch.where(better, cost, best[active])
        cells[active] = torch.where(better, cell, cells[active])
        active, segments = _remaining(bounds, active, segments, best, cells)
    return cells


def tag_cost(differences: Sequence[Tensor], values: Tensor) -> Tensor:
    """Return 100 * round(distance) - value of differences with L first.

    Each step is monotone in float arithmetic too: bounds remain bounds.
    """
    squares = sum(difference**2 for difference in differences)
    return squares.sqrt().round() * 100 - values


def _search(heat: Tensor, tags: Tensor, maps: Tensor, planes: Tensor,
            wanted: Tensor, segments: Tensor) -> Tuple[Tensor, Tensor]:
    """Return the lowest cost in some segments of each search, and its cell."""
    cost = tag_cost(tags[planes[..., None], segments] - wanted[..., None],
                    heat[maps[:, None], segments])
    cost = cost.nan_to_num(nan=torch.inf)
    steps = torch.arange(SEGMENT, device=segments.device)
    cell = (segments[..., None] * SEGMENT + steps).flatten(1)
    cost = cost.flatten(1)
    lowest = cost.amin(dim=1, keepdim=True)
    others = torch.iinfo(cell.dtype).max
    return lowest[:, 0], cell.masked_fill(cost != lowest, others).amin(dim=1)


def _remaining(bounds: Tensor, active: Tensor, segments: Tensor, best: Tensor,
               cells: Tensor) -> Tuple[Tensor, Tensor]:
    """Return the searches that are not decided and their next segments."""
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
