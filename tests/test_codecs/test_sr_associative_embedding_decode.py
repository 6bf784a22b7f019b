"""Decoding by SRAssociativeEmbedding against the stock codec."""
import numpy as np
import pytest
import torch
from mmpose.codecs import AssociativeEmbedding
from mmpose.registry import KEYPOINT_CODECS

SIZE = (128, 96)
ORDER = [0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16]


def build_pair(**kwargs):
    """Our codec and the stock one with the same settings."""
    options = dict(
        input_size=SIZE, heatmap_size=SIZE, sigma=2, decode_nms_kernel=5,
        decode_keypoint_order=ORDER, decode_max_instances=30)
    options.update(kwargs)
    ours = KEYPOINT_CODECS.build(
        dict(type='SRAssociativeEmbedding', **options))
    return ours, AssociativeEmbedding(**options)


def crowd(rng, people, dims=1, noise=0., tag_noise=0., missing=0.3,
          size=SIZE):
    """Maps of people that overlap and lack keypoints, (1, L * 17, H, W)."""
    unit = size[0] // SIZE[0]
    codec = build_pair(input_size=size, heatmap_size=size, sigma=2 * unit)[1]
    centers = rng.uniform(20 * unit, np.array(size) - 20 * unit,
                          (people, 1, 2))
    keypoints = centers + rng.normal(0, 8 * unit, (people, 17, 2))
    keypoints = keypoints.clip(1, np.array(size) - 2).astype(np.float32)
    visible = (rng.random((people, 17)) > missing).astype(np.float32)
    visible[:, 0] = 1
    heatmaps = codec.encode(keypoints, visible)['heatmaps']
    # No map is all zero: with UDP the stock codec makes NaN of it.
    heatmaps = heatmaps + 1e-3 * rng.random(heatmaps.shape)
    tags = np.zeros((dims, 17, *size[::-1]))
    for number in range(people):
        for k, (x, y) in enumerate(keypoints[number].astype(int)):
            if visible[number, k]:
                tags[:, k, max(y - 3, 0):y + 4,
                     max(x - 3, 0):x + 4] = 3 * number
    heatmaps = heatmaps + rng.normal(0, noise, heatmaps.shape)
    tags = tags + rng.normal(0, tag_noise, tags.shape)
    return (torch.from_numpy(heatmaps.astype(np.float32))[None],
            torch.from_numpy(tags.astype(np.float32)).flatten(0, 1)[None])


def assert_same(ours, stock, maps, few=0., border=0):
    """Equal people; up to a share ``few`` of keypoints may be elsewhere.

    Keypoints that stayed within ``border`` cells of the border do not count.
    """
    before = [m.clone() for m in maps]
    got = ours.batch_decode(*maps)
    assert all(torch.equal(a, b) for a, b in zip(maps, before))
    # The stock codec writes into the heatmaps with UDP.
    expected = stock.batch_decode(*before)
    assert len(got) == 3 and got[0][0].dtype == np.float32
    for value, want in zip(got, expected):
        assert value[0].shape == want[0].shape
        near = np.isclose(value[0], want[0], rtol=1e-5, atol=1e-4)
        if border and value is got[0]:
            room = np.minimum(value[0], np.array(SIZE) - 1 - value[0])
            near = near[room.min(axis=-1) >= border]
        assert near.mean() >= 1 - few
    return got


@pytest.mark.parametrize('dims', [1, 2])
@pytest.mark.parametrize('noises', [(0, 0), (0.05, 0), (0.05, 0.3), (0.3, 2)])
def test_same_people_as_stock(dims, noises):
    rng = np.random.default_rng(0)
    for people, kernel, shift in ((1, 3, 0), (3, 5, 0.5), (8, 11, 0)):
        ours, stock = build_pair(
            decode_nms_kernel=kernel, decode_center_shift=shift)
        assert_same(ours, stock, crowd(rng, people, dims, *noises))


@pytest.mark.parametrize('dims', [1, 2])
@pytest.mark.parametrize('noises', [(0, 0), (0.05, 0.3)])
def test_same_people_as_stock_with_udp(dims, noises):
    """But for steps and searches that the last bits of the blur decide.

    Next to the border, where the blur does not fit into the map, our peaks
    do not move; those of the stock codec can leave the map.
    """
    rng = np.random.default_rng(0)
    for people in (1, 4):
        ours, stock = build_pair(use_udp=True)
        maps = crowd(rng, people, dims, *noises)
        assert_same(ours, stock, maps, few=0.03, border=2)


@pytest.mark.parametrize('dims', [1, 2])
def test_same_people_as_stock_in_noise(dims):
    """Maps of nothing but noise, whose peaks the threshold mostly keeps."""
    rng = np.random.default_rng(0)
    for kernel in (3, 11):
        ours, stock = build_pair(decode_nms_kernel=kernel)
        maps = [
            torch.from_numpy(rng.normal(0, scale, (1, 17 * n, 96, 128)))
            .float() for scale, n in ((0.3, 1), (2, dims))
        ]
        assert len(assert_same(ours, stock, maps)[0][0]) == 30


@pytest.mark.parametrize('noises', [(0, 0), (0.05, 0.05)])
def test_same_people_as_stock_at_full_size(noises):
    """Eight people in an input of 512x512, as the configs have it."""
    size = (512, 512)
    ours, stock = build_pair(
        input_size=size, heatmap_size=size, sigma=8, decode_nms_kernel=11)
    maps = crowd(np.random.default_rng(0), 8, 1, *noises, size=size)
    assert len(assert_same(ours, stock, maps)[0][0]) >= 8


@pytest.mark.parametrize('use_udp', [False, True])
def test_autocast_does_not_matter(use_udp):
    maps = crowd(np.random.default_rng(0), 3, noise=0.02)
    ours, _ = build_pair(use_udp=use_udp)
    expected = ours.batch_decode(*maps)
    with torch.autocast('cpu', torch.bfloat16):
        got = ours.batch_decode(*maps)
    for values, wanted in zip(got, expected):
        np.testing.assert_array_equal(values[0], wanted[0])


@pytest.mark.parametrize('options', [
    dict(decode_keypoint_order=[]),
    dict(decode_max_instances=2),
    dict(decode_topk=3),
    dict(decode_tag_thr=0.1),
    dict(decode_keypoint_thr=0.6),
    dict(heatmap_size=(64, 48)),
], ids=lambda options: next(iter(options)))
def test_every_option_means_the_same(options):
    rng = np.random.default_rng(0)
    maps = crowd(rng, 4, noise=0.02)
    if 'heatmap_size' in options:
        maps = [m[..., ::2, ::2].contiguous() for m in maps]
    ours, stock = build_pair(**options)
    if not options.get('decode_keypoint_order', True):
        stock.decode_keypoint_order = list(range(17))
    assert_same(ours, stock, maps)
    assert ours.decode_keypoint_order == options.get('decode_keypoint_order',
                                                     ORDER)


def test_a_batch_is_its_samples():
    rng = np.random.default_rng(0)
    samples = [crowd(rng, people, noise=0.05) for people in (1, 5, 2)]
    ours, _ = build_pair()
    batch = [torch.cat(maps) for maps in zip(*samples)]
    batch = [m.contiguous(memory_format=torch.channels_last) for m in batch]
    decoded = ours.batch_decode(*batch)
    for i, maps in enumerate(samples):
        for got, want in zip(decoded, ours.batch_decode(*maps)):
            np.testing.assert_array_equal(got[i], want[0])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    maps = crowd(np.random.default_rng(0), 3)
    ours, _ = build_pair()
    maps = [m.to(dtype) for m in maps]
    expected = ours.batch_decode(*(m.float() for m in maps))
    for got, want in zip(ours.batch_decode(*maps), expected):
        np.testing.assert_array_equal(got[0], want[0])


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('value', [0., -1., 1., torch.nan, torch.inf])
def test_every_map_has_a_result(value, use_udp):
    ours, _ = build_pair(use_udp=use_udp)
    heatmaps, tags = crowd(np.random.default_rng(0), 2)
    heatmaps[0, 3], heatmaps[0, 5, 10, 10] = value, value
    tags[0, 7, 20:30] = torch.nan
    points, scores, people = ours.batch_decode(heatmaps, tags)
    assert points[0].shape == (len(people[0]), 17, 2)
    assert np.isfinite(points[0]).all() and np.isfinite(people[0]).all()
    rest = [k for k in range(17) if k not in (3, 5)]
    assert np.isfinite(scores[0][:, rest]).all()


def test_bad_tags():
    ours, _ = build_pair()
    with pytest.raises(ValueError, match=r'tags in shape \(B, L \* K, H, W\), '
                       r'got \(1, 17, 8, 8\) and \(1, 1, 8, 8\); repeat'):
        ours.batch_decode(torch.zeros(1, 17, 8, 8), torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match='expected the tags of the heatmaps'):
        ours.batch_decode(torch.zeros(1, 17, 8, 8))
