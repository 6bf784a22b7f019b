"""Several processes on a machine without a GPU.

MMEngine's launchers select a GPU before they join the processes, and fail
where torch was built for GPUs and there is none. Importing this module joins
them over gloo instead; MMEngine uses a group that it finds. With a GPU, or in
a single process, it does nothing. Configs ask for it with
``custom_imports = dict(imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'])``
and need ``model_wrapper_cfg = dict(type='MMDistributedDataParallel',
device_ids=None)``, because the default wrapper names a GPU as well.
"""  # noqa: E501
import atexit
import gc
import os

import torch
from torch import distributed

# Its functions have the default group as a default argument. Imported after
# the group is there, as DDP does, they would keep it to the very end.
from torch.distributed.nn import functional  # noqa: F401


def join_over_gloo() -> None:
    """Join the processes of a ``torch.distributed`` launcher."""
    launched = 'RANK' in os.environ and 'WORLD_SIZE' in os.environ
    if (launched and not torch.cuda.is_available()
            and not distributed.is_initialized()):
        distributed.init_process_group(backend='gloo')
        atexit.register(leave_group)


def leave_group() -> None:
    """End gloo's threads.

    They must end before the interpreter does, else a process can abort at
    its exit. They live as long as anything refers to the group: models that
    wait for the garbage collection do.
    """
    gc.collect()
    if distributed.is_initialized():
        distributed.destroy_process_group()


join_over_gloo()
