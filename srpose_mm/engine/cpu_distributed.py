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
import os

import torch
from torch import distributed


def join_over_gloo() -> None:
    """Join the processes of a ``torch.distributed`` launcher."""
    launched = 'RANK' in os.environ and 'WORLD_SIZE' in os.environ
    if (launched and not torch.cuda.is_available()
            and not distributed.is_initialized()):
        distributed.init_process_group(backend='gloo')
        # Gloo's threads must end before the interpreter does, else a process
        # can abort at its exit.
        atexit.register(distributed.destroy_process_group)


join_over_gloo()
