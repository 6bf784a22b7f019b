import statistics
import time
from typing import Callable, Dict, List, NamedTuple, Sequence

import torch

Task = Callable[[], object]


class Figure(NamedTuple):
    """One measured quantity of one system.

    Attributes:
        measure: What was measured.
        system: Whose figure it is.
        unit: Unit of the three numbers.
        median: Median over the rounds.
        low: First quartile over the rounds.
        high: Third quartile over the rounds.
    """

    measure: str
    system: str
    unit: str
    median: float
    low: float
    high: float


def summarize(measure: str, system: str, unit: str,
              values: Sequence[float]) -> Figure:
    """Median and quartiles of the rounds' values."""
    low, high = min(values), max(values)
    if len(values) > 3:
        low, _, high = statistics.quantiles(values, n=4)
    return Figure(measure, system, unit, statistics.median(values), low, high)


def time_interleaved(measure: str, tasks: Dict[str, Task],
                     rounds: int, device: torch.device) -> List[Figure]:
    """Time several tasks in turns, so that a slow minute hits all of them.

    Args:
        measure: What is measured.
        tasks: System to what it does once.
        rounds: How often each is timed, after one turn to warm up.
        device: Where the work runs.

    Returns:
        A figure for each task, in ms.
    """
    times = {system: [] for system in tasks}
    for turn in range(rounds + 1):
        for system, task in tasks.items():
            _wait(device)
            start = time.perf_counter()
            task()
            _wait(device)
            if turn:
                times[system].append(1e3 * (time.perf_counter() - start))
    return [
        summarize(measure, system, 'ms', values)
        for system, values in times.items()
    ]


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
