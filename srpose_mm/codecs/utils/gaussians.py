"""Heatmaps of Gaussians, made of keypoints on the device of the keypoints.

Letters: B batch, N instances, K keypoints, H and W the rows and columns of a
heatmap.
"""
from typing import NamedTuple, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .geometry import Size, gaussian_radius, nearest_cell
from .peaks import heatmap_argmax


class DenseHeatmaps(NamedTuple):
    """Target heatmaps that are stored cell by cell.

    Attributes:
        heatmaps: The heatmaps in shape (B, K, H, W).
    """

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

    def for_loss(self, loss: nn.Module) -> Tensor:
        """Return the heatmaps in a form that the loss accepts."""
        return self.heatmaps


class SeparableHeatmaps(NamedTuple):
    """Target heatmaps that are outer products of two profiles.

    A Gaussian is one, and so is its average-pooled version. H + W numbers
    replace the H * W of each heatmap. No number is negative.

    Attributes:
        columns: Profiles along x in shape (B, K, W).
        rows: Profiles along y in shape (B, K, H).
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

    def for_loss(self, loss: nn.Module) -> Union['SeparableHeatmaps', Tensor]:
        """Return the heatmaps in a form that the loss accepts."""
        return self if getattr(loss, 'accepts_separable', False) else (
            self.dense())


def gaussian_heatmaps(keypoints: Tensor, visible: Tensor, heatmap_size: Size,
                      sigma: float, rounded: bool,
                      truncated: bool) -> SeparableHeatmaps:
    """Draw heatmaps of one Gaussian each.

    Args:
        keypoints: Coordinates in shape (B, K, 2), in cells.
        visible: Which Gaussians are drawn, bool in shape (B, K).
        heatmap_size: (W, H) of the heatmaps.
        sigma: Standard deviation in cells.
        rounded: Centre a Gaussian on the cell nearest to its keypoint.
        truncated: End a Gaussian at its radius from the nearest cell.

    Returns:
        Heatmaps of peak value 1, float32.
    """
    keypoints = keypoints.float()
    cells = nearest_cell(keypoints)
    profiles = []
    for axis, length in enumerate(heatmap_size):
        steps = torch.arange(length, device=keypoints.device)
        cell = cells[..., axis, None]
        centre = cell if rounded else keypoints[..., axis, None]
        inside = visible[..., None]
        if truncated:
            near = (steps - cell).abs() <= gaussian_radius(sigma)
            inside = inside & near
        profiles.append(_profile(steps - centre, sigma, inside))
    return SeparableHeatmaps(*profiles)


def instance_heatmaps(keypoints: Sequence[Tensor], visible: Sequence[Tensor],
                      heatmap_size: Size, sigma: float,
                      rounded: bool) -> Tensor:
    """Draw heatmaps of all instances; of two Gaussians the higher counts.

    Args:
        keypoints: For each of B images coordinates in shape (N, K, 2), in
            cells. N may differ.
        visible: Which Gaussians are drawn, each bool in shape (N, K).
        heatmap_size: (W, H) of the heatmaps.
        sigma: Standard deviation in cells.
        rounded: Centre a Gaussian on the cell nearest to its keypoint.

    Returns:
        Heatmaps in shape (B, K, H, W) of peak value 1, float32.
    """
    width, height = heatmap_size
    count = keypoints[0].shape[1]
    heatmaps = keypoints[0].new_zeros(
        len(keypoints), count, height, width, dtype=torch.float32)
    for sample in zip(heatmaps, keypoints, visible):
        _draw_gaussians(*sample, sigma, rounded)
    return heatmaps


def _draw_gaussians(heatmaps: Tensor, keypoints: Tensor, visible: Tensor,
                    sigma: float, rounded: bool) -> None:
    """Draw the Gaussians of one image into (K, H, W), in place.

    Each Gaussian is drawn on a square of its radius around the nearest cell:
    time and memory grow with the instances, not with the heatmaps.
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
        centre = (cells if rounded else keypoints)[..., axis, None]
        inside = visible[..., None] & (steps >= 0) & (steps < length)
        profiles.append(_profile(steps - centre, sigma, inside))
        places.append(steps.clamp(0, length - 1).long())
    patches = profiles[1][..., :, None] * profiles[0][..., None, :]
    rows = torch.arange(count, device=device)[:, None] * height + places[1]
    index = rows[..., :, None] * width + places[0][..., None, :]
    heatmaps.view(-1).scatter_reduce_(0, index.view(-1), patches.view(-1),
                                      reduce='amax')


def _profile(distances: Tensor, sigma: float, inside: Tensor) -> Tensor:
    """Return a Gaussian of peak value 1, zero where not ``inside``."""
    return torch.exp(-distances**2 / (2 * sigma**2)).masked_fill(~inside, 0)
