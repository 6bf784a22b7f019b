from typing import Union

import torch
from torch import Tensor

from srpose_mm.codecs.utils import SeparableHeatmaps, heatmap_argmax


@torch.no_grad()
def pose_pck_accuracy(output: Tensor,
                      target: Union[Tensor, SeparableHeatmaps],
                      mask: Tensor,
                      thr: float = 0.05) -> Tensor:
    """Mean share of keypoints whose peak lies near the target's peak.

    The average accuracy of ``mmpose.evaluation.functional.pose_pck_accuracy``
    computed where the heatmaps are.

    Args:
        output: Predicted heatmaps in shape (B, K, H, W).
        target: Target heatmaps in shape (B, K, H, W), dense or separable.
        mask: Which keypoints count, bool in shape (B, K).
        thr: Largest distance that is right, in heatmap sizes.

    Returns:
        The accuracy averaged over the keypoints that count anywhere in the
        batch, a float32 scalar in [0, 1]; 0 where there are none.
    """
    predicted, _ = heatmap_argmax(output)
    if isinstance(target, SeparableHeatmaps):
        wanted = target.peaks()
    else:
        wanted, _ = heatmap_argmax(target)
    # MMPose divides x by H and y by W; kept so that the numbers compare.
    size = predicted.new_tensor(output.shape[-2:])
    distance = ((predicted - wanted) / size).norm(dim=-1)
    hits = ((distance < thr) & mask).sum(dim=0).float()
    counts = mask.sum(dim=0)
    accuracy = hits / counts.clamp_min(1)
    return accuracy.sum() / (counts > 0).sum().clamp_min(1)
