"""Several processes over gloo, each a process of its own."""
import os
import subprocess
import sys

import pytest
import torch

SCRIPT = '''
import atexit
import os


def report():
    """Runs last: names of the threads that the interpreter ends with."""
    tasks = '/proc/self/task'
    names = [open(f'{tasks}/{t}/comm').read().strip()
             for t in os.listdir(tasks)]
    sys.stderr.write(f'{sum("gloo" in name for name in names)} gloo threads, '
                     f'{len(names)} in all\\n')


import sys
atexit.register(report)
import torch
import srpose_mm.engine.cpu_distributed
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def main():
    rank = distributed.get_rank()
    layer = nn.Linear(1, 1)
    model = DistributedDataParallel(layer)
    model.cycle = model
    model(torch.full((1, 1), rank + 1.)).sum().backward()
    sys.stderr.write(f'gradient {layer.weight.grad.item()}\\n')
    if 'fail' in sys.argv:
        raise SystemExit(3)


main()
'''


TORCHRUN = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node',
            '2')


def launch(tmp_path, *words, **environment):
    (tmp_path / 'script.py').write_text(SCRIPT)
    return subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, 'OMP_NUM_THREADS': '1', **environment},
        stderr=subprocess.PIPE,
        text=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason='serves CPUs only')
@pytest.mark.skipif(
    not os.path.isdir('/proc/self/task'), reason='needs threads in /proc')
def test_no_thread_outlives_the_program(tmp_path):
    """Threads that do can abort a process at its exit."""
    result = launch(tmp_path, *TORCHRUN, 'script.py')
    assert result.returncode == 0, result.stderr
    assert result.stderr.count('gradient 1.5') == 2
    assert result.stderr.count('0 gloo threads') == 2, result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason='serves CPUs only')
def test_a_failure_stays_one(tmp_path):
    result = launch(tmp_path, 'script.py', 'fail', RANK='0', WORLD_SIZE='1',
                    MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
    assert result.returncode == 3, result.stderr
    assert 'gradient 1.0' in result.stderr


def test_a_single_process_joins_nothing():
    import srpose_mm.engine.cpu_distributed  # noqa: F401
    assert not torch.distributed.is_initialized()
