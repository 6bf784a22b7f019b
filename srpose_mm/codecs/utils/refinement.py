"""Sub-cell refinement of peaks, on the device of the heatmaps.

Letters: B batch, K keypoints, M peaks of each heatmap, H and W the rows and
columns of a heatmap. Coordinates are (x, y) in cells. Where the neighbors
that a function reads lie inside the heatmap, the results equal those of
MMPose's NumPy functions; nearer to the border, a refinement never increases
the error of a Gaussian's peak. All functions but :func:`log_blurred` and
:func:`refine_dark_udp` can be exported to ONNX.
"""
from contextlib import nullcontext
from typing import ContextManager, Sequence

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import last_cell, window_index
from .peaks import Peaks

# The values of the argument ``refine`` of a codec.
REFINEMENTS = ('none', 'shift', 'dark', 'parabola')


def refine_shift(peaks: Peaks) -> Tensor:
    """Move each peak a quarter of a cell towards its higher neighbor.

    As in MMPose, a peak does not move along an axis in the first two cells and
    the last one. A peak in the first row or column does not move at all.
    """
    height, width = peaks.map_hw
    x, y = peaks.cells.unbind(-1)
    window = gather_windows(peaks.patches, peaks.patch_cells, radius=1)
    dx = torch.sign(window[..., 1, 2] - window[..., 1, 0])
    dy = torch.sign(window[..., 2, 1] - window[..., 0, 1])
    move_x = (x > 1) & (x < width - 1) & (y > 0) & (y < height)
    move_y = (y > 1) & (y < height - 1) & (x > 0) & (x < width)
    step = torch.stack([dx * move_x, dy * move_y], dim=-1)
    return peaks.cells + 0.25 * step.nan_to_num(0)


def refine_parabola(peaks: Peaks, step: int) -> Tensor:
    """Move each peak (B, K, 2) to the top of a parabola, along each axis.

    The log of a Gaussian is a parabola: three samples determine its center. A
    step of sigma is the least sensitive to noise: closer samples differ too
    little, farther samples are too low.

    Samples are ``step`` cells apart, fewer next to the border. A peak moves by
    up to a step; it does not move along an axis if it lies on the border, if
    a sample is not positive or if the samples form no peak.
    """
    flat = peaks.patches.flatten(2)
    strides = torch.tensor([1, peaks.patches.shape[-1]], device=flat.device)
    cells = peaks.cells.long()
    last = last_cell(peaks.map_hw, flat.device)
    step = torch.minimum(cells, last - cells).clamp(0, step)
    index = (peaks.patch_cells.long() * strides).sum(-1, keepdim=True)
    sides = torch.cat([index, index - step * strides, index + step * strides],
                      dim=-1).clamp(0, flat.shape[-1] - 1)
    samples = flat.gather(2, sides).float().log()
    center, before, after = samples.split([1, 2, 2], dim=-1)
    curvature = before - 2 * center + after
    offset = 0.5 * step * (before - after) / curvature
    valid = (curvature < 0) & offset.isfinite()
    offset = offset.clamp(-step, step)
    return torch.where(valid, peaks.cells + offset, peaks.cells)


def refine_dark(peaks: Peaks, blur_kernel: Sequence[float]) -> Tensor:
    """Refine peaks (B, K, 2) by a Newton step on the log of blurred heatmaps.

    Only the 5x5 cells that the step reads are blurred, by a 1-D Gaussian of
    odd length. MMPose also scales each blurred heatmap to its old maximum; the
    derivatives of a log do not depend on a constant factor. A peak within two
    cells of the border does not move.

    Source: Zhang et al., "Distribution-Aware Coordinate Representation for
    Human Pose Estimation" (CVPR 2020), section 3.2; differs in the blur where
    the kernel would leave the heatmap, see :func:`_blur_around`.
    """
    log = _blur_around(peaks, blur_kernel).clamp_min(1e-10).log()
    dx = 0.5 * (log[..., 2, 3] - log[..., 2, 1])
    dy = 0.5 * (log[..., 3, 2] - log[..., 1, 2])
    dxx = 0.25 * (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0])
    dyy = 0.25 * (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2])
    dxy = 0.25 * (
        log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1])
    return _newton_step(peaks.cells, (dx, dy), (dxx, dyy, dxy), peaks.map_hw,
                        margin=1)


def _newton_step(cells: Tensor, gradient: Sequence[Tensor],
                 hessian: Sequence[Tensor], map_hw: Sequence[int],
                 margin: int) -> Tensor:
    """Move cells (..., 2) further than a margin from the border by a step."""
    (dx, dy), (dxx, dyy, dxy) = gradient, hessian
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1)
    step = step / (dxx * dyy - dxy**2)[..., None]
    last = last_cell(map_hw, cells.device).float()
    room = torch.minimum(cells, last - cells).amin(dim=-1, keepdim=True)
    valid = (room > margin) & step.isfinite()
    # The step is of any length if a heatmap is not a Gaussian.
    refined = torch.minimum((cells + step).float(), last).clamp_min(0)
    return torch.where(valid, refined, cells)


def _blur_around(peaks: Peaks, blur_kernel: Sequence[float]) -> Tensor:
    """Return the blurred 5x5 cells around each peak, (B, K, 5, 5), float32.

    Where the kernel would leave the heatmap, its two ends are cut off, both
    by the same number of cells. A kernel that is not symmetric, or cells of
    zero beyond the border, would pull the peak inwards, at full resolution by
    up to 5 cells. The result is known up to a factor, and has no meaning for
    peaks within two cells of the border.
    """
    device, radius = peaks.patches.device, len(blur_kernel) // 2
    kernel = torch.tensor(blur_kernel, device=device)
    window = gather_windows(peaks.patches, peaks.patch_cells, radius + 2)
    steps = torch.arange(-radius - 2, radius + 3, device=device)
    # From each of the 5 blurred cells to each cell of the window.
    steps = steps - torch.arange(-2, 3, device=device)[:, None]
    values = kernel[(steps + radius).clamp(0, 2 * radius)]
    room = torch.minimum(peaks.cells, last_cell(peaks.map_hw, device) -
                         peaks.cells) - 2
    inside = steps.abs() <= room.clamp(0, radius)[..., None, None]
    blur_x, blur_y = (values * inside).unbind(2)  # (B, K, 5, n)
    with _without_autocast(device):
        return blur_y @ window @ blur_x.transpose(2, 3)


def log_blurred(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Blur heatmaps (B, K, H, W), restore their maxima and return the log.

    The log is float32, of values between 0.001 and 50.
    """
    heatmaps = maps = heatmaps.float()
    weights = cv2.getGaussianKernel(kernel_size, 0).ravel().tolist()
    pad = [kernel_size // 2] * 2
    # On a CPU a convolution with one channel is six times as slow.
    for dim, padding in ((-1, pad), (-2, [0, 0, *pad])):
        padded, length = F.pad(maps, padding), maps.shape[dim]
        maps = sum(weight * padded.narrow(dim, i, length)
                   for i, weight in enumerate(weights))
    scale = heatmaps.amax((2, 3), True) / maps.amax((2, 3), True)
    # A heatmap of zeros has no maximum to restore.
    return maps.mul_(scale.nan_to_num(1)).clamp_(1e-3, 50).log_()


def refine_dark_udp(keypoints: Tensor, log_heatmaps: Tensor,
                    kernel_size: int) -> Tensor:
    """Refine peaks by one Newton step on the log of the blurred heatmap.

    Unlike :func:`refine_dark`, differences are those of adjacent cells.

    Peaks (B, K, M, 2), float32, are moved within the heatmap; in MMPose they
    can leave it. A peak does not move if its step is not defined, or if the
    blur, ``kernel_size`` cells wide, of a cell that the step reads leaves the
    heatmap.
    """
    window = gather_windows(log_heatmaps, keypoints, radius=1)
    center, left, right = (window[..., 1, i] for i in (1, 0, 2))
    above, below = window[..., 0, 1], window[..., 2, 1]
    dx, dy = 0.5 * (right - left), 0.5 * (below - above)
    dxx = right - 2 * center + left
    dyy = below - 2 * center + above
    dxy = 0.5 * (window[..., 2, 2] - right - below + center + center - left -
                 above + window[..., 0, 0])
    # MMPose adds this to the diagonal and inverts in float64.
    epsilon = torch.finfo(torch.float32).eps
    hessian = [d.double() for d in (dxx + epsilon, dyy + epsilon, dxy)]
    return _newton_step(keypoints, (dx, dy), hessian, log_heatmaps.shape[-2:],
                        margin=kernel_size // 2)


def gather_windows(heatmaps: Tensor, keypoints: Tensor,
                   radius: int) -> Tensor:
    """Copy the square of cells around each keypoint out of its heatmap.

    Heatmaps (B, K, H, W) and whole cells (B, K, ..., 2) give windows
    (B, K, ..., 2 * radius + 1, 2 * radius + 1), float32, zero outside.
    """
    steps = torch.arange(-radius, radius + 1, device=heatmaps.device)
    index, inside = window_index(keypoints, steps, steps, heatmaps.shape[-2:])
    windows = heatmaps.flatten(2).gather(2, index.flatten(2)).float()
    return windows.view(index.shape).masked_fill(~inside, 0)


def _without_autocast(device: torch.device) -> ContextManager:
    """Return a context in which autocast rounds nothing to half precision."""
    try:
        return torch.autocast(device.type, enabled=False)
    except RuntimeError:
        return nullcontext()  # a device without autocast
