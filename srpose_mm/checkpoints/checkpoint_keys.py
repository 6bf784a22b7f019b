"""The keys of the authors' checkpoints and what they are called here."""
import re
from functools import lru_cache
from typing import Dict, Tuple

import torch
from mmpose.registry import MODELS

from .checkpoint_facts import HEAD, HeadFacts, Shapes, read_head
from .safe_checkpoint import StateDict

# Layers of the authors' heads, and where they are in this package.
LAYERS = {
    'lr_head.0': 'neck.lr_head.0',
    'lr_fuse.0': 'neck.lr_fusion.0',
    'pre_fuse.{i}.{j}': 'neck.laterals.{i}.{j}',
    'pre_interpolate.{i}.0': 'neck.upsamples.{i}.0',
    'pre_interpolate.{i}.1': 'neck.upsamples.{i}.1.0',
    'pre_interpolate.{i}.2': 'neck.upsamples.{i}.1.1',
    'fuse.{i}': 'neck.fusions.{i}',
    'post_fuse.{i}.{j}.{name}': 'neck.refinements.{i}.{j}.{name}',
    'kp_encoder.{i}.0': 'head.sr_blocks.{i}.keypoint_encoder.0',
    'converge.{i}.conv': 'head.sr_blocks.{i}.predictor',
    # bottom-up
    'deconv_layers.{i}': 'head.deconv_layers.{i}',
    'kp_encoder.0': 'head.sr_block.keypoint_encoder.0',
    'heatmap_head': 'head.sr_block.predictor',
    'tag_head': 'head.tag_layer',
}
AUTHORS_LAYERS = {ours: authors for authors, ours in LAYERS.items()}
OURS = ('neck.', 'head.')
# nn.Linear there, a 1x1 convolution here.
LINEAR_WEIGHT = re.compile(r'(keypoint_head|neck)\..*\.pwconv[12]\.weight')
SHOWN_PROBLEMS = 10


def to_our_keys(state_dict: StateDict,
                owner: str = 'to_our_keys') -> Tuple[StateDict, HeadFacts]:
    """Turn the authors' keys into ours.

    Args:
        state_dict: The whole of a head under ``keypoint_head.``; other keys
            stay as they are.
        owner: What messages of errors start with.

    Returns:
        The state dict in the same order, sharing the tensors' memory, and
        the numbers of the head.

    Raises:
        ValueError: If a key of the head is unknown or missing, or has another
            shape than the others ask for; names it.
    """
    facts = _check_head(state_dict, owner)
    ours = {}
    for key, value in state_dict.items():
        if LINEAR_WEIGHT.fullmatch(key):
            value = value[:, :, None, None]
        ours[our_key(key)] = value
    return ours, facts


def to_authors_keys(state_dict: StateDict) -> StateDict:
    """Turn our keys into the authors'; the inverse of :func:`to_our_keys`.

    Args:
        state_dict: The whole of a neck and head under ``neck.`` and
            ``head.``; other keys stay as they are.

    Returns:
        The state dict in the same order, sharing the tensors' memory.

    Raises:
        ValueError: As :func:`to_our_keys`; the names are the authors'.
    """
    authors = {}
    for key, value in state_dict.items():
        if LINEAR_WEIGHT.fullmatch(key) and value.shape[2:] == (1, 1):
            value = value[:, :, 0, 0]
        authors[authors_key(key)] = value
    _check_head(authors, 'to_authors_keys')
    return authors


def our_key(key: str) -> str:
    """Our name of an authors' key, the same outside the head."""
    if not key.startswith(HEAD):
        return key
    return _rename(key[len(HEAD):], LAYERS)


def authors_key(key: str) -> str:
    """The authors' name of our key, the same outside the neck and head."""
    if not key.startswith(OURS):
        return key
    return HEAD + _rename(key, AUTHORS_LAYERS)


def _rename(key: str, layers: Dict[str, str]) -> str:
    """Rename the layer of a key; an unknown one stays as it is."""
    layer, _, tensor = key.rpartition('.')
    for old, new in layers.items():
        pattern = re.sub(r'{(\w+)}', r'(?P<\1>\\w+)', old.replace('.', r'\.'))
        match = re.fullmatch(pattern, layer)
        if match:
            return f'{new.format(**match.groupdict())}.{tensor}'
    return key


def _check_head(state_dict: StateDict, owner: str) -> HeadFacts:
    """Read what a head under the authors' keys is, and check all of it."""
    try:
        facts = read_head({k: tuple(v.shape) for k, v in state_dict.items()})
        expected = _expected_shapes(facts)
    except ValueError as err:
        raise ValueError(f'{owner}: {err}') from err
    head = {k: v for k, v in state_dict.items() if k.startswith(HEAD)}
    problems = [f'unknown key {key!r}' for key in head if key not in expected]
    problems += [f'missing key {key!r}' for key in expected if key not in head]
    for key in head.keys() & expected.keys():
        shape, dtype = tuple(head[key].shape), head[key].dtype
        if shape != expected[key]:
            problems.append(f'{key!r} has shape {shape} instead of '
                            f'{expected[key]}')
        elif dtype.is_floating_point == key.endswith('.num_batches_tracked'):
            problems.append(f'{key!r} has type {dtype}')
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        raise ValueError(
            f'{owner}: expected the {len(expected)} tensors of {facts}, got ' +
            ', '.join(sorted(problems)[:SHOWN_PROBLEMS]) +
            (f' and {more} more' if more > 0 else '') +
            '; give a complete checkpoint of the authors\' code')
    return facts


@lru_cache
def _expected_shapes(facts: HeadFacts) -> Shapes:
    """The tensors of our neck and head, as the authors' code has them."""
    shapes = {}
    try:
        # Tensors of this device have a shape but take no memory.
        with torch.device('meta'):
            modules = {k: MODELS.build(v) for k, v in facts.configs().items()}
    except (RuntimeError, ValueError) as err:
        raise ValueError(
            f'expected numbers that our modules take, got {facts}: {err}'
        ) from err
    for name, module in modules.items():
        for key, value in module.state_dict(prefix=f'{name}.').items():
            key, shape = authors_key(key), tuple(value.shape)
            shapes[key] = shape[:2] if LINEAR_WEIGHT.fullmatch(key) else shape
    return shapes
