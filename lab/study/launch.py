"""Choose the processes of a training so that its batch is the recipe's."""
from typing import Any, Dict, NamedTuple, Optional

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


def choose_launch(study: Study, gpus: int, accumulate: Optional[int],
                  row: Row, written: Config, cfg: Config) -> Launch:
    """Choose how to start a training with the batch of its recipe.

    The batch of the recipe is the batch size of the written config times the
    study's number of GPUs. The product of ``gpus``, ``accumulate`` and the
    batch size of ``cfg`` must equal it. If the study names no number of GPUs,
    one GPU without accumulation is always accepted.

    Args:
        study: The study.
        gpus: Number of processes.
        accumulate: Batches of an optimizer step. ``None`` means as many as
            the batch of the recipe needs.
        row: The row to train.
        written: Config of the row as written.
        cfg: The same with all options.

    Raises:
        ValueError: If the batch would not be the recipe's, or if the config
            cannot accumulate batches.
    """
    if gpus < 1 or (accumulate is not None and accumulate < 1):
        raise ValueError('expected --gpus and --accumulate of at least 1, got '
                         f'{gpus} and {accumulate}')
    if study.gpus is None and gpus == 1 and accumulate in (None, 1):
        return Launch()
    if torch.cuda.is_available() and gpus > torch.cuda.device_count():
        raise ValueError(f'expected --gpus of at most '
                         f'{torch.cuda.device_count()}, the GPUs of this '
                         f'machine, got {gpus}')
    batch = cfg.train_dataloader.batch_size
    wanted = (study.gpus or 1) * written.train_dataloader.batch_size
    needed, rest = divmod(wanted, gpus * batch)
    if rest or not needed or accumulate not in (None, needed):
        remedy = f'--accumulate {needed}' if needed and not rest else 'others'
        raise ValueError(
            f'row {row.name!r}: expected GPUs x batch size x accumulated '
            f'batches to be the {wanted} of the recipe, got {gpus} x {batch} '
            f'x {accumulate or 1}; use {remedy}, or another --gpus or '
            'train_dataloader.batch_size')
    options = _accumulation_options(row, cfg, needed) if needed > 1 else {}
    return Launch(gpus, needed, options)


def _accumulation_options(row: Row, cfg: Config,
                          accumulate: int) -> Dict[str, Any]:
    """Return the ``cfg_options`` that accumulate batches.

    MMEngine divides each loss by the number of batches and steps the
    optimizer after the last of them, but its schedulers count batches.
    Schedulers by iterations are therefore lengthened.
    """
    options = {'optim_wrapper.accumulative_counts': accumulate}
    hooks = [type_name(hook) for hook in cfg.get('custom_hooks') or ()]
    obstacles = {
        'max_iters': 'max_epochs' not in cfg.train_cfg,
        'accumulative_counts in optim_wrapper':
        cfg.get('optim_wrapper', {}).get('accumulative_counts', 1) != 1,
        'auto_scale_lr.enable, which ignores accumulated batches':
        cfg.get('auto_scale_lr', {}).get('enable', False),
        'an EMAHook, which averages after each batch': 'EMAHook' in hooks,
    }
    schedulers = cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):
        schedulers = {'param_scheduler': schedulers}
    else:
        schedulers = {f'param_scheduler.{index}': scheduler
                      for index, scheduler in enumerate(schedulers)}
    for name, scheduler in schedulers.items():
        if not scheduler.get('by_epoch', True):
            kind = type_name(scheduler)
            obstacles[f'{kind} by iterations'] = kind not in SCALABLE
            options.update({f'{name}.{key}': _times(scheduler[key], accumulate)
                            for key in LENGTHS if scheduler.get(key)})
    for obstacle, present in obstacles.items():
        if present:
            raise ValueError(f'row {row.name!r}: expected a plain training by '
                             f'epochs to accumulate batches, got {obstacle}')
    return options


def _times(length: Any, number: int) -> Any:
    if isinstance(length, (list, tuple)):
        return type(length)(number * part for part in length)
    return number * length
