"""What a checkpoint may hold; nothing else is unpickled."""
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim import MultiStepLR, OneCycleLR

from srpose_mm.checkpoints.allowed import (
    ALLOWED,
    ONE_CYCLE,
    Refused,
    allowed_attribute,
    load_allowed,
)

from ..support.gadgets import GADGETS, RUN, SYSTEM, Call, raw
from ..support.run_checkpoint import run_checkpoint

MEAN = HistoryBuffer.mean


def saved_and_loaded(contents, **options):
    stream = io.BytesIO()
    torch.save(contents, stream, **options)
    stream.seek(0)
    return load_allowed(stream)


def load(path):
    with open(path, 'rb') as stream:
        return load_allowed(stream)


def test_a_checkpoint_of_mmengine():
    contents = run_checkpoint()
    loaded = saved_and_loaded(contents)
    for key, value in contents['state_dict'].items():
        assert torch.equal(loaded['state_dict'][key], value), key
    history = loaded['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert history.mean() == 0.375
    info = loaded['message_hub']['runtime_info']
    assert info['best_score'] == np.float32(0.7)
    assert info['palette'].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert loaded['meta'] == contents['meta']


def test_numbers_and_arrays_come_back_as_they_were():
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
    for _ in range(2):
        loaded = saved_and_loaded(loaded)
        for got, want in zip(loaded['scalars'], values['scalars']):
            assert got == want and type(got) is type(want)
        for got, want in zip(loaded['arrays'], values['arrays']):
            np.testing.assert_array_equal(got, want)
            # NumPy swaps bytes to the machine's order as it unpickles.
            assert got.dtype == want.dtype.newbyteorder('=')
    assert type(loaded['arrays'][3].mean()) is np.float64
    assert type(loaded['arrays'][3] + 1) is np.ndarray


def test_other_plain_values():
    """MultiStepLR keeps its milestones in a Counter."""
    optimizer = torch.optim.SGD(torch.nn.Linear(1, 1).parameters(), lr=1)
    schedule = MultiStepLR(optimizer, [2, 3]).state_dict()
    values = dict(
        schedule=schedule, a={1, 2}, b=1j, c=torch.float16,
        d=torch.device('cpu'), e=torch.Size([1, 2]), f=b'', g=b'\xff')
    assert saved_and_loaded(values) == values


@pytest.mark.parametrize('older', [False, True])
def test_parameters_in_both_formats_of_torch(older):
    linear = torch.nn.Linear(2, 1)
    loaded = saved_and_loaded(dict(linear.named_parameters()),
                              _use_new_zipfile_serialization=not older)
    assert torch.equal(loaded['weight'], linear.weight)


class Forged:
    """Pickles as a call of a function with a state of our choice."""

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
PLAIN = POINTER[:3] + (None, None, 8, 1, 1)


@pytest.mark.parametrize('content, reason', [
    (array_of(Forged(np.dtype, ('f8', False, True), POINTER), bytes(8)),
     "data type 'O8'"),
    (array_of(Forged(np.dtype, ('f8', False, True), (3, '<', None, (
        'a', ), {}, 8, 1, 63)), bytes(8)), 'data type state'),
    (array_of(Forged(np.dtype, ('f8', False, True), PLAIN), bytes(4)),
     '4 bytes for an array of shape'),
    (array_of(np.dtype('f8'), [0.]), 'an array that is not plain bytes'),
    (np.array([{}], dtype='O'), "data type 'O8'"),
    (np.zeros(1, dtype=[('a', 'f8')]), "data type 'V8'"),
    (Call(np.core.multiarray._reconstruct, list, (0, ), b'b'),
     'the name builtins.list|the name __builtin__.list'),
    (Call(np.core.multiarray._reconstruct, np.dtype, (0, ), b'b'),
     'an array of type'),
    (Call(np.core.multiarray.scalar, np.dtype('f8'), 'text'),
     'a number that is not plain bytes'),
])
def test_forged_arrays_are_refused(content, reason):
    with pytest.raises(Refused, match=reason):
        saved_and_loaded(dict(state_dict=content))


def test_an_allocation_is_refused():
    """``numpy.ndarray`` is a name that can be compared and not called."""
    with pytest.raises(TypeError, match='not callable'):
        saved_and_loaded(Forged(np.ndarray, ((10**12, ), ), None))


@pytest.mark.parametrize('strategy', ['cos', 'linear'])
def test_one_cycle_schedulers(strategy):
    """They keep a function of their class, and are saved again."""
    def build():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
        return OneCycleLR(optimizer, eta_max=1., total_steps=9,
                          anneal_strategy=strategy)

    first, second = build(), build()
    for _ in range(4):
        first.optimizer.step()
        first.step()
    contents = saved_and_loaded(saved_and_loaded(
        dict(scheduler=first.state_dict(),
             optimizer=first.optimizer.state_dict())))
    second.load_state_dict(contents['scheduler'])
    second.optimizer.load_state_dict(contents['optimizer'])
    for scheduler in (first, second):
        scheduler.optimizer.step()
        scheduler.step()
    assert first.get_last_value() == second.get_last_value()
    for name in ('_annealing', 'build_iter_from_epoch', '__init__'):
        with pytest.raises(Refused, match='the attribute'):
            allowed_attribute(ONE_CYCLE, name)


def test_getattr_serves_history_buffers_only():
    assert allowed_attribute(HistoryBuffer, 'mean')(
        HistoryBuffer([3.], [1])) == 3
    for owner, name in [(HistoryBuffer, '__init__'), (HistoryBuffer, 'data'),
                        (HistoryBuffer, '_set_default_statistics'),
                        (HistoryBuffer, 'nothing'), (np, 'load'),
                        (object, '__subclasses__'),
                        (HistoryBuffer([1], [1]), 'mean')]:
        with pytest.raises(Refused, match='the attribute'):
            allowed_attribute(owner, name)


@pytest.mark.parametrize('name', ['os.system', 'older format', 'eval'])
def test_gadgets_work_where_nothing_is_refused(name, tmp_path, monkeypatch):
    """Else the tests of hostile files would see nothing."""
    monkeypatch.chdir(tmp_path)
    GADGETS[name](Path('bad.pth'))
    torch.load('bad.pth', weights_only=False)
    assert Path('ran').exists()


def test_a_torchscript_program_would_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    GADGETS['TorchScript'](Path('bad.pth'))
    torch.jit.load('bad.pth')
    assert Path('ran').exists()


@pytest.mark.parametrize('name', GADGETS)
def test_hostile_contents_run_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('other.py').write_text(RUN)
    torch.save(SYSTEM, 'other.npy')
    GADGETS[name](Path('bad.pth'))
    with pytest.raises(Exception) as caught:  # noqa: B017  of any kind
        load('bad.pth')
    assert not isinstance(caught.value, AssertionError)
    assert not Path('ran').exists()
    assert HistoryBuffer.mean is MEAN


# What each name stands for, and a method that getattr returns.
NAMED = {
    name: b'c%s\n%s\n' % tuple(part.encode() for part in name.rsplit('.', 1))
    for name in ALLOWED
}
NAMED['a method'] = (
    NAMED['builtins.getattr'] +
    NAMED['mmengine.logging.history_buffer.HistoryBuffer'] +
    b'X\x04\x00\x00\x00mean\x86R')


def test_nothing_that_a_file_names_is_changed(tmp_path):
    """BUILD sets what it is told to: a method, or defaults of a function."""
    for opcodes in NAMED.values():
        # Without BUILD the same file loads.
        raw(b'\x80\x02' + opcodes + b'.')(tmp_path / 'bad.pth')
        load(tmp_path / 'bad.pth')
        for attribute in (b'update', b'__defaults__'):
            text = b'X%c\x00\x00\x00%s' % (len(attribute), attribute)
            raw(b'\x80\x02' + opcodes + b'N}' + text + b'K\x01\x85s\x86b.')(
                tmp_path / 'bad.pth')
            with pytest.raises((Refused, TypeError, AttributeError)):
                load(tmp_path / 'bad.pth')
    assert callable(Counter.update)
    assert MEAN.__defaults__ == (None, )


@pytest.mark.skipif(
    not hasattr(torch.serialization, 'add_safe_globals'),
    reason='torch 2.4 and older have no list of safe globals')
def test_safe_globals_of_other_code_allow_nothing(tmp_path, monkeypatch):
    """Advice on the web is to declare getattr safe."""
    monkeypatch.chdir(tmp_path)
    GADGETS['os.system'](Path('bad.pth'))
    before = torch.serialization.get_safe_globals()
    torch.serialization.add_safe_globals([SYSTEM.reduced[0], getattr])
    try:
        with pytest.raises(Refused, match='posix.system'):
            load('bad.pth')
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)
    assert not Path('ran').exists()
