"""Find the checkpoint to resume from among those that a training left."""
import re
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

from .safe_load import safe_load

NEEDED = ('state_dict', 'message_hub', 'meta')


def load_resumable(path: Path, owner: str) -> dict:
    """Read what a training resumes from.

    Args:
        path: The checkpoint.
        owner: What messages of errors start with.

    Returns:
        Its contents.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, could run code, holds weights only or
            brings a config of its own, which MMEngine would run as Python.
    """
    contents = safe_load(path, owner, 'resume from another one')
    lacking = _lacking(contents, NEEDED)
    if not lacking:
        lacking = _lacking(contents['meta'], ('epoch', 'iter'))
    if lacking:
        raise ValueError(
            f'{owner}: {path}: expected the checkpoint of a training, got '
            f'one without {lacking[0]}; to start from its weights give it as '
            'load_from and do not resume')
    # Runner.resume hands that text to Config.fromstring, which executes it.
    if 'config' in contents['meta']:
        raise ValueError(
            f'{owner}: {path}: expected a checkpoint without code, got one '
            'with a config in its meta, which MMEngine would run; resume '
            'from another one, or give it as load_from and do not resume')
    return contents


def _lacking(contents: Any, keys: Sequence[str]) -> List[str]:
    return [
        key for key in keys
        if not isinstance(contents, dict) or key not in contents
    ]


def recorded_checkpoint(work_dir: Path, folder: Path) -> Optional[Path]:
    """What ``last_checkpoint`` names; a kill can leave that file empty.

    Args:
        work_dir: Where the file ``last_checkpoint`` is.
        folder: Where the checkpoints are.
    """
    record = work_dir / 'last_checkpoint'
    text = record.read_text().strip() if record.is_file() else ''
    if not text:
        return None
    last = Path(text)
    # The file holds a path from where the training ran. Where the folder was
    # copied or moved since, its own checkpoint counts.
    here = folder / last.name
    return last if last.is_file() and not here.is_file() else here


def older_checkpoints(last: Optional[Path], folder: Path,
                      template: str) -> List[Path]:
    """Checkpoints of a training, the newest first.

    Args:
        last: The one they are older than; those with a higher number were
            left by another training. ``None`` takes all.
        folder: Where they are.
        template: Their name, with ``{}`` for the epoch or iteration.
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


def first_whole(paths: List[Path], owner: str,
                report: Callable[[str], None]) -> Optional[Path]:
    """The first of some checkpoints that a training can resume from.

    Args:
        paths: The checkpoints.
        owner: What messages start with.
        report: Is told of each that is passed over, in a sentence.
    """
    for path in paths:
        try:
            load_resumable(path, owner)
            return path
        except (OSError, ValueError) as err:
            report(str(err))
    return None
