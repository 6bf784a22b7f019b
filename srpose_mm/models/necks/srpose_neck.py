from typing import Sequence, Tuple

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import require
from srpose_mm.models.layers import ConvBNReLU, RefinementBlock
from srpose_mm.models.utils import check_channels, check_levels


@MODELS.register_module()
class SRPoseNeck(BaseModule):
    """Coarse-to-fine neck, guided by a low-resolution heatmap.

    The coarsest features predict a heatmap, which is fused back into them.
    The result is upsampled level by level; each level is fused with the
    backbone's features of its size and refined.

    Shapes: the backbone's outputs, fine to coarse, (B, I_i, h_i, w_i) ->
    (lr, feat_0, ..., feat_{n-1}), coarse to fine, with lr (B, K, h_0, w_0)
    and feat_i (B, O_i, h_i, w_i). Stock heads, which read ``feats[-1]``, can
    follow.

    Args:
        in_channels: Channels of the backbone's outputs, I_i, coarse to fine:
            (2048, 1024, 512, 256) for ResNet-50, (256, 128, 64, 32) for
            HRNet-W32.
        num_keypoints: Number of keypoints, K.
        out_channels: Width of each level, O_i, coarse to fine.
        norm_cfg: Config of the normalization layers; ``None`` means BN.
        init_cfg: Initialization config.

    Raises:
        TypeError: If ``in_channels`` or ``out_channels`` is no sequence.
        ValueError: If the numbers of levels differ or the backbone's outputs
            do not match ``in_channels``.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 3.3.
    """

    def __init__(self,
                 in_channels: Sequence[int],
                 num_keypoints: int,
                 out_channels: Sequence[int] = (256, 128, 64, 32),
                 norm_cfg: OptConfigType = None,
                 init_cfg: OptConfigType = None):
        super().__init__(init_cfg)
        check_levels(
            self, in_channels=in_channels, out_channels=out_channels)
        require(
            self,
            len(in_channels) == len(out_channels),
            'expected as many out_channels as in_channels, got '
            f'{len(out_channels)} {tuple(out_channels)} and '
            f'{len(in_channels)} {tuple(in_channels)}')
        self.in_channels = tuple(in_channels)
        self.out_channels = tuple(out_channels)
        norm_cfg = norm_cfg or dict(type='BN')

        self.lr_head = nn.Sequential(
            nn.Conv2d(in_channels[0], num_keypoints, 1), nn.ReLU())
        self.lr_fusion = nn.Sequential(
            nn.Conv2d(num_keypoints, out_channels[0], 1), nn.ReLU())
        self.laterals = nn.ModuleList(
            ConvBNReLU(in_width, out_width, norm_cfg)
            for in_width, out_width in zip(in_channels, out_channels))
        self.upsamples = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(coarse, coarse, 3, padding=1, groups=coarse),
                ConvBNReLU(coarse, fine, norm_cfg))
            for coarse, fine in zip(out_channels, out_channels[1:]))
        self.fusions = nn.ModuleList(
            nn.Conv2d(2 * width, width, 1) for width in out_channels[1:])
        self.refinements = nn.ModuleList(
            nn.Sequential(*(RefinementBlock(width, norm_cfg=norm_cfg)
                            for _ in range(2)))
            for width in out_channels[1:])

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Return (lr, feat_0, ...) of feature maps, fine to coarse."""
        feats = feats[::-1]
        check_channels(self, feats, self.in_channels)
        lr = self.lr_head(feats[0])
        x = self.laterals[0](feats[0]) + self.lr_fusion(lr)
        outs = [lr, x]
        for upsample, lateral, fusion, refinement, feat in zip(
                self.upsamples, self.laterals[1:], self.fusions,
                self.refinements, feats[1:]):
            x = refinement(self._fuse(fusion, upsample(x), lateral(feat)))
            outs.append(x)
        return tuple(outs)

    @staticmethod
    def _fuse(conv: nn.Conv2d, coarse: Tensor, fine: Tensor) -> Tensor:
        """Convolve resized (B, O, h, w) and fine (B, O, H, W) features.

        The result is that of concatenated features. A nearest resize and a 1x1
        convolution commute: the coarse half is convolved on its own grid, and
        the halves are not copied into one tensor.
        """
        of_coarse, of_fine = conv.weight.chunk(2, dim=1)
        coarse = F.conv2d(coarse, of_coarse)
        fine = F.conv2d(fine, of_fine, conv.bias)
        return fine + F.interpolate(coarse, size=fine.shape[-2:])
