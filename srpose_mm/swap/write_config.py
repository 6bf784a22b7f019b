"""Write a config as the lines that differ from its base."""
import os
from pathlib import Path
from typing import Any, List, Tuple

from mmengine.config import Config
from yapf.yapflib.yapf_api import FormatCode

from ..checkpoints import atomic_write
from ..configs import load_config
from ..console import get_logger

# Variables that others in the file refer to, in the order of the file.
NAMED = ('codec', 'train_pipeline', 'train_pipeline_stage2')
FIRST = ('custom_imports', *NAMED)
# Prefix of a string that is written without quotes.
CODE = '@code '
STYLE = dict(
    based_on_style='pep8',
    split_before_expression_after_opening_paren=True,
    dedent_closing_brackets=False)

Names = List[Tuple[str, Any]]


def write_config(cfg: Config, base: str, out: Path, header: str) -> None:
    """Write a config as the lines that differ from another one.

    If the differences cannot be expressed, all lines are written.

    Args:
        cfg: The config.
        base: The file or ``PACKAGE::PATH`` to inherit from.
        out: The file to write.
        header: A comment for the first lines of the file.
    """
    comment = ''.join(f'# {line}\n' for line in header.splitlines())
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
            text = cfg.pretty_text
            unfinished.write_text(text)
            _check(unfinished, cfg)
        unfinished.write_text(comment + text)


def _check(path: Path, cfg: Config) -> None:
    """Check that a file has the contents of a config."""
    if not same_config(Config.fromfile(path), cfg):
        raise ValueError('it reads back as another config')


def same_config(one: Config, other: Config) -> bool:
    """Return True if two configs have equal values.

    The scope that MMEngine adds to values inherited from MMPose is ignored.
    """
    return _unscoped(one) == _unscoped(other)


def _base_line(base: str, out: Path) -> str:
    """Return the line that inherits from ``base``, relative to ``out``."""
    if '::' not in base:
        base = Path(os.path.relpath(base, out.parent)).as_posix()
    return f'_base_ = [\n    {base!r}\n]\n'


def _changed_lines(base: Config, cfg: Config) -> str:
    """Return the lines that turn the base into the config."""
    old, new = base.to_dict(), cfg.to_dict()
    names, lines = [], []
    for key in sorted(new, key=lambda k: FIRST.index(k) if k in FIRST else 99):
        if key in old and old[key] == new[key]:
            continue
        if key in old and key not in NAMED:
            value = _changes(old[key], new[key], names)
        else:
            value = _refer(new[key], names)
        lines.append(f'{key} = {_text(value)}')
        if key in NAMED:
            names.append((key, new[key]))
    if set(old.get('codec', ())) - set(new.get('codec', ())):
        # Lists above refer to the codec without this key.
        lines.append('\n# replaces the inherited codec\n'
                     'codec = dict(codec, _delete_=True)')
    return FormatCode('\n'.join(lines) + '\n', style_config=STYLE)[0]


def _changes(old: Any, new: Any, names: Names) -> Any:
    """Return the value that turns ``old`` into ``new`` when merged into it."""
    value = _refer(new, names)
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return value
    replaced = any(key not in new for key in old)
    if isinstance(value, str):
        name = value[len(CODE):]
        return f'{CODE}dict({name}, _delete_=True)' if replaced else value
    if replaced:
        return dict(_delete_=True, **value)
    return {
        key: _changes(old[key], new[key], names) if key in old else value[key]
        for key in new if key not in old or old[key] != new[key]
    }


def _refer(value: Any, names: Names) -> Any:
    """Replace values that a variable has by its name."""
    for name, named in names:
        if value == named:
            return CODE + name
    if isinstance(value, dict):
        return {k: _refer(v, names) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_refer(v, names) for v in value)
    return value


def _text(value: Any) -> str:
    """Return a value in Python's syntax, with dicts as calls if possible."""
    if isinstance(value, str) and value.startswith(CODE):
        return value[len(CODE):]
    if isinstance(value, dict):
        if all(isinstance(k, str) and k.isidentifier() for k in value):
            items = ', '.join(f'{k}={_text(v)}' for k, v in value.items())
            return f'dict({items})'
        items = ', '.join(f'{k!r}: {_text(v)}' for k, v in value.items())
        return f'{{{items}}}'
    if isinstance(value, (list, tuple)):
        items = ', '.join(map(_text, value))
        if isinstance(value, list):
            return f'[{items}]'
        return f'({items},)' if len(value) == 1 else f'({items})'
    return repr(value)


def _unscoped(value: Any) -> Any:
    """Return plain values without the scope of MMPose."""
    if isinstance(value, Config):
        value = value.to_dict()
    if isinstance(value, dict):
        return {
            k: _unscoped(v)
            for k, v in value.items() if (k, v) != ('_scope_', 'mmpose')
        }
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unscoped, value))
    return value
