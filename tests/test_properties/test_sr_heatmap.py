"""What holds for heatmaps of any size, alignment and width."""
from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srpose_mm.codecs import SRHeatmap
from srpose_mm.codecs.utils.arguments import matching_blur

from ..support.examples import (
    POINTS,
    border_points,
    codecs,
    decoded_cells,
    points,
    property_test,
    seeds,
    to_input,
)

SPECIAL = [0., 1., -1., 1e-30, 1e30, np.nan, np.inf, -np.inf]


@given(codecs(refine='none'), seeds)
@property_test()
def test_a_cell_is_right_to_half_a_cell(codec, seed):
    cells = points(codec, seed)
    encoded = codec.encode(to_input(codec, cells))
    found = decoded_cells(codec, encoded['heatmaps'])
    assert np.abs(found - cells).max() <= 0.5 + 1e-4


@given(codecs(unbiased=True, refine='parabola'), seeds)
@property_test()
def test_parabola_finds_the_keypoint(codec, seed):
    """A cell from the border on; a peak in the outermost cells stays there."""
    cells = points(codec, seed, margin=1)
    encoded = codec.encode(to_input(codec, cells))
    found = decoded_cells(codec, encoded['heatmaps'])
    error = np.abs(found - cells) * codec.encode_scale
    assert error.max() <= 1e-3


@given(codecs(refine='none'), seeds)
@property_test()
def test_no_refinement_is_worse_than_none_on_a_perfect_map(codec, seed):
    """In the middle of a map and in its outermost cells.

    A peak is half a cell off at most; with 'shift', as in MMPose, a keypoint
    near the middle of its cell can move off by a quarter, but within that.
    """
    cells = np.concatenate([points(codec, seed), border_points(codec, seed)])
    heatmaps = codec.encode(to_input(codec, cells))['heatmaps']
    unrefined = np.abs(decoded_cells(codec, heatmaps) - cells)
    for codec.refine in ('shift', 'dark', 'parabola'):
        error = np.abs(decoded_cells(codec, heatmaps) - cells)
        worse = 0.25 if codec.refine == 'shift' else 0
        assert (error <= unrefined + worse + 1e-3).all(), codec.refine
        assert error.max() <= 0.5 + 1e-3, codec.refine


@pytest.mark.parametrize('unbiased', [False, True])
@pytest.mark.parametrize('sigma', [8, 2])
def test_worst_error_of_a_refinement(sigma, unbiased):
    """At full resolution, in px: none is 0.70 off, and no other more."""
    codec = SRHeatmap((48, 64), sigma=sigma, unbiased=unbiased)
    lines = [np.arange(0, size - 1 + 1e-6, 0.49) for size in (48, 64)]
    keypoints = np.stack(np.meshgrid(*lines), axis=-1).reshape(1, -1, 2)
    heatmaps = codec.encode(keypoints.astype(np.float32))['heatmaps']
    worst = {}
    for codec.refine in ('none', 'shift', 'dark', 'parabola'):
        error = codec.decode(heatmaps)[0] - keypoints
        worst[codec.refine] = np.linalg.norm(error, axis=-1).max()
    assert worst['none'] == pytest.approx(0.70, abs=0.01)
    assert max(worst.values()) <= worst['none'] + 1e-4


def blurred_reach(sigma):
    """Cells from a keypoint to what the blur reads of its Gaussian."""
    return 3 * sigma + matching_blur(sigma) // 2 + 2


@given(
    codecs(
        least_sigma=2.25,
        least_grid=lambda sigma: ceil(2 * blurred_reach(sigma)) + 2,
        unbiased=True,
        refine='dark'), seeds)
@property_test()
def test_dark_finds_the_keypoint(codec, seed):
    """Where the blur sees all of the Gaussian, which must not be too narrow.

    A mean of 1e-3 px on cells of 4 px is what it reaches at sigma 2.25; at
    sigma 1 it is 0.02 px.
    """
    cells = points(codec, seed, blurred_reach(codec.sigma))
    encoded = codec.encode(to_input(codec, cells))
    found = decoded_cells(codec, encoded['heatmaps'])
    error = np.abs(found - cells) * codec.encode_scale
    assert np.linalg.norm(error, axis=-1).mean() <= 1e-3


@given(codecs(), seeds)
@property_test()
def test_targets_of_the_device_are_those_of_the_loader(codec, seed):
    cells = points(codec, seed, margin=-10)
    keypoints = to_input(codec, cells)
    encoded = codec.encode(keypoints)
    labels = torch.from_numpy(keypoints[0])[None]
    weights = torch.from_numpy(encoded['keypoint_weights'])
    made = codec.make_targets(labels, weights).dense()[0].numpy()
    # A Gaussian that the loader does not draw has no weight there either.
    drawn = encoded['keypoint_weights'][0] > 0
    np.testing.assert_allclose(
        made[drawn], encoded['heatmaps'][drawn], atol=1e-5)


@given(
    codecs(),
    st.lists(
        st.floats(width=32), min_size=2 * POINTS, max_size=2 * POINTS),
    st.lists(st.sampled_from([0., 0.4, 0.5, 1., 2.]),
             min_size=POINTS, max_size=POINTS))
@property_test()
def test_encode_leaves_its_input_alone(codec, keypoints, visible):
    """Whatever is annotated; targets and weights are finite."""
    keypoints = np.array(keypoints, dtype=np.float32).reshape(1, -1, 2)
    visible = np.array([visible], dtype=np.float32)
    before = keypoints.copy(), visible.copy()
    for target in ('heatmaps', 'keypoints'):
        codec.target = target
        encoded = codec.encode(keypoints, visible)
        assert all(np.isfinite(values).all() for values in encoded.values())
        unusable = ~np.isfinite(keypoints).all(-1) | (visible < 0.5)
        assert not encoded['keypoint_weights'][unusable].any()
    np.testing.assert_array_equal(keypoints, before[0])
    np.testing.assert_array_equal(visible, before[1])


def flipped_keypoints(codec, keypoints):
    """Mirrored in the middle of the outermost cells, in input px."""
    width = (codec.heatmap_size[0] - 1) * codec.encode_scale[0]
    return np.concatenate(
        [width - keypoints[..., :1], keypoints[..., 1:]], axis=-1)


def test_the_flip_of_each_alignment():
    """UDP mirrors px 0 and w - 1; MSRA's outermost cells have a width."""
    for use_udp, expected in ((True, 63), (False, 60)):
        codec = SRHeatmap((64, 64), (16, 16), use_udp=use_udp)
        flipped = flipped_keypoints(codec, np.zeros((1, 1, 2)))
        assert flipped[0, 0, 0] == pytest.approx(expected)


@given(codecs(), seeds)
@property_test()
def test_flip_and_encode_commute(codec, seed):
    cells = points(codec, seed)
    # A keypoint between two cells is drawn on one side of it.
    cells = cells[(np.abs(cells % 1 - 0.5) > 1e-3).all(-1)]
    keypoints = to_input(codec, cells).astype(np.float64)
    maps = codec.encode(keypoints)['heatmaps']
    flipped = codec.encode(flipped_keypoints(codec, keypoints))['heatmaps']
    np.testing.assert_allclose(flipped, maps[..., ::-1], atol=2e-5)


@given(codecs(whole=True), seeds)
@property_test()
def test_flip_and_decode_commute(codec, seed):
    """Three cells from the border on: 'shift' and 'dark' end there."""
    cells = points(codec, seed, margin=3)
    cells = cells[(np.abs(cells % 1 - 0.5) > 0.01).all(-1)]
    maps = codec.encode(to_input(codec, cells))['heatmaps']
    # Not only Gaussians, but the same peaks.
    noise = np.random.default_rng(seed).uniform(0.995, 1, maps.shape)
    maps = (maps * np.where(maps == maps.max((1, 2), keepdims=True), 1, noise)
            ).astype(np.float32)
    found = decoded_cells(codec, maps)
    mirrored = decoded_cells(codec, maps[..., ::-1].copy())
    mirrored[:, 0] = codec.heatmap_size[0] - 1 - mirrored[:, 0]
    np.testing.assert_allclose(mirrored, found, atol=2e-3)


@given(codecs(), seeds, st.sampled_from(['uniform', 'normal', 'special']))
@property_test()
def test_keypoints_stay_in_the_map(codec, seed, kind):
    """Of any map; without a positive value it is the cell (-1, -1)."""
    generator = np.random.default_rng(seed)
    shape = (40, *codec.heatmap_size[::-1])
    if kind == 'special':
        maps = generator.choice(SPECIAL, shape)
    else:
        maps = getattr(generator, kind)(size=shape)
    maps = maps.astype(np.float32)
    found, scores = codec.decode(maps)
    found, scores = found[0] / codec.decode_scale, scores[0]
    assert not np.isnan(scores).any() and np.isfinite(found).all()
    nothing = scores <= 0
    np.testing.assert_allclose(found[nothing], -1, atol=1e-5)
    last = np.array(codec.heatmap_size) - 1
    assert (found[~nothing] >= -1e-4).all()
    assert (found[~nothing] <= last + 1e-4).all()
