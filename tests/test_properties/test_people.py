"""Bottom-up codecs on any maps and any annotations."""
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from srpose_mm.codecs import SRAssociativeEmbedding
from srpose_mm.codecs.utils.peaks import heatmap_argmax

from ..support.examples import EXAMPLES, property_test, seeds
from .test_sr_heatmap import SPECIAL


@st.composite
def codecs(draw):
    grid = draw(st.tuples(st.integers(6, 40), st.integers(6, 40)))
    cell = draw(st.integers(1, 4))
    return SRAssociativeEmbedding(
        input_size=tuple(cell * cells for cells in grid),
        heatmap_size=grid,
        sigma=draw(st.floats(0.5, 6, width=16)),
        use_udp=draw(st.booleans()),
        decode_nms_kernel=draw(st.sampled_from([3, 5, 11])),
        target=draw(st.sampled_from(['heatmaps', 'keypoints'])))


@given(codecs(), seeds, st.sampled_from(['rand', 'randn', 'special']))
@property_test(EXAMPLES // 2)
def test_people_stay_in_the_map(codec, seed, kind):
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 4, *codec.heatmap_size[::-1])
    if kind == 'special':
        chosen = torch.randint(len(SPECIAL), shape, generator=generator)
        heatmaps = torch.tensor(SPECIAL)[chosen]
    else:
        heatmaps = getattr(torch, kind)(shape, generator=generator)
    tags = torch.randn(shape, generator=generator)
    (points, ), (scores, ), _ = codec.batch_decode(heatmaps, tags)
    assert np.isfinite(points).all() and len(points) <= 30
    cells = points / codec.scale_factor
    last = np.array(codec.heatmap_size) - 1
    assert (cells >= -1e-3).all() and (cells <= last + 1e-3).all()
    assert scores.shape == points.shape[:2]


@given(codecs(), seeds)
@property_test(EXAMPLES // 2)
def test_no_refinement_is_worse_than_none_on_a_perfect_map(codec, seed):
    """Of one instance: with UDP and, by a quarter of a cell, without."""
    last = np.array(codec.heatmap_size) - 1
    keypoints = np.random.default_rng(seed).uniform(0, 1, (1, 20, 2)) * last
    codec.target = 'heatmaps'
    heatmaps = codec.encode((keypoints * codec.scale_factor).astype(
        np.float32))['heatmaps']
    heatmaps = torch.from_numpy(heatmaps)[None]
    codec.decode_topk = 1
    (points, ), _, _ = codec.batch_decode(
        heatmaps, torch.zeros_like(heatmaps))
    error = np.abs(points / codec.scale_factor - keypoints)
    peaks, _ = heatmap_argmax(heatmaps)
    unrefined = np.abs(peaks.numpy() - keypoints)
    worse = 0 if codec.use_udp else 0.25
    assert (error <= unrefined + worse + 1e-3).all()
    assert error.max() <= 0.5 + 1e-3


@given(
    codecs(), st.integers(0, 3),
    st.lists(st.floats(width=32), min_size=30, max_size=30))
@property_test(EXAMPLES // 2)
def test_encode_leaves_its_input_alone(codec, people, numbers):
    keypoints = np.array(numbers, dtype=np.float32).reshape(3, 5, 2)[:people]
    visible = np.ones((people, 5), dtype=np.float32)
    before = keypoints.copy()
    encoded = codec.encode(keypoints, visible)
    np.testing.assert_array_equal(keypoints, before)
    assert (visible == 1).all()
    for name, values in encoded.items():
        assert np.isfinite(values).all(), name
    unusable = ~np.isfinite(keypoints).all(-1)
    assert not encoded['keypoint_weights'][unusable].any()
    # Tags are read where the second number is 1: in a cell of the maps.
    places, read = np.moveaxis(encoded['keypoint_indices'], -1, 0)
    places = places[read == 1]
    assert (places >= 0).all()
    assert (places < np.prod(codec.heatmap_size) * 5).all()
