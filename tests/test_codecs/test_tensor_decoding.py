import numpy as np
import pytest
import torch
from mmpose.registry import KEYPOINT_CODECS

from srpose_mm.codecs.utils.peaks import Peaks
from srpose_mm.codecs.utils.refinement import refine_parabola

SIZES = [((192, 256), (192, 256), 8), ((192, 256), (48, 64), 2),
         ((100, 60), (75, 30), 3)]
REFINEMENTS = ['none', 'shift', 'dark', 'parabola']


def build(**kwargs):
    return KEYPOINT_CODECS.build(dict(type='SRHeatmap', **kwargs))


def gaussians(centers, size=(96, 128), sigma=8.):
    """Exact Gaussians in shape (1, K, H, W)."""
    x, y = torch.arange(size[0]), torch.arange(size[1])
    columns = torch.exp(-(x - centers[:, :1])**2 / (2 * sigma**2))
    rows = torch.exp(-(y - centers[:, 1:])**2 / (2 * sigma**2))
    return (rows[:, :, None] * columns[:, None])[None]


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES)
def test_parabola_is_exact_on_unbiased_targets(input_size, heatmap_size, sigma,
                                               use_udp):
    codec = build(
        input_size=input_size,
        heatmap_size=heatmap_size,
        sigma=sigma,
        unbiased=True,
        use_udp=use_udp,
        refine='parabola')
    size = np.array(input_size)
    # Keypoints keep two cells from the border: there is none beyond it.
    margin = 2 * size / np.array(heatmap_size)
    keypoints = np.random.uniform(margin, size - 1 - margin, (1, 50, 2))
    heatmaps = codec.encode(keypoints.astype(np.float32))['heatmaps']
    decoded, scores = codec.decode(heatmaps)
    # As in UDPHeatmap the crop's w - 1 px come out as w.
    expected = keypoints * size / (size - 1) if use_udp else keypoints
    assert np.abs(decoded - expected).mean() < 1e-3
    assert scores.min() > 0.8


@pytest.mark.parametrize('dtype, bound', [(torch.float64, 1e-4),
                                          (torch.float16, 0.1),
                                          (torch.bfloat16, 0.5)])
def test_parabola_of_any_dtype(dtype, bound):
    centers = torch.rand(20, 2) * 60 + 16
    heatmaps = gaussians(centers).to(dtype)
    refined = refine_parabola(Peaks.of_heatmaps(heatmaps), 8)
    assert refined.dtype == torch.float32
    # The argmax of coarse floats is one of many equal cells.
    assert (refined - centers).norm(dim=-1).mean() < bound


def test_a_step_of_sigma_is_robust_to_noise():
    centers = torch.rand(300, 2) * 40 + 28
    heatmaps = gaussians(centers)
    heatmaps = heatmaps + 0.02 * torch.randn_like(heatmaps)
    peaks = Peaks.of_heatmaps(heatmaps)
    errors = {
        step: (refine_parabola(peaks, step) - centers).norm(dim=-1)
        .mean() for step in (1, 4, 8, 12)
    }
    unrefined = (peaks.cells - centers).norm(dim=-1).mean()
    assert min(errors, key=errors.get) == 8
    assert errors[8] < 0.3 * unrefined


def test_parabola_stays_where_it_has_no_peak_to_fit():
    flat = torch.full((1, 4, 20, 20), 0.5)
    flat[0, 1] = -1  # negative: no peak at all
    flat[0, 2, 10, 10] = 1
    flat[0, 2, 10, 8], flat[0, 2, 8, 10] = 0, -1  # samples without a log
    flat[0, 3, 0, 19] = 1  # in the corner: no neighbors to one side
    peaks = Peaks.of_heatmaps(flat)
    torch.testing.assert_close(
        peaks.cells,
        torch.tensor([[[0, 0], [-1, -1], [10, 10], [19, 0.]]]))
    torch.testing.assert_close(peaks.scores, torch.tensor([[0.5, -1, 1, 1]]))
    assert torch.equal(refine_parabola(peaks, 2), peaks.cells)


def test_parabola_moves_by_at_most_a_step():
    heatmaps = torch.full((1, 1, 9, 9), 0.5)
    heatmaps[0, 0, 4] = torch.linspace(0.5, 0.9, 9)
    heatmaps[0, 0, 4, 4] = 0.7001
    peak = torch.tensor([[[4, 4.]]])
    refined = refine_parabola(Peaks(peak, torch.ones(1, 1), heatmaps), 2)
    assert (refined - peak).abs().max() <= 2


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('refine', REFINEMENTS)
def test_every_map_has_a_result(refine, use_udp):
    codec = build(
        input_size=(48, 64), sigma=2, refine=refine, use_udp=use_udp)
    maps = torch.zeros(1, 8, 64, 48)
    maps[0, 1], maps[0, 2], maps[0, 3] = 1, -1, torch.nan
    maps[0, 4], maps[0, 5] = torch.inf, -torch.inf
    maps[0, 6, 30, 20], maps[0, 7] = torch.inf, torch.rand(64, 48)
    maps[0, 7, 63, 47] = torch.nan
    keypoints, scores = codec.decode_tensor(maps)
    keypoints = keypoints / torch.from_numpy(codec.decode_scale)
    assert keypoints.isfinite().all() and not scores.isnan().any()
    nothing = torch.tensor([True, False, True, True, False, True, False, True])
    assert torch.equal(scores[0] <= 0, nothing)
    assert (keypoints[0, nothing] == -1).all()
    torch.testing.assert_close(keypoints[0, 6], torch.tensor([20., 30]))


@pytest.mark.parametrize('refine', REFINEMENTS)
def test_layout_does_not_matter(refine):
    codec = build(input_size=(48, 64), sigma=2, refine=refine)
    maps = torch.rand(2, 5, 64, 48)
    expected = codec.decode_tensor(maps)
    got = codec.decode_tensor(
        maps.contiguous(memory_format=torch.channels_last))
    for a, b in zip(got, expected):
        assert torch.equal(a, b)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('refine', REFINEMENTS)
def test_autocast_does_not_matter(refine, dtype):
    codec = build(input_size=(96, 128), refine=refine)
    maps = gaussians(torch.rand(50, 2) * 60 + 16)
    maps = maps + 0.02 * torch.rand_like(maps)
    expected = codec.decode_tensor(maps)
    try:
        with torch.autocast('cpu', dtype):
            got = codec.decode_tensor(maps)
    except RuntimeError as err:
        if 'AutocastCPU only support Bfloat16' in str(err):
            pytest.skip('this torch has no autocast to float16 on CPUs')
        raise
    for a, b in zip(got, expected):
        assert torch.equal(a, b)


@pytest.mark.parametrize('refine', REFINEMENTS)
def test_maps_stay_on_their_device(refine, monkeypatch):
    """A batch of 64 sends less than 20 KB to the host, at once."""
    sent = {}
    for name in ('cpu', 'numpy', 'tolist', 'item'):
        method = getattr(torch.Tensor, name)

        def count(self, *args, name=name, method=method, **kwargs):
            sent.setdefault(name, []).append(self.nbytes)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, count)
    codec = build(input_size=(48, 64), refine=refine)
    keypoints, _ = codec.batch_decode(torch.rand(64, 17, 64, 48))
    assert len(keypoints) == 64
    packed = 64 * 17 * 3 * 4
    assert sent == dict(cpu=[packed], numpy=[packed]) and packed < 20e3
