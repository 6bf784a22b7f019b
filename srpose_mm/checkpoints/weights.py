"""Put the weights of a checkpoint into a model."""
from collections import OrderedDict
from pathlib import Path
from typing import Any, Dict, NamedTuple, Tuple, Union

import torch
from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn

from .reading import load_checkpoint

StateDict = Dict[str, Tensor]
WRAPPER = 'module.'


class WeightsFit(NamedTuple):
    """Comparison of a checkpoint with the model that it was loaded into.

    Attributes:
        total: Number of the model's tensors.
        missing: Tensors that the checkpoint lacks.
        misshaped: Messages about tensors with another shape.
        unexpected: Tensors of the checkpoint in parts of the model, such as
            the backbone, that have no place for them.
        ignored: Other tensors of the checkpoint.
    """
    total: int
    missing: Tuple[str, ...]
    misshaped: Tuple[str, ...]
    unexpected: Tuple[str, ...]
    ignored: Tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Return True if each tensor has its place."""
        return not (self.missing or self.misshaped or self.unexpected)

    def __str__(self) -> str:
        kinds = {
            f'lacks {{}} of the model\'s {self.total} tensors': self.missing,
            'has {} in another shape': self.misshaped,
            'has {} that are unknown to the model': self.unexpected
        }
        return ' and '.join(
            f'{text.format(len(found))} (such as {found[0].rstrip(".")})'
            for text, found in kinds.items() if found)


def load_weights(model: nn.Module, location: Union[str,
                                                   Path]) -> Dict[str, Any]:
    """Load all weights of a model from a checkpoint.

    The prefix ``module.`` of data-parallel training is removed. The averaged
    weights count if the training had an EMAHook, which saves them as
    ``state_dict``. Tensors outside the model's parts are ignored.

    Args:
        model: A pose estimator, or any module whose keys the checkpoint has.
        location: As for :func:`load_checkpoint`.

    Returns:
        The contents of the checkpoint, whose ``meta`` can have
        ``dataset_meta``.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt or could run code, if a tensor is
            missing, has another shape or has no place in the model, or if a
            weight is NaN or infinite.
    """
    contents = load_checkpoint(location)
    put_weights(model, contents, location)
    return contents


def put_weights(model: nn.Module, contents: Any,
                location: Union[str, Path]) -> None:
    """Put the weights of a checkpoint that was read into a model.

    Args:
        model: As for :func:`load_weights`.
        contents: The contents of the checkpoint.
        location: Name of the checkpoint for error messages.

    Raises:
        ValueError: As for :func:`load_weights`.
    """
    fit = fit_weights(model, contents, location)
    if not fit.is_complete:
        raise ValueError(
            f'{location}: expected the weights of the config\'s model, got a '
            f'checkpoint that {fit}; give the checkpoint of this config')
    for key, value in model.state_dict().items():
        # NaN would give keypoints that look like any other.
        if not torch.isfinite(value).all():
            raise ValueError(
                f'{location}: expected finite weights, got NaN or infinity '
                f'in {key}; the training diverged, give another checkpoint')
    if fit.ignored:
        print_log(
            f'{location}: ignored {len(fit.ignored)} tensors outside the '
            f'model, such as {fit.ignored[0]}', 'current')


def fit_weights(model: nn.Module, contents: Any,
                location: Union[str, Path]) -> WeightsFit:
    """Put the weights that fit into a model, and report the others.

    Args:
        model: As for :func:`load_weights`.
        contents: The contents of the checkpoint.
        location: Name of the checkpoint for error messages.

    Raises:
        ValueError: If the checkpoint has no state dict.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    state_dict = get_state_dict(contents, location)
    keys, misshaped = [], []
    # The hook sees the keys even if load_state_dict fails at shapes, and
    # after MMPose's modules have renamed the keys of old checkpoints.
    handle = model.register_load_state_dict_post_hook(
        lambda _, found: keys.extend(map(tuple, found)))
    try:
        model.load_state_dict(state_dict, strict=False)
    except RuntimeError as err:
        misshaped = str(err).split('\n\t')[1:]
    finally:
        handle.remove()
    missing, extra = keys
    parts = tuple(f'{name}.' for name, _ in model.named_children())
    return WeightsFit(
        total=len(model.state_dict()),
        # As in MMEngine: BatchNorm works without its counter.
        missing=tuple(
            key for key in missing if not key.endswith('num_batches_tracked')),
        misshaped=tuple(misshaped),
        unexpected=tuple(key for key in extra if key.startswith(parts)),
        ignored=tuple(key for key in extra if not key.startswith(parts)))


def get_state_dict(contents: Any, location: Union[str, Path]) -> StateDict:
    """Return the state dict of a checkpoint, without the wrapper's prefix.

    Args:
        contents: The contents of a checkpoint, or a state dict.
        location: Name of the checkpoint for error messages.

    Raises:
        ValueError: If the checkpoint has no state dict, or the state dict has
            values that are not dense tensors.
    """
    source = contents
    if isinstance(contents, dict) and 'state_dict' in contents:
        source = contents['state_dict']
    if not isinstance(source, dict) or not source:
        raise ValueError(f'{location}: expected a state_dict with tensors, '
                         f'got {type(source).__name__}')
    state_dict = OrderedDict()
    for key, value in source.items():
        if (not isinstance(key, str) or not isinstance(value, Tensor)
                or value.layout != torch.strided or value.is_quantized):
            raise ValueError(
                f'{location}: expected a state_dict that maps names to dense '
                f'tensors, got {type(value).__name__} for {key!r}')
        state_dict[_without_wrapper(key)] = value.detach()
    # Versions of the modules, by which MMPose renames old keys.
    versions = getattr(source, '_metadata', None)
    state_dict._metadata = OrderedDict(
        (_without_wrapper(key), value)
        for key, value in (versions or {}).items())
    return state_dict


def _without_wrapper(key: str) -> str:
    return key[len(WRAPPER):] if key.startswith(WRAPPER) else key
