"""Weights that a swapped model takes over from a stock checkpoint."""
from typing import Dict, Iterator, List, NamedTuple, Tuple

from mmengine.config import Config

from ..checkpoints.safe_checkpoint import StateDict
from .features import build_shapes
from .stock_model import read_stock_model

LAYERS = ('deconv_layers.', 'conv_layers.')


class TakenWeights(NamedTuple):
    """What a swapped model takes over.

    Attributes:
        state_dict: The weights, under the new model's keys.
        taken: The stock and the new key of each.
        fresh: Keys of the new model that start from its initialisation.
        left: Keys of the checkpoint that the new model has no place for.
    """
    state_dict: StateDict
    taken: Tuple[Tuple[str, str], ...]
    fresh: Tuple[str, ...]
    left: Tuple[str, ...]

    def report(self) -> str:
        """What was taken, starts fresh and was left, by module."""
        lines = [f'taken over: {len(self.taken)} tensors']
        lines += _count_modules([key for _, key in self.taken])
        lines += [f'  {old} -> {new}' for old, new in self.taken if old != new]
        lines.append(f'starts fresh: {len(self.fresh)} tensors')
        lines += _count_modules(self.fresh)
        lines.append(f'left behind: {len(self.left)} tensors')
        lines += _count_modules(self.left)
        return '\n'.join(lines)


def take_weights(stock: Config, swapped: Config,
                 state_dict: StateDict) -> TakenWeights:
    """Find the weights of a stock model that a swapped one has a place for.

    Those are the backbone's, a kept neck's and the deconvolutions and
    convolutions that both heads have.

    Args:
        stock: The stock config.
        swapped: The config that :func:`swap_head` made of it.
        state_dict: The stock model's weights.

    Returns:
        The weights and what becomes of each key.

    Raises:
        ValueError: If a tensor of the backbone has another shape than the
            config says, or no tensor of it is there.
    """
    expected = dict(_shapes(swapped))
    head = read_stock_model(stock).known.deconvs
    same_neck = stock.model.get('neck') == swapped.model.get('neck')
    weights, taken = {}, []
    for key, value in state_dict.items():
        new = _new_key(key, head, same_neck)
        if new not in expected:
            continue
        if tuple(value.shape) == expected[new]:
            weights[new] = value
            taken.append((key, new))
        elif new.startswith('backbone.'):
            raise ValueError(
                f'swap_head: expected {key!r} in shape {expected[new]}, got '
                f'{tuple(value.shape)}; give a checkpoint of this config')
    if not any(key.startswith('backbone.') for key in weights):
        raise ValueError(
            'swap_head: expected a checkpoint with weights of the backbone, '
            f'got {sorted(state_dict)[:3]} and others; give a checkpoint of '
            'this config')
    used = {old for old, _ in taken}
    return TakenWeights(
        weights, tuple(taken),
        tuple(key for key in expected if key not in weights),
        tuple(key for key in state_dict if key not in used))


def _shapes(cfg: Config) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Key and shape of each tensor of a model."""
    for part in ('backbone', 'neck', 'head'):
        if cfg.model.get(part):
            module = build_shapes(cfg.model[part])
            for key, value in module.state_dict().items():
                yield f'{part}.{key}', tuple(value.shape)


def _new_key(key: str, head: str, same_neck: bool) -> str:
    """What a stock key is called in the swapped model; '' if nothing is."""
    if key.startswith('backbone.') or same_neck and key.startswith('neck.'):
        return key
    if head and key.startswith(tuple(head + layer for layer in LAYERS)):
        return 'head.' + key[len(head):]
    return ''


def _count_modules(keys: List[str]) -> List[str]:
    """A line for each part of the model: how many tensors it has."""
    counts: Dict[str, int] = {}
    for key in keys:
        parts = key.split('.')
        name = parts[0] if parts[0] == 'backbone' else '.'.join(parts[:2])
        counts[name] = counts.get(name, 0) + 1
    return [f'  {name}: {count}' for name, count in counts.items()]
