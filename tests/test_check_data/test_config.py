"""Faults of the config: codec and crop, metainfo, box format, scope."""
import copy

import pytest
from mmengine.config import Config
from mmpose.datasets.datasets import CocoDataset
from mmpose.datasets.transforms import LoadImage, PackPoseInputs
from mmpose.evaluation.metrics import CocoMetric

from srpose_mm.check_data import check_dataset

from ..support.bad_data import (
    COCO_INFO,
    FILE,
    KEPT,
    STOPS,
    WRONG,
    pipeline,
    valid_content,
    weights_left,
    write,
)
from ..support.bad_data import build as build_dataset
from ..support.checked import config, faults

CODEC = dict(type='SRHeatmap', input_size=(192, 256), sigma=8)


def one_fault(*args, **kwargs):
    fault, = faults(*args, **kwargs)
    return fault.kind, fault.effect, fault.message


@pytest.mark.parametrize('size', [(256, 192), (288, 384)])
def test_encoder_of_another_size_than_the_crop(size, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    steps = [dict(type='TopdownAffine', input_size=(192, 256)),
             dict(type='GenerateTarget', encoder=dict(CODEC, input_size=size))]
    assert one_fault(tmp_path, pipeline=steps) == (
        'codec', WRONG, f'SRHeatmap has input_size {size}, the crop '
        '(192, 256); write the same (width, height) in both')
    steps[1]['encoder'] = [CODEC, dict(CODEC, input_size=size)]
    assert len(faults(tmp_path, pipeline=steps)) == 1
    steps[1]['encoder'] = [CODEC, CODEC]
    assert not faults(tmp_path, pipeline=steps)


@pytest.mark.parametrize('codec, udp, name', [
    (CODEC, True, 'MSRA'), (dict(CODEC, use_udp=True), False, 'UDP'),
    (dict(type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64)),
     False, 'UDP')], ids=['SRHeatmap', 'with UDP', 'UDPHeatmap'])
def test_encoder_and_crop_differ_in_udp(codec, udp, name, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    steps = [
        dict(type='TopdownAffine', input_size=(192, 256), use_udp=udp),
        dict(type='GenerateTarget', encoder=codec)]
    assert one_fault(tmp_path, pipeline=steps) == (
        'codec', WRONG, f'{codec["type"]} maps pixels by {name}, the crop '
        f'does not; write use_udp={not udp} in TopdownAffine')
    steps[0]['use_udp'] = not udp
    assert not faults(tmp_path, pipeline=steps)


def test_decoder_of_another_size_than_the_crop(tmp_path):
    write(tmp_path, valid_content(tmp_path))
    steps = [dict(type='TopdownAffine', input_size=(256, 192))]
    cfg = config(tmp_path, split='val', pipeline=steps)
    cfg.model = dict(type='Any', head=dict(type='Any', decoder=CODEC))
    report, = check_dataset(cfg)
    assert [fault.kind for fault in report.faults] == ['codec']
    cfg.model.head.decoder.input_size = (256, 192)
    report, = check_dataset(cfg)
    assert not report.faults


def metainfo(**swaps):
    """Return COCO's metainfo with other swaps of eyes and ears."""
    info = copy.deepcopy(COCO_INFO)
    for entry in info['keypoint_info'].values():
        entry['swap'] = swaps.get(entry['name'], entry['swap'])
    return info


LEFT = 'left_eye swaps with left_eye, not with right_eye; '
RIGHT = 'right_eye swaps with right_eye, not with left_eye'
ONE_SIDED = LEFT + 'right_eye swaps with left_eye, left_eye with left_eye'


@pytest.mark.parametrize('swaps, message', [
    (dict(left_eye=''), ONE_SIDED),
    (dict(left_eye='left_eye'), ONE_SIDED),
    (dict(left_eye='left_eye', right_eye=''), LEFT + RIGHT),
    (dict(left_eye='right_eye', right_eye='left_ear', left_ear='left_eye'),
     'left_eye swaps with right_eye, right_eye with left_ear; right_eye swaps '
     'with left_ear, left_ear with left_eye; left_ear swaps with left_eye, '
     'left_eye with right_eye; and 1 more'),
])
def test_swaps_that_are_not_mutual(swaps, message, tmp_path):
    message = 'swap must be mutual, left with right: ' + message
    content = valid_content(tmp_path)
    write(tmp_path, content)
    info = metainfo(**swaps)
    assert one_fault(tmp_path, metainfo=info) == ('metainfo', WRONG, message)
    # The metainfo of a CombinedDataset is the one that a flip uses.
    cfg = config(tmp_path)
    cfg.train_dataloader.dataset = dict(
        type='CombinedDataset', metainfo=info,
        datasets=[cfg.train_dataloader.dataset])
    report, = check_dataset(cfg)
    assert [fault.message for fault in report.faults] == [message]
    # Keypoints that nobody has labelled have no targets.
    for entry in content['annotations']:
        entry['keypoints'][3:15] = [0] * 12
    write(tmp_path, content)
    assert not faults(tmp_path, metainfo=info)


def test_flip_with_a_one_sided_swap_moves_an_eye(tmp_path):
    """Flipping twice must give the same keypoints."""
    write(tmp_path, valid_content(tmp_path))
    steps = [dict(type='RandomFlip', prob=1.)] * 2
    steps = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), *steps]
    for swaps, same in ((dict(), True), (dict(left_eye=''), False)):
        dataset = build_dataset(
            tmp_path, metainfo=metainfo(**swaps), pipeline=steps)
        before = dataset.get_data_info(0)['keypoints']
        after = dataset[0]['keypoints']
        assert (abs(before - after).max() < 1e-3) == same


@pytest.mark.parametrize('key', ['sigmas', 'joint_weights'])
def test_values_per_keypoint(key, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    info = dict(COCO_INFO, **{key: COCO_INFO[key][:16]})
    message = f'16 {key} for 17 keypoints'
    assert one_fault(tmp_path, metainfo=info) == ('metainfo', KEPT, message)
    steps = pipeline('topdown', 'keypoints')
    steps[-2]['use_dataset_keypoint_weights'] = True
    effect = STOPS if key == 'joint_weights' else KEPT
    assert one_fault(tmp_path, metainfo=info, pipeline=steps) == (
        'metainfo', effect, message)
    if key == 'joint_weights':
        with pytest.raises(ValueError, match='16'):
            weights_left(build_dataset(
                tmp_path, metainfo=info, pipeline=steps))
    else:
        assert one_fault(
            tmp_path, split='val', metainfo=info,
            evaluator=dict(type='CocoMetric')) == ('metainfo', STOPS, message)


@pytest.mark.parametrize('key', ['dataset_name', 'keypoint_info', 'sigmas',
                                 'skeleton_info', 'joint_weights'])
def test_missing_metainfo_is_named(key, tmp_path):
    info = {name: value for name, value in COCO_INFO.items() if name != key}
    message = f"CocoDataset that can be built, got .*'{key}' in metainfo"
    with pytest.raises(ValueError, match=message):
        check_dataset(config(tmp_path, metainfo=info))
    cfg = config(tmp_path)
    cfg.train_dataloader.dataset = dict(
        type='CombinedDataset', metainfo=info,
        datasets=[cfg.train_dataloader.dataset])
    with pytest.raises(ValueError, match=message):
        check_dataset(cfg)


def test_swap_with_an_unknown_keypoint(tmp_path):
    with pytest.raises(ValueError, match="got KeyError: 'left_beak'"):
        check_dataset(config(tmp_path, metainfo=metainfo(nose='left_beak')))


def test_boxes_as_corners(tmp_path):
    content = valid_content(tmp_path)
    boxes = [[24, 20, 44, 44], [18, 16, 40, 40], [20, 20, 40, 38]]
    for entry, box in zip(content['annotations'], boxes):
        entry['bbox'] = box
    write(tmp_path, content)
    for scheme, effect in (('topdown', WRONG), ('bottomup', KEPT)):
        file, box = sorted(faults(tmp_path, data_mode=scheme),
                           key=lambda fault: fault.annotation or '')
        assert (file.kind, file.effect) == (box.kind, box.effect) == (
            'box_corners', effect)
        assert file.message == ('most of the 3 boxes of the file; the first '
                                'is [24, 20, 44, 44]')
        # The other boxes also lie in their images as x, y, width, height.
        assert box.annotation == '10'
    # A box at the upper left corner can be read both ways.
    for entry, (x1, y1, x2, y2) in zip(content['annotations'], boxes):
        entry['bbox'] = [x1, y1, x2 - x1, y2 - y1]
    content['annotations'][0]['bbox'] = [1, 1, 40, 40]
    write(tmp_path, content)
    assert not faults(tmp_path)


def test_boxes_as_corners_inside_their_images(tmp_path):
    """As x, y, width, height no box leaves its image."""
    content = valid_content(tmp_path)
    for entry in content['annotations']:
        entry['bbox'] = [18, 19, 37, 38]
    write(tmp_path, content)
    assert one_fault(tmp_path) == (
        'box_corners', WRONG, 'most of the 3 boxes of the file; the first is '
        '[18, 19, 37, 38]')
    for entry in content['annotations']:
        entry['bbox'] = [18, 19, 19, 19]
    write(tmp_path, content)
    assert not faults(tmp_path)


def test_config_without_a_default_scope(tmp_path):
    """MMPose's pure Python configs name classes and no scope."""
    write(tmp_path, valid_content(tmp_path))
    dataset = dict(
        type=CocoDataset, data_root=str(tmp_path), ann_file=FILE,
        data_prefix=dict(img=''), test_mode=True,
        pipeline=[dict(type=LoadImage), dict(type=PackPoseInputs)])
    cfg = Config(dict(
        default_scope=None, model=dict(type='Any'),
        val_dataloader=dict(dataset=dataset),
        val_evaluator=dict(type=CocoMetric, ann_file=str(tmp_path / FILE))))
    report, = check_dataset(cfg, images=True)
    assert report.title == 'val: CocoDataset, top-down' and not report.faults
