"""Effects of faults in MMPose and our codecs, and what is reported of them.

The faults are in ``tests/support/bad_data_rows.py``.
"""
import math
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import MODELS

from ..conftest import CONFIGS
from ..support.bad_data import (
    FILE,
    KEPT,
    SCHEMES,
    SKIPPED,
    STOPS,
    TARGETS,
    WEIGHTLESS,
    WRONG,
    build,
    valid_content,
    weights_left,
    write,
    write_faulty,
)
from ..support.bad_data_rows import ROWS
from ..support.checked import faults

DEMO = next((CONFIGS / 'demo').glob('*.py'))


@pytest.mark.parametrize('scheme', SCHEMES)
@pytest.mark.parametrize('name', ROWS)
def test_fault(name, scheme, tmp_path):
    row, place = ROWS[name], SCHEMES.index(scheme)
    write_faulty(tmp_path, row)
    check_effect(row, scheme, tmp_path)
    found = faults(tmp_path, data_mode=scheme, images=True)
    effect = row.effects[place]
    if effect is None:
        assert not found
        return
    assert {fault.kind for fault in found} == set(row.kinds)
    first = next(fault for fault in found if fault.kind == row.kinds[0])
    assert first.effect == effect
    assert re.search(row.message, first.message)
    of_image = 'image' in first.kind and first.kind not in (
        'image_record', 'image_sample', 'unknown_image')
    assert first.file == str(tmp_path / ('1.png' if of_image else FILE))
    if first.annotation is not None:
        assert first.annotation in ('10', 'at 0')
    if first.kind in ('image_sample', 'keypoint_count', 'box') or of_image:
        assert first.image == '1 1.png'


def check_effect(row, scheme, folder):
    """MMPose does what the row says with annotation 10."""
    place = SCHEMES.index(scheme)
    effect, weights = row.effects[place], row.weights[place]
    if effect == STOPS:
        # MMPose cannot serialize an empty dataset.
        serialized = row.kinds == ('no_instances', )
        with pytest.raises(Exception, match=row.errors[place]):
            weights_left(build(folder, scheme, serialize_data=serialized))
        return
    # A target per scheme covers both targets in half of the time.
    left = weights_left(build(folder, scheme, TARGETS[place]))
    assert left[20] == 17
    assert effect != SKIPPED or 10 not in left
    if effect in (WEIGHTLESS, KEPT, WRONG) and weights is not None:
        assert left[10] == pytest.approx(weights)
        assert effect != WEIGHTLESS or left[10] < 17


def test_surplus_keypoints_stop_training(tmp_path):
    """The head refuses what a flip does not cut off."""
    content = valid_content(tmp_path)
    for entry in content['annotations']:
        entry['keypoints'] = (entry['keypoints'] * 2)[:3 * 18]
    write(tmp_path, content)
    assert weights_left(build(tmp_path, flip=1.)) == {10: 17, 11: 17, 20: 17}
    dataset = build(tmp_path, flip=0.)
    samples = [dataset[i]['data_samples'] for i in range(2)]
    head = MODELS.build(
        dict(
            type='SRHead',
            in_channels=8,
            out_channels=17,
            upscale_factor=4,
            decoder=dict(
                type='SRHeatmap', input_size=(48, 64), sigma=2,
                target='keypoints')))
    with pytest.raises(
            ValueError, match='got 18 from annotations .* describes 17'):
        head.loss((torch.zeros(2, 8, 16, 12), ), samples)
    assert {fault.kind for fault in faults(tmp_path)} == {'keypoint_count'}


def test_training_survives_all_faults_that_do_not_stop_it(tmp_path):
    """Losses and weights stay finite in an epoch of all faults at once."""
    content = valid_content(tmp_path)
    good = content['annotations'][0]
    entries = []
    for row in ROWS.values():
        if row.effects[0] in (STOPS, None) or 'box' in row.kinds[1:]:
            continue
        one = dict(annotations=[{**good, 'keypoints': [*good['keypoints']]}],
                   images=[dict(content['images'][0])])
        row.change(one, tmp_path)
        entries.append({**one['annotations'][0], 'id': len(entries) + 100})
    assert len(entries) >= 24
    write(tmp_path, {**content, 'annotations': [good, *entries]})
    cfg = Config.fromfile(DEMO)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.train_dataloader.batch_size = 8
    cfg.train_dataloader.dataset.update(
        data_root=str(tmp_path), ann_file=FILE, data_prefix=dict(img=''))
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    cfg.default_hooks.checkpoint.interval = -1
    cfg.default_hooks.logger.interval = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    losses = runner.message_hub.log_scalars['train/loss'].data[0]
    assert len(losses) >= 2 and all(math.isfinite(loss) for loss in losses)
    assert all(p.isfinite().all() for p in runner.model.parameters())
