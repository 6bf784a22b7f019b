import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Callable, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from torch.utils.data import DataLoader

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class EndWithParent:
    """A ``worker_init_fn`` that ties a worker to the process it works for.

    Args:
        init: The ``worker_init_fn`` that is called after it.
    """

    def __init__(self, init: Optional[Callable[[int], None]]):
        self.init = init
        self.parent = os.getpid()

    def __call__(self, worker_id: int) -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # It may have been killed before it could be asked for.
        if os.getppid() != self.parent:
            os._exit(1)
        if self.init is not None:
            self.init(worker_id)


@HOOKS.register_module()
class EndWorkersHook(Hook):
    """End the workers of data loaders with the process they work for.

    PyTorch's workers notice that it was killed, but then wait for ever to hand
    over the batches that nobody takes, and one that had just started does not
    notice. Here the kernel ends them. On systems other than Linux and where
    processes are started by a fork server, this hook does nothing, and
    MMEngine's ``IterBasedTrainLoop`` starts its workers before any hook.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Tie the workers of the training's loader."""
        self._tie(runner.train_dataloader)

    def before_val_epoch(self, runner: Runner) -> None:
        """Tie the workers of the validation's loader."""
        self._tie(runner.val_dataloader)

    def before_test_epoch(self, runner: Runner) -> None:
        """Tie the workers of the test's loader."""
        self._tie(runner.test_dataloader)

    @staticmethod
    def _tie(loader: DataLoader) -> None:
        # The parent of what a fork server starts is the fork server.
        context = loader.multiprocessing_context or multiprocessing
        method = context.get_start_method(allow_none=True)
        if (sys.platform == 'linux' and method != 'forkserver'
                and not isinstance(loader.worker_init_fn, EndWithParent)):
            loader.worker_init_fn = EndWithParent(loader.worker_init_fn)
