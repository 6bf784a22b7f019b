import random
from typing import Callable, Optional, Sequence

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


class SeedWorker:
    """A ``worker_init_fn`` whose seeds differ from epoch to epoch.

    Args:
        init: The ``worker_init_fn`` that is called before it.
    """

    def __init__(self, init: Optional[Callable[[int], None]]):
        self.init = init
        self.entropy: Sequence[int] = ()

    def __call__(self, worker_id: int) -> None:
        if self.init is not None:
            self.init(worker_id)
        # Apart from the process that it works for, which has no number here.
        seed_all([*self.entropy, worker_id + 1])


def seed_all(entropy: Sequence[int]) -> None:
    """Seed Python, NumPy and PyTorch with what depends on all numbers."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training draws what it would have.

    MMEngine seeds the process once: random numbers of the third epoch depend
    on those of the first two, which a resumed training does not draw. Here
    they depend on the seed of the run, which a checkpoint keeps, the epoch,
    the rank and the worker of the data loader. To that end the workers start
    anew in each epoch, also with ``persistent_workers``. Trainings that count
    iterations are one epoch to MMEngine and are not reproduced.
    """

    def before_train(self, runner: Runner) -> None:
        """Take hold of the workers; shuffle as the resumed training did."""
        loader = runner.train_dataloader
        self.worker = SeedWorker(loader.worker_init_fn)
        loader.worker_init_fn = self.worker
        # A run without a seed got one before it read that of its checkpoint.
        if hasattr(loader.sampler, 'seed'):
            loader.sampler.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, and its workers when they start."""
        entropy = [runner.seed, runner.epoch, runner.rank]
        self.worker.entropy = entropy
        # Ends workers that are kept over epochs.
        runner.train_dataloader._iterator = None
        seed_all(entropy)
