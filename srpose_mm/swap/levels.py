"""How each backbone is made to hand out features of several strides."""
from typing import Tuple

from mmengine.config import ConfigDict

from ..configs import type_name
from .features import Feature, find_features
from .refusal import SwapRefused

MAX_LEVELS = 4
# The deepest block of each stride; strides 4, 8, 16 and 32 unless noted.
STAGES = dict(out_indices=(0, 1, 2, 3))
AFTER_STEM = dict(out_indices=(1, 2, 3, 4))
BRANCHES = dict(extra=dict(stage4=dict(multiscale_output=True)))
MULTI_SCALE = dict(
    ResNet=STAGES,
    ResNetV1d=STAGES,
    ResNeXt=STAGES,
    SEResNet=STAGES,
    SEResNeXt=STAGES,
    ResNeSt=STAGES,
    SCNet=STAGES,
    RegNet=STAGES,
    ViPNAS_ResNet=STAGES,
    SwinTransformer=STAGES,
    PyramidVisionTransformer=STAGES,
    PyramidVisionTransformerV2=STAGES,
    CSPNeXt=AFTER_STEM,
    CSPDarknet=AFTER_STEM,
    VGG=AFTER_STEM,
    HRNet=BRANCHES,
    HRFormer=BRANCHES,
    MobileNetV2=dict(out_indices=(1, 2, 4, 7)),
    ShuffleNetV1=dict(out_indices=(0, 1, 2)),  # 8, 16, 32
    ShuffleNetV2=dict(out_indices=(0, 1, 3)),  # 8, 16, 32
    TransPose=dict(out_indices=(0, 1)),  # 4, 8
)


def turn_on_levels(
        backbone: ConfigDict,
        input_size: Tuple[int, int]) -> Tuple[ConfigDict, Tuple[Feature, ...]]:
    """Make a backbone hand out features of several strides.

    Args:
        backbone: Config of the backbone. Not changed.
        input_size: (w, h) of the input, in px.

    Returns:
        The changed config and its feature maps, coarse to fine.

    Raises:
        SwapRefused: If it has features of one stride only.
    """
    name = type_name(backbone)
    if name not in MULTI_SCALE:
        raise SwapRefused(
            f'swap_head: SRPose cannot be put behind {name}: features of two '
            'or more strides would be needed and it hands out one; use '
            'scheme=\'sr\'')
    backbone = _merged(backbone, MULTI_SCALE[name])
    levels = find_features(backbone, None, input_size)[::-1][:MAX_LEVELS]
    return backbone, levels


def _merged(base: dict, changes: dict) -> ConfigDict:
    """A config with some values replaced, at any depth."""
    merged = ConfigDict(base)
    for key, value in changes.items():
        if isinstance(value, dict):
            value = _merged(merged[key], value)
        merged[key] = value
    return merged
