"""People from keypoint candidates, by their tags.

Letters: K keypoints, M candidates of each, L numbers in a tag, N people.
"""
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from munkres import Munkres

# The keypoints of a person, (x, y, response) by number, and their tags.
Person = Tuple[np.ndarray, List[np.ndarray]]


def group_by_tags(values: np.ndarray,
                  tags: np.ndarray,
                  cells: np.ndarray,
                  order: Sequence[int],
                  value_thr: float,
                  tag_thr: float,
                  max_people: Optional[int] = None) -> np.ndarray:
    """Put candidates together whose tags are close.

    The first keypoint's candidates found people; those of each further
    keypoint join them, one each, at the lowest total of rounded tag distances
    and, among equals, with the highest responses. Who stays apart founds a
    person. People are known by the first number of the tag that founded them:
    two that share it are one.

    Args:
        values: Responses in shape (K, M).
        tags: Tags in shape (K, M, L).
        cells: Places (x, y) in shape (K, M, 2), in heatmap cells.
        order: The order in which keypoints join, K numbers.
        value_thr: Responses up to this are no candidates.
        tag_thr: Distance to a person's mean tag from which on a candidate
            stays apart.
        max_people: Number of people to return; ``None`` for no limit.

    Returns:
        (x, y, response) in shape (N, K, 3), float32, zero where a person has
        no such keypoint, in the order in which people were founded.

    Source: Newell et al., "Associative Embedding" (NIPS 2017), section 3.2;
    the same people as ``mmpose.codecs.AssociativeEmbedding`` groups.
    """
    keypoints = len(values)
    people: Dict[float, Person] = {}
    for k in order:
        strong = values[k] > value_thr
        points = np.concatenate([cells[k], values[k][:, None]], axis=1)[strong]
        found = tags[k][strong]
        joined = _match(points[:, 2], found, people, tag_thr)
        for point, tag, key in zip(points, found, joined):
            if key is None:
                key = tag[0]
                rows, _ = people.get(key) or (np.zeros((keypoints, 3)), [])
                people[key] = (rows, [])
            people[key][0][k] = point
            people[key][1].append(tag)
    rows = [rows for rows, _ in people.values()][:max_people]
    return np.array(rows, dtype=np.float32).reshape(-1, keypoints, 3)


def _match(values: np.ndarray, tags: np.ndarray, people: Dict[float, Person],
           tag_thr: float) -> List[Optional[float]]:
    """The person that each candidate of one keypoint joins, or None."""
    if not people or not len(values):
        return [None] * len(values)
    keys = list(people)
    means = np.stack([np.mean(tags, axis=0) for _, tags in people.values()])
    # In float64, as in MMPose: ties are decided by the last bit.
    distances = np.linalg.norm(
        tags[:, None].astype(np.float64) - means, axis=2)
    cost = np.round(distances) * 100 - values[:, None]
    columns = _assign(cost)
    return [
        keys[column] if column < len(keys) and distance[column] < tag_thr else
        None for column, distance in zip(columns, distances)
    ]


def _assign(cost: np.ndarray) -> List[int]:
    """The column of each row at the lowest total cost.

    Columns beyond the last one mean that none is left for the row.
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
