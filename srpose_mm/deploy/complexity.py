"""Count the parameters and operations of a model in its deployed form."""
import copy
from typing import Any, Iterator, NamedTuple, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import Tensor, nn
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
    counts if the model's predictions depend on it: blocks that only training
    needs, such as the coarser levels of :class:`SRPoseHead`, do not count.
    The model is built without weights and runs on tensors that have shapes
    only.

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
    # Weights are not initialised, so nothing is downloaded.
    model = MODELS.build(copy.deepcopy(cfg.model)).eval().to('meta')
    model.requires_grad_(True)
    for module in model.modules():
        # Recomputing activations to save memory is not part of the count, and
        # torch before 2.2 cannot do it on the meta device.
        if hasattr(module, 'with_cp'):
            module.with_cp = False
    images = torch.empty(1, input_channels(cfg), height, width, device='meta')
    counter = FlopCounterMode(display=False)
    with torch.enable_grad():
        with counter:
            outputs = forward_images(model, images)
        sum(output.sum() for output in _tensors(outputs)).backward()
    backbone, others = _count_used(model)
    # The counter counts a multiplication and its addition as two.
    return Complexity(backbone, others, counter.get_total_flops() / 2e9)


def model_input_size(cfg: Config,
                     input_size: Optional[Sequence[int]]) -> Tuple[int, int]:
    """Return the size (w, h) of a model's input images in px.

    Args:
        cfg: Config with a model.
        input_size: Size that has precedence over the codec's.

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


def forward_images(model: nn.Module, images: Tensor) -> Any:
    """Run a pose estimator without decoding.

    Args:
        model: Pose estimator of MMPose.
        images: Normalised images in shape (B, C, H, W).

    Returns:
        The outputs of the head.

    Raises:
        ValueError: If the model cannot process images of this size but those
            of the next multiple of 32.
    """
    try:
        return model(images, None)
    except RuntimeError as err:
        # Backbones such as HRNet add maps of different strides, whose sizes
        # agree only if the input is a multiple of the largest stride.
        size_hw = list(images.shape[-2:])
        fitting_hw = [-(-size // STRIDE) * STRIDE for size in size_hw]
        if fitting_hw == size_hw:
            raise
        forward_images(model, images.new_zeros(*images.shape[:2], *fitting_hw))
        raise ValueError(
            f'{type(model.backbone).__name__}: expected an input size that is '
            f'a multiple of {STRIDE}, got {size_hw[1]}x{size_hw[0]}; use '
            f'{fitting_hw[1]}x{fitting_hw[0]}') from err


def _tensors(outputs: Any) -> Iterator[Tensor]:
    """Yield the tensors with a gradient in nested outputs."""
    if isinstance(outputs, Tensor):
        if outputs.requires_grad:
            yield outputs
        return
    if isinstance(outputs, dict):
        outputs = outputs.values()
    for output in outputs:
        yield from _tensors(output)


def _count_used(model: nn.Module) -> Tuple[int, int]:
    """Count the parameters with a gradient in the backbone and elsewhere."""
    counts = [0, 0]
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            counts[not name.startswith('backbone.')] += parameter.numel()
    return tuple(counts)
