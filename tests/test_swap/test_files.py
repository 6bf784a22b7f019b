"""Configs and checkpoints that swap_head writes, and its tool."""
import runpy
import shutil
import sys
from copy import deepcopy

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS

from srpose_mm.apis import measure_complexity, swap_files, swap_head
from srpose_mm.codecs import REFINEMENTS
from srpose_mm.configs import load_config, locate_config
from srpose_mm.swap.write_config import same_config, write_config

from ..conftest import ROOT
from ..support.stock_models import AE, RES50, RTMPOSE, write_stock_config

TOOL = str(ROOT / 'tools' / 'swap_head.py')


@pytest.fixture(autouse=True)
def work_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    MMLogger._instance_dict.clear()


def save_weights(config, path, **contents):
    cfg = load_config(config)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter)
    state_dict = model.state_dict()
    torch.save(dict(state_dict=state_dict, **contents), path)
    return state_dict


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize('name, scheme', [
    (RES50, 'sr'), (RES50, 'srpose'), (RTMPOSE, 'sr'), (RTMPOSE, 'srpose'),
    (AE, 'sr')])
def test_the_written_config_is_the_swapped_one(name, scheme, work_dir):
    cfg = swap_head(name, scheme)
    out = work_dir / 'my_config.py'
    write_config(cfg, locate_config(name), out, 'Made here.')
    assert same_config(Config.fromfile(out), cfg)
    text = out.read_text()
    assert text.startswith('# Made here.\n_base_ = [\n')
    # The stock config has 200 lines and more.
    assert len(text.splitlines()) < 105
    assert text.count('\'SRHeatmap\'') == (name != AE)
    assert 'encoder=codec' in text
    assert files_in(work_dir) == ['my_config.py']


def test_editing_the_codec_of_a_written_config(work_dir):
    """The decoder follows the variable, not the stock decoder."""
    out = swap_files(RES50, 'mine.py').out
    text = out.read_text()
    assert text.count('sigma=8') == 1
    out.write_text(text.replace('    sigma=8,\n', ''))
    cfg = Config.fromfile(out)
    encoder, = (step.encoder for step in cfg.train_pipeline
                if step.type == 'GenerateTarget')
    assert cfg.model.head.decoder == encoder
    assert 'sigma' not in encoder


def test_inheriting_from_a_file(work_dir):
    (work_dir / 'bases').mkdir()
    stock = write_stock_config(work_dir / 'bases')
    files = swap_files(stock, 'mine.py')
    assert '\n    \'bases/stock.py\'\n' in files.out.read_text()
    assert same_config(Config.fromfile('mine.py'), files.cfg)


def test_all_lines_where_differences_do_not_do(work_dir):
    """Merging cannot remove a variable of the base."""
    cfg, out = swap_head(RES50), work_dir / 'mine.py'
    cfg._cfg_dict.pop('backend_args')
    write_config(cfg, locate_config(RES50), out, 'Made here.')
    assert out.read_text().startswith('# Made here.\nauto_scale_lr')
    assert same_config(Config.fromfile(out), cfg)


def test_no_file_without_a_literal(work_dir):
    cfg = swap_head(RES50)
    cfg.model.head.loss = torch.nn.MSELoss()
    with pytest.raises(ValueError, match='have literals, .* NameError: .*MSE'):
        write_config(cfg, locate_config(RES50), work_dir / 'mine.py', 'Made')
    assert files_in(work_dir) == []


def test_no_checkpoint_without_its_config(work_dir, monkeypatch):
    save_weights(RES50, 'weights.pth')
    (work_dir / 'mine.pth').write_text('as before')

    def fail(*args):
        raise ValueError('no literal')

    monkeypatch.setattr('srpose_mm.swap.files.write_config', fail)
    with pytest.raises(ValueError, match='no literal'):
        swap_files(RES50, 'mine.py', checkpoint='weights.pth')
    assert (work_dir / 'mine.pth').read_text() == 'as before'
    assert files_in(work_dir) == ['mine.pth', 'weights.pth']


def test_the_header_is_the_command(work_dir):
    swap_files(f'{RES50}.py', 'mine.py', heatmap_size=(96, 128), sigma=4.,
               refine='none', unbiased=True, backbone=None)
    first = (work_dir / 'mine.py').read_text().splitlines()[0]
    assert first.endswith(
        f': swap_head {RES50}.py --scheme sr --heatmap-size 96 128 '
        '--sigma 4.0 --refine none --unbiased')


CLASSES = '''
from mmpose.codecs import MSRAHeatmap
from mmpose.datasets.transforms import GenerateTarget
from mmpose.models import HeatmapHead, ResNet, TopdownPoseEstimator

default_scope = None
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
    """MMEngine's pure Python configs, which have no default scope."""
    (work_dir / 'classes.py').write_text(CLASSES)
    DefaultScope._instance_dict.clear()  # as in a new process
    files = swap_files('classes.py', 'mine.py', 'srpose')
    again = Config.fromfile('mine.py')
    assert same_config(again, files.cfg)
    assert again.default_scope is None
    assert again.model.backbone.type == 'mmpose.models.ResNet'
    pipeline = again.train_dataloader.dataset.pipeline
    assert pipeline[0].encoder == again.codec
    model = MODELS.build(again.model)
    assert type(model.head).__name__ == 'SRPoseHead'
    assert Compose(pipeline).transforms[0].encoder.sigma == 8


CLASSES_BOTTOM_UP = '''
from mmpose.codecs import AssociativeEmbedding
from mmpose.models import (AssociativeEmbeddingHead, BottomupPoseEstimator,
                           ResNet)

default_scope = None
codec = dict(
    type=AssociativeEmbedding, input_size=(64, 64), heatmap_size=(16, 16))
model = dict(
    type=BottomupPoseEstimator,
    backbone=dict(type=ResNet, depth=18),
    head=dict(
        type=AssociativeEmbeddingHead, in_channels=512, num_keypoints=17,
        decoder=codec))
train_dataloader = dict(dataset=dict(pipeline=[]))
'''


def test_a_bottom_up_config_of_classes(work_dir):
    """The added pipeline builds without a default scope."""
    (work_dir / 'classes.py').write_text(CLASSES_BOTTOM_UP)
    DefaultScope._instance_dict.clear()
    swap_files('classes.py', 'mine.py')
    cfg = Config.fromfile('mine.py')
    steps = Compose(cfg.train_dataloader.dataset.pipeline).transforms
    assert [type(step).__name__ for step in steps] == [
        'LoadImage', 'BottomupRandomAffine', 'RandomFlip', 'GenerateTarget',
        'BottomupGetValidMask', 'PackPoseInputs'
    ]


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_dump(scheme, work_dir):
    cfg = swap_head(RTMPOSE, scheme)
    cfg.dump(work_dir / 'dumped.py')
    assert same_config(Config.fromfile(work_dir / 'dumped.py'), cfg)


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_checkpoint(scheme, work_dir, monkeypatch):
    """Every weight that stays has its value in the new model."""
    stock = write_stock_config(work_dir)
    weights = save_weights(stock, 'stock.pth', optimizer=dict(state={}))
    files = swap_files(stock, 'mine.py', scheme, 'stock.pth')
    # A copy in another folder, used from there.
    (work_dir / 'other').mkdir()
    shutil.copy('mine.py', work_dir / 'other' / 'copy.py')
    shutil.copy(stock, work_dir / 'other')
    monkeypatch.chdir(work_dir / 'other')
    cfg = Config.fromfile('copy.py')
    assert cfg.load_from == str(work_dir / 'mine.pth')
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
    assert 'head.final_layer.weight' in files.weights.dropped
    kept = len(files.weights.state_dict)
    assert kept + len(files.weights.dropped) == len(weights)
    meta = torch.load(cfg.load_from, weights_only=True)['meta']
    assert meta['swapped_from'] == 'stock.pth'


def test_deconvolutions_inside_another_head(work_dir):
    """SimCC builds a HeatmapHead for its deconvolutions."""
    stock = write_stock_config(
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
    old = 'head.deconv_head.deconv_layers.0.weight'
    assert old not in files.weights.dropped
    saved = torch.load('mine.pth', weights_only=True)['state_dict']
    assert torch.equal(saved['head.deconv_layers.0.weight'], weights[old])


def test_checkpoint_of_data_parallel_training(work_dir):
    stock = write_stock_config(work_dir)
    weights = save_weights(stock, 'stock.pth')
    torch.save(
        dict(state_dict={f'module.{k}': v for k, v in weights.items()}),
        'parallel.pth')
    files = swap_files(stock, 'mine.py', checkpoint='parallel.pth')
    key = 'backbone.conv1.weight'
    assert torch.equal(files.weights.state_dict[key], weights[key])


def test_checkpoint_of_another_model(work_dir):
    """ResNet-34 has all tensors of a ResNet-18, in equal shapes, and more."""
    stock = write_stock_config(work_dir)
    save_weights(stock, 'stock.pth')
    cfg = load_config(stock)
    cfg.model.backbone.depth = 34
    cfg.dump('other.py')
    save_weights('other.py', 'other.pth')
    for checkpoint, config in (('other.pth', stock),
                               ('stock.pth', 'other.py')):
        with pytest.raises(ValueError, match=f'{checkpoint}: expected the '
                           'weights of the config\'s model, got a checkpoint '
                           r'that .*backbone\.layer'):
            swap_files(config, 'mine.py', checkpoint=checkpoint)
    assert 'mine.py' not in files_in(work_dir)
    assert 'mine.pth' not in files_in(work_dir)


def test_files_that_are_no_checkpoint(work_dir):
    stock = write_stock_config(work_dir)
    weights = save_weights(stock, 'stock.pth')
    weights['backbone.conv1.weight'][0, 0, 0, 0] = float('nan')
    torch.save(dict(state_dict=weights), 'nan.pth')
    torch.save(dict(state_dict=dict(a=torch.ones(1))), 'other.pth')
    torch.save(dict(state_dict=print), 'code.pth')
    for name, message in {
            'nan.pth': 'finite weights, got NaN or infinity in backbone.conv1',
            'other.pth': r'lacks \d+ of the model\'s \d+ tensors',
            'code.pth': 'which could run code',
    }.items():
        with pytest.raises(ValueError, match=f'{name}: expected .*{message}'):
            swap_files(stock, 'mine.py', checkpoint=name)
    with pytest.raises(FileNotFoundError, match='nowhere.pth: expected a che'):
        swap_files(stock, 'mine.py', checkpoint='nowhere.pth')
    assert 'mine.py' not in files_in(work_dir)
    assert 'mine.pth' not in files_in(work_dir)


def test_nothing_is_overwritten_that_is_read(work_dir):
    stock = write_stock_config(work_dir)
    save_weights(stock, 'stock.pth')
    before = stock.read_text()
    other = 'to be a file other than those that are read'
    with pytest.raises(ValueError, match=other):
        swap_files(stock, stock)
    with pytest.raises(ValueError, match=other):
        # Its checkpoint would be written beside it, under its name.
        swap_files(RES50, 'stock.py', checkpoint='stock.pth')
    with pytest.raises(ValueError, match='to be a .py file.*got \'mine.pth\''):
        swap_files(stock, 'mine.pth')
    with pytest.raises(FileNotFoundError, match='create the folder'):
        swap_files(stock, 'no/mine.py')
    assert stock.read_text() == before


def run_tool(*words):
    return runpy.run_path(TOOL)['main'](list(map(str, words)))


def test_tool(work_dir, capsys):
    stock = write_stock_config(work_dir)
    save_weights(stock, 'stock.pth')
    run_tool(stock, '--scheme', 'srpose', '--out', 'mine.py', '--checkpoint',
             'stock.pth', '--heatmap-size', 32, 32, '--refine', 'parabola')
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
    assert ('kept: 120 tensors backbone.conv1, '
            in captured.err + captured.out)
    assert Config.fromfile('mine.py').codec.refine == 'parabola'


def test_tool_offers_all_refinements(work_dir, capsys):
    with pytest.raises(SystemExit) as exit_info:
        run_tool('--help')
    assert exit_info.value.code == 0
    shown = capsys.readouterr().out
    assert 'mim run srpose_mm swap_head td-hm' in shown
    assert f'{{{",".join(REFINEMENTS)}}}' in shown


@pytest.mark.parametrize('options, message', [
    (['--sigma', 0], 'a positive, finite sigma, got 0'),
    (['--heatmap-size', 0, 8], r'heatmap_size to be .* got \(0, 8\)'),
    (['--backbone', 'resnet18'], 'backbone to be \'timm:NAME\', got \'resne'),
    (['--backbone', 'timm:resnet18', '--checkpoint', 'stock.pth'],
     'no checkpoint with a new backbone'),
])
def test_tool_refuses_options(options, message, work_dir):
    """No config remains that cannot be used."""
    stock = write_stock_config(work_dir)
    with pytest.raises(SystemExit, match=f'swap_head: .*expected .*{message}'):
        run_tool(stock, '--out', 'mine.py', *options)
    assert files_in(work_dir) == ['stock.py']


def test_tool_says_what_is_wrong(work_dir, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [TOOL, 'nowhere', '--out', 'mine.py'])
    with pytest.raises(SystemExit, match='swap_head: .*, got \'nowhere\''):
        runpy.run_path(TOOL, run_name='__main__')
    with pytest.raises(SystemExit, match='DEKRHead cannot be swapped'):
        run_tool('dekr_hrnet-w32_8xb10-140e_coco-512x512', '--out', 'mine.py')
    assert files_in(work_dir) == []
