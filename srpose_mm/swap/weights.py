"""Weights of a stock checkpoint that fit into a swapped model."""
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor

from ..checkpoints import load_weights
from .features import build_shapes
from .stock_model import read_stock_model

LAYERS = ('deconv_layers.', 'conv_layers.')


class KeptWeights(NamedTuple):
    """Weights of a stock model that its swapped model keeps.

    Attributes:
        state_dict: The weights, under the new model's keys.
        kept: The stock key and the new key of each.
        fresh: Keys of the new model that start from its initialization.
        dropped: Keys of the stock model that have no place in the new one.
    """
    state_dict: Dict[str, Tensor]
    kept: Tuple[Tuple[str, str], ...]
    fresh: Tuple[str, ...]
    dropped: Tuple[str, ...]

    def report(self) -> str:
        """Return the number of tensors of each kind, by module."""
        lines = []
        for kind, keys in dict(
                kept=[new for _, new in self.kept],
                fresh=self.fresh,
                dropped=self.dropped).items():
            counts = Counter(
                '.'.join(key.split('.')[:1 + (key[:9] != 'backbone.')])
                for key in keys)
            lines.append(f'{kind}: {len(keys)} tensors')
            lines += [f'  {name}: {n}' for name, n in counts.items()]
        lines += [f'renamed: {old} -> {new}'
                  for old, new in self.kept if old != new]
        return '\n'.join(lines)


def keep_weights(stock: Config, swapped: Config,
                 checkpoint: Union[str, Path]) -> KeptWeights:
    """Select the weights of a stock model that fit into a swapped one.

    These are the backbone's, the neck's if it stays, and the deconvolutions
    and convolutions that both heads have.

    Args:
        stock: The stock config.
        swapped: The config that :func:`swap_head` returned for it.
        checkpoint: A checkpoint of the stock config.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the checkpoint is corrupt, could run code or does not
            have exactly the weights of the stock config.
    """
    model_cfg = deepcopy(stock.model)
    model_cfg.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(model_cfg)
    load_weights(model, checkpoint)
    shapes = {key: value.shape for key, value in build_shapes(
        swapped.model).state_dict().items()}
    deconvs = read_stock_model(stock).deconvs
    same_neck = stock.model.get('neck') == swapped.model.get('neck')
    weights, kept, dropped = {}, [], []
    for key, value in model.state_dict().items():
        new = _new_key(key, deconvs, same_neck)
        if shapes.get(new) == value.shape:
            weights[new] = value
            kept.append((key, new))
        else:
            dropped.append(key)
    fresh = tuple(key for key in shapes if key not in weights)
    return KeptWeights(weights, tuple(kept), fresh, tuple(dropped))


def _new_key(key: str, deconvs: Optional[str], same_neck: bool) -> str:
    """Return the key of a stock weight in the swapped model, or ''."""
    if key.startswith('backbone.') or same_neck and key.startswith('neck.'):
        return key
    if deconvs and key.startswith(tuple(deconvs + name for name in LAYERS)):
        return 'head.' + key[len(deconvs):]
    return ''
