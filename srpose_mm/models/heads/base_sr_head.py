from typing import Optional, Tuple, Union

from mmpose.models.heads import HeatmapHead
from mmpose.utils.typing import (
    Features,
    InstanceList,
    OptConfigType,
    OptSampleList,
    Predictions,
)
from torch import Tensor

from srpose_mm.codecs import SRHeatmap
from srpose_mm.codecs.utils.peaks import Peaks
from srpose_mm.models.layers import SRBlock
from srpose_mm.models.utils import (
    HeatmapSampler,
    Targets,
    check_crop,
    check_heatmap_size,
    find_peaks,
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
        """Predict keypoints, see :class:`HeatmapHead`.

        Unless the heatmaps are needed, only their peaks are computed, see
        :func:`find_peaks`.

        Args:
            feats: The features of :meth:`forward`, or those of the images and
                of the mirrored images with ``flip_test``.
            batch_data_samples: B samples.
            test_cfg: The options of :class:`HeatmapHead`, and ``peaks_only``:
                ``False`` computes the heatmaps in any case.

        Returns:
            The keypoints of each sample; with ``output_heatmaps`` also the
            heatmaps.
        """
        check_crop(self, batch_data_samples)
        test_cfg = test_cfg or {}
        if not self._needs_heatmaps(test_cfg):
            meta = batch_data_samples[0].metainfo
            return self.decode(self.predict_peaks(feats, meta, test_cfg))
        return super().predict(feats, batch_data_samples, test_cfg)

    def _needs_heatmaps(self, test_cfg: dict) -> bool:
        """Return True if the peaks alone do not give the same result."""
        other_flip = test_cfg.get('flip_test', False) and test_cfg.get(
            'flip_mode', 'heatmap') != 'heatmap'
        return (other_flip or test_cfg.get('output_heatmaps', False)
                or not test_cfg.get('peaks_only', True)
                or not isinstance(self.decoder, SRHeatmap))

    def predict_peaks(self,
                      feats: Features,
                      metainfo: Optional[dict] = None,
                      test_cfg: OptConfigType = None) -> Peaks:
        """Compute the peaks of the finest heatmaps, but not the heatmaps.

        Args:
            feats: See :meth:`predict`.
            metainfo: Metainfo of a sample, of which ``flip_test`` needs the
                ``flip_indices``.
            test_cfg: ``flip_test`` and ``shift_heatmap``.

        Returns:
            The peaks that :class:`SRHeatmap` decodes.
        """
        test_cfg = test_cfg or {}
        block = self.last_block
        if test_cfg.get('flip_test', False):
            feats, mirrored = feats
            samplers = [
                HeatmapSampler(block, self.block_input(feats)),
                HeatmapSampler(
                    block, self.block_input(mirrored),
                    metainfo['flip_indices'],
                    int(test_cfg.get('shift_heatmap', False)))
            ]
        else:
            samplers = [HeatmapSampler(block, self.block_input(feats))]
        return find_peaks(samplers, self.decoder.refine_reach)

    def decode(self, batch_outputs: Union[Tensor, Peaks]) -> InstanceList:
        """Decode heatmaps (B, K, H, W) or peaks, see :class:`BaseHead`."""
        if self.decoder is not None:
            got_hw = (
                batch_outputs.map_hw if isinstance(batch_outputs, Peaks) else
                batch_outputs.shape[-2:])
            check_heatmap_size(self, got_hw, self.decoder.heatmap_size[::-1])
        return super().decode(batch_outputs)

    def _gather_targets(
            self, heatmaps: Tensor,
            batch_data_samples: OptSampleList) -> Tuple[Targets, Tensor]:
        """Return the targets of the finest heatmaps and keypoint weights."""
        targets, weights = gather_targets(self, batch_data_samples,
                                          self.out_channels)
        check_heatmap_size(self, heatmaps.shape[-2:], targets.shape[-2:])
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
