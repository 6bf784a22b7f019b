import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed each epoch, so that a resumed training draws what it would have.

    MMEngine seeds the process once: random numbers of the third epoch depend
    on those of the first two, which a resumed training does not draw. Here
    they depend on the seed of the run, the epoch and the rank. The processes
    of ``num_workers`` have seeds of their own, from MMEngine.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed Python, NumPy and PyTorch."""
        sequence = np.random.SeedSequence(
            [runner.seed, runner.epoch, runner.rank])
        seed = int(sequence.generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
