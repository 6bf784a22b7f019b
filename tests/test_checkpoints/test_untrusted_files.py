"""Hostile checkpoints through all ways in: refused, and nothing runs."""
import socket
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from mmpose.apis import MMPoseInferencer, Pose2DInferencer, init_model
from mmpose.registry import MODELS

from srpose_mm.apis import (
    convert_checkpoint,
    export_model,
    load_checkpoint,
    measure_complexity,
    predict,
    swap_files,
    swap_head,
    visualize,
)

from ..support.gadgets import GADGETS, RUN, SYSTEM
from ..support.predict_helpers import DEMO, picture
from ..support.run_checkpoint import run_checkpoint
from ..support.server import serve
from ..support.training import UNFORMATTED, build
from ..support.training import config as training

STOCK = 'td-hm_res50_8xb64-210e_coco-256x192'
REFUSED = ('expected a checkpoint of tensors and plain values, got (one with '
           r'.*, which could run code|a corrupt or hostile one \(.*\)); get '
           'it from a source you trust')


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    Path('other.py').write_text(RUN)
    torch.save(SYSTEM, 'other.npy')


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """Path of a config with a narrow model."""
    path = tmp_path_factory.mktemp('small') / 'small.py'
    cfg = training('none', 'work')
    cfg.test_dataloader = Config.fromfile(DEMO).test_dataloader
    with UNFORMATTED:
        cfg.dump(path)
    return path


@pytest.fixture(scope='module')
def runner(toy_coco, tmp_path_factory):
    """A runner with the stock hook, whose checkpoints MMEngine reads."""
    cfg = training(toy_coco, tmp_path_factory.mktemp('runner'))
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'
    with UNFORMATTED:
        return build(cfg)


@pytest.fixture
def ways(runner, small):
    """Functions that read a checkpoint, by name."""
    backbone = MODELS.build(dict(
        type='ResNet', depth=18, base_channels=8, stem_channels=8))

    def init_backbone(location, prefix=None):
        backbone._is_init = False
        backbone.init_cfg = dict(
            type='Pretrained', checkpoint=location, prefix=prefix)
        backbone.init_weights()

    return {
        'our loader': load_checkpoint,
        "MMEngine's loader": CheckpointLoader.load_checkpoint,
        'load_from': runner.load_checkpoint,
        'resume': runner.resume,
        'init_model': lambda location: init_model(
            str(small), location, device='cpu'),
        'MMPoseInferencer': lambda location: MMPoseInferencer(
            pose2d=str(small), pose2d_weights=location, device='cpu'),
        'a backbone': init_backbone,
        'a part of a backbone': lambda location: init_backbone(
            location, 'backbone.'),
        'convert_checkpoint': lambda location: convert_checkpoint(
            small, location)
    }




def assert_refused(load, location, name):
    with pytest.raises(ValueError, match=f'bad.pth: {REFUSED}'):
        load(location)
    assert not Path('ran').exists(), name


@pytest.mark.parametrize('gadget', GADGETS)
def test_every_kind_through_every_way(gadget, ways):
    GADGETS[gadget](Path('bad.pth'))
    for name, load in ways.items():
        assert_refused(load, 'bad.pth', name)


def test_every_kind_from_a_url(ways):
    """Each is asked for anew, because none gets into the cache."""
    with serve('.') as server:
        for gadget, write in GADGETS.items():
            write(Path('bad.pth'))
            for name in ("MMEngine's loader", 'a backbone'):
                assert_refused(ways[name], f'{server.url}/bad.pth', gadget)
        assert server.asked == ['/bad.pth'] * 2 * len(GADGETS)
    assert list(Path('hub/checkpoints').iterdir()) == []


def test_one_kind_from_a_url_through_every_way(ways):
    GADGETS['os.system'](Path('bad.pth'))
    with serve('.') as server:
        for name, load in ways.items():
            assert_refused(load, f'{server.url}/bad.pth', name)


def image():
    picture(Path('a.png'))
    return 'a.png'


def sound(config):
    """Write the weights of a config's model, and return their path."""
    model = init_model(str(config), None, device='cpu')
    torch.save(model.state_dict(), 'sound.pth')
    return 'sound.pth'


TOOLS = {
    'predict': lambda path, cfg: predict(image(), cfg, path, 'out'),
    'predict, a detector': lambda path, cfg: predict(
        image(), cfg, sound(cfg), 'out', det_config=cfg, det_checkpoint=path),
    'visualize': lambda path, cfg: visualize(
        cfg, path, 'out', images=[image()]),
    'export': lambda path, cfg: export_model(
        cfg, 'a.onnx', checkpoint=path),
    'swap_head': lambda path, _: swap_files(
        STOCK, 'a.py', 'srpose', checkpoint=path),
}


@pytest.mark.parametrize('tool', TOOLS)
def test_tools(tool, small):
    for gadget in ('os.system', 'TorchScript'):
        GADGETS[gadget](Path('bad.pth'))
        assert_refused(
            lambda path: TOOLS[tool](Path(path), small), 'bad.pth', tool)


def test_a_config_text_runs_where_mmengine_reads_it():
    """What the next test is there for."""
    Config.fromstring(RUN, file_format='.py')
    assert Path('ran').exists()


def test_no_config_of_a_checkpoint_runs(ways):
    torch.save(run_checkpoint(config=RUN), 'bad.pth')
    ways['resume']('bad.pth')
    assert not Path('ran').exists()
    torch.save(dict(state_dict={}, meta=dict(cfg=RUN), message_hub=dict(
        runtime_info=dict(cfg=RUN))), 'bad.pth')
    with pytest.raises(ValueError, match='Cannot find the config'):
        Pose2DInferencer(None, 'bad.pth', device='cpu')
    assert not Path('ran').exists()


def test_no_weights_of_a_backbone_are_fetched(monkeypatch, small):
    """A config names them for training; no other tool needs them."""
    asked = []

    def refuse(*args, **kwargs):
        asked.append(args)
        raise OSError('the test allows no connection')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    cfg = Config.fromfile(small)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint='https://example.com/a.pth')
    torch.save(dict(state_dict={}, meta={}), 'a.pth')
    measure_complexity(cfg)
    swap_head(STOCK, 'srpose')
    for tool in (lambda: predict(image(), cfg, 'a.pth', 'out'),
                 lambda: visualize(cfg, 'a.pth', 'out', images=[image()]),
                 lambda: export_model(cfg, 'a.pt', 'a.pth')):
        with pytest.raises(ValueError, match='a.pth: expected .*weights'):
            tool()
    assert asked == []
