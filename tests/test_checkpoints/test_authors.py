"""Checkpoints of the authors' code compute the same in our models."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from srpose_mm.checkpoints import convert_checkpoint, load_weights
from srpose_mm.checkpoints.authors import fitting_configs, to_our_keys
from srpose_mm.configs import load_config
from srpose_mm.console import get_logger

from ..support.authors_code import (
    MODELS_OF_THE_PAPER,
    SMALL,
    TRANSPOSE,
    Formula,
    assert_same_maps,
    authors_bottom_up,
    authors_srpose,
)

RES50 = 'td-srpose_res50_8xb32-210e_coco-256x192'
BACKBONE = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8)


def build(state_dict, **configs):
    """Build neck and head, and load the converted weights strictly."""
    ours = to_our_keys(state_dict)
    modules = torch.nn.ModuleDict(
        {name: MODELS.build(cfg) for name, cfg in configs.items()})
    modules.load_state_dict(ours)
    return modules


def srpose(keypoints, inputs, widths, embeds, factors, kernels):
    """Return the configs of neck and head for the authors' numbers."""
    return dict(
        neck=dict(type='SRPoseNeck', in_channels=inputs, out_channels=widths,
                  num_keypoints=keypoints),
        head=dict(type='SRPoseHead', in_channels=widths,
                  out_channels=keypoints, embed_channels=embeds,
                  upscale_factors=factors, kernel_sizes=kernels))


def bottom_up(keypoints, inputs, deconvs, embed=4, factor=4, size=9):
    return dict(head=dict(
        type='SRAssociativeEmbeddingHead', in_channels=inputs,
        num_keypoints=keypoints,
        deconv_out_channels=tuple(out for out, _ in deconvs),
        deconv_kernel_sizes=tuple(kernel for _, kernel in deconvs),
        embed_channels=embed, upscale_factor=factor, kernel_size=size))


# Fine to coarse; not every size is twice the next.
SIZES = [(20, 15), (10, 8), (5, 4), (3, 2)]


@pytest.mark.parametrize(
    'numbers',
    [SMALL, TRANSPOSE, *(v[1] for v in MODELS_OF_THE_PAPER.values())],
    ids=['small', 'TransPose', 'ResNet-50', 'HRNet-W32'])
@pytest.mark.parametrize('statistics', ['running', 'batch'])
@torch.no_grad()
def test_srpose_is_the_authors_function(numbers, statistics):
    state_dict = authors_srpose(**numbers)
    assert len(state_dict) == (147 if len(numbers['inputs']) == 4 else 59)
    feats = tuple(
        torch.randn(2, channels, *size)
        for channels, size in zip(numbers['inputs'][::-1], SIZES))
    formula = Formula(state_dict, training=statistics == 'batch')
    expected = formula.srpose(feats)
    modules = build(state_dict, **srpose(**numbers))
    modules.train(statistics == 'batch')
    outs = modules.neck(feats)
    assert_same_maps(modules.head.forward_levels(outs), expected)
    # In test form there is one map, the last.
    assert_same_maps([modules.head(outs)], expected[-1:])
    after = modules.state_dict()
    theirs = {f'keypoint_head.{key}': formula.w[key] for key in formula.w}
    for key, value in to_our_keys(theirs).items():
        if not key.endswith('num_batches_tracked'):
            torch.testing.assert_close(after[key], value)


@pytest.mark.parametrize('deconvs', [[], [(8, 4), (6, 2), (9, 4)]],
                         ids=['without', 'with deconvolutions'])
@pytest.mark.parametrize('statistics', ['running', 'batch'])
@torch.no_grad()
def test_bottom_up_is_the_authors_function(deconvs, statistics):
    numbers = dict(keypoints=5, inputs=12, deconvs=deconvs, factor=3, embed=2,
                   size=5)
    state_dict = authors_bottom_up(**numbers)
    x = torch.randn(2, 12, 6, 5)
    head = build(state_dict, **bottom_up(**numbers)).head
    head.train(statistics == 'batch')
    expected = Formula(state_dict, statistics == 'batch').bottom_up(x)
    assert_same_maps(head((x, )), expected)


@pytest.fixture(scope='module')
def small():
    """Return a small model's config and the authors' weights for it."""
    torch.manual_seed(0)
    numbers = dict(SMALL, inputs=(64, 32, 16, 8))
    cfg = Config(dict(model=dict(
        type='TopdownPoseEstimator', backbone=dict(
            BACKBONE, out_indices=(0, 1, 2, 3)), **srpose(**numbers))))
    backbone = MODELS.build(cfg.model.backbone).state_dict()
    return cfg, {**{f'backbone.{k}': v for k, v in backbone.items()},
                 **authors_srpose(**numbers)}


@pytest.fixture
def save(tmp_path, monkeypatch):
    """Return a function that writes the authors' checkpoint."""
    monkeypatch.chdir(tmp_path)

    def save(state_dict, **contents):
        torch.save(dict(state_dict=state_dict, **contents), 'authors.pth')
        return 'authors.pth'

    return save


@torch.no_grad()
def test_a_model_computes_the_authors_function(small, save):
    cfg, theirs = small
    written = convert_checkpoint(cfg, save(theirs, optimizer={}), 'ours.pth')
    model = MODELS.build(cfg.model).eval()
    contents = load_weights(model, 'ours.pth')
    assert list(contents) == ['state_dict', 'meta']
    assert contents['meta']['converted_from'] == 'authors.pth'
    assert list(contents['state_dict']) == list(written)
    image = torch.randn(1, 3, 64, 64)
    formula = Formula({k: v for k, v in theirs.items() if 'head' in k})
    expected = formula.srpose(model.backbone(image))
    feats = model.extract_feat(image)
    assert_same_maps(model.head.forward_levels(feats), expected)
    assert_same_maps([model.head(feats)], expected[-1:])


def test_what_is_dropped_is_logged(small, save, caplog):
    cfg, theirs = small
    theirs = {**theirs, 'ema.weight': torch.zeros(1),
              'neck.lr_head.0.bias': torch.zeros(5)}
    path = save(theirs, meta=dict(epoch=210), optimizer={})
    get_logger().addHandler(caplog.handler)
    try:
        ours = convert_checkpoint(cfg, path)
    finally:
        get_logger().removeHandler(caplog.handler)
    assert len(ours) == len(theirs) - 2
    assert (f'converted {len(ours)} tensors, dropped ema.weight, '
            'neck.lr_head.0.bias, meta, optimizer') in caplog.text
    assert sorted(Path().iterdir()) == [Path('authors.pth')]


@pytest.mark.parametrize('name', [
    RES50, 'td-srpose_hrnet-w32_8xb32-210e_coco-256x192',
    'ae-sr_res50_8xb24-300e_coco-512x512',
    'ae-sr_hrnet-w32_8xb24-300e_coco-512x512',
])
def test_configs_are_told_by_neck_and_head(name):
    model = load_config(name).model
    theirs = authors_bottom_up(
        17, *((2048, [(256, 4)] * 3) if 'res50' in name else (32, [])))
    if name in MODELS_OF_THE_PAPER:
        theirs = authors_srpose(**MODELS_OF_THE_PAPER[name][1])
    with torch.device('meta'):
        build = {part: MODELS.build(model[part])
                 for part in ('neck', 'head') if part in model}
    shapes = {f'{part}.{key}': value.shape for part, module in build.items()
              for key, value in module.state_dict().items()}
    assert {key: value.shape for key, value in
            to_our_keys(theirs).items()} == shapes


def test_another_config_is_named(save, monkeypatch):
    """Of a few configs, because loading all of them takes long."""
    rglob = Path.rglob
    names = {*MODELS_OF_THE_PAPER, 'ae-sr_res50_8xb24-300e_coco-512x512'}
    monkeypatch.setattr(Path, 'rglob', lambda folder, pattern: [
        path for path in rglob(folder, pattern) if path.stem in names])
    theirs = authors_srpose(**MODELS_OF_THE_PAPER[RES50][1])
    assert fitting_configs(to_our_keys(theirs)) == [RES50]
    small = Config(dict(model=dict(
        type='TopdownPoseEstimator', backbone=BACKBONE,
        **bottom_up(17, 64, []))))
    with pytest.raises(ValueError, match='authors.pth: expected the weights '
                       f'of .* lacks .*; its tensors fit {RES50}'):
        convert_checkpoint(small, save(theirs))
    with pytest.raises(ValueError, match='fit no config of srpose_mm'):
        convert_checkpoint(small, save(authors_srpose(**SMALL)))


@pytest.mark.parametrize('change, reason', [
    (lambda w: w.pop('keypoint_head.fuse.0.bias'),
     'lacks 1 .*neck.fusions.0.bias'),
    (lambda w: w.update({'keypoint_head.fuse.0.bias': torch.zeros(2)}),
     r'neck.fusions.0.bias, \[2\] instead of \[8\]'),
    (lambda w: w.update({
        'keypoint_head.post_fuse.0.0.pwconv1.weight': torch.zeros(2)}),
     r'refinements.0.0.pwconv1.weight, \[2\] instead of \[32, 8, 1, 1\]'),
    (lambda w: w.update({'keypoint_head.final_layer.bias': torch.zeros(2)}),
     'has 1 unknown to the model .*final_layer.bias'),
    (lambda w: w.update({'keypoint_head.fuse.0.bias': torch.full((8, ), float(
        'nan'))}), 'NaN or infinity in neck.fusions.0.bias'),
    (lambda w: w.update({3: torch.zeros(2)}), 'got Tensor for 3'),
])
def test_weights_that_do_not_fit(change, reason, small, save, monkeypatch):
    cfg, theirs = small
    theirs = dict(theirs)
    change(theirs)
    monkeypatch.setattr(Path, 'rglob', lambda *_: [])
    with pytest.raises(ValueError, match=f'authors.pth: .*{reason}'):
        convert_checkpoint(cfg, save(theirs), 'ours.pth')
    assert sorted(Path().iterdir()) == [Path('authors.pth')]


def test_files_that_cannot_be_written(small, save):
    cfg, theirs = small
    path = save(theirs)
    with pytest.raises(FileNotFoundError, match='no.pth: expected a checkp'):
        convert_checkpoint(cfg, 'no.pth')
    with pytest.raises(FileNotFoundError, match='out in an existing folder'):
        convert_checkpoint(cfg, path, 'no/out.pth')
    with pytest.raises(ValueError, match='other than those that are read'):
        convert_checkpoint(cfg, path, path)
    assert sorted(Path().iterdir()) == [Path('authors.pth')]


def test_tool(small, save, capsys):
    from ..support.tools import load_tool
    tool = load_tool('convert_checkpoint').main
    cfg, theirs = small
    cfg.dump('config.py')
    tool(['config.py', save(theirs), '--out', 'ours.pth'])
    assert Path('ours.pth').is_file()
    Path('ours.pth').unlink()
    with pytest.raises(SystemExit) as stop:
        tool(['config.py', 'no.pth', '--out', 'ours.pth'])
    # Python prints a text to stderr and exits with 1.
    assert stop.value.code.startswith('convert_checkpoint: no.pth: expected')
    assert '\n' not in stop.value.code and not Path('ours.pth').exists()
    with pytest.raises(SystemExit) as stop:
        tool(['--help'])
    assert stop.value.code == 0
    assert f'{RES50} authors.pth --out ours.pth' in capsys.readouterr().out
