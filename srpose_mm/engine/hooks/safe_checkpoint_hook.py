import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional, Sequence

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, Runner
from mmpose.registry import HOOKS

from srpose_mm.checkpoints import CheckpointError, load_weights, resuming
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
        last = resuming.latest_checkpoint(work_dir, folder)
        paths = resuming.newest_first(last, folder, self.filename_tmpl)
        intact = resuming.first_intact(paths, runner.logger.warning)
        if paths and intact is None:
            raise CheckpointError(
                f'expected an intact checkpoint in {str(folder)!r} to resume '
                f'from, got {len(paths)} that cannot be read; train without '
                'resume')
        return intact

    def _check_given(self, runner: Runner, location: str) -> None:
        """Check a checkpoint that the user chose to resume from."""
        try:
            resuming.check_resumable(location)
        except CheckpointError as err:
            path = Path(location)
            _, *older = resuming.newest_first(path, path.parent,
                                              self.filename_tmpl)
            intact = resuming.first_intact(older, runner.logger.warning)
            if intact is None:
                raise
            raise CheckpointError(f'{err}; {str(intact)!r} is intact') from err
