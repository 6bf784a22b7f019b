"""Heatmaps of Gaussians, made of keypoints on the device of the keypoints.

Letters: B batch, N instances, K keypoints, H and W the rows and columns of a
heatmap.
"""
from typing import NamedTuple, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import Size, gaussian_radius, nearest_cell
from .peaks import heatmap_argmax


class DenseHeatmaps(NamedTuple):
    """Target heatmaps (B, K, H, W) that are stored cell by cell."""

    heatmaps: Tensor

    @property
    def shape(self) -> torch.Size:
        """The shape of the heatmaps, (B, K, H, W)."""
        return self.heatmaps.shape

    def dense(self) -> Tensor:
        """Return the heatmaps in shape (B, K, H, W)."""
        return self.heatmaps

    def pool(self, size_hw: Tuple[int, int]) -> 'DenseHeatmaps':
        """Average the heatmaps over the cells of smaller ones, (H, W)."""
        return DenseHeatmaps(F.adaptive_avg_pool2d(self.heatmaps, size_hw))

    def peaks(self) -> Tensor:
        """Return the highest cells (x, y), (B, K, 2); (-1, -1) if empty."""
        return heatmap_argmax(self.heatmaps)[0]


class SeparableHeatmaps(NamedTuple):
    """Target heatmaps that are outer products of two profiles.

    A Gaussian is one, and so is its average-pooled version. The profiles along
    x (B, K, W) and along y (B, K, H), which are not negative, replace the
    H * W cells of each heatmap.
    """

    columns: Tensor
    rows: Tensor

    @property
    def shape(self) -> torch.Size:
        """The shape of the dense heatmaps, (B, K, H, W)."""
        return torch.Size([*self.rows.shape, self.columns.shape[-1]])

    def dense(self) -> Tensor:
        """Return the heatmaps in shape (B, K, H, W)."""
        return self.rows[..., :, None] * self.columns[..., None, :]

    def pool(self, size_hw: Tuple[int, int]) -> 'SeparableHeatmaps':
        """Average the heatmaps over the cells of smaller ones, (H, W)."""
        height, width = size_hw
        return SeparableHeatmaps(
            F.adaptive_avg_pool1d(self.columns, width),
            F.adaptive_avg_pool1d(self.rows, height))

    def peaks(self) -> Tensor:
        """Return the highest cells (x, y), (B, K, 2); (-1, -1) if empty."""
        cells = [profile.argmax(dim=-1) for profile in self]
        peaks = torch.stack(cells, dim=-1).float()
        return peaks.masked_fill(self.empty()[..., None], -1)

    def empty(self) -> Tensor:
        """Return which heatmaps are all zero, bool in shape (B, K)."""
        return self.columns.amax(dim=-1) * self.rows.amax(dim=-1) <= 0


def gaussian_heatmaps(keypoints: Tensor, visible: Tensor, heatmap_size: Size,
                      sigma: float, rounded: bool,
                      truncated: bool) -> SeparableHeatmaps:
    """Draw heatmaps of one Gaussian each, of peak value 1, float32.

    Args:
        keypoints: Coordinates in shape (B, K, 2), in cells.
        visible: Which Gaussians are drawn, bool in shape (B, K).
        heatmap_size: (W, H) of the heatmaps.
        sigma: Standard deviation in cells.
        rounded: Center a Gaussian on the cell nearest to its keypoint.
        truncated: End a Gaussian at its radius from the nearest cell.
    """
    keypoints = keypoints.float()
    cells = nearest_cell(keypoints)
    profiles = []
    for axis, length in enumerate(heatmap_size):
        steps = torch.arange(length, device=keypoints.device)
        cell = cells[..., axis, None]
        center = cell if rounded else keypoints[..., axis, None]
        inside = visible[..., None]
        if truncated:
            near = (steps - cell).abs() <= gaussian_radius(sigma)
            inside = inside & near
        profiles.append(_profile(steps - center, sigma, inside))
    return SeparableHeatmaps(*profiles)


def draw_instances(heatmaps: Tensor, keypoints: Tensor, visible: Tensor,
                   sigma: float, rounded: bool) -> None:
    """Draw Gaussians of one image into heatmaps (K, H, W), in place.

    Where Gaussians overlap, the higher value counts. Each one is drawn on a
    square of its radius around the nearest cell: time and memory grow with the
    instances, not with the heatmaps. ``keypoints`` (N, K, 2) are in cells; for
    the others see :func:`gaussian_heatmaps`.
    """
    keypoints = keypoints.float()
    device = keypoints.device
    cells = nearest_cell(keypoints)
    radius = int(gaussian_radius(sigma))
    offsets = torch.arange(-radius, radius + 1, device=device)
    count, height, width = heatmaps.shape
    profiles, places = [], []
    for axis, length in enumerate((width, height)):
        steps = cells[..., axis, None] + offsets
        center = (cells if rounded else keypoints)[..., axis, None]
        inside = visible[..., None] & (steps >= 0) & (steps < length)
        profiles.append(_profile(steps - center, sigma, inside))
        places.append(steps.clamp(0, length - 1).long())
    patches = profiles[1][..., :, None] * profiles[0][..., None, :]
    rows = torch.arange(count, device=device)[:, None] * height + places[1]
    index = rows[..., :, None] * width + places[0][..., None, :]
    heatmaps.view(-1).scatter_reduce_(0, index.view(-1), patches.view(-1),
                                      reduce='amax')


def _profile(distances: Tensor, sigma: float, inside: Tensor) -> Tensor:
    """Return a Gaussian of peak value 1, zero where not ``inside``."""
    return torch.exp(-distances**2 / (2 * sigma**2)).masked_fill(~inside, 0)
