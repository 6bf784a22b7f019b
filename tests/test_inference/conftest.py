"""Models of the tests of predict, each built once."""
import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.apis import init_model

from srpose_mm.configs import load_config
from srpose_mm.console import get_logger
from srpose_mm.inference import predict, prediction
from srpose_mm.inference.inferencer import PoseInferencer

from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    SMALL_DETECTOR,
    draw_weights,
    save,
)


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """A checkpoint of the demo's config."""
    torch.manual_seed(0)
    model = init_model(str(DEMO), None, device='cpu')
    draw_weights(model)
    return save(model, tmp_path_factory.mktemp('weights') / 'demo.pth')


@pytest.fixture(scope='session')
def model(weights):
    """The demo's model as MMPose loads it."""
    return init_model(str(DEMO), str(weights), device='cpu')


@pytest.fixture(scope='session')
def inferencer(weights):
    return PoseInferencer(DEMO, weights, device='cpu')


@pytest.fixture(scope='session')
def bottom_up(tmp_path_factory):
    """A small bottom-up model and its checkpoint."""
    torch.manual_seed(0)
    model = init_model(
        str(BOTTOM_UP), None, device='cpu', cfg_options=SMALL_BOTTOM_UP)
    draw_weights(model)
    folder = tmp_path_factory.mktemp('bottom_up')
    return model, save(model, folder / 'bottom_up.pth')


@pytest.fixture(scope='session')
def detector(tmp_path_factory):
    """A small detector, persons and birds anywhere: config and checkpoint."""
    from mmdet.registry import MODELS
    torch.manual_seed(0)
    cfg = load_config('mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    cfg.merge_from_dict(SMALL_DETECTOR)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(copy.deepcopy(cfg.model))
    for classes, distances in zip(model.bbox_head.rtm_cls,
                                  model.bbox_head.rtm_reg):
        classes.bias.data.fill_(-9)
        classes.bias.data[[0, 14]] = 0
        distances.bias.data.fill_(1.5)
    folder = tmp_path_factory.mktemp('detector')
    cfg.dump(folder / 'detector.py')
    return folder / 'detector.py', save(model, folder / 'detector.pth')


@pytest.fixture
def run(inferencer, tmp_path, monkeypatch):
    """Predict with the demo's model into ``out``."""
    monkeypatch.setattr(prediction, 'PoseInferencer', lambda *args: inferencer)

    def run(inputs, **options):
        return predict(inputs, DEMO, 'weights', tmp_path / 'out', **options)

    return run


@pytest.fixture
def log(monkeypatch):
    """The messages that are logged."""
    messages = []
    logger = get_logger()
    for level in ('info', 'warning'):
        monkeypatch.setattr(logger, level,
                            lambda message: messages.append(str(message)))
    return messages


@pytest.fixture
def demo():
    """The demo's config, to change."""
    return Config.fromfile(DEMO)
