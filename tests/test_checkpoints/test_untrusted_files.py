"""Files of unknown origin, in every tool that reads one."""
import socket
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from srpose_mm.apis import (
    convert_checkpoint,
    export_model,
    measure_complexity,
    predict,
    swap_files,
    swap_head,
    visualize,
)

from ..support.gadgets import GADGETS
from ..support.predict_helpers import DEMO, picture
from ..support.training import config as training
from ..support.training import train

STOCK = 'td-hm_res50_8xb64-210e_coco-256x192'
URL = 'https://download.openmmlab.com/mmpose/a.pth'


def image():
    picture(Path('a.png'))
    return 'a.png'


def test_tool(path, root):
    cfg = Config.fromfile(DEMO)
    cfg.merge_from_dict(dict(work_dir='test', load_from=str(path)))
    cfg.test_dataloader.dataset.update(
        data_root=str(root), bbox_file='')
    cfg.test_evaluator = dict(type='EPE')
    for part in ('train_cfg', 'train_dataloader', 'optim_wrapper', 'val_cfg',
                 'val_dataloader', 'val_evaluator'):
        cfg[part] = None
    cfg.param_scheduler = None
    Runner.from_cfg(cfg).test()


test_tool.__test__ = False

# What each does with a checkpoint; the path is that of a data set.
LOADERS = {
    'convert_checkpoint': lambda path, _: convert_checkpoint(path),
    'predict': lambda path, _: predict(DEMO, path, image(), 'out'),
    'predict, a detector': lambda path, _: predict(
        DEMO, 'none.pth', image(), 'out', det_config=DEMO,
        det_checkpoint=path),
    'visualize': lambda path, _: visualize(
        DEMO, path, 'out', images=[image()]),
    'export': lambda path, _: export_model(DEMO, 'a.onnx', checkpoint=path),
    'swap_head': lambda path, _: swap_files(
        STOCK, 'a.py', 'srpose', checkpoint=path),
    'test': test_tool,
    'train, load_from': lambda path, root: train(
        training(root, 'work', load_from=str(path))),
    'train, resume': lambda path, root: train(
        training(root, 'work', load_from=str(path), resume=True)),
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# All gadgets are tried on the function that reads for all of them.
@pytest.mark.parametrize('loader, gadget', [
    *((loader, 'os.system') for loader in LOADERS),
    *((loader, 'TorchScript') for loader in list(LOADERS)[:-3])
])
def test_no_code_runs(loader, gadget, toy_coco):
    GADGETS[gadget](Path('bad.pth'))
    with pytest.raises(ValueError, match='bad.pth: expected a checkpoint of '
                       'tensors and plain values, got a file that is damaged '
                       'or could run code'):
        LOADERS[loader](Path('bad.pth'), toy_coco)
    assert not Path('ran').exists()


def test_auto_resume_runs_no_code(toy_coco):
    """The only checkpoint there is hostile."""
    Path('work').mkdir()
    GADGETS['os.system'](Path('work/epoch_1.pth'))
    Path('work/last_checkpoint').write_text('work/epoch_1.pth')
    with pytest.raises(ValueError, match='got 1 that cannot be read'):
        train(training(toy_coco, 'work', resume=True))
    assert not Path('ran').exists()


# Plain text in a file of plain values, which MMEngine runs when it resumes.
CONFIG = dict(
    state_dict={},
    message_hub={},
    meta=dict(epoch=1, iter=1, config='open("ran", "w").close()'))


def test_no_config_of_a_checkpoint_runs(toy_coco):
    Path('work').mkdir()
    for path in (Path('bad.pth'), Path('work/epoch_1.pth')):
        torch.save(CONFIG, path)
    with pytest.raises(ValueError, match='bad.pth: expected a checkpoint '
                       'without code, got one with a config in its meta'):
        LOADERS['train, resume'](Path('bad.pth'), toy_coco)
    Path('work/last_checkpoint').write_text('work/epoch_1.pth')
    with pytest.raises(ValueError, match='got 1 that cannot be read'):
        train(training(toy_coco, 'work', resume=True))
    assert not Path('ran').exists()


def test_mmengine_runs_the_config_of_a_checkpoint(toy_coco):
    """What the test before this one is there for."""
    torch.save(CONFIG, 'bad.pth')
    cfg = training(toy_coco, 'work', load_from='bad.pth', resume=True)
    cfg.default_hooks.checkpoint.type = 'CheckpointHook'
    with pytest.raises(AssertionError, match='log_scalars'):
        train(cfg)
    assert Path('ran').exists()


@pytest.mark.parametrize('name', ['swap_head', 'convert_checkpoint', 'predict',
                                  'visualize', 'export', 'test',
                                  'train, load_from', 'train, resume'])
def test_no_url_is_followed(name, toy_coco, monkeypatch):
    """Refused, or taken for the name of a file that is not there."""
    asked = offline(monkeypatch)
    with pytest.raises((ValueError, FileNotFoundError), match='a.pth'):
        LOADERS[name](URL, toy_coco)
    assert asked == []


def offline(monkeypatch):
    """Let no connection be made; the addresses that were asked for."""
    asked = []

    def refuse(*args, **kwargs):
        asked.append(args)
        raise OSError('the test allows no connection')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    return asked


def test_no_weights_of_a_backbone_are_fetched(monkeypatch, tmp_path):
    """A config names them for training; no other tool needs them."""
    asked = offline(monkeypatch)
    cfg = Config.fromfile(DEMO)
    pretrained = dict(type='Pretrained', checkpoint=URL)
    cfg.model.backbone.init_cfg = pretrained
    model = Config(dict(model=cfg.model.copy()))
    torch.save(dict(state_dict={}, meta={}), 'a.pth')
    export_model(cfg, 'a.onnx', decode=False)
    measure_complexity(model)
    swap_head(STOCK, 'srpose')
    for tool in (lambda: predict(cfg, 'a.pth', image(), 'out'),
                 lambda: visualize(cfg, 'a.pth', 'out', images=[image()])):
        with pytest.raises(ValueError, match='to have all weights'):
            tool()
    assert asked == []


NASTY = ['..%2f..%2fx.png', '‮gnp.png', '\x7f\x1b[2J.png', '. .png',
         'CON.png', ' .png', '&&touch ran;.png', '`touch ran`.png',
         '$(touch ran).png', '|touch ran.png', '-o.png', 'a\r\n\t.png',
         '\\..\\..\\x.png', 'x' * 240 + '.png']


def test_predict_stays_in_its_folder(toy_coco):
    """Names of files, links among the inputs, and ways back up."""
    inside = Path('in')
    for name in NASTY:
        picture(inside / name, 20, 16)
    picture(Path('secret/b.png'), 20, 16)
    (inside / 'link.png').symlink_to('../secret/b.png')
    (inside / 'folder').symlink_to('../secret')
    (inside / 'loop').symlink_to('.')
    (inside / 'itself.png').symlink_to('itself.png')
    inputs = [inside, 'in/../in/./-o.png', Path('in').absolute() / ' .png',
              'in/../secret/b.png']
    before = {path: path.stat().st_mtime_ns for path in Path().rglob('*')
              if path.is_file()}
    weights = demo_weights()
    result = predict(DEMO, weights, inputs, 'out', device='cpu')
    # A name that is long enough has no room for .json.
    skipped = {path.name for path, _ in result.skipped}
    assert skipped <= {'itself.png', NASTY[-1]}
    assert result.images == len(NASTY) + 1 + 3 - len(
        skipped - {'itself.png'})
    new = {path for path in Path().rglob('*') if path.is_file()}
    new -= {*before, weights}
    out = Path('out').resolve()
    assert all(out in path.resolve().parents for path in new)
    assert {path.resolve() for path in result.files} == {
        path.resolve() for path in new}
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time, path
    assert not Path('ran').exists()


@pytest.mark.parametrize('name, reason', [
    ('x' * 300 + '.png', 'File name too long'),
    ('x/' * 3000 + 'a.png', 'File name too long'),
    pytest.param(
        'a\0b.png', 'null', marks=pytest.mark.skipif(
            sys.version_info < (3, 10),
            reason='Python 3.9 takes it for a file, which is skipped')),
])
def test_names_that_no_file_has(name, reason):
    with pytest.raises((OSError, ValueError), match=reason):
        predict(DEMO, demo_weights(), name, 'out', device='cpu')
    assert not Path('out').exists() or not list(Path('out').iterdir())


def demo_weights():
    from mmpose.apis import init_model
    model = init_model(str(DEMO), None, device='cpu')
    torch.save(dict(state_dict=model.state_dict(), meta={}), 'weights.pth')
    return Path('weights.pth')
