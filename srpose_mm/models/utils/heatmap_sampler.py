"""Heatmaps of an SR block that are evaluated in parts.

Letters: B batch, K keypoints, E channels of the embedding of one keypoint, h
and w the rows and columns of the features, r heatmap cells for one feature
cell, H = r * h and W = r * w, M candidates of each keypoint. Coordinates are
(x, y).
"""
from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from srpose_mm.codecs.utils.geometry import window_index
from srpose_mm.codecs.utils.peaks import Peaks, local_maxima
from srpose_mm.models.layers import SRBlock


class HeatmapSampler:
    """Evaluate the heatmaps of an SR block where they are needed.

    The predictor is linear, so the average of the r x r cells of one feature
    cell is one convolution with averaged kernels. Each keypoint has input
    channels of its own: as a depthwise convolution it costs 1 / r^2 of the
    heatmaps. A window of the heatmaps is the predictor on a window of the
    features. All weights are read at the moment of use.

    Args:
        block: The block whose heatmaps are evaluated.
        feats: Features in shape (B, C, h, w).
        flip_indices: If the features belong to the mirrored image, the
            keypoint on the other side of each keypoint. The heatmaps are then
            mirrored back, as ``flip_heatmaps`` of MMPose does.
        shift: Cells by which mirrored heatmaps move to the right, 0 or 1.
    """

    def __init__(self,
                 block: SRBlock,
                 feats: Tensor,
                 flip_indices: Optional[Sequence[int]] = None,
                 shift: int = 0):
        predictor, r = block.predictor, block.upscale_factor
        keypoints = predictor.groups
        self.feats, self.factor, self.shift = feats, r, shift
        # A number: torch 2.1 traces the shape of a weight as a tensor.
        self.padding = predictor.kernel_size[0] // 2
        x = block.keypoint_encoder(feats)
        if x.device.type == 'cpu':
            # Depthwise convolutions are three times as fast in this layout.
            x = x.contiguous(memory_format=torch.channels_last)
        weight = predictor.weight.unflatten(0, (keypoints, r, r))
        bias = predictor.bias.unflatten(0, (keypoints, r, r))
        if flip_indices is not None:
            # The mirrored heatmap is that of mirrored features and kernels.
            x = x.unflatten(1, (keypoints, -1))[:, flip_indices]
            x = x.flatten(1, 2).flip(-1)
            weight = weight[flip_indices].flip(2, -1)
            bias = bias[flip_indices].flip(2)
        self.embeddings = x  # (B, K * E, h, w)
        self.weight, self.bias = weight, bias

    def pooled(self) -> Tensor:
        """Return the average of each feature cell in shape (B, K, h, w).

        The average ignores ``shift``, which is one of r cells.
        """
        weight = self.weight.mean(dim=(1, 2))
        pooled = F.conv2d(
            self.embeddings,
            weight.flatten(0, 1)[:, None],
            padding=self.padding,
            groups=self.embeddings.shape[1])
        # Adding channels is faster than a sum over a strided dimension.
        pooled = sum(pooled.unflatten(1, weight.shape[:2]).unbind(2))
        return pooled + self.bias.mean(dim=(1, 2))[:, None, None]

    def windows(self, cells: Tensor, radius: int) -> Tensor:
        """Return the heatmaps around feature cells (B, K, M, 2), int64.

        With ``radius`` feature cells on each side of the middle one, windows
        have shape (B, K, M, n, n) with n = r * (2 * radius + 1). Their cells
        outside the heatmap have no meaning.
        """
        r = self.factor
        batch, keypoints, count = cells.shape[:3]
        # A shifted window begins in the feature cell to the left.
        x = self._gather(cells, radius + self.padding, extra_left=self.shift)
        x = x.permute(0, 3, 1, 2, 4, 5).flatten(2, 3).flatten(0, 1)
        y = F.conv2d(
            x,
            self.weight.flatten(0, 2),
            self.bias.flatten(),
            groups=keypoints)
        rows, columns = y.shape[-2:]
        y = y.view(batch, count, keypoints, r, r, rows, columns)
        y = y.permute(0, 2, 1, 5, 3, 6, 4).reshape(
            batch, keypoints, count, r * rows, r * columns)
        return self._shift_columns(y, cells, radius) if self.shift else y

    def _gather(self, cells: Tensor, radius: int, extra_left: int) -> Tensor:
        """Copy windows of the embedding, (B, K, E, M, rows, columns).

        Outside the features the windows are zero, as the padding is.
        """
        steps = torch.arange(
            -radius - extra_left, radius + 1, device=cells.device)
        index, inside = window_index(cells, steps, steps[extra_left:],
                                     self.embeddings.shape[-2:])
        keypoints, channels = self.weight.shape[0], self.weight.shape[3]
        flat = index.flatten(2)[:, :, None].expand(-1, -1, channels, -1)
        x = self.embeddings.unflatten(1, (keypoints, channels))
        x = x.flatten(3).gather(3, flat)
        x = x.unflatten(3, index.shape[2:])
        return x.masked_fill(~inside[:, :, None], 0)

    def _shift_columns(self, windows: Tensor, cells: Tensor,
                       radius: int) -> Tensor:
        """Return each window one column to the left; column 0 stays."""
        r = self.factor
        columns = torch.arange(r * (2 * radius + 1), device=cells.device)
        first = (cells[..., 0] - radius) * r
        # The window has r more columns on its left.
        index = columns + r - (first[..., None] + columns != 0).long()
        return windows.gather(
            -1, index[..., None, :].expand(*windows.shape[:-1], -1))


def find_peaks(samplers: List[HeatmapSampler], reach: int,
               count: int = 2) -> Peaks:
    """Return the highest cell of each heatmap without computing the heatmaps.

    The highest local maxima of the average-pooled heatmap are the candidates.
    The heatmaps are evaluated in the 3x3 feature cells around each, and the
    highest of these cells is the peak: that of the full heatmaps, except where
    another local maximum of the heatmap is about as high.

    Args:
        samplers: Samplers whose heatmaps are averaged, of one image or of an
            image and its mirror image.
        reach: Cells around a peak that its refinement reads. The patches of
            the peaks extend so far.
        count: Number of candidates.
    """
    factor = samplers[0].factor
    pooled = mean([sampler.pooled() for sampler in samplers])
    map_hw = tuple(size * factor for size in pooled.shape[-2:])
    _, cells = local_maxima(pooled, 3, count)
    windows = mean([sampler.windows(cells, 1) for sampler in samplers])
    # A heatmap with NaN has no peak, wherever its windows lie.
    corrupt = pooled.flatten(2).amax(dim=-1).isnan()
    windows = windows.masked_fill(corrupt[..., None, None, None], torch.nan)
    peaks = Peaks.of_windows(windows, (cells - 1) * factor, map_hw)
    radius = -(-reach // factor)
    if radius:
        middle = peaks.cells.clamp_min(0).long() // factor
        patches = mean([
            sampler.windows(middle[:, :, None], radius)[:, :, 0]
            for sampler in samplers
        ])
        peaks = Peaks(peaks.cells, peaks.scores, patches,
                      (middle - radius) * factor, map_hw)
    return peaks


def mean(tensors: List[Tensor]) -> Tensor:
    """Return the mean of one or two tensors, in MMPose's order."""
    return sum(tensors) * (1 / len(tensors)) if tensors[1:] else tensors[0]
