"""The neck and head that take the place of stock ones."""
from math import log2
from typing import NamedTuple, Optional, Sequence, Tuple, Union

from mmengine.config import ConfigDict

from ..configs import type_name
from .features import Feature, find_features
from .levels import turn_on_levels
from .options import SwapOptions
from .refusal import SwapRefused
from .stock_model import StockModel

Size = Tuple[int, int]

DECONV = 256, 4  # channels and kernel size of MMPose's deconvolutions
WIDTHS = (256, 128, 64, 32)  # of SRPose's levels, coarse to fine
# Losses that compare heatmaps; the others go with the old head.
HEATMAP_LOSSES = ('AdaptiveWingLoss', 'KeypointOHKMMSELoss',
                  'SeparableMSELoss')
MSE = dict(type='SeparableMSELoss', use_target_weight=True)
# Necks that turn a feature map into numbers for the old head.
POOLING_NECKS = ('GlobalAveragePooling', )


class Parts(NamedTuple):
    """What a scheme puts into a model.

    Attributes:
        backbone: Config of the backbone.
        neck: Config of the neck; ``None`` for none.
        head: Config of the head, without its decoder.
        heatmap_size: (W, H) of its heatmaps, in cells.
    """
    backbone: ConfigDict
    neck: Optional[dict]
    head: dict
    heatmap_size: Size


def sr_parts(stock: StockModel, options: SwapOptions) -> Parts:
    """The SR head on the features that the stock head had.

    The stock head's deconvolutions stay. A head without a grid gets
    deconvolutions up to stride 4, as most of MMPose's heatmap heads have.
    """
    neck = stock.neck
    if neck is not None and type_name(neck) in POOLING_NECKS:
        neck = None
    layers = _stock_layers(stock)
    feature = _last_feature(stock, neck)
    if layers is None:
        missing = max(0, round(log2(stock.input_size[0] / feature.width)) - 2)
        channels, kernel = DECONV
        layers = dict(deconv_out_channels=(channels, ) * missing or None)
        if missing:
            layers['deconv_kernel_sizes'] = (kernel, ) * missing
    growth = 2**len(layers['deconv_out_channels'] or ())
    grid = feature.width * growth, feature.height * growth
    factor, heatmap_size = options.fit(grid, stock.input_size)
    head = dict(type='SRHead', in_channels=feature.channels)
    if stock.bottom_up:
        head.update(
            type='SRAssociativeEmbeddingHead',
            num_keypoints=stock.num_keypoints,
            **{
                key: stock.head[key]
                for key in ('tag_dim', 'tag_per_keypoint', 'keypoint_loss',
                            'tag_loss') if key in stock.head
            })
    else:
        head.update(out_channels=stock.num_keypoints, loss=_loss(stock))
    head.update(layers, upscale_factor=factor)
    if options.embed_channels is not None:
        head['embed_channels'] = options.embed_channels
    return Parts(stock.backbone, neck, head, heatmap_size)


def srpose_parts(stock: StockModel, options: SwapOptions) -> Parts:
    """SRPose on features of several strides.

    The maps of all levels but the last have a quarter of the input's size.
    """
    if stock.bottom_up:
        raise SwapRefused(
            'swap_head: SRPose is top-down only; for associative embedding a '
            'coarse-to-fine head with tags would be needed, use scheme=\'sr\'')
    backbone, levels = turn_on_levels(stock.backbone, stock.input_size)
    strides = [round(stock.input_size[0] / level.width) for level in levels]
    last, heatmap_size = options.fit(levels[-1][1:], stock.input_size)
    widths = WIDTHS[:len(levels)]
    neck = dict(
        type='SRPoseNeck',
        in_channels=tuple(level.channels for level in levels),
        out_channels=widths,
        num_keypoints=stock.num_keypoints)
    head = dict(
        type='SRPoseHead',
        in_channels=widths,
        out_channels=stock.num_keypoints,
        upscale_factors=(*(max(1, stride // 4) for stride in strides[:-1]),
                         last),
        loss=_loss(stock))
    if options.embed_channels is not None:
        head['embed_channels'] = _for_each(options.embed_channels, len(widths))
    return Parts(backbone, neck, head, heatmap_size)


def _stock_layers(stock: StockModel) -> Optional[dict]:
    """The stock head's deconvolutions and convolutions; None without any."""
    head = stock.head
    if (stock.known.deconvs is None or head.get('deconv_type') == 'vipnas'
            or type_name(head) == 'SimCCHead'
            and head.get('deconv_out_channels', True) is None):
        return None
    channels, kernel = DECONV
    deconvs = head.get('deconv_out_channels', (channels, ) * 3) or None
    layers = dict(deconv_out_channels=deconvs)
    if deconvs:
        layers['deconv_kernel_sizes'] = head.get('deconv_kernel_sizes',
                                                 (kernel, ) * len(deconvs))
    if head.get('conv_out_channels'):
        layers['conv_out_channels'] = head.conv_out_channels
        layers['conv_kernel_sizes'] = head.conv_kernel_sizes
    return layers


def _last_feature(stock: StockModel, neck: Optional[dict]) -> Feature:
    """The feature map that the head gets.

    Where the backbone's package is not installed, the stock head tells it.
    """
    try:
        return find_features(stock.backbone, neck, stock.input_size)[-1]
    except (ImportError, KeyError) as err:
        size = stock.codec.get('heatmap_size')
        if size is None:
            raise SwapRefused(
                f'swap_head: {stock.backbone.type} cannot be built here and '
                'the stock head has no heatmaps to tell the size of its '
                f'features; install its package ({err})') from err
        layers = _stock_layers(stock)
        growth = 2**len(layers['deconv_out_channels'] or ())
        return Feature(stock.head.in_channels, size[0] // growth,
                       size[1] // growth)


def _loss(stock: StockModel) -> dict:
    """The stock loss where it is one of heatmaps."""
    loss = stock.head.get('loss') or MSE
    if type_name(loss) == 'KeypointMSELoss':
        return dict(loss, type='SeparableMSELoss')  # the same numbers
    return loss if type_name(loss) in HEATMAP_LOSSES else MSE


def _for_each(value: Union[int, Sequence[int]],
              levels: int) -> Tuple[int, ...]:
    """One number for each level."""
    return (value, ) * levels if isinstance(value, int) else tuple(value)


SCHEMES = dict(sr=sr_parts, srpose=srpose_parts)
