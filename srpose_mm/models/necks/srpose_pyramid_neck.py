from typing import Any, Sequence, Tuple

from mmcv.cnn import build_norm_layer
from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import check_positive_integers, require
from srpose_mm.models.utils import check_channels

from .srpose_neck import SRPoseNeck


@MODELS.register_module()
class SRPosePyramidNeck(SRPoseNeck):
    """:class:`SRPoseNeck` behind a backbone of one stride, such as a ViT.

    A simple feature pyramid makes four maps of the backbone's last one, with
    a half, one, two and four times its resolution: strides 32, 16, 8 and 4
    behind a ViT with patches of 16 px.

    Shapes: feats[-1] (B, C, h, w) -> (lr, feat_0, ..., feat_3), coarse to
    fine, with lr (B, K, h/2, w/2), feat_0 (B, O_0, h/2, w/2) and feat_3
    (B, O_3, 4h, 4w).

    Args:
        in_channels: Channels of the last feature map, C.
        num_keypoints: Number of keypoints, K.
        **kwargs: The other options of :class:`SRPoseNeck`.

    Raises:
        ValueError: If ``in_channels`` is no integer of 4 or more, or the map
            has other channels.

    Source: Li et al., "Exploring Plain Vision Transformer Backbones for
    Object Detection" (ECCV 2022), section 3; differs in its normalization,
    and the neck's own 1x1 convolutions replace those of the pyramid.
    """

    def __init__(self,
                 in_channels: int,
                 num_keypoints: int,
                 norm_cfg: OptConfigType = None,
                 **kwargs: Any):
        check_positive_integers(self, in_channels=in_channels)
        require(self, in_channels >= 4, 'expected in_channels to be 4 or '
                f'more, got {in_channels}')
        half, quarter = in_channels // 2, in_channels // 4
        super().__init__((in_channels, in_channels, half, quarter),
                         num_keypoints, norm_cfg=norm_cfg, **kwargs)
        norm_cfg = norm_cfg or dict(type='BN')
        self.upsample_4x = nn.Sequential(
            nn.ConvTranspose2d(in_channels, half, 2, stride=2),
            build_norm_layer(norm_cfg, half)[1], nn.GELU(),
            nn.ConvTranspose2d(half, quarter, 2, stride=2))
        self.upsample_2x = nn.ConvTranspose2d(in_channels, half, 2, stride=2)
        self.pool = nn.MaxPool2d(2)

    def forward(self, feats: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Return (lr, feat_0, ..., feat_3) of the last map (B, C, h, w)."""
        check_channels(self, feats[-1:], self.in_channels[:1])
        x = feats[-1]
        return super().forward(
            (self.upsample_4x(x), self.upsample_2x(x), x, self.pool(x)))
