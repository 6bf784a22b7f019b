"""Targets made of keypoints equal the encoded ones, stock and pooled."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.codecs import AssociativeEmbedding, UDPHeatmap
from mmpose.registry import KEYPOINT_CODECS, TRANSFORMS

from srpose_mm.codecs.utils.gaussians import SeparableHeatmaps

# input size, heatmap size and sigma; 3 sigma is not whole in the last two.
SIZES = [((96, 128), (96, 128), 8), ((96, 128), (24, 32), 2),
         ((100, 60), (75, 30), 3), ((96, 64), (96, 64), 2.2),
         ((96, 64), (48, 64), 25 / 6)]
KINDS = [
    dict(),
    dict(unbiased=True),
    dict(use_udp=True),
    dict(use_udp=True, unbiased=True)
]


def build(**kwargs):
    return KEYPOINT_CODECS.build(dict(type='SRHeatmap', **kwargs))


def awkward_keypoints(size, sigma=8.):
    """Keypoints in, on the edge of and out of the image, in px."""
    rng = np.random.default_rng(0)
    low, high = -0.5 * np.array(size), 1.5 * np.array(size)
    keypoints = rng.uniform(low, high, (1, 40, 2)).astype(np.float32)
    keypoints[0, :12] = [(0, 0), (-0.5, -0.5), (-0.6, 10.5), (-1.4, -1.6),
                         (-3 * sigma, 5), (-3 * sigma - 1, 5),
                         (-3 * sigma - 2, 5), (5, size[1] + 3 * sigma),
                         (5, size[1] + 3 * sigma - 1), (1e30, 5), (np.nan, 5),
                         (-1e4, 1e4)]
    visible = np.ones((1, 40), dtype=np.float32)
    visible[0, 12:16] = 0, np.nan, 0.4, 0.7
    return keypoints, visible


def both_forms(keypoints, visible, **kwargs):
    """What is encoded, and the heatmaps and weights made of keypoints."""
    encoded = build(**kwargs).encode(keypoints, visible)
    codec = build(target='keypoints', **kwargs)
    light = {
        key: torch.from_numpy(value)
        for key, value in codec.encode(keypoints, visible).items()
    }
    targets = codec.make_targets(**light)
    return encoded, targets, light['keypoint_weights'].numpy()


@pytest.mark.parametrize('kind', KINDS, ids=str)
@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES)
def test_equal_to_the_encoded_heatmaps(input_size, heatmap_size, sigma, kind):
    keypoints, visible = awkward_keypoints(input_size)
    before = keypoints.copy(), visible.copy()
    encoded, targets, weights = both_forms(
        keypoints,
        visible,
        input_size=input_size,
        heatmap_size=heatmap_size,
        sigma=sigma,
        **kind)
    np.testing.assert_array_equal(weights, encoded['keypoint_weights'])
    assert weights.dtype == np.float32 and 0.7 in weights.round(3)
    dense = targets.dense()
    assert dense.shape == targets.shape == (1, 40, *heatmap_size[::-1])
    assert dense.dtype == torch.float32
    heatmaps = torch.from_numpy(encoded['heatmaps'])[None]
    # float32 in another order: exp(a) * exp(b) for exp(a + b).
    torch.testing.assert_close(dense, heatmaps, atol=1e-6, rtol=0)
    height, width = targets.shape[2:]
    for size in ((height // 4, width // 4), (8, 6), (height // 2, 5)):
        pooled = targets.pool(size)
        assert pooled.shape == (1, 40, *size)
        torch.testing.assert_close(
            pooled.dense(),
            F.adaptive_avg_pool2d(heatmaps, size),
            atol=1e-6,
            rtol=0)
    for got, expected in zip((keypoints, visible), before):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('input_size, heatmap_size, sigma', SIZES[:3])
def test_same_as_udp(input_size, heatmap_size, sigma):
    keypoints, visible = awkward_keypoints(input_size)
    usable = (visible >= 0.5) & np.isfinite(keypoints).all(-1) & (
        np.abs(keypoints) < 1e6).all(-1)
    stock = UDPHeatmap(input_size, heatmap_size, sigma=sigma).encode(
        np.where(usable[..., None], keypoints, 0),
        np.where(usable, visible, 0))
    ours = build(
        input_size=input_size,
        heatmap_size=heatmap_size,
        sigma=sigma,
        use_udp=True).encode(keypoints, visible)
    np.testing.assert_array_equal(ours['heatmaps'], stock['heatmaps'])
    weights = np.where(usable, stock['keypoint_weights'], 0)
    np.testing.assert_array_equal(ours['keypoint_weights'], weights)


def test_udp_round_trip():
    codec = build(input_size=(96, 128), use_udp=True, refine='dark')
    keypoints = np.array([[[40.3, 60.8], [30.7, 90.2]]], dtype=np.float32)
    decoded, _ = codec.decode(codec.encode(keypoints)['heatmaps'])
    # UDP decodes into a crop of w px what it encoded in one of w - 1.
    expected = keypoints * np.array([96 / 95, 128 / 127])
    np.testing.assert_allclose(decoded, expected, atol=0.01)


def test_peaks_are_the_highest_cells():
    keypoints, visible = awkward_keypoints((96, 128))
    for kind in KINDS:
        _, targets, _ = both_forms(
            keypoints, visible, input_size=(96, 128), **kind)
        dense = targets.dense()
        cells = dense.flatten(2).argmax(dim=-1)
        expected = torch.stack([cells % 96, cells // 96], dim=-1).float()
        empty = dense.flatten(2).amax(dim=-1) == 0
        assert 0 < empty.sum() < 40
        assert torch.equal(targets.empty(), empty)
        expected[empty] = -1
        torch.testing.assert_close(targets.peaks(), expected)


def test_target_of_any_profiles():
    """Not only of Gaussians: a product of averages is their average."""
    targets = SeparableHeatmaps(torch.rand(2, 3, 12), torch.rand(2, 3, 20))
    expected = torch.einsum('bkw,bkh->bkhw', *targets)
    torch.testing.assert_close(targets.dense(), expected)
    torch.testing.assert_close(
        targets.pool((7, 5)).dense(), F.adaptive_avg_pool2d(expected, (7, 5)))


def test_unknown_target():
    for codec in ('SRHeatmap', 'SRAssociativeEmbedding'):
        with pytest.raises(ValueError, match=f"{codec}: expected target to be "
                           "one of .* got 'points'"):
            KEYPOINT_CODECS.build(
                dict(type=codec, input_size=(96, 128), target='points'))


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('heatmap_size, sigma', [((128, 96), 8), ((64, 48), 2),
                                                 ((48, 96), 1)])
def test_people_equal_to_associative_embedding(heatmap_size, sigma, use_udp):
    rng = np.random.default_rng(1)
    people = [
        rng.uniform((-64, -48), (192, 144), (n, 17, 2)).astype(np.float32)
        for n in (3, 0, 1, 8)
    ]
    # Close by each other, where the highest counts.
    people[3][:2] = rng.uniform(40, 50, (2, 17, 2))
    visible = [rng.choice([0., 0.7, 1.], p.shape[:2]).astype(np.float32)
               for p in people]
    options = dict(
        input_size=(128, 96),
        heatmap_size=heatmap_size,
        sigma=sigma,
        use_udp=use_udp)
    stock = AssociativeEmbedding(**options)
    codec = KEYPOINT_CODECS.build(
        dict(type='SRAssociativeEmbedding', target='keypoints', **options))
    labels, weights = [], []
    expected = [stock.encode(*sample) for sample in zip(people, visible)]
    for sample, want in zip(zip(people, visible), expected):
        encoded = codec.encode(*sample)
        assert 'heatmaps' not in encoded
        for key in ('keypoint_indices', 'keypoint_weights'):
            np.testing.assert_array_equal(encoded[key], want[key])
            assert encoded[key].dtype == want[key].dtype
        labels.append(torch.from_numpy(encoded['keypoint_labels']))
        weights.append(torch.from_numpy(encoded['keypoint_weights']))
    heatmaps = codec.make_targets(labels, weights)
    for got, want in zip(heatmaps, expected):
        torch.testing.assert_close(
            got, torch.from_numpy(want['heatmaps']), atol=1e-6, rtol=0)
    assert not heatmaps[1].any() and heatmaps[3].max() > 0.9


def test_people_where_three_sigma_is_not_whole():
    """Both forms agree; the Gaussians stand on their cells."""
    rng = np.random.default_rng(2)
    people = rng.uniform(0, 64, (4, 5, 2)).astype(np.float32)
    heatmaps, light = (
        KEYPOINT_CODECS.build(
            dict(
                type='SRAssociativeEmbedding',
                input_size=(64, 96),
                target=target)) for target in ('heatmaps', 'keypoints'))
    expected = heatmaps.encode(people)
    encoded = light.encode(people)
    np.testing.assert_array_equal(encoded['keypoint_weights'],
                                  expected['keypoint_weights'])
    made = light.make_targets([torch.from_numpy(people)],
                              [torch.ones(4, 5)])[0].numpy()
    np.testing.assert_array_equal(made, expected['heatmaps'])
    y, x = np.mgrid[:96, :64]
    for k in range(5):
        drawn = np.zeros((96, 64))
        for cx, cy in np.floor(people[:, k] + 0.5):
            square = (x - cx)**2 + (y - cy)**2
            gaussian = np.exp(-square / (2 * light.sigma**2))
            near = np.maximum(abs(x - cx), abs(y - cy)) <= 3 * light.sigma
            drawn = np.maximum(drawn, gaussian * near)
        np.testing.assert_allclose(made[k], drawn, atol=1e-6)


def packed(codec, results):
    """The labels and fields that the stock pipeline packs."""
    for step in (dict(type='GenerateTarget', encoder=codec),
                 dict(type='PackPoseInputs')):
        results = TRANSFORMS.build(step)(results)
    sample = results['data_samples']
    fields = dict(sample.gt_fields.items()) if 'gt_fields' in sample else {}
    return dict(sample.gt_instance_labels.items()), fields


@pytest.mark.parametrize('name, people', [
    ('SRHeatmap', 1),
    ('SRAssociativeEmbedding', 3),
    ('SRAssociativeEmbedding', 0),
])
def test_stock_pipeline_packs_keypoints(name, people):
    results = dict(
        img=np.zeros((256, 192, 3), dtype=np.uint8),
        keypoints=np.full((people, 17, 2), 90, dtype=np.float32),
        keypoints_visible=np.ones((people, 17), dtype=np.float32),
        dataset_keypoint_weights=np.ones(17, dtype=np.float32))
    codec = dict(type=name, input_size=(192, 256), target='keypoints')
    labels, fields = packed(codec, results)
    assert not fields
    assert labels['keypoint_labels'].shape == (people, 17, 2)
    assert labels['keypoint_weights'].shape == (people, 17)
    if name == 'SRHeatmap':
        size = sum(v.numel() * v.element_size() for v in labels.values())
        assert size == 204
    else:
        assert labels['keypoint_indices'].shape == (people, 17, 2)


@pytest.mark.parametrize('target', ['heatmaps', 'keypoints'])
@pytest.mark.parametrize('name', ['SRHeatmap', 'SRAssociativeEmbedding'])
def test_joint_weights_of_the_metainfo_count_on_request(name, target):
    """MMPose's ``GenerateTarget`` ignores them by default."""
    weights = np.linspace(0.5, 2, 17, dtype=np.float32)
    codec = dict(type=name, input_size=(192, 256), target=target)
    for wanted, expected in ((False, np.ones(17)), (True, weights)):
        step = TRANSFORMS.build(
            dict(
                type='GenerateTarget',
                encoder=codec,
                use_dataset_keypoint_weights=wanted))
        results = step.transform(
            dict(
                keypoints=np.full((1, 17, 2), 90, dtype=np.float32),
                keypoints_visible=np.ones((1, 17), dtype=np.float32),
                dataset_keypoint_weights=weights))
        np.testing.assert_allclose(results['keypoint_weights'], [expected])
