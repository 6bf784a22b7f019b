"""Two processes learn what one learns of a batch twice as large."""
import os
import subprocess
import sys

import pytest
import torch

from ..conftest import ROOT
from ..support import two_processes

BOTTOM_UP = 'SRAssociativeEmbeddingHead'


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """Gradients of two processes, after what each of them averaged."""
    if torch.cuda.is_available():
        pytest.skip('the processes join over gloo where there is no GPU')
    out = tmp_path_factory.mktemp('two') / 'gradients.pth'
    # Processes that wait for each other would wait for half an hour.
    result = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone',
         '--nproc_per_node', '2', '-m', 'tests.support.two_processes',
         str(out)],
        cwd=ROOT,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stderr=subprocess.PIPE,
        text=True,
        timeout=300)
    assert result.returncode == 0, result.stderr[-4000:]
    return torch.load(out, weights_only=True)


def single(name, people):
    images, samples = two_processes.data(name, people)
    return two_processes.gradients(
        two_processes.build(name), images, samples)


def assert_close(both, one):
    """To 1e-5 of the largest gradient of a weight: sums in another order."""
    assert both.keys() == one.keys()
    for name, gradient in one.items():
        scale = gradient.abs().max().item()
        torch.testing.assert_close(
            both[name], gradient, rtol=0, atol=1e-5 * scale, msg=name)


@pytest.mark.parametrize('name', two_processes.HEADS)
def test_gradients(name, found):
    one = single(name, two_processes.people_of(name))
    assert all(gradient.abs().max() > 0 for gradient in one.values())
    assert_close(found[name], one)


@pytest.mark.parametrize('people', [(0, 0, 2, 1), (2, 1, 0, 0), (2, 0, 3, 1)])
def test_a_process_without_people(people, found):
    assert_close(found[people], single(BOTTOM_UP, people))


def test_nobody_at_all(found):
    """Every weight has a gradient, that of the tags is 0."""
    gradients = found[0, 0, 0, 0]
    assert all(gradient is not None for gradient in gradients.values())
    assert gradients['head.tag_layer.weight'].abs().max() == 0
    assert gradients['head.sr_block.predictor.weight'].abs().max() > 0
