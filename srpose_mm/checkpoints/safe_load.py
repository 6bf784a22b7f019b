"""Read checkpoint files that may be damaged or hostile."""
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Union

import torch

from .checkpoint_globals import knows_aliases
from .restricted_pickle import restricted_load


def safe_load(path: Path,
              owner: str,
              remedy: str = 'get it anew from a source you trust') -> Any:
    """Contents of a file, of which only tensors and plain values are read.

    Args:
        path: The file.
        owner: What messages of errors start with.
        remedy: What messages of errors end with.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or holds anything else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{owner}: expected a checkpoint, got '
                                f'{str(path)!r}, where there is no file')
    with path.open('rb') as stream:
        try:
            _check_sums(stream)
            if knows_aliases():
                return torch.load(
                    stream, map_location='cpu', weights_only=True)
            return restricted_load(stream)
        # A broken pickle can fail in any way.
        except Exception as err:
            # torch's whole message recommends to load the file unsafely.
            reason = re.search(r'(Unsupported[\w :]*|holds )[\w.]+', str(err))
            reason = reason.group() if reason else type(err).__name__
            raise ValueError(
                f'{owner}: {path}: expected a checkpoint of '
                'tensors and plain values, got a file that is damaged or '
                f'could run code ({reason}); {remedy}') from err


def refuse_url(location: Union[str, Path], what: str, owner: str) -> None:
    """Refuse what MMEngine would download.

    Raises:
        ValueError: If ``location`` is the address of something elsewhere.
    """
    if re.match(r'[\w.+-]{2,}:/', str(location)):
        raise ValueError(
            f'{owner}: expected {what} to be a local file, got '
            f'{str(location)!r}; nothing is downloaded, fetch it yourself')


def _check_sums(stream: BinaryIO) -> None:
    """Compare the archive with its checksums, which torch passes over."""
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            changed = archive.testzip()
        if changed is not None:
            raise zipfile.BadZipFile(f'{changed} has changed')
    stream.seek(0)
