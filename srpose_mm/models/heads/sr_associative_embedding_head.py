from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmpose.models.heads import AssociativeEmbeddingHead
from mmpose.models.utils.tta import aggregate_heatmaps, flip_heatmaps
from mmpose.registry import MODELS
from mmpose.utils.typing import (
    Features,
    OptConfigType,
    OptSampleList,
    Predictions,
)
from torch import Tensor, nn

from srpose_mm.codecs import SRAssociativeEmbedding
from srpose_mm.codecs.utils.windowed import WindowedHeatmaps
from srpose_mm.models.layers import SRBlock
from srpose_mm.models.utils import (
    HeatmapSampler,
    check_channels,
    check_heatmap_size,
    gather_instances,
)

OptIntSeq = Optional[Sequence[int]]


@MODELS.register_module()
class SRAssociativeEmbeddingHead(AssociativeEmbeddingHead):
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
        deconv_out_channels: Channels of each deconvolution; ``None`` for no
            deconvolutions.
        deconv_kernel_sizes: Kernel size of each deconvolution.
        conv_out_channels: Channels of each convolution after them.
        conv_kernel_sizes: Kernel size of each convolution after them.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one cell of the features of the
            :class:`SRBlock`.
        kernel_size: Size of the predictor's convolution, odd.
        keypoint_loss: Config of the heatmaps' loss; ``None`` means
            :class:`KeypointMSELoss`.
        tag_loss: Config of the tags' loss; ``None`` means
            :class:`AssociativeEmbeddingLoss` with weight 0.001.
        decoder: Config of the codec.
        init_cfg: Initialization config; ``None`` draws every convolution from
            N(0, 0.001) with zero bias.

    Raises:
        ValueError: If the decoder's keypoint order is for another number of
            keypoints, if the features' channels are not ``in_channels``, if
            the heatmaps do not have the targets' size, or if the samples do
            not fit the head or its codec.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 4.3.
    """

    factor_argument = 'upscale_factor'
    # True once crop, encoder and decoder have been compared.
    codecs_agree = False

    def __init__(self,
                 in_channels: int,
                 num_keypoints: int,
                 tag_dim: int = 1,
                 tag_per_keypoint: bool = True,
                 deconv_out_channels: OptIntSeq = (256, 256, 256),
                 deconv_kernel_sizes: OptIntSeq = (4, 4, 4),
                 conv_out_channels: OptIntSeq = None,
                 conv_kernel_sizes: OptIntSeq = None,
                 embed_channels: int = 4,
                 upscale_factor: int = 4,
                 kernel_size: int = 9,
                 keypoint_loss: OptConfigType = None,
                 tag_loss: OptConfigType = None,
                 decoder: OptConfigType = None,
                 init_cfg: OptConfigType = None):
        super().__init__(
            in_channels=in_channels,
            num_keypoints=num_keypoints,
            tag_dim=tag_dim,
            tag_per_keypoint=tag_per_keypoint,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            conv_out_channels=conv_out_channels,
            conv_kernel_sizes=conv_kernel_sizes,
            final_layer=None,
            keypoint_loss=keypoint_loss or dict(type='KeypointMSELoss'),
            tag_loss=tag_loss
            or dict(type='AssociativeEmbeddingLoss', loss_weight=0.001),
            decoder=decoder,
            init_cfg=init_cfg)
        order = getattr(self.decoder, 'decode_keypoint_order', None)
        if order and len(order) != num_keypoints:
            raise ValueError(
                f'{type(self).__name__}: expected decode_keypoint_order of '
                f'{num_keypoints} keypoints in the decoder, got {len(order)}: '
                f'{order}; set num_keypoints or the order to match')
        width = [in_channels, *(deconv_out_channels or ()),
                 *(conv_out_channels or ())][-1]
        self.sr_block = SRBlock(
            width,
            num_keypoints,
            embed_channels=embed_channels,
            upscale_factor=upscale_factor,
            kernel_size=kernel_size)
        tags = tag_dim * (num_keypoints if tag_per_keypoint else 1)
        self.tag_layer = nn.Conv2d(width, tags, 1)
        # Heatmap cells for one cell of the features, along each axis.
        self.upsampling = upscale_factor * 2**len(deconv_out_channels or ())

    @property
    def last_block(self) -> SRBlock:
        """The block that predicts the heatmaps."""
        return self.sr_block

    def block_input(self, feats: Sequence[Tensor]) -> Tensor:
        """Return the input of the SR block, of features (B, C, h, w)."""
        check_channels(self, feats[-1:], [self.in_channels])
        return self.conv_layers(self.deconv_layers(feats[-1]))

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
        if self._peaks_suffice(feats, meta, test_cfg):
            return self.decode(self.predict_windowed(feats, meta, test_cfg))
        scales = feats if test_cfg.get('multiscale_test', False) else [feats]
        outputs = [self._forward_flip(scale, meta, test_cfg)
                   for scale in scales]
        size = None
        if test_cfg.get('restore_heatmap_size', False):
            size = meta['img_shape'][::-1]
        resize = dict(
            size=size, align_corners=test_cfg.get('align_corners', False))
        heatmaps = aggregate_heatmaps([h for h, _ in outputs], **resize)
        tags = aggregate_heatmaps([outputs[0][1]], **resize)
        preds = self.decode((heatmaps, tags))
        if test_cfg.get('output_heatmaps', False):
            return preds, [
                PixelData(heatmaps=h, tags=t)
                for h, t in zip(heatmaps.detach(), tags.detach())
            ]
        return preds

    def _peaks_suffice(self, feats: Features, meta: dict,
                       test_cfg: dict) -> bool:
        """Return True if prediction can do without the heatmaps."""
        if not test_cfg.get('peaks_only', False) or test_cfg.get(
                'multiscale_test', False) or test_cfg.get(
                    'output_heatmaps', False):
            return False
        if not isinstance(self.decoder, SRAssociativeEmbedding):
            return False
        if test_cfg.get('restore_heatmap_size', False):
            last = feats[0][-1] if test_cfg.get('flip_test') else feats[-1]
            map_hw = tuple(size * self.upsampling for size in last.shape[-2:])
            if map_hw != tuple(meta['img_shape'][:2]):
                return False
        return not self.decoder.use_udp

    def predict_windowed(self,
                         feats: Features,
                         metainfo: Optional[dict] = None,
                         test_cfg: OptConfigType = None) -> WindowedHeatmaps:
        """Prepare the heatmaps for evaluation in windows.

        Args:
            feats: See :meth:`predict`; of one scale.
            metainfo: Metainfo of a sample, of which ``flip_test`` needs the
                ``flip_indices``.
            test_cfg: ``flip_test`` and ``shift_heatmap``.

        Returns:
            The heatmaps that :class:`SRAssociativeEmbedding` decodes.
        """
        test_cfg = test_cfg or {}
        flipped = test_cfg.get('flip_test', False)
        inputs = [self.block_input(x) for x in (feats if flipped else [feats])]
        samplers = [HeatmapSampler(self.sr_block, inputs[0])]
        tags, shift = [self.tag_layer(inputs[0])], 0
        if flipped:
            indices = metainfo['flip_indices']
            shift = int(test_cfg.get('shift_heatmap', False))
            samplers.append(
                HeatmapSampler(self.sr_block, inputs[1], indices, shift))
            tags.append(self._flip_tags(
                self.tag_layer(inputs[1]), indices, shift_heatmap=False))

        def mean(maps: Sequence[Tensor]) -> Tensor:
            return sum(maps) / len(samplers)

        return WindowedHeatmaps(
            pooled=mean([sampler.pooled() for sampler in samplers]),
            tags=torch.cat(tags, dim=1),
            factor=self.sr_block.upscale_factor,
            windows=lambda cells: mean(
                [sampler.windows(cells, 1) for sampler in samplers]),
            tag_shifts=[0] * self.tag_dim + [shift] * self.tag_dim * flipped)

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

        Returns:
            ``loss_kpt``, ``loss_pull`` and ``loss_push``.
        """
        heatmaps, tags = self.forward(feats)
        if not self.tag_per_keypoint:
            tags = tags.repeat_interleave(self.num_keypoints, dim=1)
        targets, masks = gather_instances(self, batch_data_samples,
                                          self.num_keypoints)
        check_heatmap_size(self, heatmaps.shape[-2:], targets.shape[-2:])
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
