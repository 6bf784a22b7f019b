"""Keypoints from batches of heatmaps, on the device the heatmaps are on.

Letters: B batch, K keypoints, H and W the rows and columns of a heatmap.
Coordinates are (x, y) in heatmap cells. Same results as the NumPy functions
in ``mmpose.codecs.utils``, which work on one sample at a time.
"""
from typing import Sequence, Tuple

import torch
from torch import Tensor


def heatmap_argmax(heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Find the highest cell of each heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W), of any floating dtype.

    Returns:
        The cells' coordinates in shape (B, K, 2), float32, and the values
        there in shape (B, K), float32. A map with no positive value gets the
        coordinates (-1, -1), as in MMPose.
    """
    width = heatmaps.shape[-1]
    scores, index = heatmaps.flatten(2).max(dim=-1)
    rows = torch.div(index, width, rounding_mode='floor')
    keypoints = torch.stack([index % width, rows], dim=-1).float()
    scores = scores.float()
    return keypoints.masked_fill((scores <= 0)[..., None], -1), scores


def refine_shift(keypoints: Tensor, heatmaps: Tensor) -> Tensor:
    """Move each peak a quarter of a cell towards its higher neighbour.

    Args:
        keypoints: Peaks in shape (B, K, 2), whole cells.
        heatmaps: Heatmaps in shape (B, K, H, W).

    Returns:
        Refined peaks in shape (B, K, 2). As in MMPose a peak stays where it
        is along an axis in the first two cells and the last one.
    """
    height, width = heatmaps.shape[-2:]
    x, y = keypoints.unbind(-1)
    window = gather_windows(heatmaps, keypoints, radius=1)
    dx = torch.sign(window[..., 1, 2] - window[..., 1, 0])
    dy = torch.sign(window[..., 2, 1] - window[..., 0, 1])
    move_x = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    move_y = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    step = torch.stack([dx * move_x, dy * move_y], dim=-1)
    return keypoints + 0.25 * step


def refine_dark(keypoints: Tensor, heatmaps: Tensor,
                blur_kernel: Sequence[float]) -> Tensor:
    """Refine peaks by one Newton step on the log of the blurred heatmap.

    Only the window that the step reads is blurred. MMPose also scales each
    blurred map back to its old maximum; a constant factor has no part in the
    derivatives of a log.

    Args:
        keypoints: Peaks in shape (B, K, 2), whole cells.
        heatmaps: Heatmaps in shape (B, K, H, W).
        blur_kernel: 1-D Gaussian of odd length.

    Returns:
        Refined peaks in shape (B, K, 2). Peaks within two cells of the
        border stay where they are.

    Source: Zhang et al., "Distribution-Aware Coordinate Representation for
    Human Pose Estimation" (CVPR 2020), section 3.2.
    """
    height, width = heatmaps.shape[-2:]
    size = len(blur_kernel)
    window = gather_windows(heatmaps, keypoints, radius=size // 2 + 2)
    kernel = window.new_tensor(blur_kernel)
    blur = torch.stack(
        [torch.nn.functional.pad(kernel, (i, 4 - i)) for i in range(5)])
    log = (blur @ window @ blur.T).clamp_min(1e-10).log()

    dx = 0.5 * (log[..., 2, 3] - log[..., 2, 1])
    dy = 0.5 * (log[..., 3, 2] - log[..., 1, 2])
    dxx = 0.25 * (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0])
    dyy = 0.25 * (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2])
    dxy = 0.25 * (
        log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1])

    x, y = keypoints.unbind(-1)
    determinant = dxx * dyy - dxy**2
    valid = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    valid &= determinant != 0
    determinant = torch.where(valid, determinant, 1.)
    offset = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy],
                         dim=-1) / determinant[..., None]
    return torch.where(valid[..., None], keypoints + offset, keypoints)


def gather_windows(heatmaps: Tensor, keypoints: Tensor,
                   radius: int) -> Tensor:
    """Cut a square around each keypoint out of its heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        keypoints: Centres in shape (B, K, 2), whole cells.
        radius: Cells on each side of the centre.

    Returns:
        Windows in shape (B, K, 2 * radius + 1, 2 * radius + 1), float32,
        zero outside the heatmap.
    """
    height, width = heatmaps.shape[-2:]
    steps = torch.arange(-radius, radius + 1, device=heatmaps.device)
    columns = keypoints[..., 0].long()[..., None] + steps
    rows = keypoints[..., 1].long()[..., None] + steps
    inside_x = (columns >= 0) & (columns < width)
    inside_y = (rows >= 0) & (rows < height)
    index = (rows.clamp(0, height - 1)[..., :, None] * width +
             columns.clamp(0, width - 1)[..., None, :])
    windows = heatmaps.flatten(2).gather(2, index.flatten(2)).float()
    windows = windows.view(index.shape)
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    return windows.masked_fill(~inside, 0)
