from typing import Optional, Sequence, Tuple

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.utils.typing import InstanceList, OptConfigType, OptSampleList
from torch import Tensor

from srpose_mm.models.layers import SRBlock
from srpose_mm.models.losses import SeparableMSELoss
from srpose_mm.models.utils import (
    check_channels,
    check_heatmap_size,
    check_keypoints,
    gather_targets,
    pose_pck_accuracy,
)

OptIntSeq = Optional[Sequence[int]]


@MODELS.register_module()
class SRHead(HeatmapHead):
    """Super-resolution head, in the place of :class:`HeatmapHead`.

    Deconvolutions as :class:`HeatmapHead` builds them, then an
    :class:`SRBlock` instead of the final layer. With features of stride 4
    and ``upscale_factor=4`` the heatmaps have the size of the input.

    Shapes: the last feature map (B, C, h, w) -> (B, K, s * h, s * w), with s
    ``upscale_factor`` times 2 for each deconvolution.

    Args:
        in_channels: Channels of the last feature map, C.
        out_channels: Number of keypoints, K.
        deconv_out_channels: Channels of each deconvolution; ``None`` for no
            deconvolutions.
        deconv_kernel_sizes: Kernel size of each deconvolution.
        conv_out_channels: Channels of each convolution after them.
        conv_kernel_sizes: Kernel size of each convolution after them.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one cell of the features that the
            :class:`SRBlock` gets.
        kernel_size: Size of the predictor's convolution, odd.
        loss: Config of the loss; ``None`` is :class:`SeparableMSELoss` with
            target weights. All others get dense targets.
        decoder: Config of the codec.
        init_cfg: Initialization config; ``None`` draws every convolution from
            N(0, 0.001) with zero bias.

    Raises:
        ValueError: If the features' channels are not ``in_channels``, the
            heatmaps have not the codec's size, or the data holds keypoints
            and no decoder makes heatmaps of them.

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
        loss = loss or dict(type='SeparableMSELoss', use_target_weight=True)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            conv_out_channels=conv_out_channels,
            conv_kernel_sizes=conv_kernel_sizes,
            final_layer=None,
            loss=loss,
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

    def forward(self, feats: Tuple[Tensor]) -> Tensor:
        """Features, the last one (B, C, h, w), to heatmaps (B, K, H, W)."""
        check_channels(type(self).__name__, feats[-1:], [self.in_channels])
        return self.sr_block(super().forward(feats))

    def loss(self,
             feats: Tuple[Tensor],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = None) -> dict:
        """Losses of a batch.

        Args:
            feats: Features, the last one in shape (B, C, h, w).
            batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
                labels (1, K, 2) of which the decoder makes them, and keypoint
                weights (1, K).
            train_cfg: ``compute_acc=False`` leaves the accuracy out.

        Returns:
            ``loss_kpt`` and ``acc_pose``.
        """
        heatmaps = self.forward(feats)
        owner = type(self).__name__
        targets, weights = gather_targets(
            owner, batch_data_samples, self.decoder,
            isinstance(self.loss_module, SeparableMSELoss))
        check_keypoints(owner, 'the data', targets.shape[1],
                        self.out_channels)
        check_heatmap_size(owner, heatmaps, self.sr_block.upscale_factor,
                           targets.shape[-2:])
        losses = dict(loss_kpt=self.loss_module(heatmaps, targets, weights))
        if (train_cfg or {}).get('compute_acc', True):
            losses['acc_pose'] = pose_pck_accuracy(heatmaps, targets,
                                                   weights > 0)
        return losses

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Heatmaps (B, K, H, W) to keypoints, see :class:`BaseHead`."""
        if self.decoder is not None:
            check_heatmap_size(
                type(self).__name__, batch_outputs,
                self.sr_block.upscale_factor, self.decoder.heatmap_size[::-1])
        return super().decode(batch_outputs)
