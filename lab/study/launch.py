"""Accumulate batches so that a step on fewer GPUs has the recipe's batch."""
from typing import Any, Dict, NamedTuple

import torch
from mmengine.config import Config

from srpose_mm.configs import type_name

from .study_file import Row, Study

# Schedulers that more iterations between two steps change only in LENGTHS.
SCALABLE = ('ConstantLR', 'CosineAnnealingLR', 'LinearLR', 'MultiStepLR',
            'PolyLR', 'StepLR')
LENGTHS = ('begin', 'end', 'T_max', 'milestones', 'step_size')


class Launch(NamedTuple):
    """The start of a training.

    Attributes:
        gpus: Number of processes, each with its own GPU if the machine has
            any.
        accumulate: Number of batches whose gradients one optimizer step uses.
        options: ``cfg_options`` for the accumulation.
    """

    gpus: int = 1
    accumulate: int = 1
    options: Dict[str, Any] = {}


def choose_launch(study: Study, gpus: int, row: Row, written: Config,
                  cfg: Config) -> Launch:
    """Choose how many batches to accumulate for the batch of the recipe.

    The batch of the recipe is the batch size of the written config times the
    study's number of GPUs. If the study names no number of GPUs, one GPU
    without accumulation is always accepted.

    Args:
        study: The study.
        gpus: Number of processes.
        row: The row to train.
        written: Config of the row as written.
        cfg: The same with all options.

    Raises:
        ValueError: If no number of batches has the batch of the recipe, or if
            the config cannot accumulate batches.
    """
    if study.gpus is None and gpus == 1:
        return Launch()
    most = torch.cuda.device_count()
    if gpus < 1 or (most and gpus > most):
        raise ValueError('expected --gpus of at least 1 and at most the GPUs '
                         f'of the machine, {most}, got {gpus}')
    batch = cfg.train_dataloader.batch_size
    wanted = (study.gpus or 1) * written.train_dataloader.batch_size
    accumulate, rest = divmod(wanted, gpus * batch)
    if rest or not accumulate:
        raise ValueError(
            f'row {row.name!r}: expected GPUs x batch size to be a divisor of '
            f"the recipe's {wanted}, got {gpus} x {batch}; change --gpus or "
            'train_dataloader.batch_size')
    if accumulate == 1:
        return Launch(gpus)
    return Launch(gpus, accumulate, _options(row, cfg, accumulate))


def _options(row: Row, cfg: Config, accumulate: int) -> Dict[str, Any]:
    """Return the ``cfg_options`` that accumulate batches.

    MMEngine divides each loss by the number of batches and steps the
    optimizer after the last of them, but its schedulers count batches.
    Schedulers by iterations are therefore lengthened.
    """
    hooks = [type_name(hook) for hook in cfg.get('custom_hooks') or ()]
    obstacles = {
        'max_iters': 'max_epochs' not in cfg.train_cfg,
        'accumulative_counts in optim_wrapper':
        cfg.get('optim_wrapper', {}).get('accumulative_counts', 1) != 1,
        'auto_scale_lr.enable, which ignores accumulated batches':
        cfg.get('auto_scale_lr', {}).get('enable', False),
        'an EMAHook, which averages after each batch': 'EMAHook' in hooks,
    }
    options = {'optim_wrapper.accumulative_counts': accumulate}
    schedulers = cfg.get('param_scheduler') or []
    named = {'': schedulers} if isinstance(schedulers, dict) else {
        f'.{index}': scheduler for index, scheduler in enumerate(schedulers)}
    for name, scheduler in named.items():
        if not scheduler.get('by_epoch', True):
            kind = type_name(scheduler)
            obstacles[f'{kind} by iterations'] = kind not in SCALABLE
            options.update({
                f'param_scheduler{name}.{key}': _times(
                    scheduler[key], accumulate)
                for key in LENGTHS if scheduler.get(key)
            })
    for obstacle, present in obstacles.items():
        if present:
            raise ValueError(f'row {row.name!r}: expected a plain training by '
                             f'epochs to accumulate batches, got {obstacle}')
    return options


def _times(length: Any, number: int) -> Any:
    if isinstance(length, (list, tuple)):
        return type(length)(number * part for part in length)
    return number * length
