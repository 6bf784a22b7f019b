"""Run the measures of a benchmark."""
from typing import Optional, Sequence

import torch
from mmengine.registry import init_default_scope

from lab.machine import describe_machine, software_versions
from srpose_mm.console import progress

from .aims import measure_aims
from .decoding import measure_bottom_up, measure_decoding
from .measure import Settings
from .prediction import measure_prediction, measure_test_script
from .training import measure_loader, measure_loss, measure_training_step

MEASURES = dict(
    aims=measure_aims,
    prediction=measure_prediction,
    test=measure_test_script,
    train=measure_training_step,
    loss=measure_loss,
    loader=measure_loader,
    decode=measure_decoding,
    bottom_up=measure_bottom_up)


def run_benchmark(settings: Settings,
                  measures: Optional[Sequence[str]] = None) -> dict:
    """Measure this package beside MMPose's heads and codecs.

    Args:
        settings: Settings of all measures.
        measures: Names of ``MEASURES``. ``None`` means all.

    Returns:
        ``machine``, ``settings`` and ``figures``. A figure has a ``measure``,
        perhaps a ``backbone`` and a ``batch``, a ``system``, a ``unit``, and
        the ``median`` and the quartiles ``low`` and ``high`` of the rounds.
    """
    init_default_scope('mmpose')
    figures = []
    for name in progress(list(measures or MEASURES), 'measuring'):
        figures += MEASURES[name](settings)
    versions = ', '.join(
        f'{name} {number}' for name, number in software_versions().items())
    machine = describe_machine(settings.device, torch.get_num_threads())
    return dict(
        machine=f'{machine}, {versions}',
        settings=dict(settings._asdict(), device=str(settings.device)),
        figures=figures)
