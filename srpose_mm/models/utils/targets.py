"""Targets of a batch, and the accuracy of heatmaps that predict them."""
from typing import List, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import require
from srpose_mm.codecs.utils.gaussians import DenseHeatmaps, SeparableHeatmaps
from srpose_mm.codecs.utils.peaks import heatmap_argmax

from .checks import check_codecs, check_keypoints

Targets = Union[DenseHeatmaps, SeparableHeatmaps]


def gather_targets(head: nn.Module, batch_data_samples: SampleList,
                   keypoints: int) -> Tuple[Targets, Tensor]:
    """Collect heatmaps and keypoint weights (B, K) for a top-down head.

    The samples have keypoint weights (1, K) and heatmaps (K, H, W), or
    keypoint labels (1, K, 2) of which the head's decoder makes heatmaps.

    Raises:
        ValueError: If the samples do not fit the head, which predicts
            ``keypoints``, or its decoder.
    """
    weights = torch.cat(_labels(batch_data_samples, 'keypoint_weights'))
    if _holds_heatmaps(head, batch_data_samples):
        heatmaps = [sample.gt_fields.heatmaps for sample in batch_data_samples]
        targets = DenseHeatmaps(torch.stack(heatmaps))
    else:
        labels = torch.cat(_labels(batch_data_samples, 'keypoint_labels'))
        targets = head.decoder.make_targets(labels, weights)
    _check_samples(head, batch_data_samples, targets.shape, keypoints)
    return targets, weights


def gather_bottomup_targets(head: nn.Module, batch_data_samples: SampleList,
                     keypoints: int) -> Tuple[Tensor, Tensor]:
    """Collect heatmaps (B, K, H, W) and masks (B, 1, H, W), bottom-up.

    The samples have masks (1, h, w) and heatmaps (K, H, W), or keypoint labels
    (N, K, 2) and weights (N, K) of which the head's decoder makes heatmaps.

    Raises:
        ValueError: If the samples do not fit the head, which predicts
            ``keypoints``, or its decoder.
    """
    fields = [sample.gt_fields for sample in batch_data_samples]
    masks = torch.stack([field.heatmap_mask for field in fields])
    if _holds_heatmaps(head, batch_data_samples):
        heatmaps = torch.stack([field.heatmaps for field in fields])
    else:
        heatmaps = head.decoder.make_targets(
            _labels(batch_data_samples, 'keypoint_labels'),
            _labels(batch_data_samples, 'keypoint_weights'))
    _check_samples(head, batch_data_samples, heatmaps.shape, keypoints)
    # Without heatmaps, MMPose's pipeline makes masks of the input's size.
    if masks.shape[-2:] != heatmaps.shape[-2:]:
        masks = F.interpolate(
            masks.float(), heatmaps.shape[-2:], mode='bilinear') > 0.5
    return heatmaps, masks


@torch.no_grad()
def pose_pck_accuracy(output: Tensor,
                      target: Targets,
                      mask: Tensor,
                      thr: float = 0.05) -> Tensor:
    """Return the share of keypoints whose peak lies near the target's peak.

    The average accuracy of ``mmpose.evaluation.functional.pose_pck_accuracy``,
    computed on the device of the heatmaps: the mean over the keypoints that
    count anywhere in the batch, a float32 scalar; 0 if none counts.

    Args:
        output: Predicted heatmaps in shape (B, K, H, W).
        target: Target heatmaps in shape (B, K, H, W).
        mask: Which keypoints count, bool in shape (B, K).
        thr: Largest correct distance, in heatmap sizes.
    """
    predicted, _ = heatmap_argmax(output)
    # MMPose divides x by H and y by W; kept so that the numbers compare.
    size = predicted.new_tensor(output.shape[-2:])
    distance = ((predicted - target.peaks()) / size).norm(dim=-1)
    hits = ((distance < thr) & mask).sum(dim=0).float()
    counts = mask.sum(dim=0)
    accuracy = hits / counts.clamp_min(1)
    return accuracy.sum() / (counts > 0).sum().clamp_min(1)


def _labels(batch_data_samples: SampleList, name: str) -> List[Tensor]:
    """Return one label of each sample."""
    return [sample.gt_instance_labels[name] for sample in batch_data_samples]


def _check_samples(head: nn.Module, batch_data_samples: SampleList,
                   shape: Sequence[int], keypoints: int) -> None:
    """Check that targets of a shape (B, K, H, W) fit the head."""
    count, height, width = shape[1:]
    source = 'the data'
    described = len(batch_data_samples[0].get('flip_indices', range(count)))
    if described != count:
        source = f'annotations whose metainfo describes {described}'
    check_keypoints(head, source, count, keypoints)
    check_codecs(head, batch_data_samples, (width, height))


def _holds_heatmaps(head: nn.Module, batch_data_samples: SampleList) -> bool:
    """Return True for heatmaps, False for keypoints that the decoder draws."""
    sample = batch_data_samples[0]
    if 'gt_fields' in sample and 'heatmaps' in sample.gt_fields:
        return True
    got = 'none' if head.decoder is None else type(head.decoder).__name__
    require(
        head, hasattr(head.decoder, 'make_targets'), 'expected a decoder that '
        f'makes heatmaps of the data\'s keypoints, got {got}; write decoder='
        'dict(_delete_=True, **codec) in the head, with the codec of '
        'GenerateTarget, or target=\'heatmaps\' in that codec')
    return False
