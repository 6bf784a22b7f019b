"""Feature maps of backbones, without computing any."""
from typing import Dict, NamedTuple, Optional, Tuple

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor, nn

from ..configs import type_name
from ..deploy.complexity import forward_images
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


def build_on_meta(cfg: dict) -> nn.Module:
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


@torch.no_grad()
def find_features(stock: StockModel,
                  backbone: dict,
                  neck: Optional[dict] = None) -> Tuple[Feature, ...]:
    """Return the feature maps of a backbone, or of the neck behind it.

    Raises:
        ValueError: If the backbone cannot process inputs of the stock model's
            size; names the nearest size that works.
    """
    shape = 1, stock.input_channels, *stock.input_size[::-1]
    key = repr((backbone, neck, shape))
    if key not in _cache:
        model = nn.Sequential(
            *(build_on_meta(part) for part in (backbone, neck) if part))
        name = type_name(backbone)
        try:
            maps = forward_images(
                model, torch.empty(shape, device='meta'), name)
        except (AssertionError, RuntimeError) as err:
            raise ValueError(f'{name} cannot process inputs of shape {shape}: '
                             f'{" ".join(str(err).split())}') from err
        maps = [maps] if isinstance(maps, Tensor) else maps
        _cache[key] = tuple(
            Feature(out.shape[1], out.shape[3], out.shape[2]) for out in maps)
    return _cache[key]


def find_levels(
        stock: StockModel) -> Tuple[ConfigDict, Tuple[Feature, ...]]:
    """Configure the stock backbone for features of several strides.

    Known backbones are set to their usual levels. Of another backbone the
    outputs are used that its config selects.

    Returns:
        The changed config, and its feature maps, coarse to fine.

    Raises:
        SwapRefused: If the backbone has two outputs of one stride, or more
            than four.
        ValueError: If the backbone cannot process this input.
    """
    name = type_name(stock.backbone)
    cfg = Config(dict(backbone=stock.backbone))
    cfg.merge_from_dict(dict(backbone=MULTI_SCALE.get(name, {})))
    backbone = cfg.backbone
    try:
        features = find_features(stock, backbone)
    except (AssertionError, IndexError):
        # The backbone has fewer stages than usual.
        backbone = stock.backbone
        features = find_features(stock, backbone)
    widths = [feature.width for feature in features]
    if (len(widths) > MAX_LEVELS
            or widths != sorted(set(widths), reverse=True)):
        raise SwapRefused(
            f'expected {name} to output at most {MAX_LEVELS} '
            'feature maps of different sizes, fine to coarse, got the widths '
            f'{widths}; set its out_indices')
    return backbone, features[::-1]


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
