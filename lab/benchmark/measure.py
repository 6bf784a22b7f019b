"""Time, memory and copies of tasks."""
import json
import tempfile
import warnings
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.benchmark import Measurement, Timer

Tasks = Dict[str, Callable[[], object]]


class Settings(NamedTuple):
    """Settings of a benchmark.

    Attributes:
        device: Device of the models.
        rounds: Number of rounds. The systems are timed in turns, so that a
            slow minute affects all of them.
        seconds: Time of a system in a round, at least; one call at least.
        batch_sizes: Images of a prediction.
        train_batch: Images of a training step.
        backbones: Names of backbones, see :func:`load_systems`.
        data_root: Folder of a dataset in COCO's layout for the loaders and
            the test script. ``None`` means drawn images.
    """

    device: torch.device = torch.device('cpu')
    rounds: int = 5
    seconds: float = 0.5
    batch_sizes: Sequence[int] = (1, 8, 32)
    train_batch: int = 16
    backbones: Sequence[str] = ('ResNet-50', 'HRNet-W32', 'MobileNetV2')
    data_root: str = None


def figure(measure: str, system: str, unit: str, values: Sequence[float],
           **where) -> dict:
    """Return the median and quartiles of values, and what they belong to."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
    return dict(measure=measure, **where, system=system, unit=unit,
                median=float(median), low=float(low), high=float(high))


def time_tasks(measure: str, tasks: Tasks, settings: Settings,
               **where) -> List[dict]:
    """Time tasks in turns, and return a figure in ms for each."""
    timers = {
        name: Timer('task()', globals=dict(task=task),
                    num_threads=torch.get_num_threads())
        for name, task in tasks.items()
    }
    parts = {name: [] for name in tasks}
    for _ in range(settings.rounds):
        for name, timer in timers.items():
            parts[name].append(
                timer.blocked_autorange(min_run_time=settings.seconds))
    return [
        figure(measure, name, 'ms',
               1e3 * np.array(Measurement.merge(part)[0].times), **where)
        for name, part in parts.items()
    ]


def memory_of_tasks(measure: str, tasks: Tasks, settings: Settings,
                    **where) -> List[dict]:
    """Return the peak memory of each task in MB."""
    return [
        figure(f'{measure}, peak memory', name, 'MB',
               [peak_memory(task, settings.device) / 1e6], **where)
        for name, task in tasks.items()
    ]


def peak_memory(task: Callable[[], object], device: torch.device) -> int:
    """Return the most bytes that tensors of a task need at one time.

    Tensors that exist before the task do not count. On a CPU, the allocations
    of the profiler are added up, which include buffers inside operators.
    """
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with warnings.catch_warnings():
        # PyTorch warns about the cycles of a profile, which has only one.
        warnings.simplefilter('ignore')
        with profile(activities=[ProfilerActivity.CPU],
                     profile_memory=True) as record:
            task()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / 'trace.json'
        record.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())['traceEvents']
    events = [event for event in events if event.get('name') == '[memory]']
    events.sort(key=lambda event: event['ts'])
    held = np.cumsum([event['args']['Bytes'] for event in events])
    return int(max(held, default=0))


class TensorWatch(TorchDispatchMode):
    """Watch the results of operators.

    Args:
        keypoints: Number of keypoints, K.
        input_size: (w, h) of the input. A heatmap tensor (B, K, H, W) has
            K channels and the aspect ratio of the input.

    Attributes:
        largest: Bytes of the largest heatmap tensor.
        copied: Bytes that were copied from a device to the host.
    """

    def __init__(self, keypoints: int, input_size: Sequence[int]):
        super().__init__()
        self.keypoints, self.input_size = keypoints, input_size
        self.largest = self.copied = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Call an operator and look at its result."""
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            size = out.numel() * out.element_size()
            if out.ndim == 4 and out.shape[1] == self.keypoints:
                width, height = self.input_size
                if out.shape[2] * width == out.shape[3] * height:
                    self.largest = max(self.largest, size)
            if out.device.type == 'cpu' and any(
                    isinstance(arg, Tensor) and arg.device.type != 'cpu'
                    for arg in args):
                self.copied += size
        return out
