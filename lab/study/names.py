"""Names and command lines of what a study runs."""
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Union

from mmengine.config import DictAction

from srpose_mm.configs import SRPOSE_MIM


def file_name(name: str) -> str:
    """A name of a row or test as a file's, without blanks and signs."""
    return re.sub(r'[^\w.-]+', '_', name)


def relative(path: Union[str, Path]) -> str:
    """A path from where this process runs."""
    return os.path.relpath(path)


def script(name: str) -> str:
    """Where ``tools/train.py`` or ``tools/test.py`` is."""
    return relative((SRPOSE_MIM / 'tools' / f'{name}.py').resolve())


def option_words(options: Dict[str, Any], owner: str) -> List[str]:
    """``cfg_options`` as words of a command line.

    Args:
        options: Keys with dots to values.
        owner: What messages of errors start with.

    Returns:
        ``['--cfg-options', 'key=value', ...]``, or nothing without options.

    Raises:
        ValueError: If a value has no form on a command line.
    """
    words = [f'{key}={_word(key, value, owner)}'
             for key, value in options.items()]
    return ['--cfg-options', *words] if words else []


def _word(key: str, value: Any, owner: str) -> str:
    text = str(value)
    if isinstance(value, (list, tuple)):
        # MMEngine's parser takes quotes for letters and drops blanks.
        text = text.replace("'", '').replace(' ', '')
    try:
        parsed = DictAction._parse_iterable(text)
    except AssertionError:  # brackets that do not match
        parsed = None
    if parsed != value or type(parsed) is not type(value):
        raise ValueError(
            f'{owner}: expected a value of {key} that --cfg-options can say, '
            'a number, word, None, list or tuple, without blanks, got '
            f'{value!r}; write the keys of a dict out, as {key}.KEY, and put '
            'other values into the config')
    return text
