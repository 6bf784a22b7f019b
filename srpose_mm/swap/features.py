"""Feature maps of backbones, without computing any."""
from typing import Any, Dict, NamedTuple, Optional, Tuple

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn

from ..configs import type_name
from .stock_model import StockModel, SwapRefused

MAX_LEVELS = 4
# Settings for one output per stride: 4, 8, 16 and 32 unless noted.
MULTI_SCALE = dict(
    **dict.fromkeys((
        'ResNet', 'ResNetV1d', 'ResNeXt', 'SEResNet', 'SEResNeXt', 'ResNeSt',
        'SCNet', 'RegNet', 'ViPNAS_ResNet', 'SwinTransformer',
        'PyramidVisionTransformer', 'PyramidVisionTransformerV2'),
        dict(out_indices=(0, 1, 2, 3))),
    **dict.fromkeys(('CSPNeXt', 'CSPDarknet', 'VGG'),
                    dict(out_indices=(1, 2, 3, 4))),
    **dict.fromkeys(('HRNet', 'HRFormer'),
                    dict(extra=dict(stage4=dict(multiscale_output=True)))),
    MobileNetV2=dict(out_indices=(1, 2, 4, 7)),
    ShuffleNetV1=dict(out_indices=(0, 1, 2)),  # 8, 16, 32
    ShuffleNetV2=dict(out_indices=(0, 1, 3)),  # 8, 16, 32
    TransPose=dict(out_indices=(0, 1)),  # 4, 8
    TimmBackbone=dict(out_indices=None))  # all from 4 on


class Feature(NamedTuple):
    """Channels, width and height of a feature map."""
    channels: int
    width: int
    height: int


# Many configs share a backbone, which is built once.
_cache: Dict[str, Tuple[Feature, ...]] = {}


def build_shapes(cfg: dict) -> nn.Module:
    """Build a module on the meta device, whose tensors have shapes only."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        try:
            with torch.device('meta'):
                module = MODELS.build(cfg)
        except RuntimeError:
            # Some constructors compute with the values of their tensors.
            module = MODELS.build(cfg).to('meta')
    module.eval()  # some backbones of MMPose return None
    return module


def find_features(stock: StockModel,
                  backbone: dict,
                  neck: Optional[dict] = None) -> Tuple[Feature, ...]:
    """Return the feature maps of a backbone, or of the neck behind it.

    Raises:
        ValueError: If the backbone cannot process inputs of the stock model's
            size; names the nearest size that works.
    """
    (width, height), channels = stock.input_size, stock.input_channels
    key = repr((backbone, neck, width, height, channels))
    if key not in _cache:
        modules = [build_shapes(part) for part in (backbone, neck) if part]
        try:
            _cache[key] = _run(modules, width, height, channels)
        except (AssertionError, RuntimeError, ValueError) as err:
            lines = str(err).splitlines() or [type(err).__name__]
            remedy = _working_size(modules, width, height, channels)
            raise ValueError(
                f'{type_name(backbone)} cannot process inputs of {width}x'
                f'{height} px (width x height) with {channels} channels: '
                f'{lines[0]}{remedy}') from err
    return _cache[key]


def find_levels(
        stock: StockModel) -> Tuple[ConfigDict, Tuple[Feature, ...]]:
    """Configure the stock backbone for features of several strides.

    Known backbones are set to their usual levels. Of another backbone the
    outputs are used that its config selects.

    Returns:
        The changed config, and its feature maps, coarse to fine: the deepest
        of each stride, at most four.

    Raises:
        SwapRefused: If the backbone has outputs that are not needed and that
            no ``out_indices`` can turn off.
        ValueError: If the backbone cannot process this input.
    """
    name = type_name(stock.backbone)
    candidate = _merged(stock.backbone, MULTI_SCALE.get(name, {}))
    try:
        features = find_features(stock, candidate)
    except (AssertionError, IndexError):
        # The backbone has fewer stages than usual.
        candidate = _merged(stock.backbone, {})
        features = find_features(stock, candidate)
    deepest = {feature.width: i for i, feature in enumerate(features)}
    kept = sorted(deepest.values())[-MAX_LEVELS:]
    indices = candidate.get('out_indices') or ()
    if len(kept) < len(features) == len(indices):
        candidate.out_indices = tuple(indices[i] for i in kept)
        features = tuple(features[i] for i in kept)
    widths = [feature.width for feature in features]
    if len(kept) < len(features) or widths != sorted(widths, reverse=True):
        raise SwapRefused(
            f'expected {name} to output at most {MAX_LEVELS} '
            'feature maps of different sizes, fine to coarse, got the widths '
            f'{widths}; set its out_indices')
    return candidate, features[::-1]


def find_timm_backbone(name: str,
                       stock: StockModel) -> Tuple[ConfigDict, dict]:
    """Configure a model of timm as the backbone of a stock model.

    Returns:
        The backbone's config, with its deepest feature map as output, and
        the arguments of the data preprocessor that timm's weights need.

    Raises:
        ValueError: If timm has no such model, or it cannot process inputs of
            the stock model's size.
    """
    backbone = ConfigDict(
        type='TimmBackbone', model_name=name, out_indices=(-1, ))
    if stock.input_channels != 3:
        backbone.in_channels = stock.input_channels
    try:
        find_features(stock, backbone)
    except ValueError:
        # Models with position embeddings are built for one size.
        backbone.model_args = dict(img_size=stock.input_size[::-1])
        find_features(stock, backbone)
    import timm  # an optional dependency, which the backbone has checked
    backbone.pretrained = timm.is_model_pretrained(name)
    if stock.input_channels != 3:
        return backbone, {}
    weights = timm.get_pretrained_cfg(name)
    return backbone, dict(
        mean=[255 * value for value in weights.mean],
        std=[255 * value for value in weights.std],
        bgr_to_rgb=True)


def _merged(base: dict, changes: dict) -> ConfigDict:
    """Return a config with some values replaced, at any depth."""
    merged = ConfigDict(base)
    for key, value in changes.items():
        if isinstance(value, dict):
            value = _merged(merged.get(key, {}), value)
        merged[key] = value
    return merged


@torch.no_grad()
def _run(modules: list, width: int, height: int,
         channels: int) -> Tuple[Feature, ...]:
    outputs: Any = torch.empty(1, channels, height, width, device='meta')
    for module in modules:
        outputs = module(outputs)
    if isinstance(outputs, torch.Tensor):
        outputs = [outputs]
    return tuple(
        Feature(out.shape[1], out.shape[3], out.shape[2]) for out in outputs)


def _working_size(modules: list, width: int, height: int,
                  channels: int) -> str:
    """Return the remedy for a size that is not a multiple of 32."""
    size = tuple(-(-side // 32) * 32 for side in (width, height))
    try:
        _run(modules, *size, channels)
    except (AssertionError, RuntimeError, ValueError):
        return ''
    return f'; set input_size to {size}, multiples of 32'
