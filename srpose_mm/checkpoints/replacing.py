from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator


@contextmanager
def replacing(target: Path, prefix: str = '.unfinished_') -> Iterator[Path]:
    """Write a file in one step: all of it or nothing.

    What is written lies in a folder of its own beside ``target`` until it is
    whole. A process that is killed leaves that folder, and ``target`` as it
    was.

    Args:
        target: The file to write or replace, in a folder that is there.
        prefix: How the name of the folder starts.

    Yields:
        A file to write, with the ending of ``target``, which becomes
        ``target`` if nothing fails.

    Raises:
        OSError: If ``target`` cannot be replaced.
    """
    with TemporaryDirectory(prefix=prefix, dir=target.parent) as folder:
        # Not the target's name, which can be as long as names get, or a
        # pattern to what writes it.
        unfinished = Path(folder) / f'file{target.suffix}'
        yield unfinished
        unfinished.replace(target)
