"""Heads of stock configs, swapped: nothing is built but what is compared."""
from copy import deepcopy
from pathlib import Path

import pytest
from mmpose.registry import KEYPOINT_CODECS, MODELS

from srpose_mm.apis import SwapRefused, swap_head
from srpose_mm.configs import load_config, locate_config
from srpose_mm.swap.codec import steps_below

from ..conftest import CONFIGS

RES50 = 'td-hm_res50_8xb64-210e_coco-256x192'
UDP = 'cspnext-tiny_udp_8xb256-210e_coco-256x192'
RTMPOSE = 'rtmpose-t_8xb256-420e_coco-256x192'
FACE = 'td-hm_hrnetv2-w18_8xb64-60e_300w-256x256'
AE = 'ae_hrnet-w32_8xb24-300e_coco-512x512'

# Stock config, scheme and what becomes of its model: the head's channels,
# deconvolutions and factor, the neck, the heatmaps' size, flip with a shift.
SR = [
    (RES50, 2048, 3, 4, None, (192, 256), True),
    (UDP, 384, 3, 4, None, (192, 256), False),
    (RTMPOSE, 384, 3, 4, None, (192, 256), True),
    (FACE, 270, 0, 4, 'FeatureMapProcessor', (256, 256), True),
    ('td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192', 32, 0, 4, None,
     (192, 256), False),
    ('td-reg_res50_rle-8xb64-210e_coco-256x192', 2048, 3, 4, None, (192, 256),
     True),
    ('ipr_res50_8xb64-210e_coco-256x256', 2048, 3, 4, None, (256, 256), True),
    ('simcc_res50_8xb64-210e_coco-256x192', 2048, 3, 4, None, (192, 256),
     True),
    ('simcc_vipnas-mbv3_8xb64-210e_coco-256x192', 160, 3, 4, None, (192, 256),
     True),
    ('td-hm_alexnet_8xb64-210e_coco-256x192', 256, 3, 4, None, (160, 224),
     True),
    ('td-hm_litehrnet-18_8xb64-210e_coco-256x192', 40, 0, 4, None, (192, 256),
     True),
    ('rtmw-m_8xb1024-270e_cocktail14-256x192', 768, 3, 4, 'CSPNeXtPAFPN',
     (192, 256), True),
    ('td-hm_ViTPose-small_8xb64-210e_coco-256x192', 384, 2, 4, None,
     (192, 256), False),
    ('td-hm_ViTPose-small-simple_8xb64-210e_coco-256x192', 384, 0, 4,
     'FeatureMapProcessor', (192, 256), False),
    ('td-hm_res50_8xb64-210e_coco-wholebody-256x192', 2048, 3, 4, None,
     (192, 256), True),
]
# Stock config, channels of the levels and their factors, coarse to fine.
SRPOSE = [
    (RES50, (2048, 1024, 512, 256), (8, 4, 2, 4)),
    (UDP, (384, 192, 96, 48), (8, 4, 2, 4)),
    (FACE, (144, 72, 36, 18), (8, 4, 2, 4)),
    ('td-hm_mobilenetv2_8xb64-210e_coco-256x192', (1280, 96, 32, 24),
     (8, 4, 2, 4)),
    ('td-hm_shufflenetv2_8xb64-210e_coco-256x192', (1024, 232, 116),
     (8, 4, 8)),
    ('td-hm_vgg16-bn_8xb64-210e_coco-256x192', (512, 512, 256, 128),
     (8, 4, 2, 4)),
    ('td-hm_swin-t-p4-w7_8xb32-210e_coco-256x192', (768, 384, 192, 96),
     (8, 4, 2, 4)),
    ('td-hm_pvt-s_8xb64-210e_coco-256x192', (512, 320, 128, 64),
     (8, 4, 2, 4)),
]
REFUSED = {
    'td-hm_cpm_8xb64-210e_coco-256x192': ('sr', 'CPMHead.*for each stage'),
    'td-hm_mspn50_8xb32-210e_coco-256x192': ('sr', 'MSPNHead.*every stage'),
    'td-hm_vipnas-res50_8xb64-210e_coco-256x192':
    ('srpose', 'ViPNASHead.*grouped deconvolutions would be needed'),
    'td-hm-vis_res50_8xb64-210e_coco-aic-256x192-merge':
    ('sr', 'VisPredictHead.*second output'),
    'dekr_hrnet-w32_8xb10-140e_coco-512x512': ('sr', 'DEKRHead.*person'),
    'cid_hrnet-w32_8xb20-140e_coco-512x512': ('sr', 'CIDHead.*decoupling'),
    'rtmo-s_8xb32-600e_coco-640x640': ('sr', 'RTMOHead.*person'),
    'yoloxpose_tiny_4xb64-300e_coco-416': ('sr', 'YOLOXPoseHead.*person'),
    'internet_res50_4xb16-20e_interhand3d-256x256':
    ('sr', 'InternetHead.*depth axis'),
    'dwpose_l_dis_m_coco-ubody-256x192':
    ('sr', 'DWPoseDistiller.*student.*would be needed'),
    'image-pose-lift_tcn_8xb64-200e_h36m':
    ('sr', 'TemporalRegressionHead.*backbone of images'),
    'td-hm_alexnet_8xb64-210e_coco-256x192':
    ('srpose', r'AlexNet.*two or more strides.*use scheme=\'sr\''),
    'td-hm_ViTPose-small_8xb64-210e_coco-256x192':
    ('srpose', 'VisionTransformer.*two or more strides'),
    AE: ('srpose', r'top-down only.*use scheme=\'sr\''),
}


def codecs_of(cfg):
    """The codec in the variable, the head and each pipeline."""
    return [cfg.codec, cfg.model.head.decoder] + [
        step['encoder'] for step in steps_below(dict(cfg.items()))
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
    with pytest.raises(SwapRefused, match=f'swap_head: .*{message}'):
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
    with pytest.raises(FileNotFoundError, match='test: expected config'):
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
    with pytest.raises(SwapRefused, match='it is SRPose already'):
        swap_head(swap_head(RES50, 'srpose'))


def test_every_parameter_of_a_swapped_model_is_there():
    model = MODELS.build(swap_head(UDP, 'srpose').model)
    assert type(model.neck).__name__ == 'SRPoseNeck'
    assert model.head.decoder.use_udp
