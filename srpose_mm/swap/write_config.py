"""Write a config as the lines that differ from its base."""
import os
from pathlib import Path
from typing import Any, Dict

from mmengine.config import Config
from yapf.yapflib.yapf_api import FormatCode

from ..checkpoints import atomic_write
from ..configs import load_config
from ..console import get_logger

# Variables that later lines refer to, in the order of the file.
NAMED = ('codec', 'train_pipeline', 'train_pipeline_stage2')
FIRST = ('custom_imports', *NAMED)
STYLE = dict(
    based_on_style='pep8', split_before_expression_after_opening_paren=True)


def write_config(cfg: Config, base: str, out: Path, header: str) -> None:
    """Write a config as the lines that differ from another one.

    If the differences cannot be expressed, all lines are written.

    Args:
        cfg: The config.
        base: The file or ``PACKAGE::PATH`` to inherit from.
        out: The file to write.
        header: A comment for the first line of the file.

    Raises:
        ValueError: If a value of the config has no literal.
    """
    with atomic_write(out) as unfinished:
        try:
            changes = _changed_lines(load_config(base), cfg)
            unfinished.write_text(_base_line(base, unfinished) + changes)
            _check(unfinished, cfg)
            text = _base_line(base, out) + changes
        # A value without a literal fails in any way.
        except Exception as err:
            get_logger().info(f'{out} inherits nothing from {base} '
                              f'({type(err).__name__}: {err})')
            text = _all_lines(cfg, unfinished)
        unfinished.write_text(f'# {header}\n{text}')


def same_config(one: Config, other: Config) -> bool:
    """Return True if two configs have equal values.

    The scope that MMEngine adds to values inherited from MMPose is ignored.
    """
    return _unscoped(one.to_dict()) == _unscoped(other.to_dict())


def _all_lines(cfg: Config, path: Path) -> str:
    """Return the lines of a config without a base, checked in a file."""
    try:
        text = cfg.pretty_text
        path.write_text(text)
        _check(path, cfg)
    # A function or an object has no literal.
    except Exception as err:
        raise ValueError('expected a config whose values have literals, got '
                         f'one that fails with {type(err).__name__}: '
                         f'{err}') from err
    return text


def _check(path: Path, cfg: Config) -> None:
    """Check that a file has the contents of a config."""
    if not same_config(Config.fromfile(path), cfg):
        raise ValueError('it reads back as another config')


def _unscoped(value: Any) -> Any:
    """Return plain values without the scope of MMPose."""
    if isinstance(value, dict):
        return {
            k: _unscoped(v)
            for k, v in value.items() if (k, v) != ('_scope_', 'mmpose')
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unscoped, value))
    return value


def _base_line(base: str, out: Path) -> str:
    """Return the line that inherits from ``base``, relative to ``out``."""
    if '::' not in base:
        base = Path(os.path.relpath(base, out.parent)).as_posix()
    return f'_base_ = [\n    {base!r}\n]\n'


def _changed_lines(base: Config, cfg: Config) -> str:
    """Return the lines that turn the base into the config."""
    old, new = base.to_dict(), cfg.to_dict()
    # Expressions of earlier lines, and their values.
    names: Dict[str, Any] = {}
    lines = []
    for key in sorted(new, key=lambda k: FIRST.index(k) if k in FIRST else 99):
        value = new[key]
        if key in old and old[key] == value:
            continue
        if key not in NAMED:
            value = _difference(old.get(key), value, names)
        lines.append(f'{key} = {_text(value, names)}')
        if key in NAMED:
            names[key] = value
        if key == 'codec':
            # A decoder is replaced, so that a user can edit the codec safely.
            names['dict(codec, _delete_=True)'] = dict(value, _delete_=True)
    if set(old.get('codec', ())) - set(new.get('codec', ())):
        # Lists above refer to the codec without this key.
        lines.append('\n# replaces the inherited codec\n'
                     'codec = dict(codec, _delete_=True)')
    return FormatCode('\n'.join(lines) + '\n', style_config=STYLE)[0]


def _difference(old: Any, new: Any, names: Dict[str, Any]) -> Any:
    """Return the value that turns ``old`` into ``new`` when merged into it."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    if set(old) - set(new) or new in names.values():
        return {'_delete_': True, **new}
    return {
        key: _difference(old.get(key), value, names)
        for key, value in new.items() if key not in old or old[key] != value
    }


def _text(value: Any, names: Dict[str, Any]) -> str:
    """Return a value in Python's syntax, by its name if it has one."""
    for name, named in names.items():
        if value == named:
            return name
    if isinstance(value, dict):
        texts = {key: _text(item, names) for key, item in value.items()}
        if all(isinstance(key, str) and key.isidentifier() for key in texts):
            items = ', '.join(f'{key}={text}' for key, text in texts.items())
            return f'dict({items})'
        items = ', '.join(f'{key!r}: {text}' for key, text in texts.items())
        return f'{{{items}}}'
    if isinstance(value, (list, tuple)):
        items = ', '.join(_text(item, names) for item in value)
        if isinstance(value, list):
            return f'[{items}]'
        return f'({items},)' if len(value) == 1 else f'({items})'
    return repr(value)
