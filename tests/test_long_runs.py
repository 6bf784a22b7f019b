"""What grows, and what is left running, after long."""
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmpose.registry import KEYPOINT_CODECS

from .conftest import ROOT
from .support.training import BATCHES, config, train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='needs /proc')
]
MEGABYTE = 2**20


class Memory:
    """What is held at some moments: resident bytes and tensors."""

    def __init__(self):
        self.resident, self.tensors = [], []

    def look(self):
        gc.collect()
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        self.resident.append(pages * os.sysconf('SC_PAGE_SIZE'))
        self.tensors.append(
            sum(issubclass(type(item), torch.Tensor)
                for item in gc.get_objects()))

    def assert_steady(self, what):
        """Nothing is kept of what is done between the moments.

        The bound on bytes is far below one small map for each of the steps,
        and above what the allocator keeps back.
        """
        grown = (self.resident[-1] - self.resident[0]) / MEGABYTE
        sys.stderr.write(f'{what}: {grown:.1f} MB, '
                         f'{self.tensors[-1] - self.tensors[0]} tensors\n')
        assert self.tensors[-1] == self.tensors[0]
        assert grown < 16


class Look(Hook):
    """Look at the memory in the middle of some epochs."""

    def __init__(self, steps):
        self.steps, self.memory = steps, Memory()

    def after_train_iter(self, runner, batch_idx, data_batch=None,
                         outputs=None):
        if runner.iter in self.steps:
            self.memory.look()


def test_a_thousand_steps(toy_coco, tmp_path):
    """After 200 that fill caches, with checkpoints."""
    look = Look([200, 600, 1199])
    runner = train(
        config(toy_coco, tmp_path,
               **{'train_cfg.max_epochs': 1200 // BATCHES,
                  'default_hooks.checkpoint.interval': 50}), look)
    assert runner.iter == 1200 and len(look.memory.resident) == 3
    look.memory.assert_steady('1000 training steps')


@pytest.mark.parametrize('refine', ['none', 'shift', 'dark', 'parabola'])
@pytest.mark.parametrize('on', ['tensors', 'arrays'])
def test_ten_thousand_decodes(refine, on):
    codec = KEYPOINT_CODECS.build(
        dict(type='SRHeatmap', input_size=(48, 64), heatmap_size=(48, 64),
             sigma=2, refine=refine))
    maps = torch.rand(10, 17, 64, 48)
    memory = Memory()
    for number in range(1200):
        if number in (200, 600, 1199):
            memory.look()
        if on == 'tensors':
            codec.batch_decode(maps)
        else:
            for item in maps.numpy():
                codec.decode(item)
    memory.assert_steady(f'10000 decodes of {on}, {refine}')


def test_ten_thousand_decodes_of_people():
    codec = KEYPOINT_CODECS.build(
        dict(type='SRAssociativeEmbedding', input_size=(48, 64)))
    points = np.random.rand(2, 17, 2).astype(np.float32) * [48, 64]
    maps = torch.from_numpy(codec.encode(points)['heatmaps'])[None]
    tags = torch.zeros_like(maps)
    memory = Memory()
    for number in range(10200):
        if number in (200, 5000, 10199):
            memory.look()
        codec.batch_decode(maps, tags)
    memory.assert_steady('10000 decodes of people')


def children(pid):
    """Processes that a process started and that run still."""
    path = Path(f'/proc/{pid}/task/{pid}/children')
    return [int(word) for word in path.read_text().split()]


def runs(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1]
    except FileNotFoundError:
        return False
    return state.split()[0] not in 'ZX'


def begun(work_dir):
    """Whether a training has logged its first step."""
    return any('Epoch(train)' in log.read_text()
               for log in work_dir.glob('*/*.log'))


@pytest.mark.parametrize('persistent', [True, False])
def test_workers_end_with_a_training_that_is_killed(persistent, toy_coco,
                                                    tmp_path):
    """PyTorch's workers look for their parent every few seconds.

    They remember who it is when they have started: one whose parent is killed
    before that waits for ever. So the first batch is awaited here.
    """
    options = [
        f'train_dataloader.dataset.data_root={toy_coco}',
        'train_dataloader.num_workers=2',
        # One epoch without end, in which no worker starts.
        'train_dataloader.sampler.type=InfiniteSampler',
        f'train_dataloader.persistent_workers={persistent}',
        'default_hooks.logger.interval=1'
    ]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/train.py'),
         str(next((ROOT / 'configs/demo').glob('*.py'))), '--no-validate',
         '--work-dir', str(tmp_path), '--cfg-options', *options],
        cwd=tmp_path, env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    workers = []
    while len(workers) < 2 or not begun(tmp_path):
        assert process.poll() is None, process.stderr.read()[-4000:]
        time.sleep(0.05)
        workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 120
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert [pid for pid in workers if runs(pid)] == []
