"""Peaks without heatmaps, compared with those of the heatmaps."""
import pytest
import torch
import torch.nn.functional as F
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from srpose_mm.codecs import REFINEMENTS
from srpose_mm.models.layers import SRBlock
from srpose_mm.models.utils import HeatmapSampler, find_peaks

from ..support.model_helpers import LargestTensor, draw_gaussians

SWAP = [0, 2, 1]
FEAT_HW = 12, 9


def random_block(factor, kernel_size):
    block = SRBlock(8, 3, upscale_factor=factor, kernel_size=kernel_size)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return block


def bumps(batch, channels, seed=0):
    """Features with a high and a low bump in each of the first channels."""
    generator = torch.Generator().manual_seed(seed)
    feats = torch.zeros(batch, channels, *FEAT_HW)
    for image in feats:
        for k in range(3):
            for height in (1., 0.7):
                y, x = (torch.randint(0, n, (1, ), generator=generator)
                        for n in FEAT_HW)
                image[k, y, x] = height
    # Not each peak in the middle of its feature cell.
    noise = torch.rand(feats.shape, generator=generator)
    return feats + 0.2 * noise * (F.max_pool2d(feats, 3, 1, 1) > 0)


def build(kind, **codec):
    """Return a head whose last block draws Gaussians, K = 3."""
    sizes = dict(input_size=(36, 48), heatmap_size=(36, 48), sigma=4)
    head = dict(type=kind, decoder=dict(type='SRHeatmap', **sizes, **codec))
    if kind == 'SRHead':
        head.update(in_channels=8, out_channels=3, deconv_out_channels=None)
    else:
        head.update(in_channels=(8, 8), out_channels=3)
    model = MODELS.build(head).eval()
    draw_gaussians(model.last_block)
    return model


def inputs(kind, batch=4, seed=0):
    feats = bumps(batch, 8, seed)
    if kind == 'SRHead':
        return (feats, )
    low = torch.rand(batch, 3, 3, 3)
    return low, torch.rand(batch, 8, 6, 5), feats


def samples(batch):
    """Samples of a 36x48 crop whose keypoints 1 and 2 change sides."""
    metainfo = dict(flip_indices=SWAP, input_size=(36, 48))
    return [PoseDataSample(metainfo=metainfo) for _ in range(batch)]


def predict(head, feats, batch, **test_cfg):
    with torch.no_grad():
        return [(p.keypoints, p.keypoint_scores)
                for p in head.predict(feats, samples(batch), test_cfg)]


@pytest.mark.parametrize('factor, kernel_size', [(4, 9), (2, 5), (1, 3),
                                                 (3, 7)])
@pytest.mark.parametrize('mirrored, shift', [(False, 0), (True, 0), (True, 1)])
def test_parts_equal_those_of_the_heatmaps(factor, kernel_size, mirrored,
                                           shift):
    block = random_block(factor, kernel_size)
    feats = torch.randn(2, 8, 7, 5)
    flip = dict(flip_indices=SWAP, shift=shift) if mirrored else {}
    with torch.no_grad():
        heatmaps = block(feats)
        sampler = HeatmapSampler(block, feats, **flip)
        if mirrored:
            heatmaps = flip_heatmaps(
                heatmaps, flip_indices=SWAP, shift_heatmap=bool(shift))
        if not shift:
            torch.testing.assert_close(
                sampler.pooled(), F.avg_pool2d(heatmaps, factor))
        cells = torch.stack([
            torch.randint(0, 5, (2, 3, 4)), torch.randint(0, 7, (2, 3, 4))
        ], dim=-1)
        for radius in (0, 1, 2):
            windows = sampler.windows(cells, radius)
            border = radius * factor
            padded = F.pad(heatmaps, [border] * 4, value=torch.nan)
            size = factor * (2 * radius + 1)
            rows = padded.unfold(2, size, factor).unfold(3, size, factor)
            image = torch.arange(2)[:, None, None]
            keypoint = torch.arange(3)[:, None]
            expected = rows[image, keypoint, cells[..., 1], cells[..., 0]]
            inside = ~expected.isnan()
            torch.testing.assert_close(windows[inside], expected[inside],
                                       rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', ['SRHead', 'SRPoseHead'])
@pytest.mark.parametrize('refine', REFINEMENTS)
@pytest.mark.parametrize('flip', [False, True])
def test_keypoints_are_those_of_the_heatmaps(kind, refine, flip):
    head = build(kind, refine=refine)
    feats = inputs(kind)
    test_cfg = {}
    if flip:
        # The mirrored image's features, a little different.
        mirrored = [feat[:, SWAP + [*range(3, 8)]] if feat.shape[1] == 8 else
                    feat for feat in feats]
        mirrored = tuple(feat.flip(-1) * 0.9 for feat in mirrored)
        feats = [feats, mirrored]
        test_cfg = dict(flip_test=True, shift_heatmap=True)
    dense = predict(head, feats, 4, peaks_only=False, **test_cfg)
    peaks = predict(head, feats, 4, **test_cfg)
    for expected, got in zip(dense, peaks):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)
        assert (got[1] > 0.5).all()


@pytest.mark.parametrize('use_udp', [False, True])
def test_keypoints_at_the_border(use_udp):
    head = build('SRHead', refine='parabola', use_udp=use_udp)
    feats = torch.zeros(4, 8, *FEAT_HW)
    for image, (y, x) in zip(feats, [(0, 0), (0, 8), (11, 0), (11, 8)]):
        image[:3, y, x] = 1
    dense = predict(head, (feats, ), 4, peaks_only=False)
    for expected, got in zip(dense, predict(head, (feats, ), 4)):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)


def test_no_heatmap_is_made():
    """Nothing is larger than the embedding of 4 channels a keypoint."""
    block = random_block(4, 9)
    feats = torch.randn(2, 8, 64, 48)
    with torch.no_grad():
        with LargestTensor() as dense:
            block(feats)
        with LargestTensor() as peaks:
            find_peaks([HeatmapSampler(block, feats)], reach=8)
    assert dense.numel == 2 * 3 * 256 * 192
    assert peaks.numel == 2 * 3 * 4 * 64 * 48


def test_the_weights_of_the_moment_count():
    head = build('SRHead')
    feats = inputs('SRHead')
    before = predict(head, feats, 4)
    head.last_block.predictor.weight.data *= 0.5
    for (_, expected), (_, got) in zip(before, predict(head, feats, 4)):
        torch.testing.assert_close(got, 0.5 * expected)


@pytest.mark.parametrize('batch', [0, 1])
def test_small_batches(batch):
    head = build('SRHead', refine='dark')
    with torch.no_grad():
        peaks = head.predict_peaks((bumps(batch, 8), ))
        keypoints, scores = head.decoder.decode_tensor(peaks)
    assert keypoints.shape == (batch, 3, 2)
    assert scores.shape == (batch, 3)


def test_a_heatmap_without_a_peak():
    """NaN and negative heatmaps: (-1, -1), as of the heatmaps."""
    head = build('SRHead')
    feats = bumps(2, 8)
    feats[0, 1, 3, 3] = torch.nan
    head.last_block.predictor.bias.data[-16:] = -5
    dense = predict(head, (feats, ), 2, peaks_only=False)
    peaks = predict(head, (feats, ), 2)
    for expected, got in zip(dense, peaks):
        torch.testing.assert_close(got[0], expected[0], rtol=1e-4, atol=1e-3)
        assert (got[0][0, 2] == -1).all() and got[1][0, 2] <= 0


@pytest.mark.parametrize('test_cfg', [
    dict(peaks_only=False),
    dict(output_heatmaps=True),
    dict(flip_test=True, flip_mode='udp_combined')
])
def test_when_the_heatmaps_are_needed(test_cfg):
    assert build('SRHead')._needs_heatmaps(test_cfg)


def test_autocast():
    head = build('SRHead', refine='none')
    feats = inputs('SRHead')
    with torch.autocast('cpu', torch.bfloat16):
        got = predict(head, feats, 4)
        expected = predict(head, feats, 4, peaks_only=False)
    for (_, want), (_, score) in zip(expected, got):
        torch.testing.assert_close(score, want, rtol=0.02, atol=0.02)


def test_compiles():
    head = build('SRHead')
    feats = inputs('SRHead')

    def run(*feats):
        peaks = head.predict_peaks(feats)
        return head.decoder.decode_tensor(peaks)

    with torch.no_grad():
        compiled = torch.compile(run, backend='aot_eager')(*feats)
        torch.testing.assert_close(compiled, run(*feats))
    torch.compiler.reset()


def test_one_candidate_can_miss_the_peak():
    """Why there are two: the highest average is not that of the peak."""
    block = random_block(4, 9)
    draw_gaussians(block, sigma=2.)
    feats = torch.zeros(1, 8, *FEAT_HW)
    # A sharp peak, and a flat hill that is lower but wider.
    feats[0, :, 2, 2] = 1
    feats[0, :, 8:11, 4:7] = 0.6
    with torch.no_grad():
        expected = block(feats).flatten(2).amax(-1)
        sampler = HeatmapSampler(block, feats)
        two = find_peaks([sampler], reach=0)
    torch.testing.assert_close(two.scores, expected)
