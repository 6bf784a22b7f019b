"""Refinement of UDP's bottom-up codec, on the device the heatmaps are on.

Letters: B batch, K keypoints, N people, H and W the rows and columns of a
heatmap. Coordinates are (x, y) in heatmap cells. The same results as
``refine_keypoints_dark_udp`` of MMPose.
"""
import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from .autocast import without_autocast


def log_blurred(heatmaps: Tensor, kernel_size: int) -> Tensor:
    """Blur heatmaps, restore their maxima and take the log.

    Args:
        heatmaps: Heatmaps in shape (B, K, H, W).
        kernel_size: Size of the Gaussian in cells, odd.

    Returns:
        The log in the same shape, float32, of values between 0.001 and 50.
    """
    heatmaps = heatmaps.float()
    kernel = heatmaps.new_tensor(cv2.getGaussianKernel(kernel_size, 0))
    maps = heatmaps.flatten(0, 1)[:, None]
    radius = kernel_size // 2
    with without_autocast(maps.device):
        maps = F.conv2d(maps, kernel.view(1, 1, 1, -1), padding=(0, radius))
        maps = F.conv2d(maps, kernel.view(1, 1, -1, 1), padding=(radius, 0))
    maps = maps.view(heatmaps.shape)
    scale = heatmaps.amax((2, 3), True) / maps.amax((2, 3), True)
    # A map of zeros has no maximum to restore.
    return (maps * scale.nan_to_num(1)).clamp(1e-3, 50).log()


def refine_dark_udp(keypoints: Tensor, log_heatmaps: Tensor) -> Tensor:
    """Refine peaks by one Newton step on the log of the blurred heatmap.

    Unlike :func:`refine_dark` it takes differences one cell apart, and the
    cells at the border stand for those beyond it.

    Args:
        keypoints: Peaks in shape (B, K, N, 2), whole cells.
        log_heatmaps: What :func:`log_blurred` gave, in shape (B, K, H, W).

    Returns:
        Refined peaks in shape (B, K, N, 2), within the heatmap, where MMPose
        lets them leave it. One whose step is not defined stays where it is.
    """
    height, width = log_heatmaps.shape[-2:]
    flat = log_heatmaps.flatten(2)
    x, y = keypoints.long().unbind(-1)

    def at(dx: int, dy: int) -> Tensor:
        row = (y + dy).clamp(0, height - 1)
        column = (x + dx).clamp(0, width - 1)
        return flat.gather(2, row * width + column)

    centre, right, left = at(0, 0), at(1, 0), at(-1, 0)
    below, above = at(0, 1), at(0, -1)
    dx, dy = 0.5 * (right - left), 0.5 * (below - above)
    dxx = right - 2 * centre + left
    dyy = below - 2 * centre + above
    dxy = 0.5 * (
        at(1, 1) - right - below + centre + centre - left - above + at(-1, -1))
    # MMPose adds this to the diagonal and inverts in float64.
    epsilon = torch.finfo(torch.float32).eps
    dxx, dyy, dxy = (d.double() for d in (dxx + epsilon, dyy + epsilon, dxy))
    step = torch.stack([dyy * dx - dxy * dy, dxx * dy - dxy * dx], dim=-1)
    step = step / (dxx * dyy - dxy**2)[..., None]
    refined = (keypoints - step.nan_to_num(0, 0, 0)).float()
    last = torch.tensor([width - 1., height - 1.], device=flat.device)
    # Of a map that is no Gaussian a step can be of any length.
    return torch.minimum(refined, last).clamp_min(0)
