"""Heads of stock configs, swapped: nothing is built but what is compared."""
from copy import deepcopy
from pathlib import Path

import pytest
from mmpose.registry import KEYPOINT_CODECS, MODELS

from srpose_mm.apis import SwapRefused, swap_head
from srpose_mm.configs import iter_typed, load_config, locate_config

from ..conftest import CONFIGS
from ..support.stock_models import REFUSED, RES50, RTMPOSE, SR, SRPOSE, UDP


def codecs_of(cfg):
    """The codec in the variable, the head and each pipeline."""
    return [cfg.codec, cfg.model.head.decoder] + [
        step['encoder'] for step in iter_typed(dict(cfg.items()))
        if step['type'] == 'GenerateTarget'
    ]


@pytest.mark.parametrize(
    'name, channels, deconvs, factor, neck, size, shift', SR)
def test_sr(name, channels, deconvs, factor, neck, size, shift):
    cfg = swap_head(name)
    head, codecs = cfg.model.head, codecs_of(cfg)
    assert head.type == 'SRHead'
    assert head.in_channels == channels
    assert len(head.deconv_out_channels or ()) == deconvs
    assert head.upscale_factor == factor
    assert (cfg.model.get('neck') or dict(type=None))['type'] == neck
    assert cfg.codec.heatmap_size == size
    assert cfg.model.test_cfg.flip_mode == 'heatmap'
    assert cfg.model.test_cfg.shift_heatmap is shift
    assert 'shift_coords' not in cfg.model.test_cfg
    assert len(codecs) >= 4
    assert all(codec == cfg.codec for codec in codecs)
    KEYPOINT_CODECS.build(cfg.codec)


@pytest.mark.parametrize('name, channels, factors', SRPOSE)
def test_srpose(name, channels, factors):
    cfg = swap_head(name, 'srpose')
    model = cfg.model
    assert model.neck.type == 'SRPoseNeck'
    assert model.neck.in_channels == channels
    assert model.neck.out_channels == model.head.in_channels == (
        256, 128, 64, 32)[:len(channels)]
    assert model.head.type == 'SRPoseHead'
    assert model.head.upscale_factors == factors
    assert model.neck.num_keypoints == model.head.out_channels
    assert cfg.codec.heatmap_size == cfg.codec.input_size
    assert all(codec == cfg.codec for codec in codecs_of(cfg))


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name):
    scheme, message = REFUSED[name]
    with pytest.raises(SwapRefused, match=message):
        swap_head(name, scheme)


def test_the_rest_stays():
    stock, cfg = load_config(RTMPOSE), swap_head(RTMPOSE, 'srpose')
    changed = {
        key for key in cfg if key not in stock or cfg[key] != stock[key]
    }
    assert changed == {
        'codec', 'custom_hooks', 'custom_imports', 'model', 'train_dataloader',
        'train_pipeline', 'train_pipeline_stage2'
    }
    assert cfg.model.data_preprocessor == stock.model.data_preprocessor
    assert 'SimCC' not in repr(cfg.to_dict())


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_the_input_is_left_alone(scheme):
    stock = load_config(UDP)
    before = deepcopy(stock.to_dict())
    swapped = swap_head(stock, scheme)
    assert stock.to_dict() == before
    swapped.train_pipeline[0].type = 'other'
    swapped.model.backbone.norm_cfg.type = 'other'
    assert stock.to_dict() == before


def test_configs_of_this_package_are_found_by_name():
    name = 'td-srpose_res50_8xb32-210e_coco-256x192'
    path, = CONFIGS.rglob(f'{name}.py')
    for given in (name, f'{name}.py'):
        assert Path(locate_config(given)).name == path.name
    assert load_config(name).codec.type == 'SRHeatmap'
    with pytest.raises(FileNotFoundError, match='expected a config file'):
        locate_config('*')


def test_a_config_its_file_and_its_names_are_the_same():
    located = locate_config(RES50)
    assert located == ('mmpose::body_2d_keypoint/topdown_heatmap/coco/'
                       f'{RES50}.py')
    cfg = load_config(located)
    swapped = [
        swap_head(source).model
        for source in (RES50, f'{RES50}.py', located, cfg, cfg.filename)
    ]
    assert all(model == swapped[0] for model in swapped)


def test_pipelines_of_wrapped_data_sets_and_lists_of_codecs():
    stock = load_config(RES50)
    target = dict(type='GenerateTarget', encoder=[stock.codec, stock.codec],
                  multilevel=True, use_dataset_keypoint_weights=True)
    stock.train_dataloader.dataset = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(
            type='CombinedDataset',
            metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
            pipeline=[target],
            datasets=[dict(type='CocoDataset', pipeline=[target])]))
    cfg = swap_head(stock)
    outer = cfg.train_dataloader.dataset.dataset
    expected = dict(type='GenerateTarget', encoder=cfg.codec,
                    use_dataset_keypoint_weights=True)
    assert outer.pipeline == outer.datasets[0].pipeline == [expected]


def test_no_targets_to_replace():
    stock = load_config(RES50)
    stock.train_pipeline = stock.train_dataloader.dataset.pipeline = []
    with pytest.raises(ValueError, match='with a GenerateTarget step, got no'):
        swap_head(stock)


def test_a_head_without_a_codec():
    stock = load_config(RES50)
    stock.model.head.decoder = stock.codec = None
    with pytest.raises(SwapRefused, match='one codec with an input_size as '
                       'decoder of HeatmapHead, got None; set the decoder'):
        swap_head(stock)


def test_imports_are_merged():
    stock = load_config(RES50)
    stock.custom_imports = dict(imports='mine', allow_failed_imports=True)
    imports = swap_head(stock).custom_imports
    assert imports == dict(
        imports=['srpose_mm', 'mine'], allow_failed_imports=False)
    stock.custom_imports = imports
    assert swap_head(stock).custom_imports == imports


def test_a_swapped_model_swaps_again():
    """From SRHead as from HeatmapHead, but SRPose has no way back."""
    cfg = swap_head(RES50)
    assert swap_head(cfg, 'srpose').model == swap_head(RES50, 'srpose').model
    with pytest.raises(SwapRefused, match='SRPoseHead cannot be swapped'):
        swap_head(swap_head(RES50, 'srpose'))


def test_every_parameter_of_a_swapped_model_is_there():
    model = MODELS.build(swap_head(UDP, 'srpose').model)
    assert type(model.neck).__name__ == 'SRPoseNeck'
    assert model.head.decoder.use_udp
