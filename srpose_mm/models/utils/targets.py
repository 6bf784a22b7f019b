from typing import Any, List, Tuple, Union

import torch
import torch.nn.functional as F
from mmpose.utils.typing import SampleList
from torch import Tensor

from srpose_mm.codecs.utils import SeparableHeatmaps

Targets = Union[Tensor, SeparableHeatmaps]


def gather_targets(owner: str,
                   batch_data_samples: SampleList,
                   decoder: Any,
                   separable: bool = True) -> Tuple[Targets, Tensor]:
    """Collect what a top-down codec encoded for a batch.

    Args:
        owner: Class name for the message.
        batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
            labels (1, K, 2) of which ``decoder`` makes them, and keypoint
            weights (1, K).
        decoder: The head's codec, or ``None``.
        separable: Whether the loss takes :class:`SeparableHeatmaps`.

    Returns:
        Heatmaps in shape (B, K, H, W) and keypoint weights in shape (B, K).

    Raises:
        ValueError: If the samples hold keypoints only and there is no decoder
            to make heatmaps of them.
    """
    weights = torch.cat(_labels(batch_data_samples, 'keypoint_weights'))
    if _holds_heatmaps(owner, batch_data_samples, decoder):
        heatmaps = [sample.gt_fields.heatmaps for sample in batch_data_samples]
        return torch.stack(heatmaps), weights
    keypoints = torch.cat(_labels(batch_data_samples, 'keypoint_labels'))
    targets = decoder.make_targets(keypoints, weights)
    return targets if separable else targets.dense(), weights


def gather_people(owner: str, batch_data_samples: SampleList,
                  decoder: Any) -> Tuple[Tensor, Tensor]:
    """Collect what a bottom-up codec encoded for a batch.

    Args:
        owner: Class name for the message.
        batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
            labels (N, K, 2) and weights (N, K) of which ``decoder`` makes
            them, and masks of the same size.
        decoder: The head's codec, or ``None``.

    Returns:
        Heatmaps in shape (B, K, H, W) and masks in shape (B, 1, H, W).

    Raises:
        ValueError: As :func:`gather_targets`.
    """
    fields = [sample.gt_fields for sample in batch_data_samples]
    masks = torch.stack([field.heatmap_mask for field in fields])
    if _holds_heatmaps(owner, batch_data_samples, decoder):
        return torch.stack([field.heatmaps for field in fields]), masks
    heatmaps = decoder.make_targets(
        _labels(batch_data_samples, 'keypoint_labels'),
        _labels(batch_data_samples, 'keypoint_weights'))
    # Where there are no heatmaps MMPose's pipeline gives the mask the size of
    # the input.
    if masks.shape[-2:] != heatmaps.shape[-2:]:
        masks = F.interpolate(
            masks.float(), heatmaps.shape[-2:], mode='bilinear') > 0.5
    return heatmaps, masks


def pool_targets(targets: Targets, size: Tuple[int, int]) -> Targets:
    """Average heatmaps over the cells that one of a map of ``size`` covers."""
    if isinstance(targets, Tensor):
        return F.adaptive_avg_pool2d(targets, size)
    return targets.pool(size)


def _labels(batch_data_samples: SampleList, name: str) -> List[Tensor]:
    """One label of each sample."""
    return [sample.gt_instance_labels[name] for sample in batch_data_samples]


def _holds_heatmaps(owner: str, batch_data_samples: SampleList,
                    decoder: Any) -> bool:
    """Whether the samples hold heatmaps, or keypoints for the decoder."""
    sample = batch_data_samples[0]
    if 'gt_fields' in sample and 'heatmaps' in sample.gt_fields:
        return True
    if not hasattr(decoder, 'make_targets'):
        got = 'none' if decoder is None else type(decoder).__name__
        raise ValueError(
            f'{owner}: expected a decoder that makes heatmaps of the data\'s '
            f'keypoints, got {got}; give the head the codec of the pipeline '
            'as its decoder, or that codec target=\'heatmaps\'')
    return False
