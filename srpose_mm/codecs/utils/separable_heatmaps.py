from typing import NamedTuple, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor


class SeparableHeatmaps(NamedTuple):
    """Heatmaps that are outer products of two profiles.

    A Gaussian is one, and so is what average pooling makes of it. H + W
    numbers for each map take the place of H * W. None of them is negative.

    Attributes:
        columns: Profiles along x in shape (B, K, W).
        rows: Profiles along y in shape (B, K, H).
    """

    columns: Tensor
    rows: Tensor

    @property
    def shape(self) -> torch.Size:
        """(B, K, H, W), as of the dense heatmaps."""
        return torch.Size([*self.rows.shape, self.columns.shape[-1]])

    def dense(self) -> Tensor:
        """The heatmaps themselves, in shape (B, K, H, W)."""
        return self.rows[..., :, None] * self.columns[..., None, :]

    def pool(self, size: Tuple[int, int]) -> 'SeparableHeatmaps':
        """Average over the cells that a cell of a smaller map covers.

        Args:
            size: (H, W) of the smaller map.

        Returns:
            The heatmaps that ``F.adaptive_avg_pool2d`` gives of these.
        """
        height, width = size
        return SeparableHeatmaps(
            F.adaptive_avg_pool1d(self.columns, width),
            F.adaptive_avg_pool1d(self.rows, height))

    def peaks(self) -> Tensor:
        """Highest cells (x, y) in shape (B, K, 2), float32.

        A map of zeros gets (-1, -1), as in MMPose.
        """
        cells = [profile.argmax(dim=-1) for profile in self]
        peaks = torch.stack(cells, dim=-1).float()
        return peaks.masked_fill(self.empty()[..., None], -1)

    def empty(self) -> Tensor:
        """Which maps have no cell above 0, bool in shape (B, K)."""
        return self.columns.amax(dim=-1) * self.rows.amax(dim=-1) <= 0


def gaussian_heatmaps(keypoints: Tensor, visible: Tensor,
                      size: Tuple[int, int], sigma: float, rounded: bool,
                      truncated: bool) -> SeparableHeatmaps:
    """Gaussian heatmaps of one keypoint each, where the keypoints are.

    Args:
        keypoints: Coordinates in shape (B, K, 2), in heatmap cells.
        visible: Which maps are not empty, bool in shape (B, K).
        size: (W, H) of the heatmaps.
        sigma: Standard deviation in cells.
        rounded: Whether the Gaussian stands on the cell nearest to the
            keypoint, not on the keypoint itself.
        truncated: Whether it ends 3 sigma from that cell.

    Returns:
        Heatmaps of peak value 1, float32.
    """
    keypoints = keypoints.float()
    # Rounds as the NumPy code does, whose integers truncate.
    cells = (keypoints + 0.5).trunc()
    profiles = []
    for axis, length in enumerate(size):
        steps = torch.arange(length, device=keypoints.device)
        cell = cells[..., axis, None]
        centre = cell if rounded else keypoints[..., axis, None]
        inside = visible[..., None]
        if truncated:
            inside = inside & ((steps - cell).abs() <= 3 * sigma)
        profiles.append(_profile(steps - centre, sigma, inside))
    return SeparableHeatmaps(*profiles)


def people_heatmaps(keypoints: Sequence[Tensor], visible: Sequence[Tensor],
                    size: Tuple[int, int], sigma: float,
                    rounded: bool) -> Tensor:
    """Gaussian heatmaps of all people of each image; the highest counts.

    Args:
        keypoints: For each of B images coordinates in shape (N, K, 2), with an
            N of its own, in heatmap cells.
        visible: Which are drawn, each bool in shape (N, K).
        size: (W, H) of the heatmaps.
        sigma: Standard deviation in cells.
        rounded: Whether a Gaussian stands on the cell nearest to the
            keypoint, not on the keypoint itself.

    Returns:
        Heatmaps in shape (B, K, H, W) of peak value 1, float32.
    """
    width, height = size
    count = keypoints[0].shape[1]
    heatmaps = keypoints[0].new_zeros(
        len(keypoints), count, height, width, dtype=torch.float32)
    for sample in zip(heatmaps, keypoints, visible):
        _draw_gaussians(*sample, sigma, rounded)
    return heatmaps


def _draw_gaussians(heatmaps: Tensor, keypoints: Tensor, visible: Tensor,
                    sigma: float, rounded: bool) -> None:
    """Draw the Gaussians of an image's people into (K, H, W), in place.

    Each covers the square that ends 3 sigma from its keypoint's cell, so that
    the work and memory follow the people and not the heatmaps.
    """
    keypoints = keypoints.float()
    device = keypoints.device
    cells = (keypoints + 0.5).trunc()
    radius = int(3 * sigma)
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
    """Values of a Gaussian of peak value 1, zero where not ``inside``."""
    return torch.exp(-distances**2 / (2 * sigma**2)).masked_fill(~inside, 0)
