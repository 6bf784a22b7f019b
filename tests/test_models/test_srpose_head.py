import pytest
import torch
import torch.nn.functional as F
from mmpose.models.utils.tta import flip_heatmaps
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
    names = ['loss_lr', 'loss_kpt_0', 'loss_kpt_1', 'loss_kpt_2', 'loss_kpt_3']
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
    torch.testing.assert_close(after['loss_lr'], 1e4 * before['loss_lr'])
    torch.testing.assert_close(after['loss_kpt_3'], 2 * before['loss_kpt_3'])
    assert after['loss_kpt_0'] == 0


def test_every_parameter_is_trained():
    neck = build_neck((256, 128, 64, 32))
    head = build()
    losses = head.loss(
        neck(feature_pyramid((256, 128, 64, 32))), data_samples(CODEC))
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    for module in (neck, head):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, name


def test_nobody_visible():
    samples = data_samples(CODEC, batch=1)
    samples[0].gt_instance_labels.keypoint_weights.zero_()
    head = build()
    feats = [f.requires_grad_() for f in neck_outputs(batch=1)]
    losses = head.loss(feats, samples)
    assert all(value == 0 for value in losses.values())
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(torch.isfinite(f.grad).all() for f in feats)


def test_bfloat16_autocast():
    head, samples = build(), data_samples(CODEC)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = head.loss(neck_outputs(), samples)
        preds = head.predict(neck_outputs(), samples, {})
    assert all(torch.isfinite(value) for value in losses.values())
    assert preds[0].keypoints.dtype == 'float32'


def test_wrong_size_names_the_factor():
    head = build(upscale_factors=(8, 4, 2, 2))
    with pytest.raises(ValueError, match='SRPoseHead: .*a factor of 2; set '
                       'the last of upscale_factors to 4'):
        head.loss(neck_outputs(), data_samples(CODEC))


def test_wrong_number_of_keypoints():
    """Of the neck and of the data: both are easy to forget."""
    lr, *feats = neck_outputs()
    with pytest.raises(ValueError, match='got 14 from the neck'):
        build().loss((lr[:, :14], *feats), data_samples(CODEC))
    with pytest.raises(ValueError, match='got 14 from the data'):
        build().loss((lr, *feats), data_samples(CODEC, keypoints=14))


@pytest.mark.parametrize('shift', [False, True])
def test_predict_with_flip_test(shift):
    samples = data_samples(CODEC)
    flip = dict(
        flip_indices=samples[0].metainfo['flip_indices'], shift_heatmap=shift)
    head = build().eval()
    torch.nn.init.normal_(head.sr_blocks[-1].predictor.weight)
    feats = [neck_outputs(), neck_outputs()]
    _, fields = head.predict(
        feats, samples,
        dict(flip_test=True, output_heatmaps=True, shift_heatmap=shift))
    expected = (head(feats[0]) + flip_heatmaps(head(feats[1]), **flip)) / 2
    torch.testing.assert_close(fields[1].heatmaps, expected[1])


def test_wrong_channels():
    feats = neck_outputs()[:-1]
    with pytest.raises(ValueError, match='expected 4 feature maps .*got 3'):
        build()(feats)


def test_numbers_of_levels():
    with pytest.raises(ValueError, match='expected 4 upscale_factors .*got 2'):
        build(upscale_factors=(2, 4))
    with pytest.raises(TypeError, match='SRPoseHead: expected in_channels'):
        build(in_channels=32)
    with pytest.raises(ValueError, match='expected 5 loss_weights .*got 4'):
        build(loss_weights=(1, 1, 1, 1))
