import random
from typing import Callable, Optional, Sequence

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


class SeedWorker:
    """A ``worker_init_fn`` whose seeds differ between epochs.

    Args:
        init: The ``worker_init_fn`` to call before.
    """

    def __init__(self, init: Optional[Callable[[int], None]]):
        self.init = init
        self.entropy: Sequence[int] = ()

    def __call__(self, worker_id: int) -> None:
        """Seed this worker."""
        if self.init is not None:
            self.init(worker_id)
        # The main process has no number here.
        seed_all([*self.entropy, worker_id + 1])


def seed_all(entropy: Sequence[int]) -> None:
    """Seed Python, NumPy and PyTorch by all of some numbers."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


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
        self.worker = SeedWorker(loader.worker_init_fn)
        loader.worker_init_fn = self.worker
        # Without a seed in the config, the sampler has another than the
        # checkpoint.
        if hasattr(loader.sampler, 'seed'):
            loader.sampler.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process, and its workers when they start."""
        entropy = [runner.seed, runner.epoch, runner.rank]
        self.worker.entropy = entropy
        runner.train_dataloader._iterator = None  # ends persistent workers
        seed_all(entropy)
