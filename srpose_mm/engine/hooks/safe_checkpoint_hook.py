import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Optional

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
from srpose_mm.checkpoints.weights import load_matching_weights


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
        CheckpointError: If a checkpoint is not one of a training or belongs
            to another model, or if no checkpoint is intact.
    """

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from, unless one is given."""
        if (runner._resume and runner._load_from is None
                and self._writes_files()):
            # MMEngine would resume from the one that last_checkpoint names.
            runner._load_from = self._newest_intact(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the weights with the model before MMEngine loads them."""
        location = runner._load_from or 'the checkpoint'
        if runner._resume:
            check_training(location, checkpoint)
        if runner._resume or not isinstance(runner._train_loop, BaseLoop):
            load_weights(runner.model, location, checkpoint)
            return
        problems = load_matching_weights(runner.model, location, checkpoint)
        if problems:
            runner.logger.warning(
                f'load_from {location}: the checkpoint {problems}; weights '
                'of the model that are not loaded keep their initial values')

    def before_train(self, runner: Runner) -> None:
        """Prepare to write; remove what a killed training left."""
        if self._writes_files():
            self.backend_args = dict(backend='AtomicFileBackend')
        super().before_train(runner)
        if is_main_process():
            for left in Path(self.out_dir).glob(f'{UNFINISHED}*'):
                shutil.rmtree(left)

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        with self._removal_after_writing():
            super()._save_checkpoint_with_step(runner, step, meta)

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
            # The best checkpoint in the folder that the training was resumed
            # from stays.
            if Path(path).parent == Path(self.out_dir):
                remove(path)

    def _writes_files(self) -> bool:
        """Return False for other stores, which are left to MMEngine."""
        return (self.backend_args is None and self.file_client_args is None
                and '://' not in str(self.out_dir))

    def _newest_intact(self, runner: Runner) -> Optional[str]:
        """Return the checkpoint to resume from, if one was written."""
        paths = self._written(runner)
        for path in paths:
            try:
                check_training(path, load_checkpoint(path))
                return str(path)
            except (OSError, CheckpointError) as err:
                runner.logger.warning(str(err))
        if paths:
            raise CheckpointError(
                'expected an intact checkpoint in '
                f'{str(paths[0].parent)!r} to resume from, got {len(paths)} '
                'that cannot be read; train without resume, or with another '
                'checkpoint as load_from')
        return None

    def _written(self, runner: Runner) -> List[Path]:
        """List the checkpoints of a training, the newest first.

        The last one is that of ``last_checkpoint``; those with a higher
        number belong to another training.
        """
        folder = Path(runner.work_dir)
        record = folder / 'last_checkpoint'
        if self.out_dir not in (None, runner.work_dir):
            folder = Path(self.out_dir) / folder.name  # as the base class
        # If the training was killed, the file can be missing or empty. If the
        # folder was copied or moved, its own checkpoint counts.
        text = record.read_text().strip() if record.is_file() else ''
        last = Path(text).name
        # The number can have a format, such as {:03d}.
        parts = re.split(r'\{.*?\}', self.filename_tmpl)
        template = r'(\d+)'.join(map(re.escape, parts))
        numbers = {
            name: int(match[1])
            for name in {last, *(path.name for path in folder.glob('*'))}
            if (match := re.fullmatch(template, name))
        }
        end = numbers.get(last, float('inf'))
        return [folder / name for name in sorted(
            numbers, key=numbers.get, reverse=True) if numbers[name] <= end]


def check_training(location: Any, contents: Any) -> None:
    """Raise an error if a training cannot resume from a checkpoint."""
    meta = contents.get('meta') if isinstance(contents, dict) else None
    for part, key in ((contents, 'state_dict'), (contents, 'message_hub'),
                      (contents, 'meta'), (meta, 'epoch'), (meta, 'iter')):
        if not isinstance(part, dict) or key not in part:
            raise CheckpointError(
                f'{location}: expected the checkpoint of a training, got one '
                f'without {key}; to start from its weights give the '
                'checkpoint as load_from and do not resume')
