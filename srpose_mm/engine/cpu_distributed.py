"""Train in several processes on a machine without a GPU.

MMEngine's launchers select a GPU before they join the processes, and fail
without one. Importing this module joins the processes over gloo, and MMEngine
uses the group that exists. With a GPU or in a single process the module does
nothing. A config imports it with
``custom_imports = dict(imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'])``
and needs ``model_wrapper_cfg = dict(type='MMDistributedDataParallel',
device_ids=None)``, because the default wrapper names a GPU.
"""  # noqa: E501
import atexit
import gc
import os

import torch
from torch import distributed

# Imported before the group exists: functions of this module have the default
# group as a default argument, and would keep it until the process ends.
from torch.distributed.nn import functional  # noqa: F401


def join_over_gloo() -> None:
    """Join the processes of a ``torch.distributed`` launcher."""
    launched = 'RANK' in os.environ and 'WORLD_SIZE' in os.environ
    if (launched and not torch.cuda.is_available()
            and not distributed.is_initialized()):
        distributed.init_process_group(backend='gloo')
        atexit.register(leave_group)


def leave_group() -> None:
    """End gloo's threads before the interpreter ends.

    Otherwise a process can abort at its exit. The threads live as long as
    anything refers to the group, such as models that wait for the garbage
    collector.
    """
    gc.collect()
    if distributed.is_initialized():
        distributed.destroy_process_group()


join_over_gloo()
