"""Faults of the training data in the log."""
import logging
import sys
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmpose.registry import HOOKS

from ..support.bad_data import valid_content, write
from ..support.checked import config
from ..support.training import config as training
from ..support.training import train


def logged(caplog, cfg, **options):
    """Return the level and the text that the hook logs."""
    runner = SimpleNamespace(cfg=cfg, logger=logging.getLogger('training'))
    hook = HOOKS.build(dict(type='CheckDatasetHook', **options))
    with caplog.at_level(logging.INFO, 'training'):
        hook.before_train(runner)
    record, = caplog.records
    return record.levelname, record.getMessage()


def test_fault(tmp_path, caplog):
    content = valid_content(tmp_path)
    content['annotations'][0]['keypoints'][:3] = [0, 0, 2]
    write(tmp_path, content)
    level, text = logged(caplog, config(tmp_path))
    assert level == 'WARNING'
    assert 'keypoint_at_origin: 1, wrong' in text
    assert f'- {tmp_path}' in text
    assert 'image 1 1.png, annotation 10' in text


def test_valid_data(tmp_path, caplog):
    write(tmp_path, valid_content(tmp_path))
    level, text = logged(caplog, config(tmp_path))
    assert level == 'INFO' and text.endswith('no faults')


def test_images_are_opened_on_request(tmp_path, caplog):
    write(tmp_path, valid_content(tmp_path))
    (tmp_path / '1.png').write_bytes(b'')
    _, text = logged(caplog, config(tmp_path))
    assert text.endswith('no faults')
    caplog.clear()
    _, text = logged(caplog, config(tmp_path), images=True)
    assert 'unreadable_image: 1, stops' in text


def test_switched_off(caplog, monkeypatch):
    # Any import of the package would fail.
    monkeypatch.setitem(sys.modules, 'srpose_mm.check_data', None)
    hook = HOOKS.build(dict(type='CheckDatasetHook', enable=False))
    hook.before_train(SimpleNamespace(cfg=Config(), logger=logging))
    assert not caplog.records


@pytest.mark.parametrize('dataset, reason', [
    (dict(type='InterHand2DDoubleDataset_'), 'InterHand2DDoubleDataset_'),
    (['no', 'dict'], 'ValueError'),
])
def test_training_on_other_data_sets_goes_on(dataset, reason, caplog):
    cfg = Config(
        dict(
            model=dict(type='Any'), train_dataloader=dict(dataset=dataset)))
    level, text = logged(caplog, cfg)
    assert level == 'WARNING' and 'the data was not checked' in text
    assert reason in text


def test_training_goes_on(toy_coco, tmp_path):
    cfg = training(toy_coco, tmp_path)
    cfg.log_level = 'INFO'
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.check_dataset = dict(type='CheckDatasetHook')
    runner = train(cfg)
    assert runner.epoch == 1
    log, = tmp_path.glob('*/*.log')
    assert 'CheckDatasetHook: train: CocoDataset, top-down' in log.read_text()
