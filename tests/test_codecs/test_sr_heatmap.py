import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap
from mmpose.codecs.utils import get_heatmap_maximum
from mmpose.registry import KEYPOINT_CODECS

SIZES = [((192, 256), (48, 64), 2), ((192, 256), (192, 256), 8),
         ((96, 128), (96, 128), 6), ((256, 256), (128, 128), 4),
         ((100, 60), (75, 30), 3)]


def build(**kwargs):
    return KEYPOINT_CODECS.build(dict(type='SRHeatmap', **kwargs))


def random_keypoints(rng, size, count=17, margin=0.):
    """Keypoints up to ``margin`` of the size outside the input, in px."""
    low, high = -margin * np.array(size), (1 + margin) * np.array(size)
    return rng.uniform(low, high, (1, count, 2)).astype(np.float32)


def noisy_heatmaps(rng, codec, keypoints):
    """Encoded heatmaps with noise, as a network predicts them."""
    heatmaps = codec.encode(keypoints)['heatmaps']
    return heatmaps + rng.normal(0, 0.05, heatmaps.shape).astype(np.float32)


def test_defaults_follow_the_input():
    codec = build(input_size=(192, 256))
    assert codec.heatmap_size == (192, 256)
    assert codec.sigma == 8
    assert codec.blur_kernel_size == 51
    quarter = build(input_size=(192, 256), heatmap_size=(48, 64))
    assert quarter.sigma == 2
    assert quarter.blur_kernel_size == MSRAHeatmap((4, 4), (4, 4),
                                                   2).blur_kernel_size


@pytest.mark.parametrize('unbiased', [False, True])
@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES)
def test_same_as_msra(input_size, heatmap_size, sigma, unbiased):
    rng = np.random.default_rng(1)
    stock = MSRAHeatmap(input_size, heatmap_size, sigma, unbiased)
    ours = build(
        input_size=input_size,
        heatmap_size=heatmap_size,
        sigma=sigma,
        unbiased=unbiased,
        refine='dark' if unbiased else 'shift',
        blur_kernel_size=stock.blur_kernel_size)
    for margin in (0, 0.5):
        keypoints = random_keypoints(rng, input_size, margin=margin)
        visible = rng.integers(0, 2, (1, 17)).astype(np.float32)
        expected = stock.encode(keypoints, visible)
        encoded = ours.encode(keypoints, visible)
        assert encoded.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(encoded[key], value)
            assert encoded[key].dtype == value.dtype
        heatmaps = noisy_heatmaps(rng, stock, keypoints)
        points, scores = ours.decode(heatmaps)
        expected_points, expected_scores = stock.decode(heatmaps)
        np.testing.assert_array_equal(scores, expected_scores)
        peaked = scores > -2
        if unbiased:
            # The step of 'dark' on a map of pure noise is not defined well
            # enough to compare: the floor of the log depends on the blurred
            # maximum. Where the kernel leaves the map stock code pulls.
            cells, _ = get_heatmap_maximum(heatmaps)
            room = np.minimum(cells, np.array(heatmap_size) - 1 - cells)
            fits = room.min(axis=-1) >= stock.blur_kernel_size // 2 + 2
            peaked = (scores > 0.5) & fits
            assert margin or peaked.sum() > 2
        # OpenCV blurs in another order of summation.
        np.testing.assert_allclose(
            points[peaked], expected_points[peaked], rtol=0, atol=1e-3)


@pytest.mark.parametrize('steps', [(1, 1, -1), (1, -1, 1), (-1, 1, 1),
                                   (1, 2, 2)])
def test_decodes_views_of_arrays(steps):
    """Mirrored maps have negative strides, which PyTorch refuses."""
    rng = np.random.default_rng(4)
    stock = MSRAHeatmap((48, 64), (48, 64), 4)
    ours = build(input_size=(48, 64), sigma=4)
    keypoints = random_keypoints(rng, (48, 64))
    view = noisy_heatmaps(rng, stock, keypoints)[
        tuple(slice(None, None, step) for step in steps)]
    assert not view.flags.c_contiguous
    for got, want in zip(ours.decode(view), stock.decode(view)):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def plain_parabola(heatmap, x, y, step):
    """The top of a parabola through the log of three cells, along x and y."""
    point = []
    for axis, (place, length) in enumerate(zip((x, y), heatmap.shape[::-1])):
        line = heatmap[y] if axis == 0 else heatmap[:, x]
        reach = min(step, place, length - 1 - place)
        cells = line[[place - reach, place, place + reach]]
        if reach and (cells > 0).all():
            a, b, _ = np.polyfit([-reach, 0, reach], np.log(cells), 2)
            if a < 0:
                place = place + np.clip(-b / (2 * a), -reach, reach)
        point.append(place)
    return point


@pytest.mark.parametrize('refine', ['none', 'parabola'])
@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES)
def test_same_as_plain_numpy(input_size, heatmap_size, sigma, refine):
    """Of those that MMPose has no codec for; for a batch and for a sample."""
    rng = np.random.default_rng(2)
    codec = build(
        input_size=input_size,
        heatmap_size=heatmap_size,
        sigma=sigma,
        refine=refine)
    heatmaps = np.stack([
        noisy_heatmaps(rng, codec, random_keypoints(rng, input_size, margin=m))
        for m in (0, 0.1, 0.5)
    ])
    # Peaks in the corners, where refinement has to stop.
    heatmaps[1, :4] = 0
    for k, (x, y) in enumerate([(0, 0), (-1, 0), (1, -1), (-2, 1)]):
        heatmaps[1, k, y, x] = 1
    heatmaps[2, 0] = -1
    keypoints, scores = codec.batch_decode(torch.from_numpy(heatmaps))
    assert len(keypoints) == len(scores) == 3
    scale = np.array(input_size) / heatmap_size
    for sample, points, heights in zip(heatmaps, keypoints, scores):
        expected, highest = get_heatmap_maximum(sample)
        if refine == 'parabola':
            expected = np.array([
                plain_parabola(heatmap, int(x), int(y), sigma)
                if x >= 0 else (x, y)
                for heatmap, (x, y) in zip(sample, expected)
            ])
        np.testing.assert_array_equal(heights[0], highest)
        np.testing.assert_allclose(
            points[0], expected * scale, rtol=0, atol=1e-3)
        for got, want in zip(codec.decode(sample), (points, heights)):
            np.testing.assert_array_equal(got, want)


def test_batch_decode_of_half_precision():
    codec = build(input_size=(96, 128), refine='none')
    keypoints = np.full((1, 3, 2), 40., dtype=np.float32)
    heatmaps = torch.from_numpy(codec.encode(keypoints)['heatmaps'])[None]
    for dtype in (torch.float16, torch.bfloat16):
        points, scores = codec.batch_decode(heatmaps.to(dtype))
        np.testing.assert_allclose(points[0], keypoints)
        assert points[0].dtype == scores[0].dtype == np.float32


@pytest.mark.parametrize('options, bound', [
    (dict(refine='none'), 0.72),
    (dict(refine='shift'), 0.72),
    (dict(refine='dark', unbiased=True), 1e-3),
])
def test_round_trip_at_full_size(options, bound):
    # Biased targets are rounded to the cell: at most sqrt(0.5) px off.
    codec = build(input_size=(192, 256), **options)
    rng = np.random.default_rng(3)
    keypoints = rng.uniform(40, 150, (1, 17, 2)).astype(np.float32)
    decoded, scores = codec.decode(codec.encode(keypoints)['heatmaps'])
    error = np.linalg.norm(decoded - keypoints, axis=-1)
    if options['refine'] == 'shift':
        bound += 0.36  # a quarter cell an axis, taken where nothing is wrong
    assert error.max() < bound
    assert scores.min() > 0.99


def test_unusable_keypoints_get_no_weight():
    codec = build(input_size=(192, 256))
    keypoints = np.full((1, 8, 2), 100, dtype=np.float32)
    keypoints[0, 1] = np.nan
    keypoints[0, 2, 0] = np.inf
    keypoints[0, 3] = -1e30
    keypoints[0, 4] = (192 + 25, 100)
    visible = np.ones((1, 8), dtype=np.float32)
    visible[0, 5:] = 0, np.nan, np.inf
    before = keypoints.copy(), visible.copy()
    encoded = codec.encode(keypoints, visible)
    np.testing.assert_array_equal(encoded['keypoint_weights'],
                                  [[1, 0, 0, 0, 0, 0, 0, 0]])
    assert encoded['heatmaps'][0].max() == 1
    assert not encoded['heatmaps'][1:].any()
    np.testing.assert_array_equal(keypoints, before[0])
    np.testing.assert_array_equal(visible, before[1])


@pytest.mark.parametrize('sigma', [2.2, 2.5, 5.5, 6.1, 25 / 12])
def test_biased_targets_lie_on_the_nearest_cell(sigma):
    """Also where 3 sigma is not whole, and everywhere in the map."""
    codec = build(input_size=(96, 64), sigma=sigma, refine='none')
    x = np.arange(96, dtype=np.float32) - 0.3
    keypoints = np.stack([x, np.full_like(x, 31.2)], axis=-1)[None]
    points, scores = codec.decode(codec.encode(keypoints)['heatmaps'])
    np.testing.assert_array_equal(points[0, :, 0], np.round(x))
    np.testing.assert_array_equal(points[0, :, 1], 31)
    np.testing.assert_array_equal(scores, 1)


def test_a_gaussian_that_reaches_in_counts():
    # 20 px outside with sigma 8: within three sigma, as in MSRAHeatmap.
    codec = build(input_size=(192, 256))
    encoded = codec.encode(np.array([[[212., 100.]]], dtype=np.float32))
    assert encoded['keypoint_weights'] == 1
    assert 0 < encoded['heatmaps'].max() < 0.1


@pytest.mark.parametrize('kwargs, message', [
    (dict(refine='drak'), "refine to be one of .* got 'drak'"),
    (dict(sigma=-1), 'positive, finite sigma, got -1'),
    (dict(sigma=float('inf')), 'positive, finite sigma, got inf'),
    (dict(use_udp='no'), "use_udp to be one of .* got 'no'"),
    (dict(use_udp=True, heatmap_size=(1, 64)), r'2 or more .* got \(1, 64\)'),
    (dict(heatmap_size=np.array([48, 64])), r'heatmap_size to be .* got arr'),
    (dict(blur_kernel_size=4), 'odd, positive blur_kernel_size, got 4'),
    (dict(blur_kernel_size=True), 'odd, positive blur_kernel_size, got True'),
    (dict(heatmap_size=(0, 4)), r'heatmap_size to be .* got \(0, 4\)'),
    (dict(heatmap_size=64), 'heatmap_size to be .* got 64'),
    (dict(heatmap_size=(48., 64)), 'heatmap_size to be .* got '),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(input_size=(192, 256), **kwargs)


@pytest.mark.parametrize('sigma', ['8', [8]])
def test_sigma_that_is_no_number(sigma):
    with pytest.raises(TypeError, match='SRHeatmap: expected sigma to be a n'):
        build(input_size=(192, 256), sigma=sigma)


def test_unknown_keyword():
    with pytest.raises(TypeError, match='heatmap_sise'):
        build(input_size=(192, 256), heatmap_sise=(48, 64))


def test_bad_shapes():
    codec = build(input_size=(192, 256))
    with pytest.raises(ValueError, match=r'one instance.*\(2, 17, 2\)'):
        codec.encode(np.zeros((2, 17, 2)))
    with pytest.raises(ValueError, match=r'\(B, K, H, W\), got \(17, 8, 8\)'):
        codec.batch_decode(torch.zeros(17, 8, 8))
