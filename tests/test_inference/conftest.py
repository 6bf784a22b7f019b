"""Models of the tests of predict."""

import pytest
import torch
from mmpose.apis import init_model

from srpose_mm.inference.predict import predict

from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    draw_weights,
    save,
)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A checkpoint of the demo's config."""
    torch.manual_seed(0)
    model = init_model(str(DEMO), None, device='cpu')
    draw_weights(model)
    return save(model, tmp_path_factory.mktemp('weights') / 'demo.pth')


@pytest.fixture
def model(weights):
    return init_model(str(DEMO), str(weights), device='cpu')


@pytest.fixture
def bottom_up(tmp_path):
    """A small bottom-up model and its checkpoint."""
    model = init_model(
        str(BOTTOM_UP), None, device='cpu', cfg_options=SMALL_BOTTOM_UP)
    draw_weights(model)
    return model, save(model, tmp_path / 'bottom_up.pth')


@pytest.fixture
def run(weights, tmp_path):
    """Predict with the demo's model into ``out``."""

    def run(inputs, **options):
        return predict(DEMO, weights, inputs, tmp_path / 'out', device='cpu',
                       **options)

    return run
