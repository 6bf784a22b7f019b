from typing import Tuple

import numpy as np
import torch
from torch import Tensor

from .nearest_tags import strongest_of_nearest


def fill_missing_keypoints(keypoints: np.ndarray, scores: np.ndarray,
                           heatmaps: Tensor,
                           tags: Tensor) -> Tuple[np.ndarray, np.ndarray]:
    """Give each person the keypoints that grouping did not find.

    A missing one is put where, among the cells whose tag is nearest to the
    mean tag of the person's other keypoints, the response is highest.

    Letters: N people, K keypoints, L numbers in a tag, H and W the rows and
    columns of a heatmap.

    Args:
        keypoints: Coordinates in shape (N, K, 2), in heatmap cells.
        scores: Scores in shape (N, K), 0 where a keypoint is missing.
        heatmaps: Heatmaps in shape (K, H, W), float32.
        tags: Tags in shape (L, K, H, W), float32.

    Returns:
        New coordinates and scores in the same shapes.

    Source: the same as ``AssociativeEmbedding`` of MMPose fills in.
    """
    keypoints, scores = keypoints.copy(), scores.copy()
    found = scores > 0
    people, joints = np.nonzero(~found)
    if not len(people):
        return keypoints, scores
    near = _tags_at(keypoints, tags)
    means = np.stack([t[f].mean(axis=0) for t, f in zip(near, found)])
    device, width = heatmaps.device, heatmaps.shape[-1]
    index = torch.from_numpy(joints).to(device)
    cells = strongest_of_nearest(heatmaps, tags, index,
                                 torch.from_numpy(means[people]).to(device))
    scores[people, joints] = heatmaps.flatten(1)[index, cells].cpu().numpy()
    cells = cells.cpu().numpy()
    keypoints[people, joints] = np.stack([cells % width, cells // width], -1)
    return keypoints, scores


def _tags_at(keypoints: np.ndarray, tags: Tensor) -> np.ndarray:
    """Tags in shape (N, K, L) of the cells that keypoints lie in."""
    height, width = tags.shape[-2:]
    x, y = keypoints.astype(np.int64).transpose(2, 1, 0)
    index = y.clip(0, height - 1) * width + x.clip(0, width - 1)
    index = torch.from_numpy(index).to(tags.device)
    picked = tags.flatten(2).gather(2, index.expand(len(tags), -1, -1))
    return picked.permute(2, 1, 0).contiguous().cpu().numpy()
