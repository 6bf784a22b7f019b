"""Deprecated; use :func:`srpose_mm.checkpoints.load_checkpoint`."""
import re
from pathlib import Path
from typing import Any, Union

from .reading import load_checkpoint


def safe_load(path: Path, owner: str, remedy: str = '') -> Any:
    try:
        return load_checkpoint(path)
    except (FileNotFoundError, ValueError) as err:
        raise type(err)(f'{owner}: {err}') from err


def refuse_url(location: Union[str, Path], what: str, owner: str) -> None:
    if re.match(r'[\w.+-]{2,}:/', str(location)):
        raise ValueError(
            f'{owner}: expected {what} to be a local file, got '
            f'{str(location)!r}; nothing is downloaded, fetch it yourself')
