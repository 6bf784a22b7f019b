import platform
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import torch
from mmengine.registry import init_default_scope
from rich.console import Console
from rich.progress import track

from lab.benchmark import decoding, loading, models

from .systems import load_systems
from .timing import Figure

MEASURES = ('head', 'model', 'train', 'loss', 'loader', 'decode', 'bottom-up')


def benchmark(measures: Optional[Sequence[str]] = None,
              rounds: int = 9,
              batch: int = 16,
              device: Optional[str] = None,
              data_root: Optional[Union[str, Path]] = None) -> Dict:
    """Measure this package against MMPose's heads and codecs, side by side.

    All systems of a measure run in one process, in turns.

    Args:
        measures: Some of ``MEASURES``; ``None`` takes all.
        rounds: How often each is timed.
        batch: Images of a training step; the head's forward pass takes 4, the
            loss 2 and decoding 4 times as many.
        device: Where to run; ``None`` takes a GPU where there is one.
        data_root: Data set in COCO's layout for the loader; ``None`` draws
            one.

    Returns:
        ``machine``, ``settings`` and ``figures``, a list of :class:`Figure`.

    Raises:
        ValueError: If a measure is unknown or a number is not positive.
    """
    measures = list(measures or MEASURES)
    unknown = set(measures) - set(MEASURES)
    if unknown:
        raise ValueError(f'benchmark: expected measures from {MEASURES}, got '
                         f'{sorted(unknown)}')
    for name, value in dict(rounds=rounds, batch=batch).items():
        if value < 1:
            raise ValueError(
                f'benchmark: expected {name} to be positive, got {value}')
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    init_default_scope('mmpose')
    tasks = _tasks(rounds, batch, torch.device(device), data_root)
    figures = []
    for name in track(
            measures, 'measuring', console=Console(stderr=True)):
        for task in tasks[name]:
            figures += task()
    return dict(
        machine=describe_machine(device),
        settings=dict(rounds=rounds, batch=batch, device=str(device)),
        figures=figures)


def _tasks(rounds: int, batch: int, device: torch.device,
           data_root: Optional[Union[str, Path]]) -> Dict[str, List]:
    """Return the function of each measure, in order."""
    systems = load_systems()
    settings = dict(rounds=rounds, device=device)
    data_root = data_root and Path(data_root)
    return {
        'head': [partial(models.head_forward, systems, 4, **settings)],
        'model': [partial(models.model_forward, systems, 4, **settings)],
        'train': [partial(models.train_step, systems, batch, **settings)],
        'loss': [partial(models.loss, systems, 2 * batch, **settings)],
        'loader': [
            partial(loading.loader_throughput, systems, workers, rounds,
                    data_root) for workers in (0, 2)
        ],
        'decode': [partial(decoding.decode, systems, 4 * batch, **settings)],
        'bottom-up': [partial(decoding.decode_bottom_up, 8, **settings)]
    }


def describe_machine(device: str) -> str:
    """Processor or GPU, threads and versions, in a line."""
    if torch.device(device).type == 'cuda':
        place = torch.cuda.get_device_name(device)
    else:
        place = f'{_processor()}, {torch.get_num_threads()} threads'
    return (f'{place}, torch {torch.__version__}, Python '
            f'{platform.python_version()}')


def _processor() -> str:
    """Return the name of the processor if the system reports it."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def as_json(result: Dict) -> Dict:
    """Return a result of :func:`benchmark` with its figures as dicts."""
    figures: List[Figure] = result['figures']
    return {**result, 'figures': [figure._asdict() for figure in figures]}
