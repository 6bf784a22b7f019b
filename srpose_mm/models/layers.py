"""Layers that the necks and heads share."""
from typing import Optional

import torch
from mmcv.cnn import ConvAWS2d, ConvWS2d, build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import check_positive_integers, require


class ConvBNReLU(nn.Sequential):
    """1x1 convolution, normalization, ReLU: (B, I, H, W) -> (B, O, H, W).

    As in SRPose, the convolution has a bias although the normalization cancels
    it; :class:`mmcv.cnn.ConvModule` would warn about the bias at every use.
    """

    def __init__(self, in_channels: int, out_channels: int, norm_cfg: dict):
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 1),
            build_norm_layer(norm_cfg, out_channels)[1],
            nn.ReLU(inplace=True))


class InplaceGELU(nn.GELU):
    """GELU that overwrites its input, unless gradients are recorded.

    A second array of this size costs as much time as the function itself.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations of x, of any shape."""
        if torch.is_grad_enabled() or torch.jit.is_tracing():
            return super().forward(x)
        return torch.ops.aten.gelu_(x, approximate=self.approximate)


class RefinementBlock(BaseModule):
    """Residual block ``x + pw2(GELU(pw1(BN(dwconv(x)))))``.

    Shapes: (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: Channels of the features, C.
        kernel_size: Size of the depthwise convolution, odd.
        expansion: Channels between the two pointwise convolutions, in C.
        norm_cfg: Config of the normalization layer; ``None`` means BN.
        init_cfg: Initialization config.

    Source: the block of Liu et al., "A ConvNet for the 2020s" (CVPR 2022),
    with batch instead of layer normalization and no layer scale, as in
    SRPose, section 3.3.
    """

    def __init__(self,
                 channels: int,
                 kernel_size: int = 7,
                 expansion: int = 4,
                 norm_cfg: Optional[dict] = None,
                 init_cfg: Optional[dict] = None):
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
        self.act = InplaceGELU()
        self.pwconv2 = nn.Conv2d(expansion * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Refine features (B, C, H, W); the shape remains."""
        y = self.pwconv1(self.norm(self.dwconv(x)))
        if y.is_contiguous(memory_format=torch.channels_last):
            # On a CPU, GELU is over four times as fast if the dimensions have
            # the order of the memory.
            y = self.act(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        else:
            y = self.act(y)
        return x + self.pwconv2(y)


class SRBlock(BaseModule):
    """Super-resolve features into heatmaps.

    A 1x1 convolution gives each keypoint an embedding of its own (the
    keypoint encoder). From it a grouped convolution predicts a square of r x r
    heatmap cells at each place. The squares are laid out as a finer heatmap.

    Shapes: (B, C, H, W) -> (B, K, r * H, r * W).

    Args:
        in_channels: Channels of the features, C.
        out_channels: Number of keypoints, K.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one feature cell on each axis, r.
        kernel_size: Size of the predictor's convolution, odd.
        init_cfg: Initialization config.

    Raises:
        ValueError: If a number is not positive or ``kernel_size`` is even.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 3.2.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 embed_channels: int = 4,
                 upscale_factor: int = 4,
                 kernel_size: int = 9,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg)
        check_positive_integers(
            self,
            in_channels=in_channels,
            out_channels=out_channels,
            embed_channels=embed_channels,
            upscale_factor=upscale_factor,
            kernel_size=kernel_size)
        require(self, kernel_size % 2 == 1, 'expected an odd kernel_size, '
                f'which keeps the heatmap centered, got {kernel_size}')
        self.upscale_factor = upscale_factor
        self.keypoint_encoder = nn.Sequential(
            nn.Conv2d(in_channels, out_channels * embed_channels, 1),
            nn.ReLU(inplace=True))
        self.predictor = nn.Conv2d(
            out_channels * embed_channels,
            out_channels * upscale_factor**2,
            kernel_size,
            padding=kernel_size // 2,
            groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Predict heatmaps (B, K, r * H, r * W) of features (B, C, H, W)."""
        x = self.keypoint_encoder(x)
        if x.device.type == 'cpu':
            # Grouped convolutions are three times as fast in this layout.
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.predictor(x)
        batch, _, height, width = x.shape
        r, keypoints = self.upscale_factor, self.predictor.groups
        # Unlike those of nn.PixelShuffle, heatmaps of channels-last features
        # are contiguous: decoding and losses read these faster.
        x = x.view(batch, keypoints, r, r, height, width)
        x = x.permute(0, 1, 4, 2, 5, 3)
        x = x.reshape(batch, keypoints, r * height, r * width)
        return x.contiguous()  # with r = 1 the reshape is a view


def use_channels_last(model: nn.Module) -> None:
    """Set the weights of 2D convolutions to channels-last memory format.

    :meth:`torch.nn.Module.to` would fail on 3D convolutions. mmcv's weight
    standardization cannot read this format.
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and not (
                isinstance(module, (ConvAWS2d, ConvWS2d))):
            module.to(memory_format=torch.channels_last)
