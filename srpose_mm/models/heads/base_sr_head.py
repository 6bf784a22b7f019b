from typing import List, Optional, Sequence, Union

from mmpose.models.heads import HeatmapHead
from mmpose.utils.typing import (
    Features,
    InstanceList,
    OptConfigType,
    OptSampleList,
    Predictions,
)
from torch import Tensor, nn

from srpose_mm.codecs import SRHeatmap
from srpose_mm.codecs.utils.gaussians import SeparableHeatmaps
from srpose_mm.codecs.utils.peaks import Peaks
from srpose_mm.models import utils
from srpose_mm.models.layers import SRBlock


class SRHeadMixin:
    """Input and samplers of the last :class:`SRBlock`, for all heads."""

    # The argument that sets the factor of the last block.
    factor_argument = 'upscale_factor'

    @property
    def last_block(self) -> SRBlock:
        """The block that predicts the finest heatmaps."""
        return self.sr_block

    def stock_channels(self) -> int:
        """Return the channels behind the layers of MMPose's head.

        The super-resolution block must not exist yet.
        """
        convs = [module for module in self.modules()
                 if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))]
        return convs[-1].out_channels if convs else self.in_channels

    def block_input(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the input of the last block, of features (B, C, h, w)."""
        utils.check_channels(self, feats[-1:], [self.in_channels])
        return self.conv_layers(self.deconv_layers(feats[-1]))

    def samplers(self, feats: Features, metainfo: Optional[dict],
                 test_cfg: dict) -> List[utils.HeatmapSampler]:
        """Return a sampler of the heatmaps; two of them with flip test."""
        block = self.last_block
        if not test_cfg.get('flip_test', False):
            return [utils.HeatmapSampler(block, self.block_input(feats))]
        feats, mirrored = feats
        return [
            utils.HeatmapSampler(block, self.block_input(feats)),
            utils.HeatmapSampler(block, self.block_input(mirrored),
                                 metainfo['flip_indices'],
                                 int(test_cfg.get('shift_heatmap', False)))
        ]


class BaseSRHead(SRHeadMixin, HeatmapHead):
    """Base of the top-down heads."""

    # Names and weights of the losses of the heatmaps of each level.
    loss_names = ('loss_kpt', )
    loss_weights = (1., )

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Predict the finest heatmaps (B, K, H, W)."""
        return self.last_block(self.block_input(feats))

    def forward_levels(self, feats: Sequence[Tensor]) -> List[Tensor]:
        """Predict the heatmaps that are trained, the finest last."""
        return [self.forward(feats)]

    def predict(self,
                feats: Features,
                batch_data_samples: OptSampleList,
                test_cfg: OptConfigType = None) -> Predictions:
        """Predict keypoints, see :class:`HeatmapHead`.

        Unless the heatmaps are needed, only their peaks are computed, see
        :func:`find_peaks`; ``peaks_only=False`` in ``test_cfg`` computes the
        heatmaps in any case.
        """
        utils.check_crop(self, batch_data_samples)
        test_cfg = test_cfg or {}
        if not self._needs_heatmaps(test_cfg):
            meta = batch_data_samples[0].metainfo
            return self.decode(self.predict_peaks(feats, meta, test_cfg))
        outputs = super().predict(feats, batch_data_samples, test_cfg)
        if test_cfg.get('output_heatmaps', False):
            for field in outputs[1]:
                # A view would be dumped with the heatmaps of its batch.
                field.heatmaps = field.heatmaps.clone()
        return outputs

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
        """Return the peaks of the finest heatmaps, for :class:`SRHeatmap`.

        The heatmaps are not made. For flip test, ``feats`` are those of the
        images and of the mirrored images, ``metainfo`` has ``flip_indices``
        and ``test_cfg`` ``flip_test`` and ``shift_heatmap``.
        """
        samplers = self.samplers(feats, metainfo, test_cfg or {})
        return utils.find_peaks(samplers, self.decoder.refine_reach)

    def decode(self, batch_outputs: Union[Tensor, Peaks]) -> InstanceList:
        """Decode heatmaps (B, K, H, W) or peaks, see :class:`BaseHead`."""
        if self.decoder is not None:
            got_hw = (
                batch_outputs.map_hw if isinstance(batch_outputs, Peaks) else
                batch_outputs.shape[-2:])
            utils.check_heatmap_size(self, got_hw,
                                     self.decoder.heatmap_size[::-1])
        return super().decode(batch_outputs)

    def loss(self,
             feats: Sequence[Tensor],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = None) -> dict:
        """Return the losses and the accuracy of a batch.

        The target of a coarser heatmap is the full target, average-pooled to
        the heatmap's size.

        Args:
            feats: The features of :meth:`forward`.
            batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
                labels (1, K, 2) from which the decoder makes them, and
                keypoint weights (1, K).
            train_cfg: ``compute_acc=False`` leaves ``acc_pose`` out.
        """
        maps = self.forward_levels(feats)
        targets, weights = utils.gather_targets(self, batch_data_samples,
                                                self.out_channels)
        size_hw = tuple(targets.shape[-2:])
        utils.check_heatmap_size(self, maps[-1].shape[-2:], size_hw)
        separable = isinstance(targets, SeparableHeatmaps) and getattr(
            self.loss_module, 'accepts_separable', False)
        pooled, losses = {size_hw: targets}, {}
        for name, weight, heatmaps in zip(self.loss_names, self.loss_weights,
                                          maps):
            size_hw = tuple(heatmaps.shape[-2:])
            if size_hw not in pooled:
                pooled[size_hw] = targets.pool(size_hw)
            target = pooled[size_hw]
            losses[name] = weight * self.loss_module(
                heatmaps, target if separable else target.dense(), weights)
        if (train_cfg or {}).get('compute_acc', True):
            losses['acc_pose'] = utils.pose_pck_accuracy(
                maps[-1], targets, weights > 0)
        return losses
