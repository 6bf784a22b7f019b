"""Every fault is found, named, and nothing else is."""
import json
import re
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from srpose_mm.check_data import (
    EFFECTS,
    KINDS,
    as_json,
    format_checked,
)
from srpose_mm.check_data.check_dataset import check_dataset

from ..support.bad_data import (
    FILE,
    SCHEMES,
    STOPS,
    WRONG,
    person,
    sound,
    spoiled,
    write,
)
from ..support.bad_data_rows import ROWS
from ..support.checked import COCO, config, faults


@pytest.mark.parametrize('scheme', SCHEMES)
def test_nothing_is_wrong(scheme, tmp_path):
    write(tmp_path, sound(tmp_path))
    checked, = check_dataset(
        config(tmp_path, data_mode=scheme), ['train'], images=True)
    assert not checked.faults
    assert checked.counts == dict(annotations=3, used=3, images=2)
    assert format_checked([checked]).endswith('no faults')


@pytest.mark.parametrize('scheme', SCHEMES)
@pytest.mark.parametrize('name', ROWS)
def test_a_fault_is_found(name, scheme, tmp_path):
    row = ROWS[name]
    spoiled(tmp_path, row)
    found = faults(tmp_path, data_mode=scheme, images=True)
    effect = row.effects[SCHEMES.index(scheme)]
    if effect is None:
        assert not found
        return
    assert {fault.kind for fault in found} == set(row.kinds)
    first = next(fault for fault in found if fault.kind == row.kinds[0])
    assert first.effect == effect
    assert re.search(row.message, first.message)
    file = '1.png' if 'image' in first.kind and effect in (
        STOPS, WRONG) and first.kind != 'image_record' else FILE
    assert first.file == str(tmp_path / file)
    if first.annotation is not None:
        assert first.annotation in ('10', '11', 'at 0')
    if first.kind not in ('broken_json', 'layout', 'no_people',
                          'unknown_image') and name != 'no_image_id':
        assert '1.png' in first.image or name == 'no_file_name'


def test_gray_and_transparent_images_are_no_fault(tmp_path):
    """They are read with three channels, as are 16 bits and palettes."""
    write(tmp_path, sound(tmp_path))
    gray = np.full((64, 64), 90, dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / '1.png')
    Image.fromarray(np.stack(4 * [gray], -1)).save(tmp_path / '2.png')
    assert not faults(tmp_path, images=True)


def test_an_image_that_is_half_read(tmp_path, monkeypatch):
    """Some versions of OpenCV fill up what a truncated file lacks."""
    content = sound(tmp_path)
    write(tmp_path, content)
    path = tmp_path / '1.png'
    path.write_bytes(path.read_bytes()[:2000])
    monkeypatch.setattr('mmcv.imfrombytes',
                        lambda *args, **kwargs: np.zeros((64, 64, 3)))
    fault, = faults(tmp_path, images=True)
    assert (fault.kind, fault.effect) == ('damaged_image', WRONG)
    assert re.search('truncated|broken', fault.message)


def test_a_recorded_size_that_is_too_large(tmp_path):
    content = sound(tmp_path)
    content['images'][0]['width'] = 40000
    write(tmp_path, content)
    fault, = faults(tmp_path)
    assert (fault.kind, fault.image) == ('image_too_large', '1 1.png')
    fault, = faults(tmp_path, images=True)
    assert fault.kind == 'image_size'


def test_a_missing_image_is_found_without_opening_any(tmp_path):
    write(tmp_path, sound(tmp_path))
    (tmp_path / '1.png').unlink()
    (tmp_path / '2.png').write_bytes(b'')
    fault, = faults(tmp_path)
    assert (fault.kind, fault.image) == ('no_image', '1 1.png')


@pytest.mark.parametrize('images', [False, True])
def test_a_name_that_no_file_has_hides_no_other_fault(images, tmp_path):
    content = sound(tmp_path)
    content['images'][0]['file_name'] = 'x' * 300 + '.png'
    write(tmp_path, content)
    (tmp_path / '2.png').unlink()
    found = faults(tmp_path, images=images)
    assert [fault.kind for fault in found] == ['no_image'] * 2


def test_texts_in_an_image_are_no_damage(tmp_path):
    """Pillow refuses a megabyte of them, OpenCV does not read them."""
    write(tmp_path, sound(tmp_path))
    texts = PngInfo()
    texts.add_text('a', 'a' * 2**21, zip=True)
    with Image.open(tmp_path / '1.png') as image:
        image.load()
        image.save(tmp_path / '1.png', pnginfo=texts)
    with pytest.raises(ValueError, match='too large'), Image.open(
            tmp_path / '1.png') as image:
        image.load()
    assert not faults(tmp_path, images=True)


@pytest.mark.parametrize('ids, message', [((10, 10), 'of the images 1, 1'),
                                          ((10, 11, 10), 'the images 1, 2')])
def test_duplicate_annotation_ids(ids, message, tmp_path):
    content = sound(tmp_path)
    for number, entry in zip(ids, content['annotations']):
        entry['id'] = number
    write(tmp_path, content)
    fault, = faults(tmp_path)
    assert fault.kind == 'duplicate_annotation_id'
    assert fault.annotation == '10' and message in fault.message


def test_duplicate_image_ids(tmp_path):
    content = sound(tmp_path)
    content['images'][1]['id'] = 1
    write(tmp_path, content)
    found = faults(tmp_path)
    assert [fault.kind for fault in found] == [
        'duplicate_image_id', 'unknown_image'
    ]
    assert found[0].image == '1 2.png' and '1.png' in found[0].message


@pytest.mark.parametrize('change, kind, message', [
    (lambda names: names[::-1], 'keypoint_order',
     'keypoint 0 is right_ankle, in the config nose; .* and 13 more'),
    (lambda names: ['beak', *names[1:]], 'keypoint_names',
     'category 1: keypoint 0 is beak, in the config nose$'),
    (lambda names: names[:16], 'keypoint_names', '16 keypoints, .* has 17'),
    (lambda names: ['the Nose', *names[1:]], None, ''),
    (lambda names: [], None, ''),
])
def test_names_of_keypoints(change, kind, message, tmp_path):
    content = sound(tmp_path)
    category, = content['categories']
    category['keypoints'] = change(category['keypoints'])
    write(tmp_path, content)
    found = faults(tmp_path)
    assert [fault.kind for fault in found] == ([kind] if kind else [])
    for fault in found:
        assert fault.effect == WRONG and re.search(message, fault.message)


@pytest.mark.parametrize('area, effect', [(..., STOPS), (None, STOPS),
                                          (0, WRONG), (float('nan'), WRONG),
                                          (-5, WRONG), (float('inf'), WRONG)])
def test_areas_count_where_they_are_read(area, effect, tmp_path):
    content = sound(tmp_path)
    person(area=area)(content, tmp_path)
    write(tmp_path, content)
    assert not faults(tmp_path)
    fault, = faults(
        tmp_path, split='val', evaluator=dict(type='CocoMetric'))
    assert (fault.kind, fault.effect, fault.annotation) == ('area', effect,
                                                            '10')
    assert not faults(
        tmp_path,
        split='val',
        evaluator=[dict(type='CocoMetric', use_area=False)])


def test_things_without_keypoints_are_no_fault(tmp_path):
    content = sound(tmp_path)
    content['categories'].append(dict(id=2, name='dog'))
    content['annotations'].append(
        dict(id=30, image_id=2, category_id=2, bbox=[1, 1, 9, 9]))
    write(tmp_path, content)
    checked, = check_dataset(config(tmp_path))
    assert not checked.faults
    assert checked.counts['of things without keypoints'] == 1


def test_two_loaders_of_one_data_set_share_it(tmp_path):
    write(tmp_path, sound(tmp_path))
    cfg = config(tmp_path, split='val')
    cfg.test_dataloader = cfg.val_dataloader
    cfg.train_dataloader = dict(
        dataset=dict(
            type='CombinedDataset',
            metainfo=dict(),
            datasets=[cfg.val_dataloader.dataset, {
                **COCO, 'data_root': str(tmp_path / 'no')
            }]))
    checked = check_dataset(cfg)
    assert [part.title.split(':')[0] for part in checked] == [
        'train, val, test', 'train'
    ]
    fault, = checked[1].faults
    assert (fault.kind, fault.file) == ('no_file', str(tmp_path / 'no' / FILE))


@pytest.mark.parametrize('kwargs, message', [
    (dict(type='H36MWholeBodyDataset'), "got 'H36MWholeBodyDataset' for train"
     '; check its files'),
    (dict(type='NoSuchDataset'), "got 'NoSuchDataset' for train"),
    (dict(typo=1), "CocoDataset that can be built for train, got .*'typo'"),
])
def test_data_sets_that_are_refused(kwargs, message, tmp_path):
    with pytest.raises(ValueError, match=f'check_dataset: expected .*{message}'
                       ):
        check_dataset(config(tmp_path, **kwargs))


def test_splits_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="got 'val'; it has train"):
        check_dataset(config(tmp_path), ['train', 'val'])
    with pytest.raises(ValueError, match="got 'any'; it has none"):
        check_dataset(Config(dict(model=dict())))


def test_report(tmp_path):
    content = sound(tmp_path)
    for entry in content['annotations']:
        entry['bbox'] = [1, 2, 0, 4]
    write(tmp_path, content)
    checked = check_dataset(config(tmp_path))
    text = format_checked(checked, limit=2)
    path = tmp_path / FILE
    assert 'train: CocoDataset, top-down\n' in text
    assert '  empty_box: 3, skipped\n' in text
    assert (f'    - {path}, image 1 1.png, annotation 10: '
            'bbox [1, 2, 0, 4] in an image of 64x64 px\n') in text
    assert 'annotation 20' not in text and '    - and 1 more\n' in text
    assert text.endswith('\n4 faults')
    part, = json.loads(json.dumps(as_json(checked)))
    assert len(part['faults']) == 4
    assert part['faults'][0] == dict(
        kind='empty_box',
        effect='skipped',
        file=str(path),
        image='1 1.png',
        annotation='10',
        message='bbox [1, 2, 0, 4] in an image of 64x64 px')


def test_every_kind_has_a_case():
    """Those of ROWS, and those that the other tests name."""
    text = ''.join(
        path.read_text('utf-8')
        for path in Path(__file__).parent.glob('test_check_dataset*.py'))
    seen = {kind for row in ROWS.values() for kind in row.kinds}
    for kind, entry in KINDS.items():
        assert kind in seen or f"'{kind}'" in text
        assert entry.top_down in EFFECTS
