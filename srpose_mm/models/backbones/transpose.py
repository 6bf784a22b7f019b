import math
from typing import List, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.models.backbones import ResNet
from mmpose.registry import MODELS
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import (
    check_positive_integers,
    check_size,
    require,
)

STRIDE = 8
TEMPERATURE = 10000.

InitCfg = Union[dict, List[dict], None]


def sine_position_encoding(height: int,
                           width: int,
                           channels: int,
                           device: Optional[torch.device] = None) -> Tensor:
    """Return sines and cosines (H * W, C) of each cell's row and column.

    Rows and columns are counted from 1 and scaled so that the last one is
    2 pi: grids of all sizes share one range. The first half of the channels
    encodes the row, the second the column; in each half, channels 2j and
    2j + 1 are sine and cosine at the frequency 10000^(-4j / C). C is a
    multiple of 4; cells are ordered row by row.
    """
    pairs = channels // 4
    frequencies = TEMPERATURE**(-torch.arange(pairs, device=device) / pairs)

    def encode(size: int) -> Tensor:
        places = torch.arange(1, size + 1, device=device) / size
        angles = 2 * math.pi * places[:, None] * frequencies
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)

    rows = encode(height)[:, None].expand(-1, width, -1)
    columns = encode(width)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


class EncoderLayer(nn.TransformerEncoderLayer):
    """Transformer encoder layer that adds positions to queries and keys.

    Shapes: tokens (B, L, C) and positions (L, C) -> tokens (B, L, C).

    Args:
        channels: Channels of a token, C.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden channels of the perceptron.
        dropout: Dropout rate of the attention weights, the perceptron's
            hidden channels and the output of each branch.

    Source: Carion et al., "End-to-End Object Detection with Transformers"
    (ECCV 2020), appendix A.3.
    """

    def __init__(self,
                 channels: int,
                 num_heads: int,
                 feedforward_channels: int,
                 dropout: float = 0.1):
        super().__init__(channels, num_heads, feedforward_channels, dropout,
                         batch_first=True)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Encode tokens (B, L, C) with positions (L, C)."""
        placed = x + position.to(x.dtype)
        attended, _ = self.self_attn(placed, placed, x, need_weights=False)
        x = self.norm1(x + self.dropout1(attended))
        hidden = self.dropout(F.relu(self.linear1(x)))
        return self.norm2(x + self.dropout2(self.linear2(hidden)))


@MODELS.register_module()
class TransPose(BaseModule):
    """The first stages of a ResNet, then a transformer encoder at stride 8.

    The defaults are TransPose-R-A4: 4 735 040 parameters and, for a 256x192
    input, a fixed table of 768 x 256 positions, which checkpoints leave out.
    Inputs of other sizes get a table of their own.

    Shapes: images (B, 3, H, W) -> one feature map for each of ``out_indices``,
    fine to coarse: 0 is the ResNet's first stage in shape (B, S, H / 4,
    W / 4), with S 256 from ``depth`` 50 on, 1 the encoder's output in shape
    (B, C, H / 8, W / 8). Sizes are rounded up. :class:`SRPoseNeck` uses both,
    ``(0, 1)``, with ``in_channels=(256, 256)``.

    Args:
        depth: Depth of the ResNet, of which two stages are used.
        embed_channels: Channels of a token, C, a multiple of 4 and of
            ``num_heads``.
        num_layers: Number of encoder layers.
        num_heads: Number of attention heads.
        feedforward_channels: Hidden channels of each layer's MLP.
        dropout: Dropout rate, see :class:`EncoderLayer`.
        input_size: Usual (width, height) of the images, in px, for which
            positions are kept ready.
        out_indices: Which feature maps to return, ``(1, )`` or ``(0, 1)``.
        init_cfg: Initialization configs. The one of type ``Pretrained``
            initializes the ResNet, e.g. by ``'torchvision://resnet50'``. Of a
            pose model's checkpoint, ``prefix`` is ``'backbone.'`` if the
            model's backbone is a ResNet, ``'backbone.resnet.'`` if it is a
            TransPose. Other configs initialize the encoder, whose default is
            Xavier's uniform distribution.

    Raises:
        ValueError: If a number is out of range, ``out_indices`` is neither of
            the two or there is more than one ``Pretrained``.

    Source: Yang et al., "TransPose: Keypoint Localization via Transformer"
    (ICCV 2021), section 3.
    """

    def __init__(self,
                 depth: int = 50,
                 embed_channels: int = 256,
                 num_layers: int = 4,
                 num_heads: int = 8,
                 feedforward_channels: int = 1024,
                 dropout: float = 0.1,
                 input_size: Tuple[int, int] = (192, 256),
                 out_indices: Sequence[int] = (1, ),
                 init_cfg: InitCfg = None):
        pretrained, own = self._split_init_cfg(init_cfg)
        super().__init__(
            own or dict(
                type='Xavier', layer='Linear', distribution='uniform'))
        check_positive_integers(
            self,
            embed_channels=embed_channels,
            num_layers=num_layers,
            num_heads=num_heads,
            feedforward_channels=feedforward_channels)
        require(
            self, embed_channels % 4 == embed_channels % num_heads == 0,
            'expected embed_channels to be a multiple of 4 and of '
            f'num_heads={num_heads}, got {embed_channels}')
        check_size(self, 'input_size', input_size)
        require(
            self,
            tuple(out_indices) in ((1, ), (0, 1)), 'expected out_indices to '
            'be (1,), the encoder\'s output, or (0, 1), the ResNet\'s first '
            f'stage too, got {out_indices!r}')
        self.out_indices = tuple(out_indices)
        self.resnet = ResNet(
            depth,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(0, 1),
            **pretrained)
        self.reduction = nn.Conv2d(
            self.resnet.feat_dim, embed_channels, 1, bias=False)
        self.encoder = nn.ModuleList(
            EncoderLayer(embed_channels, num_heads, feedforward_channels,
                         dropout) for _ in range(num_layers))
        width, height = (math.ceil(size / STRIDE) for size in input_size)
        self.grid = (height, width)
        self.register_buffer(
            'position',
            sine_position_encoding(height, width, embed_channels),
            persistent=False)

    def _split_init_cfg(self, init_cfg: InitCfg) -> Tuple[dict, List[dict]]:
        """Return keywords for the ResNet, and what initializes the rest."""
        cfgs = [init_cfg] if isinstance(init_cfg, dict) else init_cfg or []
        pretrained = [cfg for cfg in cfgs if cfg['type'] == 'Pretrained']
        require(
            self,
            len(pretrained) < 2, 'expected at most one Pretrained in '
            'init_cfg, which is for the ResNet, got '
            f'{len(pretrained)}: {pretrained}')
        own = [cfg for cfg in cfgs if cfg['type'] != 'Pretrained']
        return dict(init_cfg=pretrained[0]) if pretrained else {}, own

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Return the feature maps of images (B, 3, H, W)."""
        fine, x = self.resnet(x)
        outs = fine, self._encode(self.reduction(x))
        return tuple(outs[i] for i in self.out_indices)

    def _encode(self, x: Tensor) -> Tensor:
        """Encode features (B, C, h, w); the shape remains."""
        channels, *grid = x.shape[1:]
        position = self.position
        if tuple(grid) != self.grid:
            position = sine_position_encoding(*grid, channels, x.device)
        tokens = x.flatten(2).transpose(1, 2)
        for layer in self.encoder:
            tokens = layer(tokens, position)
        return tokens.transpose(1, 2).reshape_as(x)
