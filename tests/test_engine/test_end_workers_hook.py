"""Workers whose parent is killed while they wait to hand over batches."""
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from mmpose.registry import HOOKS
from torch.utils.data import DataLoader

from srpose_mm.engine.hooks.end_workers_hook import end_with_parent

from ..conftest import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform != 'linux', reason='the hook is for Linux')
# A batch is larger than the pipe that it goes through.
PARENT = """
import functools, os, sys, time
from torch.utils.data import DataLoader
from srpose_mm.engine.hooks.end_workers_hook import end_with_parent

tie = functools.partial(end_with_parent, init=None, parent=os.getpid())
loader = DataLoader(['x' * 2**20] * 99, num_workers=2, batch_size=1,
                    worker_init_fn=tie)
batches = iter(loader)
next(batches)
print(*(worker.pid for worker in batches._workers), flush=True)
time.sleep(99)
"""


def runs(pid):
    try:
        with open(f'/proc/{pid}/stat') as stream:
            return stream.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False


def test_they_end_with_it():
    with subprocess.Popen([sys.executable, '-c', PARENT], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2 and all(map(runs, workers))
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(map(runs, workers))


def test_one_that_starts_too_late_ends_at_once():
    child = os.fork()
    if not child:
        try:
            # As if that process were gone.
            end_with_parent(0, init=None, parent=-1)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WEXITSTATUS(status) == 1


def test_the_kernel_is_asked_before_the_configs_function(monkeypatch):
    called = []
    monkeypatch.setattr('ctypes.CDLL', lambda _: SimpleNamespace(
        prctl=lambda *args: called.append(args)))
    end_with_parent(3, init=called.append, parent=os.getppid())
    assert called == [(1, signal.SIGKILL), 3]


def test_those_of_a_fork_server_are_left_alone():
    """Their parent is not the process that they work for."""
    loader = DataLoader([1], num_workers=1,
                        multiprocessing_context='forkserver')
    hook = HOOKS.build(dict(type='EndWorkersHook'))
    hook.before_train_epoch(SimpleNamespace(train_dataloader=loader))
    assert loader.worker_init_fn is None


@pytest.mark.parametrize('mode', ['train', 'val', 'test'])
def test_loaders_are_tied_once_and_keep_their_own_function(mode):
    called = []
    loader = DataLoader([1], worker_init_fn=called.append)
    runner = SimpleNamespace(**{f'{mode}_dataloader': loader})
    hook = HOOKS.build(dict(type='EndWorkersHook'))
    for _ in range(2):
        getattr(hook, f'before_{mode}_epoch')(runner)
    tied = loader.worker_init_fn
    assert tied.func is end_with_parent
    assert tied.keywords == dict(init=called.append, parent=os.getpid())
