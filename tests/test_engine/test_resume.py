"""A training that is killed resumes and ends as one that is not."""
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from ..conftest import ROOT
from ..support.training import BATCHES, EPOCHS, StopAt, config, state, train


class Interrupted(Exception):
    pass


def interrupt():
    raise Interrupted


def assert_equal(resumed, undisturbed):
    """Bit by bit: nothing of the run differs on one CPU."""
    resumed, expected = state(resumed), state(undisturbed)
    assert resumed.keys() == expected.keys()
    different = [
        key for key in expected if not torch.equal(resumed[key], expected[key])
    ]
    assert different == []


@pytest.fixture(scope='module')
def undisturbed(toy_coco, tmp_path_factory):
    """A training that is not interrupted."""
    torch.manual_seed(0)
    return train(config(toy_coco, tmp_path_factory.mktemp('undisturbed')))


WORKERS = {'train_dataloader.num_workers': 2,
           'train_dataloader.persistent_workers': True}


@pytest.fixture(scope='module')
def with_workers(toy_coco, tmp_path_factory):
    """A training whose data is loaded by other processes."""
    folder = tmp_path_factory.mktemp('with_workers')
    return train(config(toy_coco, folder, **WORKERS))


@pytest.mark.parametrize('step', [4, 6], ids=['in an epoch', 'between two'])
def test_same_weights(undisturbed, step, toy_coco, tmp_path):
    cfg = config(toy_coco, tmp_path)
    with pytest.raises(Interrupted):
        train(cfg, StopAt(step, interrupt))
    resumed = train(config(toy_coco, tmp_path, resume=True))
    assert resumed.iter == EPOCHS * BATCHES
    assert_equal(resumed, undisturbed)


@pytest.mark.parametrize('persistent', [False, True])
def test_same_weights_with_workers(persistent, with_workers, toy_coco,
                                   tmp_path):
    """Each epoch has new ones, with seeds of their own."""
    options = {**WORKERS, 'train_dataloader.persistent_workers': persistent}
    with pytest.raises(Interrupted):
        train(config(toy_coco, tmp_path, **options), StopAt(4, interrupt))
    resumed = train(config(toy_coco, tmp_path, resume=True, **options))
    assert_equal(resumed, with_workers)


def test_same_weights_without_a_seed(toy_coco, tmp_path):
    """Of two that resume from one checkpoint: it keeps the drawn seed."""
    options = {'randomness': dict(seed=None)}
    with pytest.raises(Interrupted):
        train(config(toy_coco, tmp_path / 'first', **options),
              StopAt(4, interrupt))
    shutil.copytree(tmp_path / 'first', tmp_path / 'second')
    first, second = (
        train(config(toy_coco, tmp_path / name, resume=True, **options))
        for name in ('first', 'second'))
    assert first.seed == second.seed != 0
    assert_equal(second, first)


def run(module, *words):
    return subprocess.run(
        [sys.executable, '-m', f'tests.support.{module}',
         *map(str, words)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': str(torch.get_num_threads())},
        capture_output=True,
        text=True,
        # A training that resumes and then waits for ever fails here.
        timeout=1800)


def test_killed_while_it_writes(undisturbed, toy_coco, tmp_path):
    """One checkpoint is kept; while the second is written, that is the first.
    """
    result = run('training', toy_coco, tmp_path, 2)
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert not (tmp_path / 'epoch_2.pth').exists()
    left, = tmp_path.glob('.unfinished_checkpoint_*')
    half = next(left.iterdir()).stat().st_size
    assert half < (tmp_path / 'epoch_1.pth').stat().st_size
    resumed = train(config(toy_coco, tmp_path, resume=True))
    assert_equal(resumed, undisturbed)
    assert not left.exists()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']


@pytest.mark.slow
def test_killed_at_random_moments(undisturbed, toy_coco, tmp_path):
    """Again and again, until it ends; each write takes two seconds."""
    rounds = os.environ.get('SRPOSE_KILL_ROUNDS', '20')
    result = run('killing', toy_coco, tmp_path, rounds)
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout.splitlines()[-1])
    sys.stderr.write(f'{counts}\n')
    assert counts['kills'] > counts['while writing'] > 0
    for number in range(int(rounds)):
        last, = (tmp_path / str(number)).glob('*.pth')
        assert last.name == f'epoch_{EPOCHS}.pth'
        resumed = train(
            config(toy_coco, tmp_path / str(number), resume=True))
        assert_equal(resumed, undisturbed)
