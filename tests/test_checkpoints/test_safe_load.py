"""No checkpoint runs code, with torch of today and before 2.6."""
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.logging import HistoryBuffer

from srpose_mm.checkpoints import safe_load as module
from srpose_mm.checkpoints.checkpoint_globals import knows_aliases
from srpose_mm.checkpoints.restricted_pickle import KNOWN
from srpose_mm.checkpoints.safe_load import refuse_url, safe_load

from ..support.gadgets import GADGETS, RUN, SYSTEM, raw
from .test_checkpoint_globals import run_checkpoint

MEAN = HistoryBuffer.mean


@pytest.fixture(params=['of today', 'before 2.6'])
def torch_version(request, monkeypatch):
    """How torch loads; the older way can be taken in any version."""
    if request.param == 'before 2.6':
        monkeypatch.setattr(module, 'knows_aliases', lambda: False)
    elif not knows_aliases():
        pytest.skip('this torch knows no stand-ins')


@pytest.mark.parametrize('name', GADGETS)
def test_no_code_runs(name, torch_version, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('other.py').write_text(RUN)
    torch.save(SYSTEM, 'other.npy')
    GADGETS[name](Path('bad.pth'))
    with pytest.raises(ValueError) as caught:
        safe_load(Path('bad.pth'), 'tool')
    assert re.fullmatch(
        r'tool: bad.pth: expected a checkpoint of tensors and plain values, '
        r'got a file that is damaged or could run code \([\w :.]+\); get it '
        r'anew from a source you trust', str(caught.value))
    assert not Path('ran').exists()
    assert HistoryBuffer.mean is MEAN


# What each name gives, and a method that torch gets for it; array_type is
# only compared.
NAMED = {
    name: b'c%s\n%s\n' % tuple(part.encode() for part in name.rsplit('.', 1))
    for name in KNOWN if name != 'numpy.ndarray'
}
NAMED['a method'] = (
    NAMED['builtins.getattr'] +
    NAMED['mmengine.logging.history_buffer.HistoryBuffer'] +
    b'X\x04\x00\x00\x00mean\x86R')


@pytest.mark.parametrize('name', NAMED)
def test_nothing_that_it_names_is_changed(name, torch_version, tmp_path):
    """BUILD sets what it is told to: a method, or what a function takes."""
    # Without it the same file loads.
    raw(b'\x80\x02' + NAMED[name] + b'.')(tmp_path / 'bad.pth')
    safe_load(tmp_path / 'bad.pth', 'tool')
    for attribute in (b'update', b'__defaults__'):
        text = b'X%c\x00\x00\x00%s' % (len(attribute), attribute)
        raw(b'\x80\x02' + NAMED[name] + b'N}' + text + b'K\x01\x85s\x86b.')(
            tmp_path / 'bad.pth')
        with pytest.raises(ValueError, match='got a file that is damaged'):
            safe_load(tmp_path / 'bad.pth', 'tool')
    assert callable(Counter.update)
    assert MEAN.__defaults__ == (None, )


@pytest.mark.parametrize('name', ['os.system', 'older format', 'eval'])
def test_gadgets_work_where_nothing_is_refused(name, tmp_path, monkeypatch):
    """Else the tests above would see nothing."""
    monkeypatch.chdir(tmp_path)
    GADGETS[name](Path('bad.pth'))
    torch.load('bad.pth', weights_only=False)
    assert Path('ran').exists()


def test_a_checkpoint_loads(torch_version, tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(run_checkpoint(), path)
    assert safe_load(path, 'tool')['meta'] == dict(epoch=1)


def test_every_cut_is_seen(tmp_path, torch_version):
    """Whatever the write was stopped at."""
    path = tmp_path / 'epoch_1.pth'
    torch.save(run_checkpoint(), path)
    contents = path.read_bytes()
    for size in range(0, len(contents), 97):
        path.write_bytes(contents[:size])
        with pytest.raises(ValueError, match='damaged'):
            safe_load(path, 'tool')


def test_a_changed_bit_is_seen(tmp_path, torch_version):
    path = tmp_path / 'weights.pth'
    weight = torch.full((4, ), 0.1)
    torch.save(dict(weight=weight), path)
    contents = bytearray(path.read_bytes())
    contents[contents.index(weight.numpy().tobytes())] ^= 1
    path.write_bytes(contents)
    # torch itself reads another number.
    assert torch.load(path, weights_only=True)['weight'][0] != weight[0]
    with pytest.raises(ValueError, match='damaged .* .BadZipFile'):
        safe_load(path, 'tool')


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='tool: expected a checkpoint,'
                       ' got .*a.pth'):
        safe_load(tmp_path / 'a.pth', 'tool')


def test_urls():
    for url in ('https://a/b.pth', 'torchvision://resnet50', 's3://a'):
        with pytest.raises(ValueError, match='tool: expected it to be a local'
                           ' file, .*; nothing is downloaded'):
            refuse_url(url, 'it', 'tool')
    for path in ('a/b.pth', './http:/b.pth', 'C:/b.pth', Path('/b.pth')):
        refuse_url(path, 'it', 'tool')
