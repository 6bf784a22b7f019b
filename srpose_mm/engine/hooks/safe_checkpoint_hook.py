import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, Runner
from mmpose.registry import HOOKS

from srpose_mm.checkpoints import (
    CheckpointError,
    load_checkpoint,
    load_weights,
)
from srpose_mm.checkpoints.files import UNFINISHED
from srpose_mm.checkpoints.weights import fit_weights

BACKEND = dict(backend='AtomicFileBackend')


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """:class:`CheckpointHook` for trainings that can be killed.

    Arguments and checkpoints are the same. Differences:

    - A checkpoint is written completely or not at all, and an outdated one is
      removed afterwards.
    - ``resume`` chooses the newest checkpoint that is intact, and logs which
      ones are corrupt.
    - A test, or a training that resumes, needs all weights of the model. If a
      training has ``load_from``, the hook logs which weights do not fit.

    Raises:
        FileNotFoundError: If a checkpoint does not exist.
        CheckpointError: If a checkpoint is corrupt, could run code or belongs
            to another model, or if no checkpoint is intact.
    """

    _earlier_ids: Sequence[int] = ()

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from."""
        if not runner._resume:
            return
        if runner._load_from is not None:
            self._check_given(runner, runner._load_from)
        elif not self._is_remote():
            path = self._newest_intact(runner)
            # MMEngine would resume from the one that last_checkpoint names.
            runner._load_from = None if path is None else str(path)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the weights with the model before MMEngine loads them."""
        location = runner._load_from or 'the checkpoint'
        if runner._resume or not isinstance(runner._train_loop, BaseLoop):
            load_weights(runner.model, location, checkpoint)
            return
        problems = fit_weights(runner.model, location, checkpoint)
        if problems:
            runner.logger.warning(
                f'load_from {location}: the checkpoint {problems}; weights '
                'of the model that are not loaded keep their initial values')

    def before_train(self, runner: Runner) -> None:
        """Prepare to write; remove what a killed training left."""
        is_local = not self._is_remote()
        if is_local:
            self.backend_args = BACKEND
        super().before_train(runner)
        if is_local and is_main_process():
            for left in Path(self.out_dir).glob(f'{UNFINISHED}*'):
                shutil.rmtree(left)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Record the checkpoint that is removed after this one is written.

        If the training is killed in between, the resumed one removes it.
        """
        info = checkpoint['message_hub']['runtime_info']
        ids = info.get('keep_ckpt_ids', [])
        earlier = [step for step in self._earlier_ids if step not in ids]
        if earlier:
            info['keep_ckpt_ids'] = [*earlier, *ids]

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        if self.max_keep_ckpts > 0:
            self._earlier_ids = tuple(self.keep_ckpt_ids)
        with self._removal_after_writing():
            super()._save_checkpoint_with_step(runner, step, meta)
        self._earlier_ids = ()

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        with self._removal_after_writing():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _removal_after_writing(self) -> Iterator[None]:
        """Remove files when the block ends; the base class removes first."""
        outdated, remove = [], self.file_backend.remove
        self.file_backend.remove = outdated.append
        try:
            yield
        finally:
            self.file_backend.remove = remove
        for path in outdated:
            # The best checkpoint of a resumed training's origin stays.
            if Path(path).parent == Path(self.out_dir):
                remove(path)

    def _is_remote(self) -> bool:
        """Return True if the checkpoints are not written to a local folder."""
        return bool(
            self.backend_args not in (None, BACKEND) or self.file_client_args
            or '://' in str(self.out_dir))

    def _newest_intact(self, runner: Runner) -> Optional[Path]:
        """Return the checkpoint to resume from, if one was written."""
        folder = work_dir = Path(runner.work_dir)
        if self.out_dir not in (None, runner.work_dir):
            folder = Path(self.out_dir) / work_dir.name  # as the base class
        record = work_dir / 'last_checkpoint'
        # If the training was killed, the file can be empty.
        last = record.read_text().strip() if record.is_file() else ''
        here = folder / Path(last).name
        # If the folder was copied or moved, its own checkpoint counts.
        if here.is_file() or not Path(last).is_file():
            last = str(here) if last else ''
        paths = [Path(last)] if last else []
        paths += self._earlier(last, folder)
        intact = _first_intact(paths, runner)
        if paths and intact is None:
            raise CheckpointError(
                f'expected an intact checkpoint in {str(folder)!r} to resume '
                f'from, got {len(paths)} that cannot be read; train without '
                'resume')
        return intact

    def _check_given(self, runner: Runner, location: str) -> None:
        """Check a checkpoint that the user chose to resume from."""
        try:
            check_resumable(location)
        except CheckpointError as err:
            earlier = self._earlier(location, Path(location).parent)
            intact = _first_intact(earlier, runner)
            if intact is None:
                raise
            raise CheckpointError(f'{err}; {str(intact)!r} is intact') from err

    def _earlier(self, last: str, folder: Path) -> List[Path]:
        """List the checkpoints before the last one, the newest first.

        Those with a higher number belong to another training. If ``last`` has
        no number, all are listed.
        """
        template = re.escape(self.filename_tmpl).replace(r'\{\}', r'(\d+)')

        def number(path: Path, default: float) -> float:
            match = re.fullmatch(template, path.name)
            return int(match[1]) if match else default

        end = number(Path(last), float('inf'))
        numbers = {path: number(path, end) for path in folder.glob('*')}
        return sorted((path for path in numbers if numbers[path] < end),
                      key=numbers.get, reverse=True)


def check_resumable(location: str) -> None:
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


def _first_intact(paths: List[Path], runner: Runner) -> Optional[Path]:
    """Return the first checkpoint to resume from, and log the corrupt ones."""
    for path in paths:
        try:
            check_resumable(str(path))
            return path
        except (OSError, CheckpointError) as err:
            runner.logger.warning(str(err))
    return None
