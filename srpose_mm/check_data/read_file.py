import json
from pathlib import Path
from typing import Any, Union

from .findings import Findings


def read_file(path: Union[str, Path], findings: Findings) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        findings: Gets the faults.

    Returns:
        What is in it, or ``None`` if it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        findings.add('no_file', 'no such file', path)
        return None
    try:
        return json.loads(path.read_text('utf-8'))
    except (ValueError, RecursionError) as err:
        what = 'the file is empty' if not path.stat().st_size else str(err)
        findings.add('broken_json', what, path)
        return None


def is_list_of_dicts(value: Any) -> bool:
    """Whether it is what files of annotations and detections are made of."""
    return isinstance(value, list) and all(isinstance(v, dict) for v in value)


def is_number(value: Any) -> bool:
    """Whether it is a number, NaN and infinity too."""
    return isinstance(value, (int, float))
