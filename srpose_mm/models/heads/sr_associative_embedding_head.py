from typing import Any, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmpose.models.heads import AssociativeEmbeddingHead
from mmpose.models.utils.tta import aggregate_heatmaps, flip_heatmaps
from mmpose.registry import MODELS
from mmpose.utils.typing import (
    Features,
    InstanceList,
    OptConfigType,
    OptSampleList,
    Predictions,
)
from torch import Tensor, nn

from srpose_mm.codecs import SRAssociativeEmbedding
from srpose_mm.codecs.utils.arguments import require
from srpose_mm.codecs.utils.windowed import WindowedHeatmaps
from srpose_mm.models import utils
from srpose_mm.models.layers import SRBlock

from .base_sr_head import SRHeadMixin


@MODELS.register_module()
class SRAssociativeEmbeddingHead(SRHeadMixin, AssociativeEmbeddingHead):
    """Super-resolution head for bottom-up models.

    Deconvolutions as in :class:`AssociativeEmbeddingHead`; then an
    :class:`SRBlock` predicts the heatmaps and a 1x1 convolution the tags,
    which are resized (nearest) to the size of the heatmaps.

    Shapes: the last feature map (B, C, h, w) -> heatmaps (B, K, H, W) and
    tags (B, L * K, H, W), or (B, L, H, W) with one tag for all keypoints.
    H = s * h, where s is ``upscale_factor`` times 2 for each deconvolution.

    Args:
        in_channels: Channels of the last feature map, C.
        num_keypoints: Number of keypoints, K.
        tag_dim: Numbers in a tag, L.
        tag_per_keypoint: Predict tags for each keypoint, not for all at once.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one cell of the block's features.
        kernel_size: Size of the predictor's convolution, odd.
        keypoint_loss: Config of the heatmaps' loss; ``None`` means
            :class:`KeypointMSELoss`.
        tag_loss: Config of the tags' loss; ``None`` means
            :class:`AssociativeEmbeddingLoss` with weight 0.001.
        **kwargs: The other options of :class:`AssociativeEmbeddingHead`,
            except ``final_layer``: the deconvolutions and convolutions before
            the block, ``decoder`` and ``init_cfg``.

    Raises:
        ValueError: If the decoder's keypoint order is for another number of
            keypoints, if the features' channels are not ``in_channels``, if
            the heatmaps do not have the targets' size, if their cells do not
            have the codec's size, or if the samples do not fit the head or
            its codec.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 4.3.
    """

    def __init__(self,
                 in_channels: int,
                 num_keypoints: int,
                 tag_dim: int = 1,
                 tag_per_keypoint: bool = True,
                 embed_channels: int = 4,
                 upscale_factor: int = 4,
                 kernel_size: int = 9,
                 keypoint_loss: OptConfigType = None,
                 tag_loss: OptConfigType = None,
                 **kwargs: Any):
        super().__init__(
            in_channels,
            num_keypoints,
            tag_dim,
            tag_per_keypoint,
            final_layer=None,
            keypoint_loss=keypoint_loss or dict(type='KeypointMSELoss'),
            tag_loss=tag_loss
            or dict(type='AssociativeEmbeddingLoss', loss_weight=0.001),
            **kwargs)
        order = getattr(self.decoder, 'decode_keypoint_order', None)
        require(
            self, not order or len(order) == num_keypoints,
            f'expected decode_keypoint_order of {num_keypoints} keypoints in '
            f'the decoder, got {order}; set num_keypoints or the order to '
            'match')
        channels = self.stock_channels()
        tags = tag_dim * (num_keypoints if tag_per_keypoint else 1)
        self.sr_block = SRBlock(channels, num_keypoints, embed_channels,
                                upscale_factor, kernel_size)
        self.tag_layer = nn.Conv2d(channels, tags, 1)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, Tensor]:
        """Predict heatmaps and tags of the last features (B, C, h, w)."""
        x = self.block_input(feats)
        heatmaps = self.sr_block(x)
        tags = F.interpolate(self.tag_layer(x), size=heatmaps.shape[-2:])
        return heatmaps, tags

    def predict(self,
                feats: Features,
                batch_data_samples: OptSampleList,
                test_cfg: OptConfigType = None) -> Predictions:
        """Predict the instances of a batch.

        Flip test averages the heatmaps and concatenates the tags. Multi-scale
        test averages the heatmaps over the scales, at the size of the first,
        and uses the tags of the first.

        Args:
            feats: Features from :class:`BottomupPoseEstimator`: a sequence of
                feature maps; with ``flip_test`` two of these; with
                ``multiscale_test`` a list of either, one for each scale.
            batch_data_samples: B samples.
            test_cfg: ``flip_test``, ``multiscale_test``, ``shift_heatmap``,
                ``restore_heatmap_size`` (resize heatmaps to the input),
                ``align_corners`` (of this resize), ``output_heatmaps`` and
                ``peaks_only`` (evaluate the heatmaps around their peaks only,
                unless another option or the codec needs the heatmaps).

        Returns:
            For each sample its keypoints (N, K, 2), in input px, and scores;
            with ``output_heatmaps`` also the heatmaps and tags.
        """
        test_cfg = test_cfg or {}
        meta = batch_data_samples[0].metainfo
        size = None
        if test_cfg.get('restore_heatmap_size', False):
            # Images of several sizes are padded to one.
            size = meta.get('batch_input_shape', meta['img_shape'])[::-1]
        if not self._needs_heatmaps(test_cfg):
            maps = self.predict_windowed(feats, meta, test_cfg)
            if size is None or tuple(size) == maps.map_hw[::-1]:
                utils.check_cell_size(self, maps.map_hw, meta)
                return self.decode(maps)
        scales = feats if test_cfg.get('multiscale_test', False) else [feats]
        outputs = [self._forward_flip(scale, meta, test_cfg)
                   for scale in scales]
        resize = dict(
            size=size, align_corners=test_cfg.get('align_corners', False))
        heatmaps = aggregate_heatmaps([h for h, _ in outputs], **resize)
        tags = aggregate_heatmaps([outputs[0][1]], **resize)
        utils.check_cell_size(self, heatmaps.shape[-2:], meta)
        preds = self.decode((heatmaps, tags))
        if test_cfg.get('output_heatmaps', False):
            # Views would be dumped with the maps of their batch.
            return preds, [
                PixelData(heatmaps=h.clone(), tags=t.clone())
                for h, t in zip(heatmaps.detach(), tags.detach())
            ]
        return preds

    def _needs_heatmaps(self, test_cfg: dict) -> bool:
        """Return True if windows of the heatmaps are not enough."""
        return (not test_cfg.get('peaks_only', False)
                or test_cfg.get('multiscale_test', False)
                or test_cfg.get('output_heatmaps', False)
                or not isinstance(self.decoder, SRAssociativeEmbedding)
                or self.decoder.use_udp)

    def predict_windowed(self,
                         feats: Features,
                         metainfo: Optional[dict] = None,
                         test_cfg: OptConfigType = None) -> WindowedHeatmaps:
        """Prepare the heatmaps of one scale for evaluation in windows.

        For flip test, ``metainfo`` has ``flip_indices`` and ``test_cfg``
        ``flip_test`` and ``shift_heatmap``.
        """
        samplers = self.samplers(feats, metainfo, test_cfg or {})
        tags = [self.tag_layer(sampler.feats) for sampler in samplers]
        # At full resolution the codec shifts the mirrored tags.
        tags[1:] = [
            self._flip_tags(tag, metainfo['flip_indices'], shift_heatmap=False)
            for tag in tags[1:]
        ]
        return WindowedHeatmaps(
            pooled=utils.mean([sampler.pooled() for sampler in samplers]),
            tags=self._keypoint_tags(torch.cat(tags, dim=1)),
            factor=self.sr_block.upscale_factor,
            windows=lambda cells: utils.mean(
                [sampler.windows(cells, 1) for sampler in samplers]),
            tag_shifts=[
                sampler.shift for sampler in samplers
                for _ in range(self.tag_dim)
            ])

    def _forward_flip(self, feats: Features, meta: dict,
                      test_cfg: dict) -> Tuple[Tensor, Tensor]:
        """Return heatmaps and tags of one scale, averaged with flip test."""
        if not test_cfg.get('flip_test', False):
            return self.forward(feats)
        flip = dict(
            flip_indices=meta['flip_indices'],
            shift_heatmap=test_cfg.get('shift_heatmap', False))
        heatmaps, tags = self.forward(feats[0])
        mirrored, mirrored_tags = self.forward(feats[1])
        heatmaps = (heatmaps + flip_heatmaps(mirrored, **flip)) / 2
        mirrored_tags = self._flip_tags(mirrored_tags, **flip)
        return heatmaps, torch.cat([tags, mirrored_tags], dim=1)

    def decode(
        self, batch_outputs: Union[Tuple[Tensor, Tensor], WindowedHeatmaps]
    ) -> InstanceList:
        """Decode heatmaps and tags, or windows, see :class:`BaseHead`."""
        if isinstance(batch_outputs, tuple):
            heatmaps, tags = batch_outputs
            batch_outputs = heatmaps, self._keypoint_tags(tags)
        return super().decode(batch_outputs)

    def _keypoint_tags(self, tags: Tensor) -> Tensor:
        """Return tags (B, L * K, H, W), repeated if keypoints share them."""
        if self.tag_per_keypoint:
            return tags
        return tags.repeat_interleave(self.num_keypoints, dim=1)

    def _flip_tags(self, tags: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Mirror tags, see :class:`AssociativeEmbeddingHead`."""
        # The base class cannot reshape tags of several numbers that are in
        # channels-last format.
        return super()._flip_tags(tags.contiguous(), *args, **kwargs)

    def loss(self,
             feats: Sequence[Tensor],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = None) -> dict:
        """Return the losses of a batch.

        A heatmap contains all instances of an image: it is weighted by the
        mask of valid regions, not by the keypoints of one instance.

        Args:
            feats: Features, the last one in shape (B, C, h, w).
            batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
                labels (N, K, 2) and weights (N, K) from which the decoder
                makes them, masks (1, H, W) and keypoint indices (N, K, 2).
            train_cfg: Not used.
        """
        heatmaps, tags = self.forward(feats)
        tags = self._keypoint_tags(tags)
        targets, masks = utils.gather_bottomup_targets(
            self, batch_data_samples, self.num_keypoints)
        utils.check_heatmap_size(self, heatmaps.shape[-2:], targets.shape[-2:])
        loss_kpt = self.loss_module.keypoint_loss(
            heatmaps, targets, mask=masks)
        loss_pull, loss_push = self.loss_module.tag_loss(tags, [
            sample.gt_instance_labels.keypoint_indices
            for sample in batch_data_samples
        ])
        # In a batch without instances the losses do not depend on the tags.
        # DDP waits for a gradient of each weight: make it 0, not None.
        loss_pull = loss_pull + tags[:0].sum()
        return dict(
            loss_kpt=loss_kpt, loss_pull=loss_pull, loss_push=loss_push)
