from typing import Tuple

import torch
from mmpose.utils.typing import SampleList
from torch import Tensor


def stack_targets(batch_data_samples: SampleList) -> Tuple[Tensor, Tensor]:
    """Collect what the codec encoded for a batch.

    Args:
        batch_data_samples: B samples.

    Returns:
        Heatmaps in shape (B, K, H, W) and keypoint weights in shape (B, K).
    """
    heatmaps = torch.stack(
        [sample.gt_fields.heatmaps for sample in batch_data_samples])
    weights = torch.cat([
        sample.gt_instance_labels.keypoint_weights
        for sample in batch_data_samples
    ])
    return heatmaps, weights
