"""Count the parameters and operations of a model in its deployed form."""
import copy
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import Tensor
from torch.utils._pytree import tree_flatten
from torch.utils.flop_counter import FlopCounterMode

from ..configs import ConfigLike, init_scope, input_channels, load_config

# Largest stride of the usual backbones.
STRIDE = 32


class Complexity(NamedTuple):
    """Parameters and operations of a model in its deployed form.

    Attributes:
        backbone_params: Number of parameters of the backbone.
        other_params: Number of parameters of neck and head.
        gflops: Multiply-accumulates per image, in billions.
    """
    backbone_params: int
    other_params: int
    gflops: float


def measure_complexity(
        config: ConfigLike,
        input_size: Optional[Sequence[int]] = None) -> Complexity:
    """Count the parameters and multiply-accumulates of a deployed model.

    Only convolutions and matrix products count as operations. A parameter
    counts if the model's outputs depend on it: blocks that only training
    needs, such as the coarser levels of :class:`SRPoseHead`, do not count.
    The model runs on the meta device, without weights.

    Args:
        config: Config, or an argument of
            :func:`srpose_mm.configs.locate_config`.
        input_size: Image size (w, h) in px. If it is ``None``, the codec's.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config has no model or no input size, or if the
            model cannot process images of this size.
    """
    cfg = load_config(config)
    width, height = model_input_size(cfg, input_size)
    init_scope(cfg)
    # Weights are not initialized, so nothing is downloaded.
    model = MODELS.build(copy.deepcopy(cfg.model)).eval().to('meta')
    model.requires_grad_(True)
    for module in model.modules():
        # Recomputed activations do not count, and torch before 2.2 cannot
        # recompute on the meta device.
        if hasattr(module, 'with_cp'):
            module.with_cp = False
    images = torch.empty(1, input_channels(cfg), height, width, device='meta')
    counter = FlopCounterMode(display=False)
    with torch.enable_grad():
        with counter:
            outputs = forward_images(
                partial(model, data_samples=None), images,
                type(model.backbone).__name__)
        tensors = tree_flatten(outputs)[0]
        sum(out.sum() for out in tensors if out.requires_grad).backward()
    # Parameters of the backbone, and of neck and head.
    counts = [0, 0]
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            counts[not name.startswith('backbone.')] += parameter.numel()
    # The counter counts a multiplication and its addition as two.
    return Complexity(*counts, counter.get_total_flops() / 2e9)


def model_input_size(cfg: Config,
                     input_size: Optional[Sequence[int]]) -> Tuple[int, int]:
    """Return ``input_size``, or the codec's if it is ``None``.

    Sizes are (w, h) in px.

    Raises:
        ValueError: If no size is given and no codec has one, or if the size
            is not a pair of positive numbers.
    """
    if input_size is None:
        head = cfg.model.get('head') or {}
        codec = head.get('decoder') or cfg.get('codec') or {}
        # Models with several stages have one codec per stage.
        codec = codec[-1] if isinstance(codec, list) else codec
        input_size = codec.get('input_size')
    if input_size is None:
        raise ValueError('expected a codec with an input_size in the config, '
                         'got none; give input_size')
    if len(input_size) != 2 or min(input_size) < 1:
        raise ValueError('expected input_size to be a positive (width, '
                         f'height), got {tuple(input_size)}')
    return tuple(input_size)


def forward_images(model: Callable[[Tensor], Any], images: Tensor,
                   name: str) -> Any:
    """Return a model's outputs for images (B, C, h, w).

    Args:
        model: Function or module that processes images.
        images: Normalized images, or a tensor on the meta device.
        name: Class of the backbone, for the error.

    Raises:
        ValueError: If the model cannot process images of this size, but can
            process those of the next multiple of 32, which the error names.
    """
    try:
        return model(images)
    except (AssertionError, RuntimeError) as err:
        # Backbones such as HRNet add maps of different strides, whose sizes
        # agree only if the input is a multiple of the largest stride.
        size_hw = list(images.shape[-2:])
        fitting_hw = [-(-size // STRIDE) * STRIDE for size in size_hw]
        if fitting_hw == size_hw:
            raise
        model(images.new_zeros(*images.shape[:2], *fitting_hw))
        raise ValueError(
            f'{name}: expected an input size that is a multiple of {STRIDE}, '
            f'got {size_hw[1]}x{size_hw[0]}; use '
            f'{fitting_hw[1]}x{fitting_hw[0]}') from err
