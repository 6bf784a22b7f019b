"""Configs: where they are, how they load, which class they name."""
from glob import escape
from pathlib import Path
from typing import Any, Iterator, Union

import mmpose
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import init_default_scope

ConfigLike = Union[str, Path, Config]

MMPOSE_MIM = Path(mmpose.__file__).parent / '.mim'
SRPOSE_MIM = Path(__file__).parent / '.mim'

# Arguments of backbones: the channels of the images they process.
CHANNEL_ARGUMENTS = ('in_channels', 'in_chans')
LOADERS = ('LoadImage', 'LoadImageFromFile')


def locate_config(config: Union[str, Path]) -> str:
    """Return the location of a config file from its path or name.

    Args:
        config: Path of a config file, ``PACKAGE::PATH`` for a config of an
            installed package, or the bare name of a config of this package or
            of MMPose's model zoo, with or without ``.py``.

    Returns:
        The given path, or ``PACKAGE::PATH``.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    if '::' in str(config) or Path(config).is_file():
        return str(config)
    name = Path(config).name
    if name == str(config):
        stem = name[:-len('.py')] if name.endswith('.py') else name
        for path in (SRPOSE_MIM / 'configs').rglob(f'{escape(stem)}.py'):
            return str(path)
        folder = MMPOSE_MIM / 'configs'
        for path in folder.rglob(f'{escape(stem)}.py'):
            return f'mmpose::{path.relative_to(folder).as_posix()}'
    raise FileNotFoundError(
        'expected a config file, mmpose::PATH or the name of a config of '
        f'srpose_mm or MMPose, got {str(config)!r}, which does not exist')


def load_config(config: ConfigLike) -> Config:
    """Load the config of a model.

    Args:
        config: A config, which is returned unchanged, or an argument of
            :func:`locate_config`.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config has no model.
    """
    if isinstance(config, Config):
        cfg = config
    else:
        location = locate_config(config)
        load = get_config if '::' in location else Config.fromfile
        cfg = load(location)
    if 'model' not in cfg:
        raise ValueError(f'expected a config with a model, got one with the '
                         f'keys {sorted(cfg)}')
    return cfg


def init_scope(cfg: Config) -> None:
    """Set the default scope of a config, or MMPose's if it has none."""
    init_default_scope(cfg.get('default_scope') or 'mmpose')


def type_name(cfg: dict) -> str:
    """Return the name of the class that a config builds, without a scope."""
    kind = cfg.get('type', '')
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def maps_by_udp(codec: dict) -> bool:
    """Return True if the codec of a config maps pixels as UDP does."""
    return type_name(codec) == 'UDPHeatmap' or bool(codec.get('use_udp'))


def iter_typed(node: Any) -> Iterator[dict]:
    """Yield every dict with a type in nested dicts and lists."""
    if isinstance(node, dict):
        if node.get('type'):
            yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from iter_typed(child)


def input_channels(cfg: Config) -> int:
    """Return the number of channels of the images that a model processes.

    The first of these decides: the backbone's ``in_channels``, a mean of the
    data preprocessor that has several numbers, the ``color_type`` of the
    transform that loads images. Otherwise it is 3.
    """
    backbone = cfg.model.get('backbone') or {}
    for name in CHANNEL_ARGUMENTS:
        if backbone.get(name):
            return backbone[name]
    mean = (cfg.model.get('data_preprocessor') or {}).get('mean') or ()
    # MMEngine subtracts a mean of one number from any number of channels.
    if len(mean) > 1:
        return len(mean)
    for part in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        for step in iter_typed(cfg.get(part)):
            if type_name(step) in LOADERS:
                color = step.get('color_type', 'color')
                return 1 if color.startswith('grayscale') else 3
    return 3
