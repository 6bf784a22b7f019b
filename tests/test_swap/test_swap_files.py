"""The swap_head command: configs and checkpoints that it writes."""
import json
import runpy
import sys
from copy import deepcopy

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS

from srpose_mm.apis import measure_complexity, swap_files, swap_head
from srpose_mm.configs import load_config, locate_config
from srpose_mm.swap.write_config import same_config, write_config

from ..conftest import ROOT

RES50 = 'td-hm_res50_8xb64-210e_coco-256x192'
RTMPOSE = 'rtmpose-t_8xb256-420e_coco-256x192'
AE = 'ae_hrnet-w32_8xb24-300e_coco-512x512'
TOOL = str(ROOT / 'tools' / 'swap_head.py')


@pytest.fixture(autouse=True)
def work_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    MMLogger._instance_dict.clear()


CODEC = dict(
    type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
HEAD = dict(type='HeatmapHead', in_channels=512, out_channels=17)


def stock_file(folder, head=HEAD, codec=CODEC):
    """A small stock model in a file: ResNet-18 at 64x64."""
    path = folder / 'stock.py'
    path.write_text(f'''
_base_ = ['{locate_config(RES50)}']
model = dict(
    backbone=dict(depth=18, init_cfg=None),
    head=dict({head}, _delete_=True, decoder={codec}))
codec = dict({codec}, _delete_=True)
''')
    return path


def save_weights(config, path, **contents):
    model = MODELS.build(load_config(config).model)
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter)
    state_dict = model.state_dict()
    torch.save(dict(state_dict=state_dict, **contents), path)
    return state_dict


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
@pytest.mark.parametrize('name', [RES50, RTMPOSE, AE])
def test_the_written_config_is_the_swapped_one(name, scheme, work_dir):
    if name == AE and scheme == 'srpose':
        pytest.skip('SRPose is top-down only')
    cfg = swap_head(name, scheme)
    out = work_dir / 'my_config.py'
    write_config(cfg, locate_config(name), out, 'Made here.')
    assert same_config(Config.fromfile(out), cfg)
    text = out.read_text()
    assert text.startswith('# Made here.\n_base_ = [')
    # What inherits is short: the stock config has 200 lines and more.
    assert len(text.splitlines()) < 105
    assert text.count('\'SRHeatmap\'') == (name != AE)
    assert 'encoder=codec' in text


def test_inheriting_from_a_file(work_dir):
    (work_dir / 'bases').mkdir()
    stock = stock_file(work_dir / 'bases')
    files = swap_files(stock, 'mine.py')
    assert '_base_ = [\'bases/stock.py\']' in files.out.read_text()
    assert same_config(Config.fromfile('mine.py'), files.cfg)


def test_the_whole_config_where_differences_do_not_do(work_dir):
    """Merging cannot take a variable of the base out."""
    cfg, out = swap_head(RES50), work_dir / 'mine.py'
    cfg._cfg_dict.pop('backend_args')
    for base in (locate_config(RES50), None):
        write_config(cfg, base, out, 'Made here.')
        assert out.read_text().startswith('# Made here.\nauto_scale_lr')
        assert same_config(Config.fromfile(out), cfg)


LAZY = '''
from mmpose.codecs import MSRAHeatmap
from mmpose.datasets.transforms import GenerateTarget
from mmpose.models import HeatmapHead, ResNet, TopdownPoseEstimator

codec = dict(
    type=MSRAHeatmap, input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
model = dict(
    type=TopdownPoseEstimator,
    backbone=dict(type=ResNet, depth=18),
    head=dict(
        type=HeatmapHead, in_channels=512, out_channels=17, decoder=codec))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(type=GenerateTarget, encoder=codec)]))
'''


def test_a_config_of_classes(work_dir):
    """MMEngine's newer kind, of which a config of text cannot inherit."""
    (work_dir / 'lazy.py').write_text(LAZY)
    cfg = swap_files('lazy.py', 'mine.py', 'srpose').cfg
    again = Config.fromfile('mine.py')
    assert same_config(again, cfg)
    assert again.model.backbone.type == 'mmpose.models.ResNet'
    assert again.model.head.type == 'SRPoseHead'
    pipeline = again.train_dataloader.dataset.pipeline
    assert pipeline[0].encoder == again.codec


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_dump(scheme, work_dir):
    cfg = swap_head(RTMPOSE, scheme)
    cfg.dump(work_dir / 'dumped.py')
    assert same_config(Config.fromfile(work_dir / 'dumped.py'), cfg)


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_checkpoint(scheme, work_dir):
    """Every weight that stays has its value in the new model."""
    stock = stock_file(work_dir)
    weights = save_weights(stock, 'stock.pth', optimizer=dict(state={}))
    files = swap_files(stock, 'mine.py', scheme, 'stock.pth')
    cfg = Config.fromfile('mine.py')
    assert cfg.load_from == 'mine.pth' == str(files.checkpoint)
    assert cfg.model.backbone.init_cfg is None
    model = MODELS.build(cfg.model)
    before = deepcopy(model.state_dict())
    load_checkpoint(model, cfg.load_from, strict=False)
    shared = ('backbone.', ) + ('head.deconv_layers.', ) * (scheme == 'sr')
    for key, value in model.state_dict().items():
        expected = weights if key.startswith(shared) else before
        assert torch.equal(value, expected[key]), key
    assert set(files.weights.fresh) == {
        key for key in before if not key.startswith(shared)
    }
    assert 'head.final_layer.weight' in files.weights.left
    assert len(files.weights.taken) + len(files.weights.left) == len(weights)
    meta = torch.load('mine.pth', weights_only=True)['meta']
    assert meta['swapped_from'] == 'stock.pth'
    assert set(meta['fresh']) == set(files.weights.fresh)


def test_deconvolutions_that_lie_inside_another_head(work_dir):
    """SimCC's deconvolutions are those of a HeatmapHead within."""
    stock = stock_file(
        work_dir,
        dict(
            type='SimCCHead',
            in_channels=512,
            out_channels=17,
            input_size=(64, 64),
            in_featuremap_size=(2, 2)),
        dict(type='SimCCLabel', input_size=(64, 64)))
    weights = save_weights(stock, 'stock.pth')
    files = swap_files(stock, 'mine.py', checkpoint='stock.pth')
    taken = dict(files.weights.taken)
    old = 'head.deconv_head.deconv_layers.0.weight'
    assert taken[old] == 'head.deconv_layers.0.weight'
    saved = torch.load('mine.pth', weights_only=True)['state_dict']
    assert torch.equal(saved[taken[old]], weights[old])
    assert f'{old} -> {taken[old]}' in files.weights.report()


def test_checkpoint_of_another_model(work_dir):
    stock = stock_file(work_dir)
    save_weights(stock, 'stock.pth')
    with pytest.raises(ValueError, match='swap_head: expected \'backbone.layer'
                       r'.* got .*; give a checkpoint of this config'):
        swap_files(RES50, 'mine.py', checkpoint='stock.pth')
    torch.save(dict(state_dict=dict(a=torch.ones(1))), 'other.pth')
    with pytest.raises(ValueError, match=r'with weights of the backbone, got '
                       r'\[\'a\'\]'):
        swap_files(stock, 'mine.py', checkpoint='other.pth')
    torch.save(dict(state_dict=print), 'code.pth')
    with pytest.raises(ValueError, match='swap_head: code.pth: .*could run'):
        swap_files(stock, 'mine.py', checkpoint='code.pth')
    with pytest.raises(FileNotFoundError, match='checkpoint to be a file'):
        swap_files(stock, 'mine.py', checkpoint='nowhere.pth')
    assert not (work_dir / 'mine.py').exists()
    assert not (work_dir / 'mine.pth').exists()


def test_nothing_is_overwritten_that_is_read(work_dir):
    stock = stock_file(work_dir)
    save_weights(stock, 'stock.pth')
    before = stock.read_text()
    with pytest.raises(ValueError, match='a file other than the config'):
        swap_files(stock, stock)
    with pytest.raises(ValueError, match='a file other than the checkpoint'):
        # Its checkpoint would be written beside it, under its name.
        swap_files(RES50, 'stock.py', checkpoint='stock.pth')
    with pytest.raises(ValueError, match='to be a .py file.*got \'mine.pth\''):
        swap_files(stock, 'mine.pth')
    with pytest.raises(FileNotFoundError, match='folder of out'):
        swap_files(stock, 'no/mine.py')
    assert stock.read_text() == before


def run_tool(*words):
    return runpy.run_path(TOOL)['main'](list(map(str, words)))


def test_tool(work_dir, capsys):
    stock = stock_file(work_dir)
    save_weights(stock, 'stock.pth')
    run_tool(stock, '--scheme', 'srpose', '--out', 'mine.py', '--checkpoint',
             'stock.pth', '--heatmap-size', 32, 32, '--refine', 'none')
    captured = capsys.readouterr()
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in captured.out.splitlines() if line.startswith('|')]
    after = measure_complexity(Config.fromfile('mine.py'))
    assert cells[2][:4] == ['before', '', 'HeatmapHead', '16x16']
    assert cells[3] == [
        'after', 'SRPoseNeck', 'SRPoseHead', '32x32',
        f'{after.backbone_params / 1e6:.2f}',
        f'{after.other_params / 1e6:.2f}', f'{after.gflops:.2f}'
    ]
    assert 'backbone: 120' in captured.err + captured.out
    assert Config.fromfile('mine.py').codec.refine == 'none'


def test_tool_says_what_is_wrong(work_dir, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [TOOL, 'nowhere', '--out', 'mine.py'])
    with pytest.raises(SystemExit, match='or MMPose, got \'nowhere\''):
        runpy.run_path(TOOL, run_name='__main__')
    with pytest.raises(SystemExit, match='DEKRHead cannot be swapped'):
        run_tool('dekr_hrnet-w32_8xb10-140e_coco-512x512', '--out', 'mine.py')
    with pytest.raises(SystemExit) as exit_info:
        run_tool('--help')
    assert exit_info.value.code == 0
    assert 'mim run srpose_mm swap_head td-hm' in capsys.readouterr().out
    assert json.dumps(list(work_dir.iterdir())) == '[]'
