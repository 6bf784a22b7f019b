import ctypes
import multiprocessing
import os
import signal
import sys
from functools import partial
from typing import Callable, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def end_with_parent(worker_id: int, init: Optional[Callable],
                    parent: int) -> None:
    """Tie a worker to its parent process, then call its ``init``."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have been killed before the call above.
    if os.getppid() != parent:
        os._exit(1)
    if init is not None:
        init(worker_id)


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
        init = loader.worker_init_fn
        # The parent of a fork server's workers is the fork server.
        context = loader.multiprocessing_context or multiprocessing
        method = context.get_start_method(allow_none=True)
        if (sys.platform == 'linux' and method != 'forkserver'
                and getattr(init, 'func', None) is not end_with_parent):
            loader.worker_init_fn = partial(
                end_with_parent, init=init, parent=os.getpid())
