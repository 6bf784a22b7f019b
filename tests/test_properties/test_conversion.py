"""Tensors of the authors' code under the keys of this package."""
import torch
from hypothesis import given
from hypothesis import strategies as st

from srpose_mm.checkpoints.authors import to_our_keys

from ..support.authors_code import authors_bottom_up, authors_srpose
from ..support.examples import EXAMPLES, property_test

channels = st.integers(1, 9)


@st.composite
def srpose_heads(draw):
    """Draw weights of two to four levels, with the design's numbers or not."""
    levels = draw(st.integers(2, 4))

    def each(strategy):
        return tuple(draw(strategy) for _ in range(levels))

    return authors_srpose(
        keypoints=draw(channels),
        inputs=each(channels),
        widths=each(channels),
        embeds=each(st.integers(1, 5)),
        factors=each(st.integers(1, 4)),
        kernels=each(st.sampled_from([1, 3, 5, 7, 9])))


@st.composite
def bottom_up_heads(draw):
    deconvs = draw(
        st.lists(st.tuples(channels, st.sampled_from([2, 3, 4])), max_size=3))
    return authors_bottom_up(
        keypoints=draw(channels),
        inputs=draw(channels),
        deconvs=deconvs,
        embed=draw(st.integers(1, 5)),
        factor=draw(st.integers(1, 4)),
        size=draw(st.sampled_from([1, 3, 5, 7, 9])))


@given(st.one_of(srpose_heads(), bottom_up_heads()))
@property_test(EXAMPLES // 2)
def test_conversion_loses_nothing(theirs):
    theirs = {**theirs, 'backbone.conv1.weight': torch.randn(2, 3, 1, 1)}
    ours = to_our_keys(theirs)
    assert len(ours) == len(theirs)
    for (key, value), our_key in zip(theirs.items(), ours):
        assert our_key.startswith(('backbone.', 'neck.', 'head.')), key
        shape = value.shape
        if key.endswith(('pwconv1.weight', 'pwconv2.weight')):
            shape = (*value.shape, 1, 1)
        assert torch.equal(ours[our_key], value.view(shape)), key
