import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from ..support.model_helpers import data_samples, feature_pyramid


def build(**kwargs):
    cfg = dict(
        type='SRPoseNeck',
        in_channels=(16, 8, 4, 4),
        out_channels=(12, 8, 6, 4),
        num_keypoints=5)
    return MODELS.build({**cfg, **kwargs})


def conv(module, x, **kwargs):
    return F.conv2d(x, module.weight, module.bias, **kwargs)


def norm(module, x):
    return F.batch_norm(x, module.running_mean, module.running_var,
                        module.weight, module.bias)


def refine(block, x):
    """x + pw2(GELU(pw1(BN(dwconv7x7(x))))), the pointwise ones as matrices."""
    y = norm(block.norm, conv(block.dwconv, x, padding=3, groups=x.shape[1]))
    y = y.permute(0, 2, 3, 1)
    y = F.gelu(F.linear(y, block.pwconv1.weight[..., 0, 0],
                        block.pwconv1.bias))
    y = F.linear(y, block.pwconv2.weight[..., 0, 0], block.pwconv2.bias)
    return x + y.permute(0, 3, 1, 2)


def test_forward_is_the_formula():
    neck = build()
    feats = feature_pyramid((16, 8, 4, 4))
    neck(feats)  # moves the running statistics off their initial values
    neck.eval()
    outs = neck(feats)

    coarse_to_fine = feats[::-1]

    def lateral(i):
        layer = neck.laterals[i]
        return F.relu(norm(layer[1], conv(layer[0], coarse_to_fine[i])))

    lr = F.relu(conv(neck.lr_head[0], coarse_to_fine[0]))
    x = lateral(0) + F.relu(conv(neck.lr_fusion[0], lr))
    expected = [lr, x]
    for i in range(1, 4):
        depthwise, pointwise = neck.upsamples[i - 1]
        u = conv(depthwise, x, padding=1, groups=x.shape[1])
        u = F.relu(norm(pointwise[1], conv(pointwise[0], u)))
        u = u.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = conv(neck.fusions[i - 1], torch.cat([u, lateral(i)], dim=1))
        for block in neck.refinements[i - 1]:
            x = refine(block, x)
        expected.append(x)
    assert len(outs) == len(expected) == 5
    for out, want in zip(outs, expected):
        torch.testing.assert_close(out, want)


def test_sizes_need_not_double():
    feats = (torch.randn(1, 4, 9, 7), torch.randn(1, 4, 5, 4),
             torch.randn(1, 8, 3, 2), torch.randn(1, 16, 2, 1))
    neck = build().eval()
    assert [tuple(out.shape[2:]) for out in neck(feats)
            ] == [(2, 1), (2, 1), (3, 2), (5, 4), (9, 7)]


def test_feeds_a_stock_head():
    codec = dict(type='SRHeatmap', input_size=(24, 32), heatmap_size=(24, 32))
    head = MODELS.build(
        dict(
            type='HeatmapHead',
            in_channels=4,
            out_channels=5,
            deconv_out_channels=None,
            decoder=codec))
    feats = build()(feature_pyramid((16, 8, 4, 4)))
    losses = head.loss(feats, data_samples(codec, keypoints=5))
    assert torch.isfinite(losses['loss_kpt'])


def test_norm_cfg():
    neck = build(norm_cfg=dict(type='GN', num_groups=2))
    kinds = {type(module).__name__ for module in neck.modules()}
    assert 'GroupNorm' in kinds and 'BatchNorm2d' not in kinds


def test_wrong_backbone_outputs():
    neck = build()
    with pytest.raises(ValueError, match=r'SRPoseNeck: expected 4 feature '
                       r'maps with \[16, 8, 4, 4\] channels, got 4 with '
                       r'\[4, 4, 8, 16\]; reverse in_channels, whose'):
        neck(feature_pyramid((16, 8, 4, 4))[::-1])
    with pytest.raises(ValueError, match='got 1 with'):
        neck(feature_pyramid((16, )))


def test_numbers_of_levels():
    with pytest.raises(ValueError, match='as many out_channels as'):
        build(out_channels=(8, 4))
    for wrong in (32, ()):
        for name in ('in_channels', 'out_channels'):
            with pytest.raises(TypeError, match=f'SRPoseNeck: expected {name} '
                               'to have a number for each level'):
                build(**{name: wrong})
