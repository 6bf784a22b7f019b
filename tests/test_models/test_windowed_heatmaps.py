"""Bottom-up prediction from peaks alone, compared with that of heatmaps."""
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from ..support.model_helpers import LargestTensor, draw_gaussians

SWAP = [0, 2, 1]
FEAT_HW = 32, 24
INPUT = (96, 128)
# (x, y) of 3 keypoints of 3 instances, in feature cells.
PLACES = [[(3, 4), (6, 9), (0, 14)], [(12, 5), (15, 10), (11, 15)],
          [(20, 20), (23, 31), (17, 28)]]


def build(codec=None, **kwargs):
    """Return a head that draws channels 0 to 2; channels 3 to 5 are tags."""
    head = MODELS.build(
        dict(
            type='SRAssociativeEmbeddingHead',
            in_channels=6,
            num_keypoints=3,
            deconv_out_channels=None,
            decoder=dict(
                type='SRAssociativeEmbedding',
                input_size=INPUT,
                sigma=4,
                **codec or {}),
            **kwargs)).eval()
    draw_gaussians(head.sr_block)
    torch.nn.init.zeros_(head.tag_layer.weight)
    for k in range(3):
        head.tag_layer.weight.data[k, 3 + k] = 1
    return head


def features(batch=2, height=1., missing=0.05, noise=0.2):
    """Encode instances, the last without the last keypoint.

    The missing keypoint has a peak too low for a candidate.
    """
    places = torch.tensor(PLACES).float()
    rows, columns = (torch.arange(n).float() for n in FEAT_HW)
    feats = torch.zeros(batch, 6, *FEAT_HW)
    for k in range(3):
        distance = ((columns - places[:, k, 0, None, None])**2 +
                    (rows[:, None] - places[:, k, 1, None, None])**2)
        feats[:, 3 + k] = 5. * distance.argmin(dim=0)
        for n, (x, y) in enumerate(places[:, k].long()):
            last = n == k == 2
            feats[:, k, y, x] = missing if last else height - 0.1 * n
    # Not each peak in the middle of its feature cell.
    near = F.max_pool2d(feats[:, :3], 3, 1, 1)
    feats[:, :3] += noise * torch.rand(near.shape) * near
    return feats


def mirrored(feats):
    return feats[:, [0, 2, 1, 3, 5, 4]].flip(-1) * 0.95


def predict(head, feats, **test_cfg):
    shape = dict(flip_indices=SWAP, img_shape=INPUT[::-1])
    samples = [PoseDataSample(metainfo=shape)] * 2
    with torch.no_grad():
        return head.predict(feats, samples, test_cfg)


@pytest.mark.parametrize('test_cfg', [
    dict(), dict(flip_test=True), dict(flip_test=True, shift_heatmap=True),
    dict(restore_heatmap_size=True)
])
@pytest.mark.parametrize('height', [1., 0.6])
def test_instances_are_those_of_the_heatmaps(test_cfg, height):
    head, feats = build(), (features(height=height), )
    if test_cfg.get('flip_test'):
        feats = [feats, (mirrored(feats[0]), )]
    dense = predict(head, feats, **test_cfg)
    head.sr_block.forward = None  # must not make heatmaps
    peaks = predict(head, feats, peaks_only=True, **test_cfg)
    for expected, got in zip(dense, peaks):
        assert expected.keypoints.shape == (3, 3, 2)
        assert 0 < expected.keypoint_scores[2, 2] < 0.1
        torch.testing.assert_close(
            got.keypoints, expected.keypoints, rtol=0, atol=0.01)
        torch.testing.assert_close(
            got.keypoint_scores, expected.keypoint_scores, rtol=1e-4,
            atol=1e-4)


def test_no_heatmap_is_made():
    """Not even in parts: 5 candidates are fewer cells than the heatmap."""
    head, feats = build(dict(decode_topk=5)), (features(), )
    with LargestTensor() as dense:
        predict(head, feats)
    with LargestTensor() as peaks:
        predict(head, feats, peaks_only=True)
    full = 2 * 3 * INPUT[0] * INPUT[1]
    assert dense.numel >= full
    assert peaks.numel < full


@pytest.mark.parametrize('codec, test_cfg', [
    (dict(), dict(peaks_only=False)),
    (dict(), dict(peaks_only=True, output_heatmaps=True)),
    (dict(), dict(peaks_only=True, multiscale_test=True)),
    (dict(use_udp=True), dict(peaks_only=True)),
])
def test_when_the_heatmaps_are_needed(codec, test_cfg):
    assert build(codec)._needs_heatmaps(test_cfg)


@pytest.mark.parametrize('codec_size', [INPUT, (48, 64)])
def test_heatmaps_that_are_resized_are_needed(codec_size):
    head = build(dict(heatmap_size=codec_size),
                 upscale_factor=4 * codec_size[0] // INPUT[0])
    calls = []
    head.sr_block.register_forward_hook(lambda *_: calls.append(1))
    predict(head, (features(), ), peaks_only=True, restore_heatmap_size=True)
    assert len(calls) == (codec_size != INPUT)


def test_udp_needs_heatmaps():
    head = build(dict(use_udp=True))
    with torch.no_grad():
        maps = head.predict_windowed((features(), ))
    with pytest.raises(ValueError, match='set peaks_only=False'):
        head.decode(maps)


def test_no_instance():
    preds = predict(build(), (features() * 0, ), peaks_only=True)
    assert [len(pred.keypoints) for pred in preds] == [0, 0]


def test_corrupt_heatmaps():
    """An image with NaN has no instance and leaves the others alone."""
    feats = features()
    feats[0, :3] = torch.nan
    head = build()
    none, pred = predict(head, (feats, ), peaks_only=True)
    expected = predict(head, (feats, ))[1]
    assert len(none.keypoints) == 0
    torch.testing.assert_close(pred.keypoints, expected.keypoints)
