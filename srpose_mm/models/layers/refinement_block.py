from typing import Optional

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn


class RefinementBlock(BaseModule):
    """Residual block ``x + pw2(GELU(pw1(BN(dwconv(x)))))``.

    Shapes: (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: Channels of the features, C.
        kernel_size: Size of the depthwise convolution, odd.
        expansion: Channels between the two pointwise convolutions, in C.
        norm_cfg: Config of the normalisation layer; ``None`` is BN.
        init_cfg: Initialization config.

    Source: the block of Liu et al., "A ConvNet for the 2020s" (CVPR 2022),
    with batch instead of layer normalisation and no layer scale, as in
    SRPose, section 3.3.
    """

    def __init__(self,
                 channels: int,
                 kernel_size: int = 7,
                 expansion: int = 4,
                 norm_cfg: Optional[dict] = None,
                 init_cfg=None):
        super().__init__(init_cfg)
        self.dwconv = nn.Conv2d(
            channels,
            channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=channels)
        norm_cfg = norm_cfg or dict(type='BN')
        self.norm = build_norm_layer(norm_cfg, channels)[1]
        self.pwconv1 = nn.Conv2d(channels, expansion * channels, 1)
        self.act = nn.GELU()
        self.pwconv2 = nn.Conv2d(expansion * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, C, H, W) to features of the same shape."""
        y = self.pwconv1(self.norm(self.dwconv(x)))
        if y.is_contiguous(memory_format=torch.channels_last):
            # On CPUs GELU runs over four times as fast where the tensor's
            # dimensions have the order of its memory.
            y = self.act(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        else:
            y = self.act(y)
        return x + self.pwconv2(y)
