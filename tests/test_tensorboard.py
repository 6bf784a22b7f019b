"""Training curves in TensorBoard, switched on by one option."""
import pytest
from mmengine.config import Config
from mmpose.registry import VISUALIZERS
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from .conftest import CONFIGS

# As the manual says it: --cfg-options KEY=VALUE.
KEY, VALUE = 'visualizer.vis_backends.0.type', 'TensorboardVisBackend'
FILES = sorted(CONFIGS.glob('[!_]*/**/*.py'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_option_fits_every_config(file):
    cfg = Config.fromfile(file)
    cfg.merge_from_dict({KEY: VALUE})
    assert [b.type for b in cfg.visualizer.vis_backends] == [VALUE]


def test_scalars_are_written(tmp_path):
    cfg = Config.fromfile(next((CONFIGS / 'demo').glob('*.py')))
    cfg.merge_from_dict({KEY: VALUE})
    visualizer = VISUALIZERS.build(
        dict(cfg.visualizer, name='tensorboard', save_dir=str(tmp_path)))
    for step, loss in enumerate((0.5, 0.25)):
        visualizer.add_scalars(dict(loss=loss), step=step)
    visualizer.close()
    file, = tmp_path.rglob('events.out.tfevents.*')
    events = EventAccumulator(str(file)).Reload().Scalars('loss')
    assert [(e.step, e.value) for e in events] == [(0, 0.5), (1, 0.25)]
