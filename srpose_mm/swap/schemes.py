"""Neck and head of the new model."""
from math import log2
from typing import Optional, Sequence, Tuple

from mmengine.config import ConfigDict

from ..configs import type_name
from ..models.heads.srpose_head import level_factors
from .features import Feature, find_features, find_levels
from .options import Size, SwapOptions
from .stock_model import StockModel, SwapRefused

WIDTHS = (256, 128, 64, 32)  # of SRPose's levels, coarse to fine
# Losses that compare heatmaps. Other losses are dropped with the stock head.
HEATMAP_LOSSES = ('AdaptiveWingLoss', 'KeypointOHKMMSELoss',
                  'SeparableMSELoss')
MSE = dict(type='SeparableMSELoss', use_target_weight=True)
# Necks that turn feature maps into vectors for the stock head.
POOLING_NECKS = ('GlobalAveragePooling', )


# Configs of backbone, neck (None for none) and head without its decoder, and
# (W, H) of the heatmaps in cells.
NewParts = Tuple[ConfigDict, Optional[dict], dict, Size]


def swap_to_sr(stock: StockModel, options: SwapOptions) -> NewParts:
    """Put the SR head on the features that the stock head processes.

    The stock head's deconvolutions stay. A head without a grid is replaced
    by deconvolutions up to stride 4, as most heatmap heads of MMPose have.
    """
    neck = stock.neck
    if neck is not None and type_name(neck) in POOLING_NECKS:
        neck = None
    layers = _stock_layers(stock)
    feature = _last_feature(stock, neck)
    if layers is None or options.backbone:
        stride = stock.input_size[0] / feature.width
        layers = _deconvolutions((256, ) * round(log2(stride / 4)))
    growth = 2**len(layers['deconv_out_channels'] or ())
    factor, heatmap_size = options.fit(
        (feature.width * growth, feature.height * growth), stock.input_size)
    head = dict(type='SRHead', in_channels=feature.channels)
    if stock.bottom_up:
        kept = ('tag_dim', 'tag_per_keypoint', 'keypoint_loss', 'tag_loss')
        head.update(
            type='SRAssociativeEmbeddingHead',
            num_keypoints=stock.num_keypoints,
            **{key: stock.head[key] for key in kept if key in stock.head})
    else:
        head.update(out_channels=stock.num_keypoints, loss=_loss(stock))
    head.update(layers, upscale_factor=factor, **_embedding(options, 1))
    return stock.backbone, neck, head, heatmap_size


def swap_to_srpose(stock: StockModel, options: SwapOptions) -> NewParts:
    """Put SRPose on the backbone's features of several strides.

    The maps of all levels but the last have a quarter of the input's size.
    """
    if stock.bottom_up:
        raise SwapRefused(
            'SRPose is top-down only: for associative embedding a '
            'coarse-to-fine head with tags would be needed; use '
            'scheme=\'sr\'')
    backbone, neck, grids = _srpose_neck(stock)
    last, heatmap_size = options.fit(grids[-1], stock.input_size)
    strides = [round(stock.input_size[0] / width) for width, _ in grids[:-1]]
    widths = WIDTHS[:len(grids)]
    neck.update(num_keypoints=stock.num_keypoints, out_channels=widths)
    head = dict(
        type='SRPoseHead',
        in_channels=widths,
        out_channels=stock.num_keypoints,
        upscale_factors=level_factors([*strides, last]),
        loss=_loss(stock),
        **_embedding(options, len(widths)))
    return backbone, neck, head, heatmap_size


def _srpose_neck(
        stock: StockModel) -> Tuple[ConfigDict, dict, Sequence[Size]]:
    """Return backbone, neck and (W, H) of the levels, coarse to fine."""
    try:
        backbone, levels = find_levels(stock)
    except (ImportError, KeyError):
        backbone, levels = stock.backbone, [_last_feature(stock, None)]
    if len(levels) > 1:
        neck = dict(
            type='SRPoseNeck',
            in_channels=tuple(level.channels for level in levels))
        return backbone, neck, [level[1:] for level in levels]
    channels, width, height = levels[0]
    if round(log2(stock.input_size[0] / width)) != 4:
        raise SwapRefused(
            f'SRPose cannot be put behind {type_name(backbone)}: features of '
            'two or more strides, or of stride 16, would be needed, got one '
            f'map of {width}x{height} cells; set its out_indices or use '
            'scheme=\'sr\'')
    neck = dict(type='SRPosePyramidNeck', in_channels=channels)
    grids = [(width // 2, height // 2), (width, height),
             (width * 2, height * 2), (width * 4, height * 4)]
    return backbone, neck, grids


def _stock_layers(stock: StockModel) -> Optional[dict]:
    """Return the stock head's deconvolutions and convolutions, if any."""
    head = stock.head
    if (stock.deconvs is None or head.get('deconv_type') == 'vipnas'
            or type_name(head) == 'SimCCHead'
            and head.get('deconv_out_channels', True) is None):
        return None
    layers = _deconvolutions(
        head.get('deconv_out_channels', (256, ) * 3),
        head.get('deconv_kernel_sizes'))
    if head.get('conv_out_channels'):
        layers['conv_out_channels'] = head.conv_out_channels
        layers['conv_kernel_sizes'] = head.conv_kernel_sizes
    return layers


def _deconvolutions(channels: Optional[Sequence[int]],
                    kernels: Optional[Sequence[int]] = None) -> dict:
    """Return a head's arguments for deconvolutions as MMPose's heads have."""
    if not channels:
        return dict(deconv_out_channels=None)
    return dict(
        deconv_out_channels=channels,
        deconv_kernel_sizes=kernels or (4, ) * len(channels))


def _last_feature(stock: StockModel, neck: Optional[dict]) -> Feature:
    """Return the last feature map of the backbone or the neck.

    If the backbone's package is not installed, derive it from the stock head.
    """
    try:
        return find_features(stock, stock.backbone, neck)[-1]
    except (ImportError, KeyError) as err:
        size, layers = stock.codec.get('heatmap_size'), _stock_layers(stock)
        if size is None or layers is None:
            raise SwapRefused(
                f'{stock.backbone.type} cannot be built here, and the stock '
                'head has no heatmaps to derive the size of its features '
                f'from; install its package ({err})') from err
        growth = 2**len(layers['deconv_out_channels'] or ())
        if neck is None and stock.neck is not None:
            growth *= int(stock.neck.get('scale_factor', 1))
        return Feature(stock.head.in_channels, size[0] // growth,
                       size[1] // growth)


def _embedding(options: SwapOptions, levels: int) -> dict:
    """Return the head's argument embed_channels, if it was chosen."""
    embed = options.embed_channels
    if embed is None:
        return {}
    if isinstance(embed, int):
        return dict(embed_channels=(embed, ) * levels if levels > 1 else embed)
    if len(embed) != levels or levels == 1:
        raise ValueError('expected embed_channels to be an integer, or one '
                         f'for each level of SRPose, got {embed}')
    return dict(embed_channels=tuple(embed))


def _loss(stock: StockModel) -> dict:
    """Return the stock loss if it compares heatmaps, else the default."""
    loss = stock.head.get('loss') or MSE
    if type_name(loss) == 'KeypointMSELoss':
        return dict(loss, type='SeparableMSELoss')  # the same numbers
    return loss if type_name(loss) in HEATMAP_LOSSES else MSE


SCHEMES = dict(sr=swap_to_sr, srpose=swap_to_srpose)
