import random
from functools import partial
from typing import Callable, Optional, Sequence

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


def seed_all(entropy: Sequence[int]) -> None:
    """Seed Python, NumPy and PyTorch with a sequence of numbers."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_worker(worker_id: int, init: Optional[Callable],
                entropy: Sequence[int]) -> None:
    """Call a worker's ``init``, then seed the worker."""
    if init is not None:
        init(worker_id)
    # The main process has no number here.
    seed_all([*entropy, worker_id + 1])


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training draws the same numbers.

    MMEngine seeds the process once: the random numbers of epoch 3 depend on
    those of epochs 1 and 2, which a resumed training does not draw. With this
    hook they depend on the seed of the run, which a checkpoint keeps, the
    epoch, the rank and the worker. Workers restart in each epoch, even with
    ``persistent_workers``. A training that counts iterations is one epoch to
    MMEngine and is not reproduced.
    """

    def before_train(self, runner: Runner) -> None:
        """Wrap the ``worker_init_fn``, and shuffle by the resumed seed."""
        loader = runner.train_dataloader
        # Seed of the epoch, which workers read when they start.
        self.entropy = []
        loader.worker_init_fn = partial(
            seed_worker, init=loader.worker_init_fn, entropy=self.entropy)
        # Without a seed in the config, MMEngine draws a new one for the
        # sampler. The seed of the checkpoint counts.
        if hasattr(loader.sampler, 'seed'):
            loader.sampler.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, and its workers when they start."""
        self.entropy[:] = runner.seed, runner.epoch, runner.rank
        runner.train_dataloader._iterator = None  # ends persistent workers
        seed_all(self.entropy)
