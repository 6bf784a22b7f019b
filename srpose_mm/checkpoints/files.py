"""Write files completely or not at all."""
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterator, Union

import torch
from mmengine.fileio import LocalBackend, register_backend

UNFINISHED = '.unfinished_checkpoint_'


@contextmanager
def atomic_write(path: Path, prefix: str = '.unfinished_') -> Iterator[Path]:
    """Write a file completely or not at all.

    If the process is killed, a temporary folder remains beside ``path``, and
    ``path`` is unchanged.

    Args:
        path: The file to create or replace, in an existing folder.
        prefix: Start of the temporary folder's name.

    Yields:
        The file to write, which has the suffix of ``path`` and becomes
        ``path`` when the block ends without an error.
    """
    with TemporaryDirectory(prefix=prefix, dir=path.parent) as folder:
        # The name of path can be as long as names get, or hold a pattern.
        unfinished = Path(folder) / f'file{path.suffix}'
        yield unfinished
        unfinished.replace(path)


def check_out(out: Path, *sources: Union[str, Path]) -> None:
    """Check that a file can be written, before long work begins.

    Args:
        out: The file to write.
        sources: Files or URLs that are read, which ``out`` must not replace.

    Raises:
        FileNotFoundError: If the folder of ``out`` does not exist.
        ValueError: If ``out`` is a folder or one of the sources.
    """
    if not out.parent.is_dir():
        raise FileNotFoundError(f'expected out in an existing folder, got '
                                f'{str(out)!r}; create the folder')
    if out.is_dir() or out.resolve() in [Path(s).resolve() for s in sources]:
        raise ValueError('expected out to be a file other than those that are '
                         f'read, got {str(out)!r}; choose another name')


def save_checkpoint(contents: Dict[str, Any], path: Union[str, Path]) -> None:
    """Write a checkpoint completely or not at all.

    Raises:
        OSError: If the checkpoint cannot be written.
    """
    with atomic_write(Path(path)) as unfinished:
        try:
            torch.save(contents, unfinished)
        except RuntimeError as err:
            raise OSError(f'{path}: cannot write the checkpoint ({err}); is '
                          'there space left?') from err


@register_backend('AtomicFileBackend')
class AtomicFileBackend(LocalBackend):
    """Local files that are written completely or not at all.

    If a process is killed, ``LocalBackend`` leaves half a file in place of the
    previous one.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a file and create its folder if needed."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, UNFINISHED) as unfinished:
            unfinished.write_bytes(obj)
