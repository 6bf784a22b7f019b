"""The parts of a stock model, and the heads that can be swapped."""
from typing import NamedTuple, Optional, Tuple

from mmengine.config import Config, ConfigDict

from ..configs import input_channels, type_name

BOTTOM_UP = 'BottomupPoseEstimator'
ESTIMATORS = ('TopdownPoseEstimator', BOTTOM_UP)
# Stock heads that can be swapped: those with the deconvolutions of
# HeatmapHead, and others.
DECONV_HEADS = ('HeatmapHead', 'SRHead', 'SimCCHead', 'IntegralRegressionHead',
                'DSNTHead', 'AssociativeEmbeddingHead',
                'SRAssociativeEmbeddingHead')
HEADS = (*DECONV_HEADS, 'RTMCCHead', 'RTMWHead', 'RegressionHead', 'RLEHead')
# Names that heads have for the number of keypoints.
KEYPOINTS = ('out_channels', 'num_joints', 'num_keypoints')


class SwapRefused(ValueError):
    """A model whose head cannot be swapped."""


class StockModel(NamedTuple):
    """Parts of a model whose head can be swapped; its configs, no copies."""
    backbone: ConfigDict
    neck: Optional[ConfigDict]
    head: ConfigDict
    layers: Optional[dict]  # arguments of the head's deconvolutions
    codec: ConfigDict
    bottom_up: bool  # groups keypoints into instances
    num_keypoints: int
    input_size: Tuple[int, int]  # (w, h) in px
    input_channels: int


def read_stock_model(cfg: Config) -> StockModel:
    """Return the parts of a model that a swap depends on.

    Raises:
        SwapRefused: If the model is not a backbone, with or without a neck,
            that feeds one known head with one codec.
    """
    model = cfg.model
    head = model.get('head')
    name = type_name(head if isinstance(head, dict) else model)
    if name not in HEADS or type_name(model) not in ESTIMATORS:
        raise SwapRefused(f'{name} cannot be swapped; expected one of '
                          f'{ESTIMATORS} with one of the heads {HEADS}')
    bottom_up = type_name(model) == BOTTOM_UP
    codecs = [head.get('decoder'), cfg.get('codec')]
    if bottom_up:
        # The decoder's maps can be resized ones, unlike the targets.
        codecs.reverse()
    codec = next(filter(None, codecs), None)
    if not isinstance(codec, dict) or 'input_size' not in codec:
        raise SwapRefused('expected one codec with an input_size as decoder '
                          f'of {name}, got {codec!r}; set the decoder')
    keypoints = next(head[key] for key in KEYPOINTS if key in head)
    if codec.get('heatmap_type') == 'combined':
        keypoints //= 3  # a heatmap and two offset maps per keypoint
    return StockModel(model.backbone, model.get('neck'), head,
                      _deconvolutions(head), codec, bottom_up, keypoints,
                      tuple(codec['input_size']), input_channels(cfg))


def _deconvolutions(head: ConfigDict) -> Optional[dict]:
    """Return the arguments of a head's layers before its prediction, if any.

    These are deconvolutions and convolutions as HeatmapHead builds them.
    """
    channels = head.get('deconv_out_channels', (256, ) * 3)
    if (type_name(head) not in DECONV_HEADS
            or head.get('deconv_type') == 'vipnas'
            or type_name(head) == 'SimCCHead' and channels is None):
        return None
    layers = dict(deconv_out_channels=channels or None)
    if channels:
        kernels = head.get('deconv_kernel_sizes') or (4, ) * len(channels)
        layers['deconv_kernel_sizes'] = kernels
    if head.get('conv_out_channels'):
        layers['conv_out_channels'] = head.conv_out_channels
        layers['conv_kernel_sizes'] = head.conv_kernel_sizes
    return layers
