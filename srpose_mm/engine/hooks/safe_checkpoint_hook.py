import shutil
from pathlib import Path
from typing import Optional

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from srpose_mm.checkpoints.safe_load import refuse_url, safe_load
from srpose_mm.checkpoints.whole_checkpoints import (
    first_whole,
    load_resumable,
    older_checkpoints,
    recorded_checkpoint,
)
from srpose_mm.checkpoints.whole_file_backend import UNFINISHED

BACKEND = dict(backend='WholeFileBackend')


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """:class:`CheckpointHook` for processes that are killed.

    It takes the same arguments and writes the same checkpoints, but

    - a checkpoint gets its name when all of it is written, and the oldest one
      or the one that was the best is removed after that;
    - ``resume`` takes the newest checkpoint that is whole, and says which
      ones are not;
    - of checkpoints to resume from or load, in training and in tests, only
      tensors and plain values are read, whatever torch does by default, and
      URLs are refused: MMEngine unpickles what it downloads without care.

    Raises:
        FileNotFoundError: If a checkpoint is not there.
        ValueError: If a checkpoint is damaged, could run code or is a URL, or
            if none is whole.
    """

    def before_run(self, runner: Runner) -> None:
        """Look at what will be loaded, before MMEngine loads it."""
        if runner._load_from is not None:
            self._check(runner, runner._load_from)
        elif runner._resume and not self._is_remote():
            whole = self._newest_whole(runner)
            # MMEngine would take what last_checkpoint names.
            runner._load_from = None if whole is None else str(whole)

    def before_train(self, runner: Runner) -> None:
        """Prepare to write; tidy up after a training that was killed."""
        is_local = not self._is_remote()
        if is_local:
            self.backend_args = BACKEND
        super().before_train(runner)
        if is_local and is_main_process():
            for left in Path(self.out_dir).glob(f'{UNFINISHED}*'):
                shutil.rmtree(left)

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        oldest = None
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                oldest = self.keep_ckpt_ids.popleft()
            # The base class removes nothing for a step that is known. It
            # would remove the oldest one now, and perhaps be killed then.
            self.keep_ckpt_ids.append(step)
            # With the oldest, which a resume removes if this process cannot.
            known = [] if oldest is None else [oldest]
            runner.message_hub.update_info('keep_ckpt_ids',
                                           known + [*self.keep_ckpt_ids])
        super()._save_checkpoint_with_step(runner, step, meta)
        if oldest is not None and is_main_process():
            path = self.file_backend.join_path(
                self.out_dir, self.filename_tmpl.format(oldest))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best or self._is_remote():
            super()._save_best_checkpoint(runner, metrics)
            return
        many = len(self.key_indicators) > 1
        before = (dict(self.best_ckpt_path_dict) if many else
                  dict(only=self.best_ckpt_path))
        # The base class would remove them now, and perhaps be killed then.
        self._set_best(dict.fromkeys(before), many)
        super()._save_best_checkpoint(runner, metrics)
        after = (dict(self.best_ckpt_path_dict) if many else
                 dict(only=self.best_ckpt_path))
        self._set_best({key: after[key] or before[key] for key in before},
                       many)
        for key, path in before.items():
            outdated = path and after[key] and path != after[key]
            # That of a training elsewhere, from which this one was resumed,
            # stays.
            if (outdated and is_main_process()
                    and Path(path).parent == Path(self.out_dir)
                    and self.file_backend.isfile(path)):
                self.file_backend.remove(path)

    def _set_best(self, paths: dict, many: bool) -> None:
        if many:
            self.best_ckpt_path_dict.update(paths)
        else:
            self.best_ckpt_path = paths['only']

    def _is_remote(self) -> bool:
        """Whether the checkpoints go to a store that is no local folder."""
        return bool(
            self.backend_args not in (None, BACKEND) or self.file_client_args
            or '://' in str(self.out_dir))

    def _folder(self, runner: Runner) -> Path:
        """Where the base class puts the checkpoints."""
        work_dir = Path(runner.work_dir)
        if self.out_dir in (None, runner.work_dir):
            return work_dir
        return Path(self.out_dir) / work_dir.name

    def _newest_whole(self, runner: Runner) -> Optional[Path]:
        """The checkpoint to resume from; ``None`` if none was written."""
        folder = self._folder(runner)
        last = recorded_checkpoint(Path(runner.work_dir), folder)
        paths = older_checkpoints(last, folder, self.filename_tmpl)
        if last is not None:
            paths.insert(0, last)
        owner = type(self).__name__
        whole = first_whole(paths, owner, runner.logger.warning)
        if paths and whole is None:
            raise ValueError(
                f'{owner}: expected a whole checkpoint in {str(folder)!r} to '
                f'resume from, got {len(paths)} that cannot be read; train '
                'anew, without resume')
        return whole

    def _check(self, runner: Runner, given: str) -> None:
        """Refuse a checkpoint that MMEngine should not or could not load."""
        owner = type(self).__name__
        refuse_url(given, 'load_from', owner)
        path = Path(given).expanduser()
        if not runner._resume:
            safe_load(path, owner)
            return
        try:
            load_resumable(path, owner)
        except ValueError as err:
            older = older_checkpoints(path, path.parent, self.filename_tmpl)
            whole = first_whole(older, owner, runner.logger.warning)
            if whole is None:
                raise
            raise ValueError(f'{err}; {str(whole)!r} is whole') from err
