import ctypes
import multiprocessing
import os
import signal
import sys
from typing import Callable, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class EndWithParent:
    """A ``worker_init_fn`` that makes a worker end with its parent process.

    Args:
        init: The ``worker_init_fn`` to call afterwards.
    """

    def __init__(self, init: Optional[Callable[[int], None]]):
        self.init = init
        self.parent = os.getpid()

    def __call__(self, worker_id: int) -> None:
        """Tie this process to its parent."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have been killed before the call above.
        if os.getppid() != self.parent:
            os._exit(1)
        if self.init is not None:
            self.init(worker_id)


@HOOKS.register_module()
class EndWorkersHook(Hook):
    """End the workers of data loaders with the main process.

    If the main process is killed, DataLoader workers can hang on a full
    queue. This hook asks the Linux kernel (PR_SET_PDEATHSIG) to kill them with
    their parent. It does nothing on other systems or with a fork server.
    MMEngine's ``IterBasedTrainLoop`` starts its workers before any hook.
    """

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        loader = getattr(runner, f'{mode}_dataloader')
        # The parent of a fork server's workers is the fork server.
        context = loader.multiprocessing_context or multiprocessing
        method = context.get_start_method(allow_none=True)
        if (sys.platform == 'linux' and method != 'forkserver'
                and not isinstance(loader.worker_init_fn, EndWithParent)):
            loader.worker_init_fn = EndWithParent(loader.worker_init_fn)
