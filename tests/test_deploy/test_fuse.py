"""Fused models predict the same."""
import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from mmpose.models.backbones.hrformer import CrossFFN
from mmpose.registry import MODELS
from torch import nn

from srpose_mm.deploy.fuse import fuse_for_inference

from ..support.export_models import HRNET, randomize
from ..support.model_helpers import count_parameters

CODEC = dict(type='SRHeatmap', input_size=(48, 64))
RESNET = dict(type='ResNet', depth=18)
PYRAMID = (512, 256, 128, 64)
SR_HEAD = dict(in_channels=512, deconv_out_channels=(16, 16, 16))
MODELS_CFGS = dict(
    srpose=dict(
        backbone=dict(**RESNET, out_indices=(0, 1, 2, 3)),
        neck=dict(type='SRPoseNeck', in_channels=PYRAMID, num_keypoints=17),
        head=dict(
            type='SRPoseHead', in_channels=(256, 128, 64, 32),
            out_channels=17)),
    sr_head=dict(
        backbone=RESNET,
        head=dict(type='SRHead', out_channels=17, **SR_HEAD)),
    hrnet=dict(
        backbone=HRNET,
        head=dict(
            type='SRHead',
            in_channels=8,
            out_channels=17,
            deconv_out_channels=None)),
    transpose=dict(
        backbone=dict(
            type='TransPose', depth=18, embed_channels=32, num_layers=1),
        head=dict(
            type='SRHead',
            in_channels=32,
            out_channels=17,
            deconv_out_channels=(16, ),
            deconv_kernel_sizes=(4, ))),
    bottom_up=dict(
        type='BottomupPoseEstimator',
        backbone=RESNET,
        head=dict(
            type='SRAssociativeEmbeddingHead', num_keypoints=17, **SR_HEAD)))


def build(name):
    """Build a model whose weights and statistics are not the initial ones."""
    cfg = copy.deepcopy(MODELS_CFGS[name])
    if name != 'bottom_up':
        cfg['head']['decoder'] = CODEC
    return randomize(MODELS.build({'type': 'TopdownPoseEstimator', **cfg}))


def norms(model):
    return [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize('name', MODELS_CFGS)
def test_predicts_the_same(name):
    model = build(name).eval()
    fused = fuse_for_inference(model)
    assert not fused.training and not norms(fused) and norms(model)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, got = model(images, None), fused(images, None)
    if not isinstance(expected, tuple):
        expected, got = (expected, ), (got, )
    for a, b in zip(got, expected):
        scale = b.abs().max()
        assert scale > 1e-3
        assert (a - b).abs().max() <= 1e-5 * max(scale, 1)


@pytest.mark.parametrize('name', MODELS_CFGS)
def test_parameters(name):
    """The deployed ones; a bias takes the place of each normalization's two.
    """
    model = build(name)
    deployed = count_parameters(model)
    if name == 'srpose':
        deployed -= count_parameters(model.head.sr_blocks[:-1])
    fused = fuse_for_inference(model)
    normalized = count_parameters(*norms(model))
    new = sum(
        m.bias.numel() for name, m in fused.named_modules()
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))
        and m.bias is not None and model.get_submodule(
            name.replace('sr_blocks.0', 'sr_blocks.3')).bias is None)
    assert count_parameters(fused) == deployed - normalized + new


def test_the_model_is_not_changed():
    model = build('srpose').train()
    before = copy.deepcopy(model.state_dict())
    fuse_for_inference(model)
    assert model.training and len(model.head.sr_blocks) == 4
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_weights_are_channels_last():
    fused = fuse_for_inference(build('srpose'))
    weights = [p for p in fused.parameters() if p.ndim == 4]
    assert all(
        w.is_contiguous(memory_format=torch.channels_last) for w in weights)


def test_a_norm_without_its_convolution_stays():
    """One of other channels, one of inputs and one without statistics."""
    model = nn.Sequential(
        nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.PixelShuffle(2),
        nn.BatchNorm2d(1), nn.Conv2d(1, 4, 1),
        nn.BatchNorm2d(4, track_running_stats=False)).eval()
    fused = fuse_for_inference(model)
    assert len(norms(fused)) == 3
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(fused(x), model(x))


@pytest.mark.parametrize('model', [
    nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)),
    ConvModule(
        3, 4, 1, norm_cfg=dict(type='BN'), order=('conv', 'act', 'norm'))
], ids=['Sequential', 'ConvModule'])
def test_a_norm_behind_an_activation_stays(model):
    nn.init.normal_(norms(model)[0].running_mean)
    model.eval()
    fused = fuse_for_inference(model)
    assert len(norms(fused)) == 1
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(fused(x), model(x))


def test_a_backbone_alone():
    model = MODELS.build(dict(type='ResNet', depth=18))
    fused = fuse_for_inference(model)
    assert model.training and not fused.training and not norms(fused)


def test_conv_modules_are_folded():
    model = ConvModule(3, 4, 1, norm_cfg=dict(type='BN')).eval()
    nn.init.normal_(model.norm.running_mean)
    fused = fuse_for_inference(model)
    assert not norms(fused)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(fused(x), model(x))


def test_hrformers_feed_forward_is_folded():
    """It defines activations before the norms that run before them."""
    model = CrossFFN(4).eval()
    for norm in norms(model):
        nn.init.normal_(norm.running_mean)
    fused = fuse_for_inference(model)
    assert not norms(fused)
    x = torch.randn(2, 35, 4)
    torch.testing.assert_close(fused(x, 5, 7), model(x, 5, 7))


def test_activations_of_timms_norms_remain():
    """Its BatchNormAct2d activates, so that no other layer does."""
    layers = pytest.importorskip('timm.layers')
    model = layers.ConvNormAct(3, 4, 1).eval()
    norm, = norms(model)
    nn.init.normal_(norm.running_mean)
    fused = fuse_for_inference(model)
    assert not norms(fused)
    x = torch.randn(2, 3, 4, 4)
    assert model(x).min() == 0
    torch.testing.assert_close(fused(x), model(x))


def test_a_norm_of_a_sum_stays():
    """timm's RepViT defines it after one of the sum's convolutions."""
    repvit = pytest.importorskip('timm.models.repvit')
    model = randomize(repvit.RepVggDw(4, 3)).eval()
    fused = fuse_for_inference(model)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(fused(x), model(x))


def test_convolutions_that_timm_returns_are_not_folded():
    pytest.importorskip('timm')
    model = randomize(MODELS.build(dict(
        type='TimmBackbone', model_name='ghostnet_050', out_indices=(0, 1))))
    model.eval()
    x = torch.randn(1, 3, 32, 32)
    for got, expected in zip(fuse_for_inference(model)(x), model(x)):
        scale = expected.abs().max()
        torch.testing.assert_close(got / scale, expected / scale)


@pytest.mark.parametrize('name', ['ConvWS', 'ConvAWS'])
def test_convolutions_that_normalize_their_weight_are_not_folded(name):
    model = randomize(ConvModule(
        8, 4, 3, conv_cfg=dict(type=name), norm_cfg=dict(type='BN'))).eval()
    fused = fuse_for_inference(model)
    assert len(norms(fused)) == 1
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(fused(x), model(x))


def test_3d_convolutions_remain():
    model = nn.Sequential(nn.Conv3d(2, 3, 1), nn.BatchNorm3d(3)).eval()
    x = torch.randn(1, 2, 4, 4, 4)
    torch.testing.assert_close(fuse_for_inference(model)(x), model(x))


def test_groups_of_transposed_convolutions_are_not_folded():
    model = randomize(nn.Sequential(
        nn.ConvTranspose2d(8, 4, 4, 2, 1, groups=2), nn.BatchNorm2d(4)))
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(fuse_for_inference(model)(x), model(x))
