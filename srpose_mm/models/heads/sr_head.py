from typing import Any

from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType

from srpose_mm.models.layers import SRBlock

from .base_sr_head import BaseSRHead


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
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one cell of the block's features.
        kernel_size: Size of the predictor's convolution, odd.
        loss: Config of the loss; ``None`` means :class:`SeparableMSELoss` with
            target weights. Other losses get dense targets.
        **kwargs: The other options of :class:`HeatmapHead`, except
            ``final_layer``: the deconvolutions and convolutions before the
            block, ``decoder`` and ``init_cfg``.

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
                 embed_channels: int = 4,
                 upscale_factor: int = 4,
                 kernel_size: int = 9,
                 loss: OptConfigType = None,
                 **kwargs: Any):
        super().__init__(
            in_channels,
            out_channels,
            final_layer=None,
            loss=loss or dict(type='SeparableMSELoss', use_target_weight=True),
            **kwargs)
        self.sr_block = SRBlock(self.stock_channels(), out_channels,
                                embed_channels, upscale_factor, kernel_size)
