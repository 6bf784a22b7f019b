"""Stock models with any scheme and options."""
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpose_mm.apis import swap_head
from srpose_mm.configs import load_config

from ..support.examples import EXAMPLES, property_test
from ..support.stock_models import REFUSED, SR, SRPOSE

NAMES = sorted({row[0] for row in (*SR, *SRPOSE)} | set(REFUSED))[::2]


def optional(strategy):
    return st.none() | strategy


@pytest.fixture(scope='module')
def stock():
    return {name: load_config(name) for name in NAMES}


@given(
    st.sampled_from(NAMES), st.sampled_from(['sr', 'srpose']),
    st.fixed_dictionaries(
        dict(
            heatmap_size=optional(st.sampled_from([(48, 64), (192, 256)])),
            sigma=optional(st.floats(0.5, 12, width=16)),
            refine=optional(
                st.sampled_from(['none', 'shift', 'dark', 'parabola'])),
            unbiased=optional(st.booleans()))))
@property_test(EXAMPLES // 2)
def test_the_input_is_never_changed(stock, name, scheme, options):
    """Whether the swap succeeds, which it can a second time, or is refused."""
    cfg = stock[name]
    before = deepcopy(cfg.to_dict())
    try:
        first = swap_head(cfg, scheme, **options)
    except (TypeError, ValueError) as err:
        assert cfg.to_dict() == before
        # A refusal names what it refuses.
        assert str(err)
        return
    assert cfg.to_dict() == before
    assert swap_head(cfg, scheme, **options).to_dict() == first.to_dict()
