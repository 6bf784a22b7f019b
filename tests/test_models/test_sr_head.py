import pytest
import torch
import torch.nn.functional as F
from mmpose.evaluation.functional import pose_pck_accuracy
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import MODELS

from ..support.model_helpers import count_parameters, data_samples

CODEC = dict(type='SRHeatmap', input_size=(96, 128))


def build(**kwargs):
    cfg = dict(
        type='SRHead',
        in_channels=32,
        out_channels=17,
        deconv_out_channels=None,
        decoder=CODEC)
    return MODELS.build({**cfg, **kwargs})


@pytest.mark.parametrize('kwargs, expected, paper', [
    (dict(in_channels=2048, deconv_out_channels=(256, 256, 256)), 10593172,
     10.59),
    (dict(in_channels=32), 90644, 0.09),
])
def test_parameters_are_those_of_the_paper(kwargs, expected, paper):
    count = count_parameters(build(**kwargs))
    assert count == expected
    assert round(count / 1e6, 2) == paper


def test_initial_weights():
    head = build(in_channels=64, deconv_out_channels=(256, ),
                 deconv_kernel_sizes=(4, ))
    head.init_weights()
    convs = [
        m for m in head.modules()
        if isinstance(m, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))
    ]
    assert len(convs) == 3
    for conv in convs:
        assert conv.weight.std().item() == pytest.approx(0.001, rel=0.05)
        assert conv.bias is None or not conv.bias.any()


def test_forward_is_the_formula():
    head = build(
        deconv_out_channels=(16, ), deconv_kernel_sizes=(4, ),
        upscale_factor=2, kernel_size=5, embed_channels=3).eval()
    x = torch.randn(2, 32, 4, 3)
    params = dict(head.named_parameters())
    hidden = F.conv_transpose2d(
        x, params['deconv_layers.0.weight'], stride=2, padding=1)
    hidden = F.relu(hidden / (1 + 1e-5)**0.5)
    hidden = F.relu(
        F.conv2d(hidden, params['sr_block.keypoint_encoder.0.weight'],
                 params['sr_block.keypoint_encoder.0.bias']))
    cells = F.conv2d(
        hidden, params['sr_block.predictor.weight'],
        params['sr_block.predictor.bias'], padding=2, groups=17)
    cells = cells.view(2, 17, 2, 2, 8, 6)
    expected = cells.permute(0, 1, 4, 2, 5, 3).reshape(2, 17, 16, 12)
    torch.testing.assert_close(head((x, )), expected)


def test_loss_and_accuracy_are_those_of_heatmap_head():
    samples = data_samples(CODEC)
    feats = (torch.randn(2, 32, 32, 24), )
    head = build()
    losses = head.loss(feats, samples)
    heatmaps = head(feats)
    target = torch.stack([s.gt_fields.heatmaps for s in samples])
    weights = torch.cat(
        [s.gt_instance_labels.keypoint_weights for s in samples])
    expected = ((heatmaps - target)**2 * weights[..., None, None]).mean()
    torch.testing.assert_close(losses['loss_kpt'], expected)
    _, accuracy, _ = pose_pck_accuracy(
        heatmaps.detach().numpy(), target.numpy(), weights.numpy() > 0)
    assert losses['acc_pose'].item() == pytest.approx(accuracy)
    assert 'acc_pose' not in head.loss(feats, samples,
                                       dict(compute_acc=False))


def test_it_learns():
    samples = data_samples(CODEC)
    feats = (torch.randn(2, 32, 32, 24), )
    head = build()
    head.init_weights()
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    first = None
    for _ in range(30):
        losses = head.loss(feats, samples)
        first = first or losses['loss_kpt'].item()
        optimizer.zero_grad()
        losses['loss_kpt'].backward()
        optimizer.step()
    assert losses['loss_kpt'].item() < 0.5 * first
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())


@pytest.mark.parametrize('upscale_factor', [1, 4])
def test_predict_with_flip_test_of_combined_maps(upscale_factor):
    """MMPose views these maps as (B, K, 3, H, W): they are contiguous."""
    size = (24 * upscale_factor, 32 * upscale_factor)
    head = build(
        out_channels=51, upscale_factor=upscale_factor, decoder=dict(
            type='UDPHeatmap', input_size=size, heatmap_size=size,
            heatmap_type='combined')).eval()
    torch.nn.init.normal_(head.sr_block.predictor.weight)
    samples = data_samples(dict(CODEC, input_size=size))
    feats = [(torch.randn(2, 32, 32, 24), ) for _ in range(2)]
    flip = dict(flip_mode='udp_combined', shift_heatmap=False)
    _, fields = head.predict(
        feats, samples, dict(flip, flip_test=True, output_heatmaps=True))
    original, mirrored = (head(x).contiguous() for x in feats)
    mirrored = flip_heatmaps(
        mirrored, flip_indices=samples[0].metainfo['flip_indices'], **flip)
    torch.testing.assert_close(
        fields[0].heatmaps, ((original + mirrored) / 2)[0])


def test_a_size_that_no_factor_reaches():
    odd = (torch.randn(2, 32, 30, 24), )
    with pytest.raises(ValueError, match=r'of the codec to \(48, 60\), in'):
        build(upscale_factor=2).predict(odd, data_samples(CODEC), {})


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(final_layer=None), TypeError, 'final_layer'),
    (dict(kernel_size=4), ValueError, 'odd kernel_size'),
    (dict(upscale_factor=0), ValueError, 'upscale_factor .*got 0'),
])
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        build(**kwargs)


def test_trains_on_targets_of_a_stock_head():
    head = MODELS.build(
        dict(
            type='HeatmapHead',
            in_channels=32,
            out_channels=17,
            deconv_out_channels=(8, 8),
            deconv_kernel_sizes=(4, 4),
            decoder=CODEC))
    losses = head.loss((torch.randn(2, 32, 32, 24), ), data_samples(CODEC))
    assert torch.isfinite(losses['loss_kpt'])
    preds = head.predict((torch.randn(2, 32, 32, 24), ), data_samples(CODEC))
    assert preds[0].keypoints.shape == (1, 17, 2)
