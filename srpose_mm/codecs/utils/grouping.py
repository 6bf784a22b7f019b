"""Instances from keypoint candidates, by the candidates' tags.

Letters: B batch, N instances, K keypoints, M candidates of each keypoint, L
numbers in a tag, H and W the rows and columns of a heatmap, Q searches, S
segments of a heatmap, P segments that are searched.
"""
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from munkres import Munkres
from torch import Tensor

# Cells of a segment, a run of cells in a heatmap, row after row.
SEGMENT = 64
# Segments that are searched before others are ruled out.
SEGMENTS_AT_ONCE = 64

# The candidates of an instance, a number for each keypoint, and their tags.
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
        tag_thr: Distance between a candidate's tag and the mean tag of the
            instance that it joins is below this.
        max_instances: Largest number of instances; ``None`` for no limit.

    Returns:
        The candidate of each keypoint in shape (N, K), int64, -1 where an
        instance has none: the instances of ``AssociativeEmbedding``, in order.

    Source: Newell et al., "Associative Embedding" (NIPS 2017), section 3.2.
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


def strongest_of_nearest(heatmaps: Tensor, tags: Tensor, index: Tensor,
                         wanted: Tensor) -> Tensor:
    """Return for each search the cell whose tag is nearest to the wanted tag.

    Of cells with equally near tags, the one with the highest value counts: the
    cost ``100 * round(distance) - value`` is the lowest, and of equal cells
    the first is returned. The extremes of the values and tags of a segment
    bound the cost of its cells. The segments with the lowest bounds are
    searched first, then those whose bound does not exceed the lowest cost. The
    result is exact.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W), float32.
        tags: Tags in shape (B, L, K, H, W), float32.
        index: The heatmap b * K + k of each search, int64 in shape (Q, ).
        wanted: The tag of each search in shape (Q, L).

    Returns:
        Cells y * W + x in shape (Q, ), int64; one whose value or tag is NaN
        only if its heatmap has no other.
    """
    # A cost of NaN is never the lowest.
    heat = in_segments(heatmaps.flatten(0, 1))
    # (L, B * K, S, 64), as the heatmaps with L first.
    tags = in_segments(tags.transpose(0, 1).flatten(1, 2))
    wanted = wanted.T[..., None]
    lowest, highest = tags.amin(-1)[:, index], tags.amax(-1)[:, index]
    gaps = torch.maximum(lowest - wanted, wanted - highest).clamp_min(0)
    bounds = tag_cost(gaps, heat.amax(-1)[index])
    bounds = bounds.nan_to_num(nan=-torch.inf)
    steps = torch.arange(SEGMENT, device=index.device)
    none = heat.shape[1:].numel()

    def search(query: Tensor, segment: Tensor) -> Tuple[Tensor, Tensor]:
        """Return the lowest cost of each search, and its cell."""
        cost = tag_cost(tags[:, index[query], segment] - wanted[:, query],
                        heat[index[query], segment])
        cost = cost.nan_to_num(nan=torch.inf)
        best = torch.full_like(bounds[:, 0], torch.inf).scatter_reduce(
            0, query, cost.amin(dim=1), 'amin')
        cells = (segment[:, None] * SEGMENT + steps).masked_fill(
            cost != best[query, None], none)
        return best[:, None], torch.full_like(index, none).scatter_reduce(
            0, query, cells.amin(dim=1), 'amin')[:, None]

    first = bounds.topk(min(SEGMENTS_AT_ONCE, bounds.shape[1]), largest=False)
    queries = torch.arange(len(index), device=index.device)[:, None]
    best, cells = search(queries.expand_as(first.indices).flatten(),
                         first.indices.flatten())
    starts = torch.arange(bounds.shape[1], device=index.device) * SEGMENT
    able = (bounds < best) | ((bounds == best) & (starts <= cells))
    able[queries, cells // SEGMENT] = True
    return search(*able.nonzero().unbind(dim=1))[1][:, 0]


def in_segments(maps: Tensor) -> Tensor:
    """Cut maps (..., H, W) into segments (..., S, 64), filled up with NaN."""
    cells = maps.flatten(-2)
    lacking = -cells.shape[-1] % SEGMENT
    if lacking:
        cells = F.pad(cells, (0, lacking), value=torch.nan)
    return cells.unflatten(-1, (-1, SEGMENT))


def tag_cost(differences: Sequence[Tensor], values: Tensor) -> Tensor:
    """Return 100 * round(distance) - value of differences with L first.

    Each step is monotone in float arithmetic too: bounds remain bounds.
    """
    squares = sum(difference**2 for difference in differences)
    return squares.sqrt().round() * 100 - values
