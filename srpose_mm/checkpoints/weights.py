"""Put the weights of a checkpoint into a model."""
import re
from collections import OrderedDict
from typing import Any, Dict, Optional

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import Tensor, nn
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from .reading import CheckpointError, Location, load_checkpoint

StateDict = Dict[str, Tensor]
MISSHAPED = r'size mismatch for (\S+): .*?(\[.*?\]).*?(\[.*?\]).*'


def load_weights(model: nn.Module,
                 location: Location,
                 contents: Optional[Any] = None) -> Any:
    """Load all weights of a model from a checkpoint.

    The prefix ``module.`` of data-parallel training is removed. If the
    training averaged its weights (EMAHook), the averaged ones are loaded:
    MMEngine saves them as ``state_dict``. Tensors outside the model's parts
    (backbone, neck, head, …) are ignored.

    Args:
        model: A pose estimator, or another module with the checkpoint's keys.
        location: As for :func:`load_checkpoint`.
        contents: The contents of the checkpoint, if they are read already.

    Returns:
        The contents, whose ``meta`` can have ``dataset_meta``.

    Raises:
        FileNotFoundError: If the file does not exist.
        CheckpointError: If the file is corrupt or could run code, if a tensor
            is missing, has another shape or is unknown to the model, or if a
            weight is NaN or infinite.
    """
    if contents is None:
        contents = load_checkpoint(location)
    problems = load_matching_weights(model, location, contents)
    if problems:
        raise CheckpointError(
            f'{location}: expected the weights of the config\'s model, got a '
            f'checkpoint that {problems}; give the checkpoint of this config')
    for key, value in model.state_dict().items():
        # NaN would give keypoints that look like any other.
        if not torch.isfinite(value).all():
            raise CheckpointError(
                f'{location}: expected finite weights, got NaN or infinity '
                f'in {key}; the training diverged, give another checkpoint')
    return contents


def load_matching_weights(model: nn.Module, location: Location,
                          contents: Any) -> str:
    """Load the weights that fit, and describe those that do not.

    Returns:
        The end of a sentence that begins with "The checkpoint", or ``''`` if
        all weights fit.
    """
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    keys, misshaped = [], []
    # The hook sees the keys after MMPose has renamed those of old versions,
    # and even if load_state_dict fails because of shapes.
    hook = model.register_load_state_dict_post_hook(
        lambda _, found: keys.extend(map(list, found)))
    try:
        model.load_state_dict(get_state_dict(contents, location), strict=False)
    except RuntimeError as err:
        misshaped = str(err).split('\n\t')[1:]
    finally:
        hook.remove()
    parts = tuple(f'{name}.' for name, _ in model.named_children())
    # As in MMEngine: BatchNorm works without its counter.
    total, missing = (
        [key for key in names if not key.endswith('num_batches_tracked')]
        for names in (model.state_dict(), keys[0]))
    problems = {
        f'lacks {{}} of the model\'s {len(total)} tensors': missing,
        'has {} of another shape':
        [re.sub(MISSHAPED, r'\1, \2 instead of \3', m) for m in misshaped],
        'has {} unknown to the model':
        [key for key in keys[1] if key.startswith(parts)]
    }
    return ' and '.join(
        f'{text.format(len(found))} (such as {found[0]})'
        for text, found in problems.items() if found)


def get_state_dict(contents: Any, location: Location) -> StateDict:
    """Return the state dict of a checkpoint, without the prefix ``module.``.

    Args:
        contents: The contents of a checkpoint, or a state dict.
        location: Name of the checkpoint for error messages.

    Raises:
        CheckpointError: If the contents have no state dict of dense tensors.
    """
    weights = contents
    if isinstance(contents, dict) and 'state_dict' in contents:
        weights = contents['state_dict']
    if not isinstance(weights, dict):
        raise CheckpointError(f'{location}: expected a dict with a state_dict,'
                              f' got {type(weights).__name__}')
    for key, value in weights.items():
        if (not isinstance(key, str) or not isinstance(value, Tensor)
                or value.layout != torch.strided or value.is_quantized):
            raise CheckpointError(
                f'{location}: expected a state_dict that maps names to dense '
                f'tensors, got {type(value).__name__} for {key!r}')
    state_dict = OrderedDict(weights)
    # The versions of modules, by which MMPose renames the keys of old ones.
    state_dict._metadata = dict(getattr(weights, '_metadata', {}))
    consume_prefix_in_state_dict_if_present(state_dict, 'module.')
    return state_dict
