import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from ..support.model_helpers import (
    count_parameters,
    data_samples,
    feature_pyramid,
)

WIDTHS = (256, 128, 64, 32)
CODEC = dict(type='SRHeatmap', input_size=(96, 128))


def build(**kwargs):
    cfg = dict(
        type='SRPoseHead', in_channels=WIDTHS, out_channels=17, decoder=CODEC)
    return MODELS.build({**cfg, **kwargs})


def build_neck(in_channels, out_channels=WIDTHS):
    return MODELS.build(
        dict(
            type='SRPoseNeck',
            in_channels=in_channels,
            out_channels=out_channels,
            num_keypoints=17))


def neck_outputs(batch=2):
    lr = torch.rand(batch, 17, 4, 3)
    return lr, *feature_pyramid(WIDTHS, batch=batch)[::-1]


@pytest.mark.parametrize(
    'in_channels, widths, training, deployed',
    [((2048, 1024, 512, 256), WIDTHS, 1606533, 1.29),
     ((256, 128, 64, 32), WIDTHS, 966789, 0.65),
     ((256, 256), (256, 128), None, 0.55)],
    ids=['ResNet-50', 'HRNet-W32', 'TransPose-R-A4'])
def test_parameters_are_those_of_the_paper(in_channels, widths, training,
                                           deployed):
    neck = build_neck(in_channels, widths)
    head = build(in_channels=widths)
    if training is not None:
        assert count_parameters(neck, head) == training
    used = count_parameters(neck, head.sr_blocks[-1])
    assert round(used / 1e6, 2) == deployed


def test_sizes_of_the_maps():
    maps = build().forward_levels(neck_outputs())
    assert [tuple(m.shape[1:]) for m in maps] == [(17, 4, 3), (17, 32, 24),
                                                  (17, 32, 24), (17, 32, 24),
                                                  (17, 128, 96)]


def test_kernel_sizes():
    assert [b.predictor.kernel_size for b in build().sr_blocks
            ] == [(3, 3), (5, 5), (7, 7), (9, 9)]
    two = build(in_channels=(256, 128))
    assert [b.predictor.kernel_size for b in two.sr_blocks] == [(7, 7), (9, 9)]


def test_inference_computes_the_last_block_only():
    head = build().eval()
    calls = []
    for i, block in enumerate(head.sr_blocks):
        block.keypoint_encoder.register_forward_hook(
            lambda *_, i=i: calls.append(i))
    head.predict(neck_outputs(), data_samples(CODEC), {})
    assert calls == [3]
    head.loss(neck_outputs(), data_samples(CODEC))
    assert sorted(calls[1:]) == [0, 1, 2, 3]


def test_loss_is_the_formula():
    head, feats, samples = build(), neck_outputs(), data_samples(CODEC)
    samples[0].gt_instance_labels.keypoint_weights[0, :3] = 0
    losses = head.loss(feats, samples)
    target = torch.stack([s.gt_fields.heatmaps for s in samples])
    weights = torch.cat(
        [s.gt_instance_labels.keypoint_weights for s in samples])
    names = ['loss_low_res', *(f'loss_kpt_{i}' for i in range(4))]
    factors = [1e-4, 1, 1, 1, 1]
    for name, factor, heatmaps in zip(names, factors,
                                      head.forward_levels(feats)):
        stride = 128 // heatmaps.shape[2]
        pooled = F.avg_pool2d(target, stride)
        expected = ((heatmaps - pooled)**2 * weights[..., None, None]).mean()
        torch.testing.assert_close(losses[name], factor * expected)
    assert sorted(losses) == sorted([*names, 'acc_pose'])


def test_loss_weights():
    feats, samples = neck_outputs(), data_samples(CODEC)
    plain = build()
    weighted = build(loss_weights=(1, 0, 0, 0, 2))
    weighted.load_state_dict(plain.state_dict())
    before, after = (head.loss(feats, samples) for head in (plain, weighted))
    torch.testing.assert_close(after['loss_low_res'],
                               1e4 * before['loss_low_res'])
    torch.testing.assert_close(after['loss_kpt_3'], 2 * before['loss_kpt_3'])
    assert after['loss_kpt_0'] == 0


def test_wrong_number_of_keypoints_of_the_neck():
    lr, *feats = neck_outputs()
    with pytest.raises(ValueError, match='got 14 from the neck'):
        build().loss((lr[:, :14], *feats), data_samples(CODEC))


def test_wrong_number_of_levels():
    with pytest.raises(ValueError, match='expected 4 feature maps .*got 3'):
        build()(neck_outputs()[:-1])


def test_numbers_of_levels():
    with pytest.raises(ValueError, match='expected 4 upscale_factors .*got 2'):
        build(upscale_factors=(2, 4))
    with pytest.raises(TypeError, match='SRPoseHead: expected in_channels'):
        build(in_channels=32)
    with pytest.raises(TypeError, match='SRPoseHead: expected embed_channels '
                       'to have a number for each level, .* got 4'):
        build(embed_channels=4)
    with pytest.raises(ValueError, match='expected 5 loss_weights .*got 4'):
        build(loss_weights=(1, 1, 1, 1))
