import numpy as np
import pytest
import torch
from mmpose.codecs import AssociativeEmbedding
from mmpose.registry import KEYPOINT_CODECS

ORDER = [0, 1, 2, 3, 4, 5, 6, 11, 12, 7, 8, 9, 10, 13, 14, 15, 16]


def build(**kwargs):
    cfg = dict(type='SRAssociativeEmbedding', input_size=(128, 96))
    return KEYPOINT_CODECS.build({**cfg, **kwargs})


def people(rng, count, size=(128, 96)):
    """Keypoints in shape (N, 17, 2), whole px, no two within ten of another.
    """
    grid = np.stack(np.meshgrid(np.arange(6, size[0] - 6, 12),
                                np.arange(6, size[1] - 6, 12)), -1)
    cells = grid.reshape(-1, 2)
    picked = [rng.permutation(len(cells))[:count] for _ in range(17)]
    return cells[np.array(picked)].transpose(1, 0, 2).astype(np.float32)


def network_output(codec, keypoints, flip=False):
    """Heatmaps and tags as a perfect network gives them."""
    heatmaps = codec.encode(keypoints)['heatmaps'][None]
    height, width = heatmaps.shape[2:]
    tags = np.zeros((1, 17, height, width), dtype=np.float32)
    for number, person in enumerate(keypoints):
        for k, (x, y) in enumerate(person.astype(int)):
            tags[0, k, y - 2:y + 3, x - 2:x + 3] = 4 * number
    if flip:
        tags = np.concatenate([tags, tags], axis=1)
    return torch.from_numpy(heatmaps), torch.from_numpy(tags)


def test_defaults():
    codec = build(input_size=(512, 512))
    assert codec.heatmap_size == (512, 512)
    assert codec.sigma == 8


@pytest.mark.parametrize('use_udp', [False, True])
def test_same_as_stock(use_udp):
    rng = np.random.default_rng(0)
    options = dict(
        input_size=(128, 96), heatmap_size=(128, 96), sigma=2,
        use_udp=use_udp, decode_keypoint_order=ORDER, decode_nms_kernel=5)
    ours, stock = build(**options), AssociativeEmbedding(**options)
    keypoints = people(rng, 3)
    visible = rng.integers(0, 2, keypoints.shape[:2]).astype(np.float32)
    expected = stock.encode(keypoints, visible)
    for key, value in ours.encode(keypoints, visible).items():
        np.testing.assert_array_equal(value, expected[key])
    outputs = network_output(stock, keypoints)
    before = [output.clone() for output in outputs]
    decoded = ours.batch_decode(*outputs)
    assert all(torch.equal(a, b) for a, b in zip(outputs, before))
    for got, want in zip(decoded, stock.batch_decode(*outputs)):
        np.testing.assert_array_equal(got[0], want[0])


@pytest.mark.parametrize('flip', [False, True])
def test_round_trip(flip):
    codec = build(sigma=2, decode_nms_kernel=5)
    keypoints = people(np.random.default_rng(1), 3)
    points, scores, instances = codec.batch_decode(
        *network_output(codec, keypoints, flip))
    assert points[0].shape == (3, 17, 2) and instances[0].shape == (3, )
    # Groups come in any order.
    order = [
        np.abs(points[0] - person).sum(axis=(1, 2)).argmin()
        for person in keypoints
    ]
    assert sorted(order) == [0, 1, 2]
    assert np.abs(points[0][order] - keypoints).max() <= 0.25
    assert scores[0].min() > 0.99


def test_nobody():
    codec = build()
    points, scores, instances = codec.batch_decode(
        torch.zeros(2, 17, 96, 128), torch.zeros(2, 17, 96, 128))
    assert [p.shape for p in points] == [(0, 17, 2)] * 2
    assert [s.shape for s in scores] == [(0, 17)] * 2
    encoded = codec.encode(np.zeros((0, 17, 2), dtype=np.float32))
    assert encoded['heatmaps'].shape == (17, 96, 128)
    assert not encoded['heatmaps'].any()


def test_unusable_keypoints_get_no_weight():
    keypoints = np.full((1, 5, 2), 40, dtype=np.float32)
    keypoints[0, 1], keypoints[0, 2] = np.nan, 1e30
    encoded = build().encode(keypoints, np.array([[1, 1, 1, 0, np.inf]]))
    np.testing.assert_array_equal(encoded['keypoint_weights'],
                                  [[1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(encoded['keypoint_indices'][0, :, 1],
                                  [1, 0, 0, 0, 0])


def test_bad_order():
    with pytest.raises(ValueError, match=r'once, got \[0, 0, 1\]'):
        build(decode_keypoint_order=[0, 0, 1])
    codec = build(decode_keypoint_order=[1, 0])
    with pytest.raises(ValueError, match=r'for 17 keypoints, got \[1, 0\]'):
        codec.batch_decode(
            torch.zeros(1, 17, 96, 128), torch.zeros(1, 17, 96, 128))
