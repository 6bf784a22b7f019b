"""Keypoints from batches of heatmaps, on the device the heatmaps are on.

Letters: B batch, K keypoints, H and W the rows and columns of a heatmap.
Coordinates are (x, y) in heatmap cells. Same results as the NumPy functions
in ``mmpose.codecs.utils``, which work on one sample at a time. They can be
traced for any B, and use only what the exporter to ONNX knows.
"""
from typing import Sequence, Tuple

import torch
from torch import Tensor

from .autocast import without_autocast


def heatmap_argmax(heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Find the highest cell of each heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W), of any floating dtype.

    Returns:
        The cells' coordinates in shape (B, K, 2), float32, and the values
        there in shape (B, K), float32. Of equal cells it is the first. A map
        with no positive value gets the coordinates (-1, -1), as in MMPose; so
        does one that holds NaN, whose value is 0.
    """
    # Maxima without places are vectorised: places of one column and one row.
    scores, rows = heatmaps.amax(dim=-1).max(dim=-1)
    index = rows[..., None, None].expand(-1, -1, 1, heatmaps.shape[-1])
    columns = heatmaps.gather(2, index)[:, :, 0].argmax(dim=-1)
    keypoints = torch.stack([columns, rows], dim=-1).float()
    scores = scores.float()
    scores = scores.masked_fill(scores.isnan(), 0)
    return keypoints.masked_fill((scores <= 0)[..., None], -1), scores


def refine_shift(keypoints: Tensor, heatmaps: Tensor) -> Tensor:
    """Move each peak a quarter of a cell towards its higher neighbour.

    Args:
        keypoints: Peaks in shape (B, K, ..., 2), whole cells.
        heatmaps: Heatmaps in shape (B, K, H, W).

    Returns:
        Refined peaks in the same shape. As in MMPose a peak stays where it
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
    return keypoints + 0.25 * step.nan_to_num(0)


def refine_parabola(keypoints: Tensor, heatmaps: Tensor,
                    step: int) -> Tensor:
    """Move each peak to the top of a parabola, along each axis.

    The log of a Gaussian is a parabola, so three samples give its centre. A
    step of sigma is the least sensitive to noise: samples closer by differ
    too little, those farther away are too low.

    Args:
        keypoints: Peaks in shape (B, K, 2), whole cells.
        heatmaps: Heatmaps in shape (B, K, H, W), of any floating dtype.
        step: Cells between samples; fewer next to the border.

    Returns:
        Refined peaks in shape (B, K, 2), moved by up to a step. A peak stays
        where it is along an axis on which it lies at the border, a sample is
        not positive or the samples form no peak.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(2)
    last = torch.tensor([width - 1, height - 1], device=heatmaps.device)
    strides = torch.tensor([1, width], device=heatmaps.device)
    cells = keypoints.long()
    step = torch.minimum(cells, last - cells).clamp(0, step)
    index = (cells * strides).sum(-1, keepdim=True)
    sides = torch.cat([index, index - step * strides, index + step * strides],
                      dim=-1).clamp(0, flat.shape[-1] - 1)
    samples = flat.gather(2, sides).float().log()
    centre, before, after = samples.split([1, 2, 2], dim=-1)
    curvature = before - 2 * centre + after
    offset = 0.5 * step * (before - after) / curvature
    valid = (curvature < 0) & offset.isfinite()
    offset = torch.minimum(offset.abs(), step) * offset.sign()
    return torch.where(valid, keypoints + offset, keypoints)


def refine_dark(keypoints: Tensor, heatmaps: Tensor,
                blur_kernel: Sequence[float]) -> Tensor:
    """Refine peaks by one Newton step on the log of the blurred heatmap.

    Only the 5x5 cells that the step reads are blurred. MMPose also scales each
    blurred map back to its old maximum; a constant factor has no part in the
    derivatives of a log.

    Args:
        keypoints: Peaks in shape (B, K, 2), whole cells.
        heatmaps: Heatmaps in shape (B, K, H, W).
        blur_kernel: 1-D Gaussian of odd length.

    Returns:
        Refined peaks in shape (B, K, 2), within the heatmap. Peaks within two
        cells of the border stay where they are.

    Source: Zhang et al., "Distribution-Aware Coordinate Representation for
    Human Pose Estimation" (CVPR 2020), section 3.2.
    """
    height, width = heatmaps.shape[-2:]
    blurred = _blur_around(heatmaps, keypoints, blur_kernel)
    log = blurred.clamp_min(1e-10).log()

    dx = 0.5 * (log[..., 2, 3] - log[..., 2, 1])
    dy = 0.5 * (log[..., 3, 2] - log[..., 1, 2])
    dxx = 0.25 * (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0])
    dyy = 0.25 * (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2])
    dxy = 0.25 * (
        log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1])

    x, y = keypoints.unbind(-1)
    determinant = dxx * dyy - dxy**2
    valid = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    valid = valid & (determinant != 0)
    determinant = determinant.masked_fill(~valid, 1)
    offset = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy],
                         dim=-1) / determinant[..., None]
    valid = valid[..., None] & offset.isfinite()
    last = torch.tensor([width - 1., height - 1.], device=heatmaps.device)
    # Of a map that is no Gaussian a step can be of any length.
    refined = torch.minimum(keypoints + offset, last).clamp_min(0)
    return torch.where(valid, refined, keypoints)


def _blur_around(heatmaps: Tensor, keypoints: Tensor,
                 blur_kernel: Sequence[float]) -> Tensor:
    """Blur heatmaps, but only around the peaks.

    Whole rows are copied out of the maps, which is faster than squares.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        keypoints: Peaks in shape (B, K, 2), whole cells.
        blur_kernel: 1-D Gaussian of odd length.

    Returns:
        The 5x5 cells around each peak in shape (B, K, 5, 5), float32. What
        lies outside the heatmap counts as zero.
    """
    height, width = heatmaps.shape[-2:]
    device, radius = heatmaps.device, len(blur_kernel) // 2
    kernel = torch.tensor(blur_kernel, device=device)
    near = torch.arange(-2, 3, device=device)
    reach = torch.arange(-radius - 2, radius + 3, device=device)
    x, y = keypoints.flatten(0, 1).long().unbind(-1)

    rows = y[:, None] + reach
    inside = (rows >= 0) & (rows < height)
    maps = torch.arange(rows.shape[0], device=device)[:, None]
    index = rows.clamp(0, height - 1) + maps * height
    bands = heatmaps.reshape(-1, width).index_select(0, index.flatten())
    bands = bands.view(*rows.shape, width).float()

    columns = torch.arange(width, device=device)
    blur_x = _shifted(kernel, columns - columns[:, None])
    blur_x = blur_x[(x[:, None] + near).clamp(0, width - 1)]
    blur_y = _shifted(kernel, reach - near[:, None]) * inside[:, None]
    with without_autocast(device):
        blurred = blur_y @ bands @ blur_x.transpose(1, 2)
    return blurred.unflatten(0, heatmaps.shape[:2])


def _shifted(kernel: Tensor, steps: Tensor) -> Tensor:
    """The kernel's values so many cells off its centre, zero beyond it."""
    index = steps + len(kernel) // 2
    values = kernel[index.clamp(0, len(kernel) - 1)]
    return values * ((index >= 0) & (index < len(kernel)))


def gather_windows(heatmaps: Tensor, keypoints: Tensor,
                   radius: int) -> Tensor:
    """Cut a square around each keypoint out of its heatmap.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        keypoints: Centres in shape (B, K, ..., 2), whole cells.
        radius: Cells on each side of the centre.

    Returns:
        Windows in shape (B, K, ..., 2 * radius + 1, 2 * radius + 1), float32,
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
