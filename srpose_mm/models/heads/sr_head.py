from typing import Optional, Sequence, Tuple

from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType, OptSampleList
from torch import Tensor

from srpose_mm.models.layers import SRBlock
from srpose_mm.models.utils import check_channels

from .base_sr_head import BaseSRHead

OptIntSeq = Optional[Sequence[int]]


@MODELS.register_module()
class SRHead(BaseSRHead):
    """Super-resolution head, a replacement of :class:`HeatmapHead`.

    Deconvolutions as in :class:`HeatmapHead`, then an :class:`SRBlock` instead
    of the final layer. With features of stride 4 and ``upscale_factor=4`` the
    heatmaps have the size of the input.

    Shapes: the last feature map (B, C, h, w) -> (B, K, s * h, s * w), where s
    is ``upscale_factor`` times 2 for each deconvolution.

    Args:
        in_channels: Channels of the last feature map, C.
        out_channels: Number of keypoints, K.
        deconv_out_channels: Channels of each deconvolution; ``None`` for no
            deconvolutions.
        deconv_kernel_sizes: Kernel size of each deconvolution.
        conv_out_channels: Channels of each convolution after them.
        conv_kernel_sizes: Kernel size of each convolution after them.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one cell of the features of the
            :class:`SRBlock`.
        kernel_size: Size of the predictor's convolution, odd.
        loss: Config of the loss; ``None`` means :class:`SeparableMSELoss` with
            target weights. Other losses get dense targets.
        decoder: Config of the codec.
        init_cfg: Initialization config; ``None`` draws every convolution from
            N(0, 0.001) with zero bias.

    Raises:
        ValueError: If the features' channels are not ``in_channels``, if the
            heatmaps do not have the codec's size, or if the samples do not
            fit the head or its codec.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 3.2.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 deconv_out_channels: OptIntSeq = (256, 256, 256),
                 deconv_kernel_sizes: OptIntSeq = (4, 4, 4),
                 conv_out_channels: OptIntSeq = None,
                 conv_kernel_sizes: OptIntSeq = None,
                 embed_channels: int = 4,
                 upscale_factor: int = 4,
                 kernel_size: int = 9,
                 loss: OptConfigType = None,
                 decoder: OptConfigType = None,
                 init_cfg: OptConfigType = None):
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            conv_out_channels=conv_out_channels,
            conv_kernel_sizes=conv_kernel_sizes,
            final_layer=None,
            loss=loss or dict(type='SeparableMSELoss', use_target_weight=True),
            decoder=decoder,
            init_cfg=init_cfg)
        widths = [in_channels, *(deconv_out_channels or ()),
                  *(conv_out_channels or ())]
        self.sr_block = SRBlock(
            widths[-1],
            out_channels,
            embed_channels=embed_channels,
            upscale_factor=upscale_factor,
            kernel_size=kernel_size)

    def block_input(self, feats: Tuple[Tensor, ...]) -> Tensor:
        """Return the input of the SR block, of features (B, C, h, w)."""
        check_channels(self, feats[-1:], [self.in_channels])
        return super().forward(feats)

    def forward(self, feats: Tuple[Tensor, ...]) -> Tensor:
        """Predict heatmaps (B, K, H, W) of the last features (B, C, h, w)."""
        return self.sr_block(self.block_input(feats))

    def loss(self,
             feats: Tuple[Tensor, ...],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = None) -> dict:
        """Return the loss and accuracy of a batch.

        Args:
            feats: Features, the last one in shape (B, C, h, w).
            batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
                labels (1, K, 2) from which the decoder makes them, and
                keypoint weights (1, K).
            train_cfg: ``compute_acc=False`` leaves the accuracy out.

        Returns:
            ``loss_kpt`` and ``acc_pose``.
        """
        heatmaps = self.forward(feats)
        targets, weights = self._gather_targets(heatmaps, batch_data_samples)
        return dict(
            loss_kpt=self._loss(heatmaps, targets, weights),
            **self._accuracy(heatmaps, targets, weights, train_cfg))
