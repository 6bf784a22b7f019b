"""Heads that make their targets of keypoints, against dense targets."""
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample

from ..support.model_helpers import feature_pyramid

KINDS = [dict(), dict(unbiased=True), dict(use_udp=True), dict(sigma=2.2)]
SIZE = (64, 96)
WIDTHS = (64, 32, 32, 16)
STOCK_LOSS = dict(type='KeypointMSELoss', use_target_weight=True)


def build_head(name, codec, **kwargs):
    cfg = dict(type=name, decoder=codec, out_channels=17)
    if name == 'SRHead':
        cfg.update(in_channels=16, deconv_out_channels=None)
    else:
        cfg.update(in_channels=WIDTHS)
    return MODELS.build({**cfg, **kwargs})


def features(name):
    """Features, and the low-resolution map of the neck where one is."""
    feats = feature_pyramid(WIDTHS, height=3, width=2)[::-1]
    if name == 'SRHead':
        return [feats[-1].requires_grad_()]
    return [f.requires_grad_() for f in (torch.rand(2, 17, 3, 2), *feats)]


def encoded_samples(codec, people=(1, 1)):
    """Samples as the stock pipeline packs what the codec encodes."""
    rng = np.random.default_rng(0)
    codec = KEYPOINT_CODECS.build(codec)
    samples = []
    for count in people:
        points = rng.uniform(-20, 110, (count, 17, 2)).astype(np.float32)
        visible = rng.integers(0, 2, (count, 17)).astype(np.float32)
        encoded = codec.encode(points, visible)
        sample = PoseDataSample()
        heatmaps = encoded.pop('heatmaps', None)
        if heatmaps is not None:
            sample.gt_fields = PixelData(heatmaps=heatmaps).to_tensor()
        sample.gt_instance_labels = InstanceData(**encoded).to_tensor()
        samples.append(sample)
    return samples


def results(head, feats, samples):
    """Losses, and the gradients of features and parameters."""
    losses = head.loss(feats, samples)
    total = sum(value for name, value in losses.items() if 'loss' in name)
    # With nobody in a batch the tags have no gradient.
    return losses, torch.autograd.grad(
        total, [*feats, *head.parameters()], materialize_grads=True)


@pytest.mark.parametrize('kind', KINDS, ids=str)
@pytest.mark.parametrize('name', ['SRHead', 'SRPoseHead'])
def test_losses_and_gradients_are_those_of_dense_targets(name, kind):
    codec = dict(type='SRHeatmap', input_size=SIZE, **kind)
    light = dict(target='keypoints', **codec)
    feats = features(name)
    dense_head = build_head(name, codec, loss=STOCK_LOSS)
    head = build_head(name, light)
    head.load_state_dict(dense_head.state_dict())
    expected = results(dense_head, feats, encoded_samples(codec))
    got = results(head, feats, encoded_samples(light))
    assert got[0].keys() == expected[0].keys()
    for key, value in expected[0].items():
        torch.testing.assert_close(got[0][key], value, rtol=2e-6, atol=0)
    # Sums over all cells, in another order.
    for gradient, value in zip(got[1], expected[1]):
        torch.testing.assert_close(
            gradient, value, rtol=1e-5, atol=2e-6 * value.abs().max().item())


@pytest.mark.parametrize('loss', [
    STOCK_LOSS,
    dict(type='AdaptiveWingLoss', use_target_weight=True),
    dict(type='KeypointOHKMMSELoss', use_target_weight=True)
], ids=lambda loss: loss['type'])
@pytest.mark.parametrize('name', ['SRHead', 'SRPoseHead'])
def test_other_losses_get_dense_targets(name, loss):
    codec = dict(type='SRHeatmap', input_size=SIZE)
    light = dict(target='keypoints', **codec)
    feats, head = features(name), build_head(name, light, loss=loss)
    expected, _ = results(head, feats, encoded_samples(codec))
    losses, _ = results(head, feats, encoded_samples(light))
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize('name', ['SRHead', 'SRPoseHead'])
def test_autocast(name):
    codec = dict(type='SRHeatmap', input_size=SIZE, target='keypoints')
    head, samples = build_head(name, codec), encoded_samples(codec)
    feats = features(name)
    expected, _ = results(head, feats, samples)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses, gradients = results(head, feats, samples)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    for key, value in losses.items():
        if 'loss' in key:
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, expected[key], rtol=0.01, atol=0)


def test_keypoints_without_a_codec_that_draws_them():
    codec = dict(type='SRHeatmap', input_size=SIZE, target='keypoints')
    samples = encoded_samples(codec)
    for name in ('SRHead', 'SRPoseHead'):
        message = f'{name}: expected a decoder .* got none; write decoder=dict'
        with pytest.raises(ValueError, match=message):
            build_head(name, None).loss(features(name), samples)
    stock = dict(
        type='MSRAHeatmap', input_size=SIZE, heatmap_size=SIZE, sigma=8)
    head = build_head('SRHead', stock)
    with pytest.raises(ValueError, match='got MSRAHeatmap; .*heatmaps'):
        head.loss(features('SRHead'), samples)


def test_a_stock_head_misses_the_heatmaps():
    codec = dict(type='SRHeatmap', input_size=SIZE, target='keypoints')
    head = MODELS.build(
        dict(
            type='HeatmapHead',
            in_channels=16,
            out_channels=17,
            deconv_out_channels=None,
            decoder=codec))
    with pytest.raises(AttributeError, match='gt_fields'):
        head.loss(features('SRHead'), encoded_samples(codec))


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('people', [(3, 1), (2, 0), (0, 0)])
def test_bottom_up_losses_are_those_of_dense_targets(use_udp, people):
    codec = dict(
        type='SRAssociativeEmbedding', input_size=SIZE, use_udp=use_udp)
    light = dict(target='keypoints', **codec)
    head = MODELS.build(
        dict(
            type='SRAssociativeEmbeddingHead',
            in_channels=16,
            num_keypoints=17,
            deconv_out_channels=None,
            decoder=light))
    feats = features('SRHead')
    mask = torch.rand(1, SIZE[1], SIZE[0]) > 0.3
    both = []
    for cfg in (codec, light):
        samples = encoded_samples(cfg, people)
        for sample in samples:
            if 'gt_fields' not in sample:
                sample.gt_fields = PixelData()
            sample.gt_fields.heatmap_mask = mask
        both.append(results(head, feats, samples))
    (expected, gradients), (got, light_gradients) = both
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, rtol=2e-6, atol=0)
    for gradient, value in zip(light_gradients, gradients):
        torch.testing.assert_close(
            gradient, value, rtol=1e-5, atol=2e-6 * value.abs().max().item())


def test_bottom_up_mask_of_the_input_size():
    """MMPose gives the mask the input's size where no heatmaps are packed."""
    codec = dict(
        type='SRAssociativeEmbedding',
        input_size=SIZE,
        heatmap_size=(32, 48),
        target='keypoints')
    head = MODELS.build(
        dict(
            type='SRAssociativeEmbeddingHead',
            in_channels=16,
            num_keypoints=17,
            deconv_out_channels=None,
            upscale_factor=2,
            decoder=codec))
    samples = encoded_samples(codec)
    losses = []
    for valid in (64, 32):
        mask = torch.zeros(1, 96, 64, dtype=torch.bool)
        mask[..., :valid] = True
        for sample in samples:
            sample.gt_fields = PixelData(heatmap_mask=mask)
        losses.append(head.loss(features('SRHead'), samples)['loss_kpt'])
    feats = features('SRHead')
    heatmaps, _ = head(feats)
    labels = [sample.gt_instance_labels for sample in samples]
    targets = head.decoder.make_targets(
        [label.keypoint_labels for label in labels],
        [label.keypoint_weights for label in labels])
    expected = (heatmaps - targets)[..., :16].square().sum() / targets.numel()
    loss = head.loss(feats, samples)['loss_kpt']
    torch.testing.assert_close(loss, expected)
    assert losses[0] > loss
