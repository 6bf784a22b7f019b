from mmcv.cnn import build_norm_layer
from torch import nn


class ConvBNReLU(nn.Sequential):
    """1x1 convolution, normalisation, ReLU.

    The convolution has a bias although the normalisation cancels it, as in
    SRPose; :class:`mmcv.cnn.ConvModule` warns about that at every use.

    Shapes: (B, I, H, W) -> (B, O, H, W), with I ``in_channels`` and O
    ``out_channels``.

    Args:
        in_channels: Channels of the features, I.
        out_channels: Channels of the result, O.
        norm_cfg: Config of the normalisation layer.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1),
            build_norm_layer(norm_cfg, out_channels)[1],
            nn.ReLU(inplace=True))
