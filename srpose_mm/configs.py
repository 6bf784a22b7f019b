from glob import escape
from pathlib import Path
from typing import Union

from mmengine.config import Config
from mmengine.hub import get_config

from .mmpose_tools import MMPOSE_MIM, SRPOSE_MIM

ConfigLike = Union[str, Path, Config]


def locate_config(config: Union[str, Path], owner: str) -> str:
    """Find a config file by its path or name.

    Args:
        config: A config file; ``PACKAGE::PATH`` for one that an installed
            package brings; or the bare name of a config of this package or
            of MMPose's model zoo, with or without ``.py``.
        owner: What messages of errors start with.

    Returns:
        The file as it was given, or ``PACKAGE::PATH``.

    Raises:
        FileNotFoundError: If there is no such file.
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
        f'{owner}: expected config to be a config file, a name such as '
        'mmpose::PATH or the bare name of a config of srpose_mm or MMPose, '
        f'got {str(config)!r}, where there is no file')


def load_config(config: ConfigLike, owner: str) -> Config:
    """Load a config that has a model.

    Args:
        config: A config, which is returned as it is, or what
            :func:`locate_config` finds.
        owner: What messages of errors start with.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the config has no model.
    """
    if isinstance(config, Config):
        cfg = config
    else:
        location = locate_config(config, owner)
        load = get_config if '::' in location else Config.fromfile
        cfg = load(location)
    if 'model' not in cfg:
        raise ValueError(f'{owner}: expected a config with a model, got one '
                         f'with {sorted(cfg)}')
    return cfg


def type_name(cfg: dict) -> str:
    """The class that a config asks for, without its scope."""
    kind = cfg.get('type', '')
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__
