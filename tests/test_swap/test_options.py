"""Codecs of swapped configs and what a user can choose about the head."""
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS, MODELS, TRANSFORMS
from mmpose.structures import PoseDataSample

from srpose_mm.apis import swap_head
from srpose_mm.codecs import REFINEMENTS
from srpose_mm.configs import load_config

from ..support.stock_models import AE, RES50, RTMPOSE, UDP


def test_codec_of_msra():
    """8 cells at full size are 2 at a quarter; unbiased and DARK stay."""
    assert swap_head(RES50).codec == dict(
        type='SRHeatmap',
        input_size=(192, 256),
        heatmap_size=(192, 256),
        sigma=8,
        target='keypoints')
    dark = swap_head('td-hm_res50_dark-8xb64-210e_coco-256x192').codec
    assert dark.unbiased is True and dark.refine == 'dark'
    assert 'use_udp' not in dark


@pytest.mark.parametrize('name, size, codec, sigma', [
    (UDP, (96, 128), dict(type='UDPHeatmap'), 4),  # 2 of 96
    (AE, (128, 128), dict(type='AssociativeEmbedding'), 8),  # 128 / 64 of 128
], ids=['UDPHeatmap', 'AssociativeEmbedding'])
def test_default_widths_of_stock_codecs(name, size, codec, sigma):
    cfg = load_config(name)
    size_in = cfg.codec.input_size
    codec.update(input_size=size_in, heatmap_size=size)
    cfg.codec = cfg.model.head.decoder = codec
    assert swap_head(cfg).codec.sigma == sigma


@pytest.mark.parametrize('options', [
    dict(refine='dark'), dict(refine='none', unbiased=True),
    dict(unbiased=True)], ids=str)
def test_refinement_of_an_sr_codec(options):
    cfg = swap_head(RES50)
    cfg.codec.update(options)
    cfg.model.head.decoder.update(options)
    codec = swap_head(cfg, 'srpose').codec
    for name in ('refine', 'unbiased'):
        assert codec.get(name) == options.get(name)


def test_a_udp_codec_behind_other_crops():
    """The stock model decodes up to a pixel off; the swapped one does not."""
    cfg = load_config('cspnext-m_udp_8xb64-210e_coco-wholebody-256x192')
    assert cfg.codec.type == 'UDPHeatmap'
    cfg = swap_head(cfg)
    assert 'use_udp' not in cfg.codec
    assert cfg.codec.unbiased is True and cfg.codec.refine == 'dark'
    assert cfg.model.test_cfg.shift_heatmap is True


def test_codec_of_udp():
    codec = swap_head(UDP).codec
    assert codec.use_udp is True and codec.unbiased is True
    assert codec.refine == 'dark'


def test_combined_maps_become_one_a_keypoint():
    cfg = swap_head('td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192')
    assert cfg.model.head.out_channels == 17
    assert cfg.model.head.loss.type == 'SeparableMSELoss'
    assert cfg.model.test_cfg.flip_mode == 'heatmap'


def test_losses_of_heatmaps_stay():
    wing = 'td-hm_hrnetv2-w18_awing-8xb64-60e_wflw-256x256'
    assert swap_head(wing).model.head.loss.type == 'AdaptiveWingLoss'
    assert swap_head(RTMPOSE).model.head.loss == dict(
        type='SeparableMSELoss', use_target_weight=True)


def test_heatmaps_of_half_the_input_are_decoded_as_they_are():
    """Resized to the input, they would be decoded twice as far away."""
    cfg = swap_head(AE, heatmap_size=(256, 256))
    assert cfg.model.head.upscale_factor == 2
    codec = KEYPOINT_CODECS.build(dict(cfg.codec, target='heatmaps'))
    head = MODELS.build(cfg.model.head)
    keypoints = np.random.uniform(100, 400, (1, 17, 2)).astype('f4')
    heatmaps = torch.from_numpy(codec.encode(keypoints)['heatmaps'])[None]
    head.forward = lambda feats: (heatmaps, torch.zeros_like(heatmaps))
    sample = PoseDataSample(metainfo=dict(
        img_shape=(512, 512), input_size=(512, 512)))
    preds = head.predict(
        (None, ), [sample], dict(cfg.model.test_cfg, flip_test=False))
    assert abs(preds[0].keypoints - keypoints).max() <= 1


def test_associative_embedding():
    """The decoder's maps are resized ones; sigma is that of the targets."""
    cfg = swap_head(AE)
    assert cfg.model.head.type == 'SRAssociativeEmbeddingHead'
    assert cfg.model.head.upscale_factor == 4
    assert cfg.codec.sigma == 8
    assert cfg.codec.heatmap_size == (512, 512)
    assert cfg.model.test_cfg.restore_heatmap_size is False
    assert cfg.train_pipeline == cfg.train_dataloader.dataset.pipeline
    assert [step.type for step in cfg.train_pipeline][3:5] == [
        'GenerateTarget', 'BottomupGetValidMask'
    ]
    with pytest.raises(TypeError, match='unexpected keyword.*refine'):
        swap_head(AE, refine='dark')


def test_options():
    cfg = swap_head(
        RES50, heatmap_size=(96, 128), refine='none', unbiased=True)
    assert cfg.model.head.upscale_factor == 2
    assert cfg.codec == dict(
        type='SRHeatmap',
        input_size=(192, 256),
        heatmap_size=(96, 128),
        sigma=4,
        target='keypoints',
        unbiased=True,
        refine='none')
    cfg = swap_head(RES50, 'srpose', heatmap_size=[96, 128], sigma=3)
    assert cfg.codec.heatmap_size == (96, 128) and cfg.codec.sigma == 3
    assert cfg.model.head.upscale_factors == (8, 4, 2, 2)


@pytest.mark.parametrize('options, message', [
    (dict(heatmap_size=(100, 128)),
     r'multiple of 48x64 .*got \(100, 128\); choose for ex'
     r'ample \(96, 128\)'),
    (dict(heatmap_size=(96, 128.5)), 'heatmap_size to be .*128.5'),
    (dict(heatmap_size=96), r'heatmap_size to be \(width, height\), got 96'),
    (dict(unbiased='yes'), r'unbiased to be one of .*, got \'yes\''),
    (dict(heatmap_size=(0, 128)), r'heatmap_size to be .*\(0, 128\)'),
    (dict(sigma=0), 'a positive, finite sigma, got 0'),
    (dict(sigma=-1), 'a positive, finite sigma, got -1'),
    (dict(sigma='8'), 'sigma to be a number, got \'8\''),
    (dict(sigma=float('nan')), 'a positive, finite sigma, got nan'),
    (dict(refine='foo'), r'refine to be one of \(\'none\', .*got \'foo\''),
    (dict(backbone='resnet18'), 'backbone to be \'timm:NAME\', got \'resne'),
    (dict(scheme='simple'),
     r'scheme to be one of \(\'sr\', \'srpose\'\), got \'simple\''),
])
def test_wrong_options(options, message):
    with pytest.raises((TypeError, ValueError), match=f'expected .*{message}'):
        swap_head(RES50, **options)


def test_unknown_options_and_files():
    with pytest.raises(TypeError, match='kernel'):
        swap_head(RES50, kernel=9)
    with pytest.raises(FileNotFoundError, match='expected a config file'
                       '.* or MMPose, got \'td-hm_res51\''):
        swap_head('td-hm_res51')
    with pytest.raises(ValueError, match='with a model, got one with'):
        swap_head(Config(dict(codec=dict())))


@pytest.mark.parametrize('refine', REFINEMENTS)
def test_all_refinements_of_the_codec(refine):
    codec = KEYPOINT_CODECS.build(swap_head(RES50, refine=refine).codec)
    assert codec.refine == refine


@pytest.mark.parametrize('name', [RES50, UDP], ids=['MSRA', 'UDP'])
@pytest.mark.parametrize('size', [(48, 64), (192, 256)])
def test_round_trip(name, size):
    """From the image through crop, targets and decoding and back."""
    cfg = swap_head(name, unbiased=True, refine='dark', heatmap_size=size)
    crop, = (step for step in cfg.train_pipeline
             if step.type == 'TopdownAffine')
    assert crop.get('use_udp', False) is (name == UDP)
    codec = KEYPOINT_CODECS.build(dict(cfg.codec, target='heatmaps'))
    center, scale = np.array([[211.3, 140.8]]), np.array([[150., 200.]])
    keypoints = center + scale * np.random.uniform(-.4, .4, (1, 200, 2))
    sample = TRANSFORMS.build(crop)(
        dict(
            img=np.zeros((300, 400, 3), np.uint8),
            bbox_center=center,
            bbox_scale=scale,
            keypoints=keypoints))
    encoded = codec.encode(sample['transformed_keypoints'])
    decoded, _ = codec.decode(encoded['heatmaps'])
    # As TopdownPoseEstimator.add_pred_to_datasample does.
    found = (decoded / sample['input_size'] * sample['input_scale'] +
             sample['input_center'] - 0.5 * sample['input_scale'])
    error = np.linalg.norm(found - keypoints, axis=-1).mean()
    # In image px; a px of the crop has 0.78 of them.
    assert error < 1e-2
