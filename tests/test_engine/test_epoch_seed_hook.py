"""Random numbers of an epoch depend on nothing that came before it."""
import random
from types import SimpleNamespace

import numpy as np
import torch
from mmpose.registry import HOOKS


def runner(seed=1, epoch=0, rank=0, init=None):
    loader = SimpleNamespace(worker_init_fn=init, _iterator='running',
                             sampler=SimpleNamespace(seed=0))
    return SimpleNamespace(
        seed=seed, epoch=epoch, rank=rank, train_dataloader=loader)


def start_epoch(run):
    hook = HOOKS.build(dict(type='EpochSeedHook'))
    hook.before_train(run)
    hook.before_train_epoch(run)
    return run.train_dataloader


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_seeds_differ_by_seed_epoch_rank_and_worker():
    draws = []
    for options in ({}, {}, dict(seed=2), dict(epoch=1), dict(rank=1)):
        loader = start_epoch(runner(**options))
        assert loader._iterator is None  # workers start again
        draws.append(draw())
    for worker in (0, 1):
        start_epoch(runner()).worker_init_fn(worker)
        draws.append(draw())
    assert draws[0] == draws[1]
    for numbers in zip(*draws[1:]):
        assert len(set(numbers)) == len(numbers)


def test_the_configs_worker_init_fn_is_called_before():
    called = []
    loader = start_epoch(runner(init=called.append))
    loader.worker_init_fn(3)
    assert called == [3]


def test_the_sampler_shuffles_by_the_seed_of_the_checkpoint():
    run = runner(seed=7)
    assert start_epoch(run).sampler.seed == 7
    del run.train_dataloader.sampler.seed
    start_epoch(run)
