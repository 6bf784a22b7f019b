"""Neck and head of the new model."""
from math import log2
from typing import Optional, Sequence, Tuple

from mmengine.config import ConfigDict

from ..configs import type_name
from ..models.heads.srpose_head import level_factors
from .features import Feature, find_features, find_levels
from .stock_model import StockModel, SwapRefused

Size = Tuple[int, int]
# Configs of backbone, neck (None for none) and head without its decoder, and
# (W, H) of the heatmaps in cells.
NewParts = Tuple[ConfigDict, Optional[dict], dict, Size]

WIDTHS = (256, 128, 64, 32)  # of SRPose's levels, coarse to fine
# Losses that compare heatmaps. Other losses are dropped with the stock head.
HEATMAP_LOSSES = ('AdaptiveWingLoss', 'KeypointOHKMMSELoss',
                  'SeparableMSELoss')
MSE = dict(type='SeparableMSELoss', use_target_weight=True)


def sr_parts(stock: StockModel, heatmap_size: Optional[Size]) -> NewParts:
    """Put the SR head on the features that the stock head processes.

    The stock head's deconvolutions stay. A head without a grid is replaced
    by deconvolutions up to stride 4, as most heatmap heads of MMPose have.
    """
    neck = stock.neck
    # This neck turns feature maps into vectors for the stock head.
    if type_name(neck or {}) == 'GlobalAveragePooling':
        neck = None
    feature, layers = _last_feature(stock, neck), stock.layers
    if layers is None:
        number = round(log2(stock.input_size[0] / feature.width / 4))
        layers = dict(deconv_out_channels=(256, ) * number or None)
        if number > 0:
            layers['deconv_kernel_sizes'] = (4, ) * number
    growth = 2**len(layers['deconv_out_channels'] or ())
    factor, heatmap_size = _fit(
        (feature.width * growth, feature.height * growth), stock.input_size,
        heatmap_size)
    head = dict(type='SRHead', in_channels=feature.channels)
    if stock.bottom_up:
        kept = ('tag_dim', 'tag_per_keypoint', 'keypoint_loss', 'tag_loss')
        head.update(
            type='SRAssociativeEmbeddingHead',
            num_keypoints=stock.num_keypoints,
            **{key: stock.head[key] for key in kept if key in stock.head})
    else:
        head.update(out_channels=stock.num_keypoints, loss=_loss(stock))
    head.update(layers, upscale_factor=factor)
    return stock.backbone, neck, head, heatmap_size


def srpose_parts(stock: StockModel, heatmap_size: Optional[Size]) -> NewParts:
    """Put SRPose on the backbone's features of several strides.

    The maps of all levels but the last have a quarter of the input's size.
    """
    if stock.bottom_up:
        raise SwapRefused(
            'SRPose is top-down only: for associative embedding a '
            'coarse-to-fine head with tags would be needed; use '
            'scheme=\'sr\'')
    backbone, neck, grids = _srpose_neck(stock)
    last, heatmap_size = _fit(grids[-1], stock.input_size, heatmap_size)
    # The maps of a crop that no stride divides are larger by a part of a cell.
    strides = [2**round(log2(stock.input_size[0] / width))
               for width, _ in grids[:-1]]
    widths = WIDTHS[:len(grids)]
    neck.update(num_keypoints=stock.num_keypoints, out_channels=widths)
    head = dict(
        type='SRPoseHead',
        in_channels=widths,
        out_channels=stock.num_keypoints,
        upscale_factors=level_factors([*strides, last]),
        loss=_loss(stock))
    return backbone, neck, head, heatmap_size


SCHEMES = dict(sr=sr_parts, srpose=srpose_parts)


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


def _last_feature(stock: StockModel, neck: Optional[dict]) -> Feature:
    """Return the last feature map of the backbone or the neck.

    If the backbone's package is not installed, derive it from the stock head.
    """
    try:
        return find_features(stock, stock.backbone, neck)[-1]
    except (ImportError, KeyError) as err:
        size, layers = stock.codec.get('heatmap_size'), stock.layers
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


def _fit(grid: Size, input_size: Size,
         heatmap_size: Optional[Size]) -> Tuple[int, Size]:
    """Return the upscale factor and (W, H) of the heatmaps, in cells.

    Args:
        grid: (W, H) of the features that the SR block processes.
        input_size: (w, h) of the input, in px.
        heatmap_size: (W, H) of the heatmaps; ``None`` means the input's size,
            or the largest smaller size that an integer factor reaches.

    Raises:
        ValueError: If ``heatmap_size`` is not a pair, or no integer factor
            reaches it; names a size that can be reached.
    """
    pair = isinstance(heatmap_size, (list, tuple)) and len(heatmap_size) == 2
    if heatmap_size is not None and not pair:
        raise ValueError('expected heatmap_size to be (width, height), got '
                         f'{heatmap_size!r}')
    width, height = heatmap_size or input_size
    factor = max(1, min(width // grid[0], height // grid[1]))
    reached = factor * grid[0], factor * grid[1]
    if heatmap_size and reached != (width, height):
        raise ValueError(
            f'expected heatmap_size to be a multiple of {grid[0]}x{grid[1]} '
            '(width x height), the size of the features, got '
            f'{(width, height)}; choose for example {reached}')
    return factor, reached


def _loss(stock: StockModel) -> dict:
    """Return the stock loss if it compares heatmaps, else the default."""
    loss = stock.head.get('loss') or MSE
    if type_name(loss) == 'KeypointMSELoss':
        return dict(loss, type='SeparableMSELoss')  # the same numbers
    return loss if type_name(loss) in HEATMAP_LOSSES else MSE
