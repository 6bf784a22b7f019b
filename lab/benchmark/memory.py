import json
import tempfile
import warnings
from pathlib import Path
from typing import Callable

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode


def peak_memory(task: Callable[[], object], device: torch.device) -> int:
    """Return the peak memory of a task's tensors, beyond the memory before.

    On a CPU the profiler's record of allocations is read, which sees buffers
    within an operator as well.

    Args:
        task: What is done, once.
        device: Where the work runs.

    Returns:
        Bytes.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with warnings.catch_warnings():
        # PyTorch warns of the cycles of a profile, of which there is one.
        warnings.simplefilter('ignore')
        with profile(
                activities=[ProfilerActivity.CPU],
                profile_memory=True) as record:
            task()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / 'trace.json'
        record.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    events = [event for event in events if event.get('name') == '[memory]']
    events.sort(key=lambda event: event['ts'])
    held = peak = 0
    for event in events:
        held += event['args']['Bytes']
        peak = max(peak, held)
    return peak


class HostCopies(TorchDispatchMode):
    """Count the bytes that operators copy from a device to the host.

    Attributes:
        nbytes: Bytes so far.
    """

    def __init__(self):
        super().__init__()
        self.nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.device.type == 'cpu' and any(
                isinstance(arg, Tensor) and arg.device.type != 'cpu'
                for arg in args):
            self.nbytes += out.numel() * out.element_size()
        return out
