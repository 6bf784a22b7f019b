"""How many examples a property is tried on, and what codecs they are of."""
import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from srpose_mm.codecs import SRHeatmap

# More than the quick number: SRPOSE_MM_EXAMPLES=2000 python -m pytest ...
EXAMPLES = int(os.environ.get('SRPOSE_MM_EXAMPLES', 60))
POINTS = 12


def property_test(number=EXAMPLES):
    """Settings of a test; the same examples in every run."""
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        # What fixtures hold here is the seed and MMEngine's scope.
        suppress_health_check=list(HealthCheck))


@st.composite
def codecs(draw, least_sigma=1., whole=False, least_grid=None, **fixed):
    """A codec: grids of 8 to 72 cells, cells of 1 to 4 px.

    ``least_grid`` gives the smallest grid of a sigma, where that is more.
    """
    cell = draw(st.integers(1, 4))
    sigma = draw(
        st.integers(int(least_sigma), 8)
        if whole else st.floats(least_sigma, 8, width=16))
    least = 8 if least_grid is None else least_grid(sigma)
    sides = st.integers(least, least + 64)
    grid = draw(st.tuples(sides, sides))
    options = dict(
        unbiased=st.booleans(),
        refine=st.sampled_from(['none', 'shift', 'dark', 'parabola']),
        use_udp=st.booleans())
    chosen = {
        name: fixed[name] if name in fixed else draw(strategy)
        for name, strategy in options.items()
    }
    return SRHeatmap(
        input_size=tuple(cell * cells for cells in grid),
        heatmap_size=grid,
        sigma=sigma,
        **chosen)


def points(codec, seed, margin=0.):
    """Keypoints in cells, uniform, ``margin`` cells within the last ones."""
    last = np.array(codec.heatmap_size) - 1
    margin = np.minimum(margin, last / 2)
    generator = np.random.default_rng(seed)
    return generator.uniform(margin, last - margin, (POINTS, 2))


def border_points(codec, seed):
    """Keypoints in cells, in the four outermost cells of each corner."""
    last = np.array(codec.heatmap_size) - 1
    generator = np.random.default_rng(seed)
    near = generator.uniform(0, np.minimum(4, last), (POINTS, 2))
    far_side = generator.integers(0, 2, (POINTS, 2))
    return np.where(far_side, last - near, near)


def to_input(codec, cells):
    """Cells as keypoints of one person in shape (1, K, 2), in input px."""
    return (cells * codec.encode_scale).astype(np.float32)[None]


def decoded_cells(codec, heatmaps):
    """What a codec decodes of maps (K, H, W), in cells."""
    return codec.decode(heatmaps)[0][0] / codec.decode_scale


seeds = st.integers(0, 2**32 - 1)
