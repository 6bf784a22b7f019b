"""A small training, in this process or, to be killed, in one of its own.

python -m tests.support.training ROOT WORK NUMBER

The process is killed while it writes its checkpoint of that number.
"""
import os
import signal
import sys
import time
from pathlib import Path
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

CONFIG = next(Path(__file__).parents[2].glob('configs/demo/*.py'))
EPOCHS = 3
BATCHES = 3  # of an epoch


def config(root, work_dir, **options):
    """Return the demo's config for six instances and a narrow backbone."""
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({
        'work_dir': str(work_dir),
        'train_cfg': dict(max_epochs=EPOCHS, val_interval=9),
        'train_dataloader.dataset.data_root': str(root),
        'train_dataloader.dataset.indices': 6,
        'train_dataloader.batch_size': 2,
        'model.backbone.base_channels': 8,
        'model.backbone.stem_channels': 8,
        'model.neck.in_channels': (64, 32, 16, 8),
        'model.neck.out_channels': (8, 8, 8, 8),
        'model.head.in_channels': (8, 8, 8, 8),
        'log_level': 'WARNING',
        **options
    })
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{key}_{part}'] = None
    return cfg


# MMEngine formats the config's text for each checkpoint, which takes most of
# the time of a small training. The text without line breaks is a config too.
UNFORMATTED = mock.patch('mmengine.config.config.FormatCode',
                         lambda text, **kwargs: (text, True))


def build(cfg):
    """Build the runner of a config."""
    DefaultScope._instance_dict.clear()
    cfg.experiment_name = f'{os.getpid()}-{time.monotonic_ns()}'
    return Runner.from_cfg(cfg)


def train(cfg, *hooks):
    """Run a training and return its runner."""
    with UNFORMATTED:
        runner = build(cfg)
        for hook in hooks:
            runner.register_hook(hook)
        try:
            runner.train()
        finally:
            # The garbage collector would wait 5 seconds for each worker.
            runner.train_dataloader._iterator = None
    return runner


def state(runner):
    """Return all numbers that a training ends with, by name."""
    tensors = dict(runner.model.state_dict())
    for index, values in runner.optim_wrapper.state_dict()['state'].items():
        tensors.update({f'{index} {key}': v for key, v in values.items()})
    return {key: torch.as_tensor(value) for key, value in tensors.items()}


class StopAt(Hook):
    """Stop before a step; ``stop`` may raise or end the process."""

    def __init__(self, step, stop):
        self.step, self.stop = step, stop

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.step:
            self.stop()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def slow_write(path, contents, pause, kill_at=None):
    """Write a file in ten parts; replaces ``Path.write_bytes``."""
    size = len(contents) // 10 + 1
    with path.open('wb') as stream:
        for part in range(10):
            if part == kill_at:
                kill()
            stream.write(contents[part * size:(part + 1) * size])
            stream.flush()
            time.sleep(pause)


def write_slowly(pause, killed=None):
    """Make each checkpoint take ten pauses; end the process in one of them.

    Args:
        pause: Seconds.
        killed: Number of the checkpoint, from 1.
    """
    written = []

    def write(path, contents):
        written.append(path)
        kill_at = 5 if len(written) == killed else None
        slow_write(path, contents, pause, kill_at)

    Path.write_bytes = write


if __name__ == '__main__':
    root, work_dir, number = sys.argv[1:]
    write_slowly(0, int(number))
    train(config(root, work_dir, resume=True))
