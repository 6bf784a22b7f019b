"""The parts of associative-embedding decoding against plain versions."""
import numpy as np
import pytest
import torch
from mmpose.codecs.associative_embedding import _group_keypoints_by_tags
from mmpose.codecs.utils import batch_heatmap_nms, refine_keypoints_dark_udp

from srpose_mm.codecs.utils.grouping import (
    group_by_tags,
    strongest_of_nearest,
)
from srpose_mm.codecs.utils.peaks import keep_peaks, top_candidates
from srpose_mm.codecs.utils.refinement import log_blurred, refine_dark_udp


@pytest.mark.parametrize('kernel', [1, 3, 5, 11])
def test_peaks_are_those_of_stock(kernel):
    heatmaps = torch.randn(2, 3, 37, 50)
    heatmaps[1, 1] = heatmaps[1, 1].round()  # plateaus
    expected = batch_heatmap_nms(heatmaps, kernel)
    assert torch.equal(keep_peaks(heatmaps, kernel), expected)


@pytest.mark.parametrize('size, count', [((64, 96), 30), ((37, 50), 5),
                                         ((4, 5), 30)])
def test_candidates_are_the_highest_peaks(size, count):
    heatmaps, tags = torch.rand(2, 3, *size), torch.randn(2, 2, 3, *size)
    values, found, places = top_candidates(heatmaps, tags, 3, count)
    count = min(count, size[0] * size[1])
    peaks = batch_heatmap_nms(heatmaps, 3).flatten(2)
    expected, index = peaks.topk(count)
    assert torch.equal(values, expected)
    real = values > 0
    flat = places[..., 1] * size[1] + places[..., 0]
    assert torch.equal(flat[real], index[real])
    assert (places >= 0).all() and (flat < size[0] * size[1]).all()
    picked = tags.flatten(3).gather(3, index[:, None].expand(-1, 2, -1, -1))
    assert torch.equal(found[real], picked.permute(0, 2, 3, 1)[real])


def test_candidates_of_equal_height_keep_the_order_of_stock():
    heatmaps = torch.zeros(1, 1, 64, 64)
    for number in range(12):
        heatmaps[0, 0, 5 * number + 3, (17 * number) % 64] = 1
    _, _, places = top_candidates(heatmaps, heatmaps[:, None], 5, 30)
    expected = heatmaps.flatten(2).topk(30).indices[0, 0, :12]
    x, y = places[0, 0, :12].unbind(-1)
    assert torch.equal(y * 64 + x, expected)


def test_candidates_that_are_not_finite_do_not_count():
    heatmaps, tags = torch.rand(1, 2, 32, 32), torch.rand(1, 1, 2, 32, 32)
    heatmaps[0, 0, 4, 4], heatmaps[0, 0, 20, 20] = torch.nan, torch.inf
    tags[0, 0, 1] = torch.nan
    values, _, _ = top_candidates(heatmaps, tags, 5, 10)
    assert values.isfinite().all()
    assert (values[0, 0] > 0).any() and not values[0, 1].any()


@pytest.mark.parametrize('dims', [1, 2, 3])
@pytest.mark.parametrize('spread', [0.3, 1, 4])
def test_groups_are_those_of_stock(dims, spread):
    rng = np.random.default_rng(0)
    for people in (1, 3, 12):
        values = rng.random((17, people)).astype(np.float32)
        tags = rng.normal(0, spread, (17, people, dims)) + 3 * rng.permuted(
            np.tile(np.arange(people), (17, 1)), axis=1)[..., None]
        tags = tags.astype(np.float32)
        cells = rng.integers(0, 64, (17, people, 2))
        order = rng.permutation(17).tolist()
        for limit in (None, 2):
            picked = group_by_tags(values, tags, order, 0.2, 1., limit)
            candidates = np.concatenate([cells, values[..., None]], axis=-1)
            got = np.where(picked[..., None] >= 0,
                           candidates[range(17), picked], 0)
            expected = _group_keypoints_by_tags(values, tags, cells, order,
                                                0.2, 1., limit)
            np.testing.assert_array_equal(got, expected)


def plain_search(heatmap, tags, wanted):
    """The search of a whole map, as in stock."""
    distance = np.linalg.norm(tags - wanted[:, None, None], axis=0)
    return np.argmin(np.round(distance) * 100 - heatmap)


@pytest.mark.parametrize('size', [(64, 64), (40, 33), (3, 5)])
@pytest.mark.parametrize('kind', ['random', 'smooth', 'flat', 'far', 'round'])
@pytest.mark.parametrize('dims', [1, 2])
def test_search_is_exact(size, kind, dims):
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(0, 0.3, (4, *size)).astype(np.float32)
    tags = rng.normal(0, 2, (dims, 4, *size)).astype(np.float32)
    if kind == 'smooth':
        tags = tags.cumsum(-1) / 10
    elif kind == 'flat':
        heatmaps[:], tags[:] = 0, 1
    elif kind == 'far':
        tags += 50
    elif kind == 'round':
        heatmaps = heatmaps.round(1)
    joints = np.array([0, 1, 2, 3, 1, 1])
    wanted = rng.normal(0, 2, (6, dims)).astype(np.float32)
    got = strongest_of_nearest(
        *(torch.from_numpy(x) for x in (heatmaps[None], tags[None], joints,
                                        wanted)))
    expected = [
        plain_search(heatmaps[k], tags[:, k], tag)
        for k, tag in zip(joints, wanted)
    ]
    np.testing.assert_array_equal(got, expected)


def test_search_leaves_cells_of_nan_out():
    heatmaps, tags = torch.rand(2, 16, 16), torch.zeros(1, 2, 16, 16)
    heatmaps[0, 3, 3], tags[0, 0, 4, 4] = torch.nan, torch.nan
    heatmaps[0, 5, 6], heatmaps[0, 4, 4], heatmaps[1] = 2, 3, torch.nan
    cells = strongest_of_nearest(heatmaps[None], tags[None],
                                 torch.tensor([0, 1]), torch.zeros(2, 1))
    assert cells[0] == 5 * 16 + 6
    assert 0 <= cells[1] < 256


def test_udp_refinement_is_that_of_stock():
    rng = np.random.default_rng(0)
    heatmaps = rng.random((5, 30, 40)).astype(np.float32)
    points = np.stack([rng.integers(2, 38, (3, 5)),
                       rng.integers(2, 28, (3, 5))], -1).astype(np.float32)
    near = np.array([(0, 9), (39, 9), (20, 1), (20, 28), (1, 1)], np.float32)
    points = np.concatenate([points, near[None]])
    peaks = torch.from_numpy(points.copy()).transpose(0, 1)[None]
    logs = log_blurred(torch.from_numpy(heatmaps)[None], 3)
    got = refine_dark_udp(peaks, logs, 3)[0].transpose(0, 1).numpy()
    stock_logs = heatmaps.copy()  # the stock function leaves the log in it
    expected = refine_keypoints_dark_udp(points, stock_logs, 3)
    # Stock code lets points of noise leave the map, and blurs the border
    # with cells of zero: our points there do not move.
    np.testing.assert_array_equal(got[3], near)
    got, expected = got[:3], np.clip(expected[:3], 0, (39, 29))
    np.testing.assert_allclose(logs[0], stock_logs, atol=1e-5)
    # Where the map is nearly flat the step is a quotient of rounding errors.
    same = np.isclose(got, expected, rtol=1e-3, atol=1e-3).all(axis=-1)
    assert same.mean() > 0.9
