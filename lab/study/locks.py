import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[Optional[int]]:
    """Keep other processes of the study from a folder.

    No file is made. The lock ends with this process and with those that it
    gave the descriptor to, however they end.

    Args:
        folder: A folder that is there.
        wait: Whether to wait until nobody else has it.

    Yields:
        The folder's descriptor; ``None`` if another process has it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor,
                        fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)
