"""The feature maps that a backbone hands out, without computing any."""
from typing import Any, Dict, NamedTuple, Optional, Tuple

import torch
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import nn


class Feature(NamedTuple):
    """Channels, width and height of a feature map."""
    channels: int
    width: int
    height: int


# Many configs share a backbone, and to build one takes a second.
_found: Dict[str, Tuple[Feature, ...]] = {}


def build_shapes(cfg: dict) -> nn.Module:
    """Build a module whose tensors have shapes only, on the meta device.

    Args:
        cfg: Config of the module, of MMPose's registry. Not changed.
    """
    with DefaultScope.overwrite_default_scope('mmpose'):
        try:
            with torch.device('meta'):
                module = MODELS.build(cfg)
        except RuntimeError:
            # Some constructors compute with the numbers in their tensors.
            module = MODELS.build(cfg).to('meta')
    module.eval()  # not all of MMPose's return themselves
    return module


def find_features(backbone: dict, neck: Optional[dict],
                  input_size: Tuple[int, int]) -> Tuple[Feature, ...]:
    """The feature maps of a backbone, or of a neck behind it.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck; ``None`` for none.
        input_size: (w, h) of the input, in px.

    Returns:
        The maps in the order in which they come.
    """
    key = repr((backbone, neck, tuple(input_size)))
    if key not in _found:
        _found[key] = _run(backbone, neck, input_size)
    return _found[key]


def _run(backbone: dict, neck: Optional[dict],
         input_size: Tuple[int, int]) -> Tuple[Feature, ...]:
    width, height = input_size
    image = torch.empty(1, 3, height, width, device='meta')
    with torch.no_grad():
        outputs: Any = build_shapes(backbone)(image)
        if neck is not None:
            outputs = build_shapes(neck)(outputs)
    if isinstance(outputs, torch.Tensor):
        outputs = [outputs]
    return tuple(
        Feature(out.shape[1], out.shape[3], out.shape[2]) for out in outputs)
