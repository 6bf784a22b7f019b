import math

import pytest
import torch
import torch.nn.functional as F
from mmpose.models.backbones import ResNet
from mmpose.registry import MODELS
from torch import nn
from torchvision.models import resnet18

from srpose_mm.models.backbones import TransPose
from srpose_mm.models.backbones.transpose import (
    EncoderLayer,
    sine_position_encoding,
)

from ..support.model_helpers import count_parameters, data_samples


def build(**kwargs):
    cfg = dict(
        type='TransPose',
        depth=18,
        embed_channels=16,
        num_layers=2,
        num_heads=4,
        feedforward_channels=24,
        input_size=(48, 64))
    return MODELS.build({**cfg, **kwargs})


def test_parameters_are_those_of_the_paper():
    backbone = TransPose()
    assert backbone.position.shape == (768, 256)
    learned = count_parameters(backbone)
    assert learned == 4735040
    assert learned + backbone.position.numel() == 4931648
    assert round(4931648 / 1e6, 2) == 4.93
    # By hand: up to stride 8, the 1x1 convolution, four encoder layers.
    resnet = count_parameters(
        ResNet(50, num_stages=2, strides=(1, 2), dilations=(1, 1),
               out_indices=(1, )))
    attention = 4 * (256 * 256 + 256)
    perceptron = 256 * 1024 + 1024 + 1024 * 256 + 256
    layer = attention + perceptron + 2 * 2 * 256
    assert learned == resnet + 512 * 256 + 4 * layer


def test_position_encoding_is_the_formula():
    height, width, channels = 5, 3, 16
    encoding = sine_position_encoding(height, width, channels)
    assert encoding.shape == (15, 16)
    half = channels // 2
    for token, row in enumerate(encoding.tolist()):
        y, x = divmod(token, width)
        places = (y + 1) / height, (x + 1) / width
        for channel, value in enumerate(row):
            pair, is_cosine = divmod(channel % half, 2)
            angle = 2 * math.pi * places[channel // half]
            angle /= 10000**(2 * pair / half)
            expected = math.cos(angle) if is_cosine else math.sin(angle)
            assert value == pytest.approx(expected, abs=1e-6)


def test_position_encoding_treats_rows_and_columns_alike():
    encoding = sine_position_encoding(6, 4, 32).view(6, 4, 32)
    other = sine_position_encoding(4, 6, 32).view(4, 6, 32)
    rows, columns = encoding.chunk(2, dim=-1)
    torch.testing.assert_close(
        torch.cat([columns, rows], dim=-1).transpose(0, 1), other)


def test_position_encoding_of_another_size_covers_the_same_range():
    small = sine_position_encoding(4, 3, 32).view(4, 3, 32)
    large = sine_position_encoding(8, 6, 32).view(8, 6, 32)
    torch.testing.assert_close(large[1::2, 1::2], small)


def test_encoder_layer_without_positions_is_the_one_of_torch():
    ours = EncoderLayer(16, 4, 24).eval()
    theirs = nn.TransformerEncoderLayer(
        16, 4, dim_feedforward=24, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 16)
    torch.testing.assert_close(ours(x, torch.zeros(6, 16)), theirs(x))


def test_encoder_layer_is_the_formula():
    layer = EncoderLayer(16, 4, 24).eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x, position = torch.randn(2, 6, 16), torch.randn(6, 16)
    attn = layer.self_attn
    weights = attn.in_proj_weight.chunk(3)
    biases = attn.in_proj_bias.chunk(3)
    q, k, v = (
        F.linear(inputs, weight, bias).view(2, 6, 4, 4) for inputs, weight,
        bias in zip([x + position, x + position, x], weights, biases))
    scores = torch.einsum('bqhc,bkhc->bhqk', q, k) / 2
    mixed = torch.einsum('bhqk,bkhc->bqhc', scores.softmax(dim=-1), v)
    y = x + attn.out_proj(mixed.reshape(2, 6, 16))
    y = F.layer_norm(y, (16, ), layer.norm1.weight, layer.norm1.bias)
    z = y + layer.linear2(layer.linear1(y).clamp_min(0))
    expected = F.layer_norm(z, (16, ), layer.norm2.weight, layer.norm2.bias)
    torch.testing.assert_close(
        layer(x, position), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('size, fine, coarse', [
    ((64, 48), (16, 12), (8, 6)),
    ((96, 32), (24, 8), (12, 4)),
    ((50, 41), (13, 11), (7, 6)),
    ((8, 8), (2, 2), (1, 1)),
])
def test_shapes_of_any_input_size(size, fine, coarse):
    x = torch.randn(1, 3, *size)
    backbone = build(out_indices=(0, 1)).eval()
    outs = backbone(x)
    assert [tuple(out.shape) for out in outs] == [(1, 64, *fine),
                                                  (1, 16, *coarse)]
    single = build().eval()
    single.load_state_dict(backbone.state_dict())
    out, = single(x)
    torch.testing.assert_close(out, outs[1])


def test_forward_is_resnet_reduction_encoder():
    backbone = build(out_indices=(0, 1)).eval()
    x = torch.randn(2, 3, 96, 64)
    stages = ResNet(18, out_indices=(0, 1))
    stages.eval()
    stages.load_state_dict(backbone.resnet.state_dict(), strict=False)
    fine, coarse = stages(x)
    tokens = F.conv2d(coarse, backbone.reduction.weight)
    tokens = tokens.permute(0, 2, 3, 1).reshape(2, 12 * 8, 16)
    position = sine_position_encoding(12, 8, 16)
    for layer in backbone.encoder:
        tokens = layer(tokens, position)
    expected = tokens.view(2, 12, 8, 16).permute(0, 3, 1, 2)
    outs = backbone(x)
    torch.testing.assert_close(outs[0], fine)
    torch.testing.assert_close(outs[1], expected)


@pytest.mark.parametrize('size', [(48, 64), (96, 96)])
def test_the_size_it_is_made_for_changes_nothing(size):
    x = torch.randn(1, 3, 64, 48)
    one, other = build().eval(), build(input_size=size).eval()
    # Strict: a checkpoint holds no positions.
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(other(x), one(x))


def test_gradient_reaches_everything():
    backbone = build()
    outs = backbone(torch.randn(2, 3, 64, 48))
    (outs[0]**2 * torch.randn_like(outs[0])).sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_both_outputs_feed_the_neck():
    codec = dict(type='SRHeatmap', input_size=(48, 64))
    backbone = build(out_indices=(0, 1))
    neck = MODELS.build(
        dict(
            type='SRPoseNeck',
            in_channels=(16, 64),
            out_channels=(12, 8),
            num_keypoints=17))
    head = MODELS.build(
        dict(
            type='SRPoseHead',
            in_channels=(12, 8),
            out_channels=17,
            decoder=codec))
    feats = neck(backbone(torch.randn(2, 3, 64, 48)))
    maps = head.forward_levels(feats)
    assert [tuple(m.shape[2:]) for m in maps] == [(8, 6), (16, 12), (64, 48)]
    losses = head.loss(feats, data_samples(codec))
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad is not None for p in backbone.parameters())


def test_bfloat16_autocast_and_batch_of_one():
    backbone = build(out_indices=(0, 1))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outs = backbone(torch.randn(1, 3, 64, 48))
    sum(out.float().square().mean() for out in outs).backward()
    assert all(torch.isfinite(out).all() for out in outs)
    assert all(
        torch.isfinite(p.grad).all() for p in backbone.parameters()
        if p.grad is not None)


def test_dropout_is_for_training():
    backbone = build(dropout=0.5)
    backbone.resnet.eval()
    x = torch.randn(1, 3, 64, 48)
    assert not torch.equal(backbone(x)[0], backbone(x)[0])
    backbone.eval()
    assert torch.equal(backbone(x)[0], backbone(x)[0])


def test_initial_weights():
    backbone = build()
    backbone.init_weights()
    for layer in backbone.encoder:
        for linear in (layer.linear1, layer.linear2,
                       layer.self_attn.out_proj):
            bound = (6 / sum(linear.weight.shape))**0.5
            assert 0.9 * bound < linear.weight.abs().max() <= bound
            assert not linear.bias.any()
    # The ResNet is initialized as a stock one: residual branches off.
    for block in (*backbone.resnet.layer1, *backbone.resnet.layer2):
        assert not block.norm2.weight.any()


@pytest.mark.parametrize('prefix', ['', 'backbone.', 'backbone.resnet.'])
def test_pretrained_weights_are_for_the_resnet(prefix, tmp_path):
    weights = resnet18(weights=None).state_dict()
    file = tmp_path / 'resnet18.pth'
    torch.save({prefix + key: value for key, value in weights.items()}, file)
    init_cfg = dict(type='Pretrained', checkpoint=str(file))
    if prefix:
        init_cfg['prefix'] = prefix
    backbone = build(init_cfg=init_cfg)
    backbone.init_weights()
    loaded = backbone.resnet.state_dict()
    assert len(loaded) > 50
    for key, value in loaded.items():
        assert torch.equal(value, weights[key]), key
    # The rest is initialized as it is without.
    assert not backbone.encoder[0].linear1.bias.any()


def test_pretrained_beside_another_init_cfg(tmp_path):
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, tmp_path / 'resnet18.pth')
    backbone = build(init_cfg=[
        dict(type='Pretrained', checkpoint=str(tmp_path / 'resnet18.pth')),
        dict(type='Constant', layer='Linear', val=0.5)
    ])
    backbone.init_weights()
    assert (backbone.encoder[0].linear1.weight == 0.5).all()
    assert torch.equal(backbone.resnet.conv1.weight, weights['conv1.weight'])


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(embed_channel=4), TypeError, 'embed_channel'),
    (dict(embed_channels=18), ValueError, 'multiple of 4 .*got 18'),
    (dict(embed_channels=20, num_heads=8), ValueError, 'num_heads=8, got 20'),
    (dict(num_layers=0), ValueError, 'num_layers to be a positive .*got 0'),
    (dict(input_size=(0, 64)), ValueError, r'input_size .*got \(0, 64\)'),
    (dict(input_size=(64, )), ValueError, r'input_size .*got \(64,\)'),
    (dict(out_indices=(3, )), ValueError, r'out_indices .*got \(3,\)'),
    (dict(out_indices=(1, 0)), ValueError, r'out_indices .*got \(1, 0\)'),
    (dict(init_cfg=2 * [dict(type='Pretrained', checkpoint='a')]), ValueError,
     'at most one Pretrained .*got 2'),
])
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        build(**kwargs)
