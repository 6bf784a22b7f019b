"""Choose the checkpoint that a training resumes from."""
import re
from pathlib import Path
from typing import Callable, List, Optional

from .reading import CheckpointError, Location, load_checkpoint


def check_resumable(location: Location) -> None:
    """Raise an error if a training cannot resume from a checkpoint."""
    contents = load_checkpoint(location)
    meta = contents.get('meta') if isinstance(contents, dict) else None
    for part, key in ((contents, 'state_dict'), (contents, 'message_hub'),
                      (contents, 'meta'), (meta, 'epoch'), (meta, 'iter')):
        if not isinstance(part, dict) or key not in part:
            raise CheckpointError(
                f'{location}: expected the checkpoint of a training, got one '
                f'without {key}; to start from its weights give the '
                'checkpoint as load_from and do not resume')
    # MMEngine 1.x never writes it, and Runner.resume executes it.
    if 'config' in meta:
        raise CheckpointError(
            f'{location}: expected a checkpoint without code, got one with a '
            'config in its meta, which MMEngine would run; resume from '
            'another one, or give it as load_from and do not resume')


def first_intact(paths: List[Path],
                 report: Callable[[str], None]) -> Optional[Path]:
    """Return the first checkpoint that a training can resume from, if any.

    Args:
        paths: The checkpoints, the newest first.
        report: Receives a sentence about each checkpoint that is skipped.
    """
    for path in paths:
        try:
            check_resumable(path)
            return path
        except (OSError, CheckpointError) as err:
            report(str(err))
    return None


def latest_checkpoint(work_dir: Path, folder: Path) -> Optional[Path]:
    """Return the checkpoint that ``last_checkpoint`` names, in ``folder``."""
    record = work_dir / 'last_checkpoint'
    # If the training was killed, the file can be empty.
    text = record.read_text().strip() if record.is_file() else ''
    # If the folder was copied or moved, its own checkpoint counts.
    here = folder / Path(text).name
    is_elsewhere = Path(text).is_file() and not here.is_file()
    return (Path(text) if is_elsewhere else here) if text else None


def newest_first(last: Optional[Path], folder: Path,
                 template: str) -> List[Path]:
    """List the checkpoints of a training, the newest first.

    Args:
        last: The newest one. Checkpoints with a higher number belong to
            another training. If it is ``None``, all are listed.
        folder: Folder of the checkpoints.
        template: Name of a checkpoint, with ``{}`` for the epoch or iteration.
    """
    name = re.compile(re.escape(template).replace(r'\{\}', r'(\d+)'))
    matches = [(name.fullmatch(path.name), path) for path in folder.glob('*')]
    by_number = {int(match[1]): path for match, path in matches if match}
    match = last and name.fullmatch(last.name)
    end = int(match[1]) if match else float('inf')
    numbers = sorted((n for n in by_number if n < end), reverse=True)
    return [last] * bool(last) + [by_number[number] for number in numbers]
