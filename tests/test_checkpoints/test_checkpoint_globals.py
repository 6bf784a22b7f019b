import os
import pickle
from importlib import import_module

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import load_checkpoint, save_checkpoint

from srpose_mm.checkpoints.checkpoint_globals import history_buffer_getattr

STRICT = pytest.mark.skipif(
    torch.__version__ < '2.6',
    reason='torch loads everything by default before 2.6')


def run_checkpoint():
    """What MMEngine's CheckpointHook stores beside the weights."""
    hub = MessageHub('test_checkpoint_globals')
    hub.update_scalar('train/loss', 0.5)
    hub.update_scalar('train/loss', np.float64(0.25))
    hub.update_info('best_score', np.float32(0.7))
    hub.update_info('palette', np.arange(6, dtype=np.uint8).reshape(2, 3))
    hub.update_info('name', np.str_('toy'))
    return dict(
        state_dict=torch.nn.Linear(2, 1).state_dict(),
        message_hub=hub.state_dict(),
        meta=dict(epoch=1))


@STRICT
def test_a_checkpoint_of_mmengine_loads(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    save_checkpoint(run_checkpoint(), str(path))
    loaded = torch.load(path, weights_only=True)
    history = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert history.mean() == 0.375
    assert loaded['message_hub']['runtime_info']['best_score'] == np.float32(
        0.7)
    load_checkpoint(torch.nn.Linear(2, 1), str(path), strict=True)


def test_getattr_serves_history_buffers_only():
    assert history_buffer_getattr(HistoryBuffer, 'mean') is HistoryBuffer.mean
    for owner, name in [(HistoryBuffer, '__init__'), (HistoryBuffer, 'data'),
                        (HistoryBuffer, '_set_default_statistics'),
                        (HistoryBuffer, 'nothing'), (np, 'load'),
                        (object, '__subclasses__'),
                        (HistoryBuffer([1], [1]), 'mean')]:
        with pytest.raises(ValueError, match='refused'):
            history_buffer_getattr(owner, name)


@STRICT
def test_numbers_and_arrays_come_back_as_they_were(tmp_path):
    """Saved, loaded, saved again and loaded: equal, and NumPy's own types."""
    values = dict(
        scalars=[np.float64(0.25), np.int64(-3), np.bool_(True),
                 np.float32(1.5), np.str_('toy')],
        arrays=[
            np.arange(6).reshape(2, 3).astype(dtype)
            for dtype in ('u1', 'i8', '>f4', 'f8', 'c16', '?')
        ] + [np.asfortranarray(np.eye(3)), np.array(['a', 'bc']),
             np.zeros((0, 2))])
    loaded = values
    for number in range(2):
        torch.save(loaded, tmp_path / f'{number}.pth')
        loaded = torch.load(tmp_path / f'{number}.pth', weights_only=True)
        for got, want in zip(loaded['scalars'], values['scalars']):
            assert got == want and type(got) is type(want)
        for got, want in zip(loaded['arrays'], values['arrays']):
            np.testing.assert_array_equal(got, want)
            # NumPy swaps bytes to the machine's order as it unpickles.
            assert got.dtype == want.dtype.newbyteorder('=')
    assert type(loaded['arrays'][3].mean()) is np.float64
    assert type(loaded['arrays'][3] + 1) is np.ndarray


class Forged:
    """Pickles as a call of a function, with a state of our choice."""

    def __init__(self, function, args, state):
        self.reduced = function, args, state

    def __reduce__(self):
        return self.reduced


def array_of(dtype, data):
    """An array as NumPy pickles it, but of any data type."""
    rebuild = np.core.multiarray._reconstruct
    return Forged(rebuild, (np.ndarray, (0, ), b'b'),
                  (1, (1, ), dtype, False, data))


POINTER = (3, '<', None, ('a', ), {'a': (np.dtype('O'), 0)}, 8, 1, 1)


@STRICT
@pytest.mark.parametrize('content', [
    array_of(Forged(np.dtype, ('f8', False, True), POINTER), bytes(8)),
    array_of(Forged(np.dtype, ('S8', False, True), POINTER), bytes(8)),
    array_of(Forged(np.dtype, ('f8', False, True), POINTER[:3] + (
        None, None, 8, 1, 1)), bytes(4)),
    array_of(np.dtype('f8'), [0.]),
    np.array([{}], dtype='O'),
    np.zeros(1, dtype=[('a', 'f8')]),
    Forged(np.ndarray, ((10**12, ), ), None),
], ids=['pointer', 'pointer in text', 'too few bytes', 'list', 'objects',
        'fields', 'allocation'])
def test_forged_arrays_are_refused(tmp_path, content):
    torch.save(dict(state_dict=content), tmp_path / 'bad.pth')
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(tmp_path / 'bad.pth', weights_only=True)


class Gadget:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


@STRICT
@pytest.mark.parametrize('gadget', [
    Gadget(print, 'code ran'),
    Gadget(eval, '1'),
    Gadget(os.system, 'echo code ran'),
    Gadget(getattr, Gadget(import_module, 'os'), 'system'),
    Gadget(getattr, HistoryBuffer, '__init__'),
    Gadget(HistoryBuffer.mean, 'anything'),
], ids=['print', 'eval', 'system', 'import', 'dunder', 'call of a method'])
def test_code_in_a_checkpoint_is_refused(tmp_path, capsys, gadget):
    path = tmp_path / 'bad.pth'
    with path.open('wb') as stream:
        torch.save(dict(state_dict=gadget), stream)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        torch.load(path)
    assert 'code ran' not in capsys.readouterr().out
