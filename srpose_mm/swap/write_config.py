"""Write a config as the few lines that differ from another one."""
import os
from pathlib import Path
from typing import Any, List, Optional, Tuple

from mmengine.config import Config
from mmengine.logging import MMLogger
from yapf.yapflib.yapf_api import FormatCode

from ..configs import load_config

# Variables that others in the file refer to, in the order of the file.
NAMED = ('codec', 'train_pipeline', 'train_pipeline_stage2')
FIRST = ('custom_imports', *NAMED)
STYLE = dict(
    based_on_style='pep8',
    split_before_expression_after_opening_paren=True,
    dedent_closing_brackets=False)

Names = List[Tuple[str, Any]]


class _Source(str):
    """Text that is written as it is, without quotes."""


def write_config(cfg: Config, base: Optional[str], out: Path,
                 header: str) -> None:
    """Write a config.

    Args:
        cfg: The config.
        base: The file or ``PACKAGE::PATH`` to inherit from. The whole config
            is written where that cannot express it, or without a base.
        out: The file to write.
        header: What the file says of itself, a line or more.
    """
    comment = ''.join(f'# {line}\n' for line in header.splitlines())
    if base is not None:
        try:
            out.write_text(comment + _difference(cfg, base, out))
            if same_config(Config.fromfile(out), cfg):
                return
            reason = 'it reads back as another config'
        # A value without a literal fails in any way.
        except Exception as err:
            reason = f'{type(err).__name__}: {err}'
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.info(f'{out} is written whole, not as what differs from '
                    f'{base}: {reason}')
    out.write_text(comment + cfg.pretty_text)


def same_config(one: Config, other: Config) -> bool:
    """Whether two configs say the same.

    Args:
        one: A config. The scope that MMEngine adds to what is inherited from
            MMPose does not count.
        other: Another one.
    """
    return _same(_unscoped(one), _unscoped(other))


def _difference(cfg: Config, base: str, out: Path) -> str:
    """The text of a config that inherits from ``base``."""
    source, base = _load_base(base, out)
    old, new = source.to_dict(), cfg.to_dict()
    names, appended, lines = [], '', [f'_base_ = [{base!r}]']
    for key in sorted(new, key=lambda k: FIRST.index(k) if k in FIRST else 99):
        value = new[key]
        if key in old and _same(old[key], value):
            continue
        if key == 'codec' and key in old and set(old[key]) - set(value):
            # Lists below take the codec as it is, without this key.
            appended = '\n# in the place of the inherited one\n' \
                       'codec = dict(codec, _delete_=True)'
        if key in old and key not in NAMED:
            value = _changes(old[key], value, names)
        else:
            value = _refer(value, names)
        lines.append(f'{key} = {_text(value)}')
        if key in NAMED:
            names.append((key, new[key]))
    text, _ = FormatCode('\n'.join([*lines, appended]), style_config=STYLE)
    return text


def _load_base(base: str, out: Path) -> Tuple[Config, str]:
    """The base's config and what the new file calls it."""
    cfg = load_config(base)
    if '::' not in base:
        base = Path(os.path.relpath(base, out.parent)).as_posix()
    return cfg, base


def _changes(old: Any, new: Any, names: Names) -> Any:
    """What to merge into ``old``, by MMEngine's rules, to get ``new``."""
    value = _refer(new, names)
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return value
    replaced = any(key not in new for key in old)
    if isinstance(value, _Source):
        return _Source(f'dict({value}, _delete_=True)') if replaced else value
    if replaced:
        return dict(_delete_=True, **value)
    return {
        key: _changes(old[key], new[key], names) if key in old else value[key]
        for key in new if key not in old or not _same(old[key], new[key])
    }


def _refer(value: Any, names: Names) -> Any:
    """Put names in the place of values that variables have."""
    for name, named in names:
        if _same(value, named):
            return _Source(name)
    if isinstance(value, dict):
        return {k: _refer(v, names) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_refer(v, names) for v in value)
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal and so are their types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _unscoped(value: Any) -> Any:
    """Plain values without the scope of MMPose."""
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


def _text(value: Any) -> str:
    """A value as Python writes it, dicts as calls where they can be."""
    if isinstance(value, _Source):
        return str(value)
    if isinstance(value, dict):
        if all(isinstance(k, str) and k.isidentifier() for k in value):
            items = ', '.join(f'{k}={_text(v)}' for k, v in value.items())
            return f'dict({items})'
        items = ', '.join(f'{k!r}: {_text(v)}' for k, v in value.items())
        return f'{{{items}}}'
    if isinstance(value, list):
        return f'[{", ".join(map(_text, value))}]'
    if isinstance(value, tuple):
        return f'({", ".join(map(_text, value))}{"," * (len(value) == 1)})'
    return repr(value)
