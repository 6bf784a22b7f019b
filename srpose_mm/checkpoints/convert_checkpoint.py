from functools import lru_cache
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS

from ..version import __version__
from .checkpoint_facts import HEAD, HeadFacts, Shapes, guess_backbone
from .checkpoint_keys import OURS, our_key, to_our_keys
from .safe_checkpoint import (
    StateDict,
    check_input,
    check_out,
    dense_tensors,
    load_checkpoint,
    write_checkpoint,
)

OWNER = 'convert_checkpoint'
BACKBONE = 'backbone.'
CONFIGS = Path(__file__).resolve().parents[1] / '.mim' / 'configs'


class ConfigFit(NamedTuple):
    """A config with the checkpoint's neck and head, and what else differs.

    A key whose shape differs is among both.
    """

    name: str
    missing: Tuple[str, ...]
    unexpected: Tuple[str, ...]


class Conversion(NamedTuple):
    """A checkpoint of the authors' code under this package's keys.

    Fields:
        state_dict: Our key to tensor.
        mapped: The authors' and our key of each tensor.
        dropped_keys: Keys outside ``backbone.`` and ``keypoint_head.``.
        dropped_contents: What the file holds beside the state dict.
        head: The numbers of neck and head.
        backbone: The backbone's name as its tensors suggest, or ``'unknown'``.
        fits: The package's configs with this neck and head, the best first.
    """

    state_dict: StateDict
    mapped: Tuple[Tuple[str, str], ...]
    dropped_keys: Tuple[str, ...]
    dropped_contents: Tuple[str, ...]
    head: HeadFacts
    backbone: str
    fits: Tuple[ConfigFit, ...]

    @property
    def configs(self) -> List[str]:
        """Names of the configs that it loads into strictly."""
        return [
            fit.name for fit in self.fits
            if not (fit.missing or fit.unexpected)
        ]

    def report(self) -> str:
        """What was found, mapped, dropped and missed, line by line."""
        lines = [f'head: {self.head}', f'backbone: {self.backbone}']
        lines += [f'loads strictly into: {name}' for name in self.configs]
        if not self.configs:
            lines.append('loads strictly into: no config of this package; '
                         f'its neck and head are {self.head.configs()}')
            for fit in self.fits[:1]:
                lines.append(f'nearest config: {fit.name}')
                lines += [f'  missed: {key!r}' for key in fit.missing]
                lines += [f'  not in it: {key!r}' for key in fit.unexpected]
        renamed = [pair for pair in self.mapped if pair[0] != pair[1]]
        lines.append(f'mapped: {len(renamed)} tensors renamed, '
                     f'{len(self.mapped) - len(renamed)} of the backbone '
                     'with their own names')
        lines += [f'  {old} -> {new}' for old, new in renamed]
        lines += [f'dropped: key {key!r}' for key in self.dropped_keys]
        lines += [f'dropped: {name!r} of the file'
                  for name in self.dropped_contents]
        return '\n'.join(lines)


def convert_checkpoint(
        checkpoint: Union[str, Path],
        out: Optional[Union[str, Path]] = None) -> Conversion:
    """Convert a checkpoint of the authors' code, an MMPose 0.x plugin.

    SRPose (top-down) and the bottom-up SR head become state dicts for
    :class:`SRPoseNeck` with :class:`SRPoseHead`, and for
    :class:`SRAssociativeEmbeddingHead`. Only tensors and plain values are
    read, so a file of unknown origin cannot run code.

    Args:
        checkpoint: The file.
        out: Where to write ``state_dict`` and ``meta``; ``None`` writes
            nothing. The file appears when all else is done, or not at all.

    Returns:
        The state dict and what is known about it.

    Raises:
        FileNotFoundError: If there is no such file or folder to write to.
        ValueError: If the file is corrupt or holds more than tensors and
            plain values, or if a key of the head is unknown, missing or has
            the wrong shape; names the file and the keys.
    """
    path = Path(checkpoint)
    check_input(path, OWNER)
    if out is not None:
        check_out(Path(out), dict(checkpoint=path), OWNER)
    owner = f'{OWNER}: {path}'
    contents = load_checkpoint(path, OWNER)
    tensors = dense_tensors(contents, owner,
                            'a checkpoint of the authors\' code')
    kept = {k: v for k, v in tensors.items() if k.startswith((BACKBONE, HEAD))}
    state_dict, head = to_our_keys(kept, owner)
    shapes = _shapes_of(state_dict)
    conversion = Conversion(
        state_dict=state_dict,
        mapped=tuple((key, our_key(key)) for key in kept),
        dropped_keys=tuple(key for key in tensors if key not in kept),
        dropped_contents=tuple(
            str(name) for name in contents if name != 'state_dict'),
        head=head,
        backbone=guess_backbone(shapes),
        fits=_find_configs(shapes, head.configs()['head']['type']))
    if out is not None:
        meta = dict(
            converted_from=path.name,
            srpose_mm_version=__version__,
            backbone=conversion.backbone,
            configs=conversion.configs,
            **head._asdict())
        write_checkpoint(
            Path(out), dict(state_dict=state_dict, meta=meta), OWNER)
    return conversion


def _shapes_of(state_dict: StateDict) -> Shapes:
    return {key: tuple(value.shape) for key, value in state_dict.items()}


def _find_configs(shapes: Shapes, head_type: str) -> Tuple[ConfigFit, ...]:
    """The package's configs with a neck and head of these shapes."""
    parts = {k: v for k, v in shapes.items() if k.startswith(OURS)}
    fits = []
    for name, model in _package_models().items():
        if model.head.type != head_type or _build_shapes(
                model, ('neck', 'head')) != parts:
            continue
        expected = {**parts, **_build_shapes(model, ('backbone', ))}
        missing = [k for k, _ in expected.items() - shapes.items()]
        unexpected = [k for k, _ in shapes.items() - expected.items()]
        fits.append(
            ConfigFit(name, tuple(sorted(missing)), tuple(sorted(unexpected))))
    fits.sort(key=lambda fit: (len(fit.missing) + len(fit.unexpected), fit))
    return tuple(fits)


def _build_shapes(model: Config, names: Tuple[str, ...]) -> Shapes:
    """Shapes of the named parts of a model, by key."""
    shapes = {}
    with DefaultScope.overwrite_default_scope('mmpose'):
        for name in names:
            if name in model:
                state_dict = MODELS.build(model[name]).state_dict()
                shapes.update((f'{name}.{key}', tuple(value.shape))
                              for key, value in state_dict.items())
    return shapes


@lru_cache
def _package_models() -> Dict[str, Config]:
    """Name and model of each config that is installed with the package."""
    models = {}
    for path in sorted(CONFIGS.rglob('*.py')):
        if '_base_' not in path.parts:
            models[path.stem] = Config.fromfile(path).model
    return models
