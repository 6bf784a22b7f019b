"""On how many GPUs a training runs, and how its batch stays the recipe's."""
from typing import Any, Dict, List, NamedTuple, Optional

import torch
from mmengine.config import Config

from srpose_mm.configs import type_name

from .study_file import Row, Study

# Schedulers that a longer way between two steps does not change but in these.
SCALABLE = ('ConstantLR', 'CosineAnnealingLR', 'LinearLR', 'MultiStepLR',
            'PolyLR', 'StepLR')
LENGTHS = ('begin', 'end', 'T_max', 'milestones', 'step_size')


class Launch(NamedTuple):
    """How a training is started.

    Attributes:
        gpus: Processes, each with a GPU where there are any.
        accumulate: Batches whose gradients one step of the optimizer takes.
        options: ``cfg_options`` which that needs.
    """

    gpus: int = 1
    accumulate: int = 1
    options: Dict[str, Any] = {}

    def __str__(self) -> str:
        return f'--gpus {self.gpus} --accumulate {self.accumulate}'

    @property
    def launcher(self) -> List[str]:
        """Words between ``python`` and the script."""
        if self.gpus == 1:
            return []
        return ['-m', 'torch.distributed.run', '--standalone',
                '--nproc_per_node', str(self.gpus)]

    @property
    def arguments(self) -> List[str]:
        """Words for the script."""
        return [] if self.gpus == 1 else ['--launcher', 'pytorch']

    @property
    def facts(self) -> Dict[str, int]:
        """What is kept of it."""
        return dict(gpus=self.gpus, accumulate=self.accumulate)


def choose_launch(study: Study, gpus: int, accumulate: Optional[int],
                  row: Row, written: Config, cfg: Config) -> Launch:
    """How to start a training with the batch of its recipe.

    The batch of a recipe is that of the config as it is written, on as many
    GPUs as the study says, or on one. GPUs, the batch in ``cfg`` and the
    number that is accumulated must come to the same. Nothing is checked where
    the study says nothing and one GPU and no accumulation are asked for.

    Args:
        study: The study.
        gpus: Processes to start.
        accumulate: Batches of a step; ``None`` takes what is missing.
        row: The row that is trained.
        written: Its config as it is written.
        cfg: The same with all options merged.

    Returns:
        How to start it.

    Raises:
        ValueError: If the recipe's batch does not come out, or if the config
            cannot be trained so.
    """
    if gpus < 1 or (accumulate is not None and accumulate < 1):
        raise ValueError('study: expected --gpus and --accumulate of 1 or '
                         f'more, got {gpus} and {accumulate}')
    if study.gpus is None and gpus == 1 and accumulate in (None, 1):
        return Launch()
    if torch.cuda.is_available() and gpus > torch.cuda.device_count():
        raise ValueError(f'study: expected --gpus {torch.cuda.device_count()} '
                         f'at most, which are here, got {gpus}')
    batch = cfg.train_dataloader.batch_size
    wanted = (study.gpus or 1) * written.train_dataloader.batch_size
    needed, rest = divmod(wanted, gpus * batch)
    if rest or not needed or accumulate not in (None, needed):
        fit = f'--accumulate {needed}' if needed and not rest else 'others'
        raise ValueError(
            f'row {row.name!r}: expected GPUs x batch x accumulated ones to '
            f'be the {wanted} of the recipe, got {gpus} x {batch} x '
            f'{accumulate or 1}; give {fit}, or another --gpus or '
            'train_dataloader.batch_size')
    return Launch(gpus, needed, accumulation_options(row, cfg, needed))


def accumulation_options(row: Row, cfg: Config,
                         accumulate: int) -> Dict[str, Any]:
    """What accumulating changes in a config.

    MMEngine divides each loss by the number and steps the optimizer after
    that many batches, with and without AMP, but goes on counting batches: a
    schedule by iterations must be that many times as long. One by epochs stays
    as it is.

    Args:
        row: The row that is trained.
        cfg: Its config, all options merged.
        accumulate: Batches of a step.

    Returns:
        ``cfg_options``.

    Raises:
        ValueError: If the config counts iterations in another way.
    """
    if accumulate == 1:
        return {}
    hooks = [type_name(hook) for hook in cfg.get('custom_hooks') or ()]
    for found, is_so in {
        'one in iterations': 'max_epochs' not in cfg.train_cfg,
        'one that accumulates by itself':
        cfg.get('optim_wrapper', {}).get('accumulative_counts', 1) != 1,
        'auto_scale_lr.enable, which counts no accumulated batches':
        cfg.get('auto_scale_lr', {}).get('enable', False),
        'an EMAHook, which averages after each batch': 'EMAHook' in hooks,
    }.items():
        if is_so:
            raise ValueError(f'row {row.name!r}: expected a plain training in '
                             f'epochs to accumulate batches, got {found}')
    options = {'optim_wrapper.accumulative_counts': accumulate}
    schedulers = cfg.get('param_scheduler') or []
    many = isinstance(schedulers, (list, tuple))
    for index, scheduler in enumerate(schedulers if many else [schedulers]):
        if scheduler.get('by_epoch', True):
            continue
        if type_name(scheduler) not in SCALABLE:
            raise ValueError(
                f'row {row.name!r}: expected schedulers by epochs, or of '
                f'{", ".join(SCALABLE)}, to accumulate batches, got '
                f'{type_name(scheduler)} by iterations')
        start = f'param_scheduler.{index}' if many else 'param_scheduler'
        for key in LENGTHS:
            if scheduler.get(key):
                options[f'{start}.{key}'] = _times(scheduler[key], accumulate)
    return options


def _times(length: Any, number: int) -> Any:
    if isinstance(length, (list, tuple)):
        return type(length)(number * part for part in length)
    return number * length
