import torch
from torch import Tensor

from srpose_mm.codecs.utils.peaks import heatmap_argmax

from .targets import Targets


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
