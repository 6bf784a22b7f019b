"""The number of channels of a model's images, read from its config."""
import pytest
from mmengine.config import Config

from srpose_mm.configs import input_channels

GRAY = dict(type='LoadImage', color_type='grayscale')


def config(backbone=None, mean=None, loader=None):
    model = dict(backbone=dict(type='ResNet', **(backbone or {})))
    if mean:
        model['data_preprocessor'] = dict(
            type='PoseDataPreprocessor', mean=mean)
    cfg = dict(model=model)
    if loader:
        cfg['val_dataloader'] = dict(
            dataset=dict(
                type='RepeatDataset',
                dataset=dict(pipeline=[loader, dict(type='PackPoseInputs')])))
    return Config(cfg)


@pytest.mark.parametrize('parts, expected', [
    (dict(), 3),
    (dict(backbone=dict(in_channels=1)), 1),
    (dict(backbone=dict(in_chans=4), mean=[1, 2, 3, 4]), 4),
    (dict(mean=[1, 2, 3, 4]), 4),
    (dict(mean=[127.5]), 3),
    (dict(mean=[127.5], loader=GRAY), 1),
    (dict(loader=GRAY), 1),
    (dict(loader=dict(type='LoadImage', color_type='unchanged')), 3),
    # A transform behind the loader can make gray images of colored ones.
    (dict(backbone=dict(in_channels=1), loader=dict(type='LoadImage')), 1),
    (dict(mean=[1, 2, 3], loader=GRAY), 3),
])
def test_input_channels(parts, expected):
    assert input_channels(config(**parts)) == expected
