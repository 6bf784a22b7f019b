import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData, PixelData
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample

from ..support.model_helpers import count_parameters

CODEC = dict(type='SRAssociativeEmbedding', input_size=(64, 96))
FLIP = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def build(**kwargs):
    cfg = dict(
        type='SRAssociativeEmbeddingHead',
        in_channels=32,
        num_keypoints=17,
        deconv_out_channels=None,
        decoder=CODEC)
    return MODELS.build({**cfg, **kwargs})


def samples(people=(2, 0)):
    """Samples with that many people, the right quarter of them invalid."""
    codec = KEYPOINT_CODECS.build(CODEC)
    result = []
    for count in people:
        points = np.random.rand(count, 17, 2).astype(np.float32) * [64, 96]
        encoded = codec.encode(points)
        mask = np.ones((96, 64), dtype=bool)
        mask[:, 48:] = False
        sample = PoseDataSample()
        sample.gt_fields = PixelData(
            heatmaps=torch.from_numpy(encoded['heatmaps']),
            heatmap_mask=torch.from_numpy(mask))
        sample.gt_instance_labels = InstanceData(
            keypoint_indices=torch.from_numpy(encoded['keypoint_indices']),
            keypoint_weights=torch.from_numpy(encoded['keypoint_weights']))
        sample.set_metainfo(dict(flip_indices=FLIP, img_shape=(96, 64)))
        result.append(sample)
    return result


@pytest.mark.parametrize('kwargs, paper', [
    (dict(in_channels=2048, deconv_out_channels=(256, 256, 256)), 10.60),
    (dict(in_channels=32), 0.09),
], ids=['ResNet-50', 'HRNet-W32'])
def test_parameters_are_those_of_the_paper(kwargs, paper):
    assert round(count_parameters(build(**kwargs)) / 1e6, 2) == paper


def test_forward_is_the_formula():
    head = build().eval()
    x = torch.randn(2, 32, 24, 16)
    heatmaps, tags = head((x, ))
    torch.testing.assert_close(heatmaps, head.sr_block(x))
    coarse = F.conv2d(x, head.tag_layer.weight, head.tag_layer.bias)
    expected = coarse.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    torch.testing.assert_close(tags, expected)


def test_loss_is_the_formula():
    head, batch = build(), samples()
    feats = (torch.randn(2, 32, 24, 16), )
    losses = head.loss(feats, batch)
    heatmaps, tags = head(feats)
    target = torch.stack([s.gt_fields.heatmaps for s in batch])
    squared = (heatmaps - target)**2
    squared[..., 48:] = 0
    torch.testing.assert_close(losses['loss_kpt'], squared.mean())
    # Two people in the first image, none in the second.
    indices = batch[0].gt_instance_labels.keypoint_indices
    groups = [
        torch.stack([tags[0, k].flatten()[i] for k, (i, v) in enumerate(person)
                     if v]) for person in indices
    ]
    means = torch.stack([group.mean() for group in groups])
    pull = sum(((g - m)**2).mean() for g, m in zip(groups, means)) / 2
    push = (2 + 2 * torch.exp(-(means[0] - means[1])**2)) / 2
    torch.testing.assert_close(losses['loss_pull'], 0.001 * pull)
    torch.testing.assert_close(losses['loss_push'], 0.5 * 0.001 * push)


def test_nobody_in_the_batch():
    head = build()
    feats = (torch.randn(2, 32, 24, 16, requires_grad=True), )
    losses = head.loss(feats, samples(people=(0, 0)))
    sum(losses.values()).backward()
    assert losses['loss_pull'] == losses['loss_push'] == 0
    # A weight without one would stop several processes that average them.
    assert head.tag_layer.weight.grad.abs().max() == 0
    assert torch.isfinite(feats[0].grad).all()


def test_one_tag_for_all_keypoints():
    head = build(tag_per_keypoint=False, tag_dim=2)
    feats = (torch.randn(2, 32, 24, 16), )
    assert head(feats)[1].shape == (2, 2, 96, 64)
    assert torch.isfinite(head.loss(feats, samples())['loss_pull'])


@pytest.mark.parametrize('peaks_only', [False, True])
@pytest.mark.parametrize('flip_test', [False, True])
def test_shared_tags_predict_as_repeated_ones(flip_test, peaks_only):
    shared = build(tag_per_keypoint=False, tag_dim=2).eval()
    torch.nn.init.normal_(shared.sr_block.predictor.weight)
    repeated = build(tag_dim=2).eval()
    state = shared.state_dict()
    for key in ('tag_layer.weight', 'tag_layer.bias'):
        state[key] = state[key].repeat_interleave(17, dim=0)
    repeated.load_state_dict(state)
    feats = [(torch.randn(2, 32, 24, 16), ) for _ in range(1 + flip_test)]
    test_cfg = dict(flip_test=flip_test, peaks_only=peaks_only)
    found, expected = (
        head.predict(feats if flip_test else feats[0], samples(), test_cfg)
        for head in (shared, repeated))
    assert len(found[0].keypoints)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


def test_tags_of_two_numbers_are_flipped_in_channels_last_format():
    head = build(tag_dim=2)
    tags = torch.randn(2, 34, 12, 8)
    found, expected = (
        head._flip_tags(maps, FLIP, shift_heatmap=True)
        for maps in (tags.to(memory_format=torch.channels_last), tags))
    torch.testing.assert_close(found, expected)


def test_images_of_several_sizes_are_padded_to_one():
    """The features cover the padded batch, 96x96, not the image of 64x96."""
    head = build().eval()
    torch.nn.init.normal_(head.sr_block.predictor.weight)
    feats = (torch.randn(1, 32, 24, 24), )
    batch = samples(people=(1, ))
    batch[0].set_metainfo(dict(
        input_size=(64, 96), batch_input_shape=(96, 96)))
    found, expected = (
        head.predict(feats, batch, dict(restore_heatmap_size=restore))[0]
        for restore in (True, False))
    assert expected.keypoints[..., 0].max() > 64
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)


def test_predict_with_flip_and_scales():
    head = build().eval()
    torch.nn.init.normal_(head.sr_block.predictor.weight)
    scales = [[(torch.randn(1, 32, h, w), ) for _ in range(2)]
              for h, w in ((24, 16), (12, 8))]
    _, fields = head.predict(
        scales, samples(people=(1, )),
        dict(flip_test=True, multiscale_test=True, shift_heatmap=False,
             output_heatmaps=True))
    averages = []
    for original, mirrored in scales:
        flipped = flip_heatmaps(
            head(mirrored)[0], flip_indices=FLIP, shift_heatmap=False)
        averages.append((head(original)[0] + flipped) / 2)
    second = F.interpolate(
        averages[1], size=(96, 64), mode='bilinear', align_corners=False)
    torch.testing.assert_close(fields[0].heatmaps,
                               ((averages[0] + second) / 2)[0])
    tags = torch.cat([
        head(scales[0][0])[1],
        flip_heatmaps(head(scales[0][1])[1], flip_indices=FLIP,
                      shift_heatmap=False)
    ], dim=1)
    torch.testing.assert_close(fields[0].tags, tags[0])


@pytest.mark.parametrize('codec', [
    'SRAssociativeEmbedding', 'AssociativeEmbedding'])
def test_a_keypoint_order_of_another_number(codec):
    decoder = dict(
        type=codec, input_size=(64, 96), heatmap_size=(64, 96),
        decode_keypoint_order=[2, 0, 1])
    message = ('SRAssociativeEmbeddingHead: expected decode_keypoint_order of '
               r'17 keypoints in the decoder, got \[2, 0, 1\]; set num_k')
    with pytest.raises(ValueError, match=message):
        build(decoder=decoder)
    build(num_keypoints=3, decoder=decoder)
    build(decoder=None)
