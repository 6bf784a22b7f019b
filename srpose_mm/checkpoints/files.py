"""Write files in one step, and choose the checkpoint to resume from."""
import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

import torch
from mmengine.fileio import LocalBackend, register_backend

UNFINISHED = '.unfinished_checkpoint_'


@contextmanager
def atomic_write(path: Path, prefix: str = '.unfinished_') -> Iterator[Path]:
    """Write a file completely or not at all.

    The file is written in a temporary folder beside ``path``. If the process
    is killed, that folder remains and ``path`` is unchanged.

    Args:
        path: The file to create or replace, in an existing folder.
        prefix: Start of the folder's name.

    Yields:
        The temporary file to write, which has the suffix of ``path``. It
        becomes ``path`` when the block ends without an error.
    """
    with TemporaryDirectory(prefix=prefix, dir=path.parent) as folder:
        # The name of path can be as long as names get, or hold a pattern.
        unfinished = Path(folder) / f'file{path.suffix}'
        yield unfinished
        unfinished.replace(path)


def check_out(out: Path, *sources: Union[str, Path]) -> None:
    """Check that a file can be written before long work begins.

    Args:
        out: The file to write.
        sources: Files that are read, which ``out`` must not replace.

    Raises:
        FileNotFoundError: If the folder of ``out`` does not exist.
        ValueError: If ``out`` is a folder or one of the sources.
    """
    if not out.parent.is_dir():
        raise FileNotFoundError(
            f'expected out in an existing folder, got {str(out)!r}; create '
            'the folder')
    replaced = out.exists() and any(
        Path(source).exists() and out.samefile(source) for source in sources)
    if out.is_dir() or replaced:
        raise ValueError(
            'expected out to be a file other than those that are read, got '
            f'{str(out)!r}; choose another name')


def save_checkpoint(contents: Dict[str, Any], path: Union[str, Path]) -> None:
    """Write a checkpoint completely or not at all.

    Raises:
        OSError: If the checkpoint cannot be written.
    """
    with atomic_write(Path(path)) as unfinished:
        try:
            torch.save(contents, unfinished)
        except RuntimeError as err:
            raise OSError(f'{path}: cannot write the checkpoint, perhaps for '
                          f'lack of space ({err})') from err


@register_backend('AtomicFileBackend')
class AtomicFileBackend(LocalBackend):
    """Local files that are written completely or not at all.

    ``LocalBackend`` opens the file itself: a process that is killed leaves
    half a file in place of the previous one.
    """

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        """Write bytes to a file and create its folder if needed."""
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, UNFINISHED) as unfinished:
            unfinished.write_bytes(obj)

    def put_text(self,
                 obj: str,
                 filepath: Union[str, Path],
                 encoding: str = 'utf-8') -> None:
        """Write text to a file, as :meth:`put` does."""
        self.put(obj.encode(encoding), filepath)


def load_resumable(location: Union[str, Path]) -> Dict[str, Any]:
    """Read a checkpoint that a training can resume from.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, could run code, or holds weights
            only.
    """
    # Reading writes downloads with atomic_write.
    from .reading import load_checkpoint
    contents = load_checkpoint(location)
    meta = contents.get('meta') if isinstance(contents, dict) else None
    for part, keys in ((contents, ('state_dict', 'message_hub', 'meta')),
                       (meta, ('epoch', 'iter'))):
        for key in keys:
            if not isinstance(part, dict) or key not in part:
                raise ValueError(
                    f'{location}: expected the checkpoint of a training, got '
                    f'one without {key}; to start from its weights give the '
                    'checkpoint as load_from and do not resume')
    # Runner.resume executes that text. MMEngine 1.x never writes it.
    if 'config' in meta:
        raise ValueError(
            f'{location}: expected a checkpoint without code, got one with a '
            'config in its meta, which MMEngine would run; resume from '
            'another one, or give it as load_from and do not resume')
    return contents


def recorded_checkpoint(work_dir: Path, folder: Path) -> Optional[Path]:
    """Return the checkpoint that the file ``last_checkpoint`` names.

    Args:
        work_dir: Folder of ``last_checkpoint``. If the training was killed,
            that file can be empty.
        folder: Folder of the checkpoints.
    """
    record = work_dir / 'last_checkpoint'
    text = record.read_text().strip() if record.is_file() else ''
    if not text:
        return None
    last = Path(text)
    # If the folder was copied or moved, its own checkpoint counts.
    here = folder / last.name
    return last if last.is_file() and not here.is_file() else here


def older_checkpoints(last: Optional[Path], folder: Path,
                      template: str) -> List[Path]:
    """List the checkpoints of a training, the newest first.

    Args:
        last: The checkpoint that the others are older than. Checkpoints with
            a higher number belong to another training. ``None`` lists all.
        folder: Folder of the checkpoints.
        template: Name of a checkpoint, with ``{}`` for the epoch or iteration.
    """
    name = re.compile(re.escape(template).replace(r'\{\}', r'(\d+)'))
    matches = [(name.fullmatch(path.name), path) for path in folder.glob('*')]
    by_number = {int(match[1]): path for match, path in matches if match}
    match = last and name.fullmatch(last.name)
    end = int(match[1]) if match else float('inf')
    return [
        by_number[number] for number in sorted(by_number, reverse=True)
        if number < end
    ]


def first_intact(paths: List[Path],
                 report: Callable[[str], None]) -> Optional[Path]:
    """Return the first checkpoint that a training can resume from.

    Args:
        paths: The checkpoints, the newest first.
        report: Receives a sentence about each checkpoint that is not intact.
    """
    for path in paths:
        try:
            load_resumable(path)
            return path
        except (OSError, ValueError) as err:
            report(str(err))
    return None
