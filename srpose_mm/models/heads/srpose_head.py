from typing import List, Optional, Sequence, Tuple

from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import require
from srpose_mm.models import utils
from srpose_mm.models.layers import SRBlock

from .base_sr_head import BaseSRHead


def level_factors(strides: Sequence[int]) -> Tuple[int, ...]:
    """Return the upscale factors of levels with these strides, coarse to fine.

    The last heatmap has the size of the input, the others a quarter of it; a
    level of stride below 4 keeps its size.
    """
    return (*(max(1, stride // 4) for stride in strides[:-1]), strides[-1])


@MODELS.register_module()
class SRPoseHead(BaseSRHead):
    """Coarse-to-fine super-resolution head, behind :class:`SRPoseNeck`.

    An :class:`SRBlock` on each of the neck's n levels. Training supervises the
    heatmaps of all levels and the neck's low-resolution heatmap; inference
    computes the last level only.

    Shapes: (lr, feat_0, ..., feat_{n-1}), coarse to fine, with lr
    (B, K, h_0, w_0) and feat_i (B, C_i, h_i, w_i) -> (B, K, H, W) with H =
    r_{n-1} * h_{n-1}. The heatmap of level i is r_i times as fine as feat_i.
    The strides should divide the input's size: otherwise the coarser heatmaps
    extend beyond the input while their targets do not.

    Args:
        in_channels: Channels of each level, C_0 to C_{n-1}.
        out_channels: Number of keypoints, K.
        embed_channels: Channels of the embedding of one keypoint, by level.
            ``None`` means ..., 16, 8, 4, 4.
        upscale_factors: Heatmap cells for one feature cell, r_i, by level.
            ``None`` means the factors for strides ..., 32, 16, 8, 4, which
            are ..., 8, 4, 2, 4, see :func:`level_factors`.
        kernel_sizes: Size of the predictor's convolution, by level. ``None``
            means ..., 3, 5, 7, 9.
        loss: Config of the loss of one heatmap; ``None`` means
            :class:`SeparableMSELoss` with target weights. Other losses get
            dense targets.
        loss_weights: Weight of the loss of lr and of each level's heatmap,
            n + 1 numbers. ``None`` means 1e-4 for lr and 1 for the others.
        decoder: Config of the codec.
        init_cfg: Initialization config; ``None`` draws every convolution from
            N(0, 0.001) with zero bias.

    Raises:
        TypeError: If an argument by level is no sequence.
        ValueError: If the numbers of levels differ, if the features' channels
            are not ``in_channels``, if the last heatmap does not have the
            codec's size, or if the samples do not fit the head or its codec.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 3.3.
    """

    factor_argument = 'the last of upscale_factors'

    def __init__(self,
                 in_channels: Sequence[int],
                 out_channels: int,
                 embed_channels: Optional[Sequence[int]] = None,
                 upscale_factors: Optional[Sequence[int]] = None,
                 kernel_sizes: Optional[Sequence[int]] = None,
                 loss: OptConfigType = None,
                 loss_weights: Optional[Sequence[float]] = None,
                 decoder: OptConfigType = None,
                 init_cfg: OptConfigType = None):
        utils.check_levels(self, in_channels=in_channels)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=None,
            final_layer=None,
            loss=loss or dict(type='SeparableMSELoss', use_target_weight=True),
            decoder=decoder,
            init_cfg=init_cfg)
        levels = len(in_channels)
        strides = [4 * 2**i for i in reversed(range(levels))]
        options = dict(
            embed_channels=embed_channels
            or [max(4, stride // 2) for stride in strides],
            upscale_factors=upscale_factors or level_factors(strides),
            kernel_sizes=kernel_sizes
            or [max(3, 11 - 2 * i) for i in range(levels, 0, -1)],
            loss_weights=loss_weights or [1e-4] + [1.] * levels)
        utils.check_levels(self, **options)
        for name, values in options.items():
            expected = levels + (name == 'loss_weights')
            require(
                self,
                len(values) == expected, f'expected {expected} {name} for '
                f'{levels} levels of in_channels, got {len(values)}: {values}')
        self.loss_weights = tuple(options.pop('loss_weights'))
        self.loss_names = ('loss_low_res',
                           *(f'loss_kpt_{i}' for i in range(levels)))
        self.sr_blocks = nn.ModuleList(
            SRBlock(channels, out_channels, *numbers)
            for channels, *numbers in zip(in_channels, *options.values()))

    @property
    def last_block(self) -> SRBlock:
        """The block that predicts the finest heatmaps."""
        return self.sr_blocks[-1]

    def block_input(self, feats: Tuple[Tensor, ...]) -> Tensor:
        """Return the input of the last block, of the neck's outputs."""
        utils.check_channels(self, feats[1:], self.in_channels)
        return feats[-1]

    def drop_training_blocks(self) -> None:
        """Keep the last SR block only, which is all that inference needs."""
        self.sr_blocks = self.sr_blocks[-1:]

    def forward_levels(self, feats: Tuple[Tensor, ...]) -> List[Tensor]:
        """Return lr and the heatmaps of each level, the finest last."""
        utils.check_keypoints(self, 'the neck', feats[0].shape[1],
                              self.out_channels)
        finest = self.forward(feats)
        coarser = [
            block(feat) for block, feat in zip(self.sr_blocks[:-1], feats[1:])
        ]
        return [feats[0], *coarser, finest]
