"""Checkpoints from files and from the web, and what is wrong with them."""
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader, save_checkpoint
from safetensors.torch import save_file

from srpose_mm.checkpoints import CheckpointError, load_checkpoint, reading

from ..support.gadgets import GADGETS
from ..support.run_checkpoint import flip_bit, run_checkpoint
from ..support.server import serve

WEIGHTS = dict(weight=torch.tensor([[0.1, 0.2]]), bias=torch.tensor([0.3]))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of the working directory; downloads go to ``hub``."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    with serve(tmp_path) as server:
        yield server


def cached():
    return sorted(path.name for path in Path('hub/checkpoints').glob('*'))


def assert_weights(state_dict):
    assert set(state_dict) == set(WEIGHTS)
    for key, value in WEIGHTS.items():
        assert torch.equal(state_dict[key], value)


def test_files_of_mmengine_torch_and_safetensors():
    save_checkpoint(run_checkpoint(), 'epoch_1.pth')
    contents = load_checkpoint('epoch_1.pth')
    assert contents['meta'] == dict(epoch=1, iter=3)
    torch.save(WEIGHTS, 'weights.pth')
    assert_weights(load_checkpoint(Path('weights.pth')))
    save_file(WEIGHTS, 'weights.safetensors')
    contents = load_checkpoint('weights.safetensors')
    assert_weights(contents['state_dict'])
    assert contents['meta'] == {}


def test_every_cut_is_seen():
    """Wherever the write was stopped."""
    path = Path('epoch_1.pth')
    torch.save(run_checkpoint(), path)
    contents = path.read_bytes()
    for size in range(0, len(contents), 97):
        path.write_bytes(contents[:size])
        with pytest.raises(ValueError, match='epoch_1.pth: expected a '
                           'checkpoint of tensors and plain values, got a '
                           'corrupt or hostile one'):
            load_checkpoint(path)


def test_a_changed_bit_is_seen():
    path = Path('weights.pth')
    torch.save(WEIGHTS, path)
    flip_bit(path, WEIGHTS['weight'])
    # torch itself reads another number.
    assert not torch.equal(torch.load(path)['weight'], WEIGHTS['weight'])
    with pytest.raises(ValueError, match='corrupt .*BadZipFile'):
        load_checkpoint(path)


@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_text_is_no_checkpoint(name):
    Path(name).write_text('404 not found')
    with pytest.raises(ValueError, match=f'{name}: .* a corrupt or hostile'):
        load_checkpoint(name)


@pytest.mark.parametrize('location', [
    'none.pth', '.', 's3://bucket/a.pth', 'pavi://a.pth', 'ftp://a/b.pth',
    'cluster:s3://bucket/a.pth'
])
def test_no_file(location):
    """Stores that MMEngine would unpickle from are no files either."""
    for load in (load_checkpoint, CheckpointLoader.load_checkpoint):
        with pytest.raises(FileNotFoundError, match='expected a checkpoint, '
                           'which is an existing file or starts with http://'):
            load(location)


def test_a_url_is_downloaded_once(server):
    torch.save(WEIGHTS, 'a.pth')
    for _ in range(2):
        assert_weights(load_checkpoint(f'{server.url}/a.pth?version=1'))
    assert server.asked == ['/a.pth?version=1']
    assert cached() == ['a.pth']
    save_file(WEIGHTS, 'b.safetensors')
    contents = load_checkpoint(f'{server.url}/b.safetensors')
    assert_weights(contents['state_dict'])


def test_a_download_that_fails(server):
    with pytest.raises(OSError, match=f'{server.url}/no.pth: the download '
                       r'failed \(HTTP Error 404.*check the URL'):
        load_checkpoint(f'{server.url}/no.pth')
    for url in (f'{server.url}/', f'{server.url}/..'):
        with pytest.raises(ValueError, match='expected the URL of a file'):
            load_checkpoint(url)
    assert cached() == []


def test_what_is_no_checkpoint_stays_out_of_the_cache(server):
    """Other programs load from there without care."""
    GADGETS['os.system'](Path('bad.pth'))
    Path('cut.pth').write_bytes(b'PK')
    for name in ('bad.pth', 'cut.pth'):
        with pytest.raises(ValueError, match=f'{server.url}/{name}: expected'):
            load_checkpoint(f'{server.url}/{name}')
    assert cached() == [] and not Path('ran').exists()


def test_a_corrupt_file_in_the_cache_is_named(server, tmp_path):
    """Another program left it, and it has to be removed."""
    path = tmp_path / 'hub/checkpoints/a.pth'
    path.parent.mkdir(parents=True)
    path.write_text('half')
    url = f'{server.url}/a.pth'
    with pytest.raises(CheckpointError, match=f'{url} in {path}: expected'):
        load_checkpoint(url)
    assert server.asked == []


def test_the_other_processes_of_a_node_wait(server, monkeypatch):
    torch.save(WEIGHTS, 'a.pth')
    url = f'{server.url}/a.pth'
    monkeypatch.setattr(reading, 'is_main_process', lambda: False)
    monkeypatch.setattr(reading, 'barrier', lambda: load_by_main(url))

    def load_by_main(url):
        reading._fetch(url, Path('hub/checkpoints/a.pth'))

    assert_weights(load_checkpoint(url))
    assert server.asked == ['/a.pth']


@pytest.mark.parametrize('location', [
    'torchvision://a', 'modelzoo://a', 'open-mmlab://a', 'openmmlab://a',
    'open-mmlab://old', 'mmcls://a'
])
def test_names_of_models(location, server, monkeypatch):
    weights = WEIGHTS
    if location.startswith('mmcls'):
        weights = {f'backbone.{key}': v for key, v in WEIGHTS.items()}
        weights['head.fc.weight'] = torch.zeros(1)
    torch.save(dict(state_dict=weights), 'a.pth')
    monkeypatch.setattr(reading, 'MODEL_NAMES', dict.fromkeys(
        reading.MODEL_NAMES, lambda: dict(a=f'{server.url}/a.pth')))
    monkeypatch.setattr(reading.runner, 'get_deprecated_model_names',
                        lambda: dict(old='a'))
    contents = CheckpointLoader.load_checkpoint(location)
    assert_weights(contents['state_dict'])
    with pytest.raises(ValueError, match='://b: expected the name of a model'):
        load_checkpoint(location[:location.index('//')] + '//b')


def test_weights_of_a_backbone(server):
    """A config names them as init_cfg, with or without a prefix."""
    torch.save(WEIGHTS, 'a.pth')
    torch.save({f'backbone.{k}': v for k, v in WEIGHTS.items()}, 'b.pth')

    class Backbone(torch.nn.Linear, BaseModule):
        pass

    for name, prefix in (('a.pth', None), ('b.pth', 'backbone.')):
        backbone = Backbone(2, 1)
        backbone._is_init, backbone.init_cfg = False, dict(
            type='Pretrained', checkpoint=f'{server.url}/{name}',
            prefix=prefix)
        backbone.init_weights()
        assert_weights(backbone.state_dict())


def test_no_texts_of_configs():
    """MMEngine would execute them."""
    contents = run_checkpoint(config='a = 1', cfg='b = 2')
    contents['message_hub']['runtime_info']['cfg'] = 'c = 3'
    torch.save(contents, 'a.pth')
    loaded = CheckpointLoader.load_checkpoint('a.pth')
    assert set(loaded['meta']) == {'epoch', 'iter'}
    info = loaded['message_hub']['runtime_info']
    assert set(info) == {'best_score', 'palette', 'name'}


def test_what_is_no_dict_is_left_to_mmengine():
    torch.save([1], 'a.pth')
    assert CheckpointLoader.load_checkpoint('a.pth') == [1]
    torch.save(dict(meta=1, message_hub=[2]), 'a.pth')
    assert CheckpointLoader.load_checkpoint('a.pth')['meta'] == 1


IMPORT = """
import json, mmengine.runner, torch
# torch 2.4 and older have no list of safe globals.
listed = getattr(torch.serialization, 'get_safe_globals', list)
names = listed()
load = torch.load
import srpose_mm
new = set(listed()) - set(names)
torch.save(dict(a=__import__('numpy').arange(3)), 'a.pth')
try:
    torch.load('a.pth', weights_only=True)
    found = 'loaded'
except Exception as err:
    found = type(err).__name__
kind = type(torch.load('a.pth', weights_only=False)['a']).__name__
new = [str(name) for name in new]
print(json.dumps([new, load is torch.load, found, kind]))
"""


def test_other_code_keeps_its_torch_load():
    """Importing adds no safe globals, and arrays stay NumPy's."""
    result = subprocess.run([sys.executable, '-c', IMPORT],
                            capture_output=True, text=True, check=True)
    new, same, found, kind = json.loads(result.stdout.splitlines()[-1])
    assert new == [] and same and kind == 'ndarray'
    assert found == 'UnpicklingError' or torch.__version__ < '2.6'
