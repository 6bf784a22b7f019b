"""The training of a run: whose a folder is, going on, how long it took."""
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from srpose_mm.checkpoints.replacing import replacing
from srpose_mm.checkpoints.whole_checkpoints import (
    older_checkpoints,
    recorded_checkpoint,
)

from .launch import Launch
from .plan import Run, digest
from .processes import RunFailed, call

STATE = 'study.json'
STAMP = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine', re.M)


def read_state(run: Run) -> dict:
    """What is known of a run's folder.

    Returns:
        ``digest`` of the config that is or was trained there, or ``None``,
        whether it is ``finished``, and perhaps its ``launch``.
    """
    file = run.folder / STATE
    if file.is_file():
        return json.loads(file.read_text('utf-8'))
    # MMEngine leaves the config of a training that was started by hand.
    left = run.folder / run.row.config.name
    known = digest(Config.fromfile(left)) if left.is_file() else None
    return dict(digest=known, finished=False)


def is_foreign(run: Run) -> bool:
    """Whether a training of something else has begun in the folder."""
    return (latest_checkpoint(run.folder) is not None
            and read_state(run)['digest'] != digest(run.cfg))


def begun_otherwise(run: Run) -> Optional[str]:
    """How a half-done training was started, if that was not as ``run`` is.

    MMEngine counts batches, which are others on another number of GPUs.
    """
    if latest_checkpoint(run.folder) is None:
        return None
    state = read_state(run)
    launch = Launch(**state.get('launch', {}))
    if state['finished'] or launch.facts == run.launch.facts:
        return None
    return str(launch)


def train(run: Run, lock: int) -> None:
    """Train, or go on from the last checkpoint, or do nothing if it is done.

    Args:
        run: A run whose folder is not foreign.
        lock: Descriptor of the folder's lock.

    Raises:
        RunFailed: If the training fails.
    """
    last = latest_checkpoint(run.folder)
    if last is not None and read_state(run)['finished']:
        return
    _write_state(run, finished=False)
    # Resuming from nothing would pass over the config's load_from.
    words = run.command(resume=last is not None)
    call(words, run.folder / 'train.log', lock)
    if latest_checkpoint(run.folder) is None:
        raise RunFailed(f'the training left no checkpoint in {run.folder}; '
                        'its config must have a CheckpointHook that saves '
                        'before the end')
    _write_state(run, finished=True)


def latest_checkpoint(folder: Path) -> Optional[Path]:
    """The checkpoint that a training in the folder wrote last."""
    path = recorded_checkpoint(folder, folder)
    if path is not None:
        # The file holds a path from where the training ran.
        path = folder / path.name
        return path if path.is_file() else None
    found = [
        path for template in ('epoch_{}.pth', 'iter_{}.pth')
        for path in older_checkpoints(None, folder, template)
    ]
    return found[0] if found else None


def training_seconds(folder: Path) -> float:
    """How long MMEngine trained there, all parts of a training together.

    Read from its logs, which also tell of parts that were killed.
    """
    seconds = 0.
    for log in folder.glob('*/*.log'):
        # Those of tests are a folder deeper.
        if log.stem == log.parent.name:
            stamps = STAMP.findall(log.read_text('utf-8', 'replace'))
            times = [datetime.strptime(stamp, '%Y/%m/%d %H:%M:%S')
                     for stamp in stamps]
            if times:
                seconds += (times[-1] - times[0]).total_seconds()
    return seconds


def _write_state(run: Run, finished: bool) -> None:
    with replacing(run.folder / STATE) as unfinished:
        unfinished.write_text(
            json.dumps(
                dict(
                    digest=digest(run.cfg),
                    finished=finished,
                    launch=run.launch.facts)))
