"""What MMPose's data sets and pipelines, and our codecs, make of bad data.

The faults, and what is said to become of them, are in ``bad_data_rows.py``;
that ``check_dataset`` says the same is in ``test_apis/test_check_dataset.py``.
"""
import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import MODELS
from PIL import Image

from ..support.bad_data import (
    FILE,
    INF,
    KEPT,
    SCHEMES,
    SKIPPED,
    STOPS,
    TARGETS,
    WEIGHTLESS,
    WRONG,
    build,
    nose,
    person,
    sound,
    spoiled,
    weights_left,
    write,
)
from ..support.bad_data_rows import ROWS
from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))


@pytest.mark.parametrize('scheme', SCHEMES)
@pytest.mark.parametrize('name', ROWS)
def test_what_becomes_of_a_fault(name, scheme, tmp_path):
    row = ROWS[name]
    spoiled(tmp_path, row)
    place = SCHEMES.index(scheme)
    effect = row.effects[place]
    if effect == STOPS:
        for target in TARGETS:
            with pytest.raises(Exception, match=row.errors[place]):
                weights_left(build(tmp_path, scheme, target))
        return
    for target in TARGETS:
        left = weights_left(build(tmp_path, scheme, target))
        assert left[20] == 17
        if effect == SKIPPED:
            assert 10 not in left
        elif effect in (WEIGHTLESS, KEPT, WRONG) and row.weights[
                place] is not None:
            assert left[10] == pytest.approx(row.weights[place])
            assert effect != WEIGHTLESS or left[10] < 17


def test_errors_of_images_name_them(tmp_path):
    """Those of annotations do not, which is what check_dataset is for."""
    named = {
        name for name, row in ROWS.items() if '1\\.png' in row.errors[0]
    }
    assert named == {'missing', 'zero_bytes', 'text', 'truncated'}


@pytest.mark.parametrize('shape', [(64, 64), (64, 64, 4), (64, 64, 2)])
def test_images_of_one_two_and_four_channels(shape, tmp_path):
    content = sound(tmp_path)
    write(tmp_path, content)
    Image.fromarray(np.full(shape, 90, np.uint8)).save(tmp_path / '1.png')
    dataset = build(tmp_path)
    assert dataset[0]['inputs'].shape == (3, 64, 48)
    assert weights_left(dataset) == {10: 17, 11: 17, 20: 17}


def test_the_last_of_two_annotations_takes_the_others_place(tmp_path):
    """The picture of image 1 is trained on with the person of image 2."""
    content = sound(tmp_path)
    content['annotations'][2]['id'] = 10
    write(tmp_path, content)
    dataset = build(tmp_path)
    first = dataset.get_data_info(0)
    assert first['img_path'].endswith('1.png') and first['img_id'] == 2
    expected = np.reshape(content['annotations'][2]['keypoints'], (17, 3))
    np.testing.assert_allclose(first['keypoints'][0], expected[:, :2],
                               rtol=1e-6)


def test_the_last_of_two_images_gets_all_people(tmp_path):
    content = sound(tmp_path)
    content['images'][1]['id'] = 1
    write(tmp_path, content)
    dataset = build(tmp_path)
    assert [dataset.get_data_info(i)['id'] for i in range(len(dataset))
            ] == [10, 11]
    assert dataset.get_data_info(0)['img_path'].endswith('2.png')


def test_the_order_of_keypoints_is_not_looked_at(tmp_path):
    content = sound(tmp_path)
    write(tmp_path, content)
    expected = build(tmp_path).get_data_info(0)['keypoints']
    content['categories'][0]['keypoints'].reverse()
    write(tmp_path, content)
    np.testing.assert_array_equal(
        build(tmp_path).get_data_info(0)['keypoints'], expected)


def test_a_labelled_origin_is_a_target_in_the_corner(tmp_path):
    content = sound(tmp_path)
    nose(0, 0, 2)(content, tmp_path)
    write(tmp_path, content)
    labels = build(tmp_path, 'bottomup')[0]['data_samples'].gt_instance_labels
    assert labels.keypoint_labels[0, 0].tolist() == [0, 0]
    assert labels.keypoint_weights[0, 0] == 1


def test_an_infinite_box_ends_at_the_images_border(tmp_path):
    content = sound(tmp_path)
    person(bbox=[16, 8, INF, 32])(content, tmp_path)
    write(tmp_path, content)
    assert build(tmp_path).get_data_info(0)['bbox'].tolist() == [
        [16, 8, 63, 40]
    ]


def test_boxes_are_clipped_to_the_recorded_size(tmp_path):
    content = sound(tmp_path)
    content['images'][0]['width'] = 32
    write(tmp_path, content)
    assert build(tmp_path).get_data_info(0)['bbox'].tolist() == [
        [16, 8, 31, 40]
    ]


@pytest.mark.parametrize('number', [16, 18])
def test_another_number_of_keypoints_stops_training(number, tmp_path):
    """18 pass a flip, which cuts them to 17; the head refuses the others."""
    content = sound(tmp_path)
    for entry in content['annotations']:
        entry['keypoints'] = (entry['keypoints'] * 2)[:3 * number]
    write(tmp_path, content)
    if number == 18:
        assert weights_left(build(tmp_path, flip=1.)) == {
            10: 17, 11: 17, 20: 17
        }
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
            ValueError,
            match=f'SRHead: expected 17 keypoints, got {number} from the '
            'data'):
        head.loss((torch.zeros(2, 8, 16, 12), ), samples)


def test_training_goes_on_with_all_that_does_not_stop_it(tmp_path):
    """An epoch of everything at once: losses and weights stay finite."""
    content = sound(tmp_path)
    good = content['annotations'][0]
    entries = []
    for row in ROWS.values():
        if row.effects[0] in (STOPS, None) or 'empty_box' in row.kinds[1:]:
            continue
        one = dict(annotations=[{**good, 'keypoints': [*good['keypoints']]}],
                   images=[dict(content['images'][0])])
        row.spoil(one, tmp_path)
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
