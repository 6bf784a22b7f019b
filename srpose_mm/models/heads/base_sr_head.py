from typing import Optional, Tuple

from mmpose.models.heads import HeatmapHead
from mmpose.utils.typing import (
    Features,
    InstanceList,
    OptConfigType,
    OptSampleList,
    Predictions,
)
from torch import Tensor

from srpose_mm.models.layers import SRBlock
from srpose_mm.models.utils import (
    Targets,
    check_crop,
    check_heatmap_size,
    gather_targets,
    pose_pck_accuracy,
)


class BaseSRHead(HeatmapHead):
    """Base of the top-down heads, whose last layer is an :class:`SRBlock`."""

    # The argument that sets the factor of the last block.
    factor_argument = 'upscale_factor'
    # True once crop, encoder and decoder have been compared.
    codecs_agree = False

    @property
    def last_block(self) -> SRBlock:
        """The block that predicts the finest heatmaps."""
        return self.sr_block

    def predict(self,
                feats: Features,
                batch_data_samples: OptSampleList,
                test_cfg: OptConfigType = None) -> Predictions:
        """Predict keypoints, see :class:`HeatmapHead`."""
        check_crop(self, batch_data_samples)
        return super().predict(feats, batch_data_samples, test_cfg or {})

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Decode heatmaps (B, K, H, W), see :class:`BaseHead`."""
        if self.decoder is not None:
            check_heatmap_size(self, batch_outputs,
                               self.decoder.heatmap_size[::-1])
        return super().decode(batch_outputs)

    def _gather_targets(
            self, heatmaps: Tensor,
            batch_data_samples: OptSampleList) -> Tuple[Targets, Tensor]:
        """Return the targets of the finest heatmaps and keypoint weights."""
        targets, weights = gather_targets(self, batch_data_samples,
                                          self.out_channels)
        check_heatmap_size(self, heatmaps, targets.shape[-2:])
        return targets, weights

    def _loss(self, heatmaps: Tensor, targets: Targets,
              weights: Tensor) -> Tensor:
        """Return the loss of heatmaps (B, K, H, W)."""
        return self.loss_module(heatmaps, targets.for_loss(self.loss_module),
                                weights)

    @staticmethod
    def _accuracy(heatmaps: Tensor, targets: Targets, weights: Tensor,
                  train_cfg: Optional[dict]) -> dict:
        """Return ``acc_pose``, unless the config leaves it out."""
        if not (train_cfg or {}).get('compute_acc', True):
            return {}
        return dict(acc_pose=pose_pck_accuracy(heatmaps, targets, weights > 0))
