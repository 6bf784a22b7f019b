from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from .replacing import replacing

UNFINISHED = '.unfinished_checkpoint_'


@register_backend('WholeFileBackend')
class WholeFileBackend(LocalBackend):
    """Local files that get their names when all of them is written.

    ``LocalBackend`` opens the file itself, so a process that is killed leaves
    half of it, in the place of what was there before.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to ``filepath``, whose folder is made if need be."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, UNFINISHED) as unfinished:
            unfinished.write_bytes(obj)

    def put_text(self,
                 obj: str,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> None:
        """Write text to ``filepath``, as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)
