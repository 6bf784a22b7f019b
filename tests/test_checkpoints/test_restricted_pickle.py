import os

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import MultiStepLR
from mmengine.runner import save_checkpoint

from srpose_mm.checkpoints import safe_checkpoint
from srpose_mm.checkpoints import safe_load
from srpose_mm.checkpoints.restricted_pickle import restricted_load

from .test_checkpoint_globals import run_checkpoint


class Attack:

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


def test_a_checkpoint_of_mmengine_loads(tmp_path):
    contents = run_checkpoint()
    save_checkpoint(contents, str(tmp_path / 'epoch_1.pth'))
    with (tmp_path / 'epoch_1.pth').open('rb') as stream:
        loaded = restricted_load(stream)
    for key, value in contents['state_dict'].items():
        assert torch.equal(loaded['state_dict'][key], value), key
    hub = loaded['message_hub']
    assert hub['log_scalars']['train/loss'].mean() == 0.375
    assert hub['runtime_info']['best_score'] == np.float32(0.7)
    assert hub['runtime_info']['palette'].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded['meta']['epoch'] == 1


@pytest.mark.parametrize('function, args, named', [
    (os.system, ('touch ran', ), 'posix.system'),
    (eval, ('open("ran", "w")', ), 'builtins.eval'),
    (getattr, (HistoryBuffer, '__init__'), "the attribute '__init__'"),
    (torch.load, ('other.pth', ), 'torch.serialization.load'),
], ids=['system', 'eval', 'getattr', 'load'])
def test_what_could_run_code_is_refused(function, args, named, tmp_path,
                                        monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(state_dict={}, a=Attack(function, *args)), 'bad.pth')
    with open('bad.pth', 'rb') as stream, pytest.raises(
            ValueError, match='loading it could run code') as err:
        restricted_load(stream)
    assert named in str(err.value)
    assert not (tmp_path / 'ran').exists()


class Program(torch.nn.Module):
    """Writes a file when TorchScript loads it."""

    @torch.jit.export
    def __getstate__(self) -> bool:
        return self.training

    @torch.jit.export
    def __setstate__(self, state: bool) -> None:
        self.training = state
        torch.save(torch.zeros(1), 'ran')

    def forward(self, x):
        return x


def test_a_torchscript_program_is_refused(tmp_path, monkeypatch):
    """torch.load runs one before it asks for an unpickler."""
    monkeypatch.chdir(tmp_path)
    torch.jit.script(Program()).save('bad.pth')
    with open('bad.pth', 'rb') as stream, pytest.raises(
            ValueError, match='holds a TorchScript program'):
        restricted_load(stream)
    assert not (tmp_path / 'ran').exists()
    torch.jit.load('bad.pth')
    assert (tmp_path / 'ran').exists()


def test_the_older_format_loads(tmp_path):
    weights = torch.nn.Linear(2, 1).state_dict()
    torch.save(weights, tmp_path / 'old.pth',
               _use_new_zipfile_serialization=False)
    with (tmp_path / 'old.pth').open('rb') as stream:
        loaded = restricted_load(stream)
    assert torch.equal(loaded['weight'], weights['weight'])


def test_tools_take_it_before_torch_2_6(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_load, 'knows_aliases', lambda: False)
    save_checkpoint(run_checkpoint(), str(tmp_path / 'epoch_1.pth'))
    loaded = safe_checkpoint.load_checkpoint(tmp_path / 'epoch_1.pth', 'tool')
    assert set(loaded['state_dict']) == {'weight', 'bias'}
    torch.save(dict(state_dict={}, a=Attack(os.system, 'touch ran')),
               tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match='tool: .* could run code'):
        safe_checkpoint.load_checkpoint(tmp_path / 'bad.pth', 'tool')
    (tmp_path / 'text.pth').write_text('no checkpoint')
    with pytest.raises(ValueError, match='damaged'):
        safe_checkpoint.load_checkpoint(tmp_path / 'text.pth', 'tool')


def test_schedules_load(tmp_path):
    """MultiStepLR keeps its milestones in a Counter."""
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1)
    schedule = MultiStepLR(optimizer, [2, 3]).state_dict()
    torch.save(schedule, tmp_path / 'a.pth')
    with (tmp_path / 'a.pth').open('rb') as stream:
        assert restricted_load(stream) == schedule
