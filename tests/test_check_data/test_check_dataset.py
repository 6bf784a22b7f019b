"""Reports of check_dataset."""
import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from srpose_mm.check_data import FAULT_KINDS, check_dataset, format_reports

from ..support.bad_data import (
    COCO_INFO,
    FILE,
    SCHEMES,
    WRONG,
    valid_content,
    write,
)
from ..support.bad_data_rows import ROWS
from ..support.checked import config, faults


@pytest.mark.parametrize('scheme', SCHEMES)
def test_valid_data(scheme, tmp_path):
    write(tmp_path, valid_content(tmp_path))
    report, = check_dataset(
        config(tmp_path, data_mode=scheme), ['train'], images=True)
    assert not report.faults
    assert report.counts == dict(annotations=3, used=3, images=2)
    assert format_reports([report]).endswith('no faults')


def test_gray_and_transparent_images_are_no_fault(tmp_path):
    write(tmp_path, valid_content(tmp_path))
    gray = np.full((64, 64), 90, dtype=np.uint8)
    Image.fromarray(gray).save(tmp_path / '1.png')
    Image.fromarray(np.stack(4 * [gray], -1)).save(tmp_path / '2.png')
    assert not faults(tmp_path, images=True)


def test_truncated_image_that_opencv_reads(tmp_path, monkeypatch):
    """Some versions of OpenCV read one without an error."""
    content = valid_content(tmp_path)
    write(tmp_path, content)
    path = tmp_path / '1.png'
    path.write_bytes(path.read_bytes()[:2000])
    monkeypatch.setattr('mmcv.imfrombytes',
                        lambda *args, **kwargs: np.zeros((64, 64, 3)))
    fault, = faults(tmp_path, images=True)
    assert (fault.kind, fault.effect) == ('damaged_image', WRONG)
    assert re.search('truncated|broken', fault.message)


def test_missing_image_without_opening_images(tmp_path):
    write(tmp_path, valid_content(tmp_path))
    (tmp_path / '1.png').unlink()
    (tmp_path / '2.png').write_bytes(b'')
    fault, = faults(tmp_path)
    assert (fault.kind, fault.image) == ('no_image', '1 1.png')


@pytest.mark.parametrize('images', [False, True])
def test_impossible_file_name_hides_no_other_fault(images, tmp_path):
    content = valid_content(tmp_path)
    content['images'][0]['file_name'] = 'x' * 300 + '.png'
    write(tmp_path, content)
    (tmp_path / '2.png').unlink()
    found = faults(tmp_path, images=images)
    assert [fault.kind for fault in found] == ['no_image'] * 2


def test_text_in_an_image_is_no_damage(tmp_path):
    """Pillow refuses a megabyte of text, which OpenCV does not read."""
    write(tmp_path, valid_content(tmp_path))
    texts = PngInfo()
    texts.add_text('a', 'a' * 2**21, zip=True)
    with Image.open(tmp_path / '1.png') as image:
        image.load()
        image.save(tmp_path / '1.png', pnginfo=texts)
    with pytest.raises(ValueError, match='too large'), Image.open(
            tmp_path / '1.png') as image:
        image.load()
    assert not faults(tmp_path, images=True)


@pytest.mark.parametrize('ids', [(10, 10), (10, 11, 10)])
def test_duplicate_annotation_ids(ids, tmp_path):
    content = valid_content(tmp_path)
    for number, entry in zip(ids, content['annotations']):
        entry['id'] = number
    write(tmp_path, content)
    fault, = faults(tmp_path)
    assert (fault.kind, fault.annotation) == ('duplicate_id', '10')
    assert fault.message == '2 annotations have it'


def test_duplicate_image_ids(tmp_path):
    content = valid_content(tmp_path)
    content['images'][1]['id'] = 1
    write(tmp_path, content)
    found = faults(tmp_path)
    assert [fault.kind for fault in found] == [
        'duplicate_id', 'unknown_image'
    ]
    assert found[0].image == '1 2.png' and '1.png' in found[0].message


@pytest.mark.parametrize('change, kind, message', [
    (lambda names: names[::-1], 'keypoint_names',
     '1: keypoint 0 is right_ankle, in the metainfo nose; .* and 13 more'),
    (lambda names: ['beak', *names[1:]], 'keypoint_names',
     'category 1: keypoint 0 is beak, in the metainfo nose$'),
    (lambda names: names[:16], 'keypoint_names', '16 keypoints, .* has 17'),
    (lambda names: ['the Nose', *names[1:]], None, ''),
    (lambda names: [], None, ''),
])
def test_names_of_keypoints(change, kind, message, tmp_path):
    content = valid_content(tmp_path)
    category, = content['categories']
    category['keypoints'] = change(category['keypoints'])
    write(tmp_path, content)
    found = faults(tmp_path)
    assert [fault.kind for fault in found] == ([kind] if kind else [])
    for fault in found:
        assert fault.effect == WRONG and re.search(message, fault.message)


def test_things_without_keypoints_are_no_fault(tmp_path):
    content = valid_content(tmp_path)
    content['categories'].append(dict(id=2, name='dog'))
    content['annotations'].append(
        dict(id=30, image_id=2, category_id=2, bbox=[1, 1, 9, 9]))
    write(tmp_path, content)
    report, = check_dataset(config(tmp_path))
    assert not report.faults
    assert report.counts['left out'] == 1


def test_loaders_of_one_data_set_share_a_report(tmp_path):
    write(tmp_path, valid_content(tmp_path))
    cfg = config(tmp_path, split='val')
    cfg.test_dataloader = cfg.val_dataloader
    dataset = cfg.val_dataloader.dataset
    cfg.train_dataloader = dict(
        dataset=dict(
            type='CombinedDataset',
            metainfo=COCO_INFO,
            datasets=[dataset, dict(dataset, data_root=str(tmp_path / 'no'))]))
    reports = check_dataset(cfg)
    assert [report.title.split(':')[0] for report in reports] == [
        'train', 'train', 'val, test'
    ]
    fault, = reports[1].faults
    assert (fault.kind, fault.file) == ('file', str(tmp_path / 'no' / FILE))


@pytest.mark.parametrize('kwargs, message', [
    (dict(type='H36MWholeBodyDataset'), "got 'H36MWholeBodyDataset'; "
     'check its files'),
    (dict(type='NoSuchDataset'), "got 'NoSuchDataset'"),
    (dict(typo=1), "CocoDataset that can be built, got .*'typo'"),
])
def test_refused_data_sets(kwargs, message, tmp_path):
    with pytest.raises(ValueError, match=f'expected .*{message}'
                       ):
        check_dataset(config(tmp_path, **kwargs))


def test_missing_splits(tmp_path):
    with pytest.raises(ValueError, match="got 'val'; it has train"):
        check_dataset(config(tmp_path), ['train', 'val'])
    with pytest.raises(ValueError, match="got 'any'; it has none"):
        check_dataset(Config(dict(model=dict())))


def test_report(tmp_path):
    content = valid_content(tmp_path)
    for entry in content['annotations']:
        entry['bbox'] = [1, 2, 0, 4]
    write(tmp_path, content)
    reports = check_dataset(config(tmp_path))
    text = format_reports(reports, limit=2)
    path = tmp_path / FILE
    assert 'train: CocoDataset, top-down\n' in text
    assert '  box: 3, skipped\n' in text
    assert (f'    - {path}, image 1 1.png, annotation 10: '
            'bbox [1, 2, 0, 4] in an image of 64x64 px\n') in text
    assert 'annotation 20' not in text and '    - and 1 more\n' in text
    assert text.endswith('\n4 faults')
    values = json.loads(json.dumps(asdict(reports[0])))
    assert len(values['faults']) == 4
    assert values['faults'][0] == dict(
        kind='box',
        effect='skipped',
        file=str(path),
        image='1 1.png',
        annotation='10',
        message='bbox [1, 2, 0, 4] in an image of 64x64 px')


def test_every_kind_has_a_case():
    """The kinds of ROWS and those that the other tests name."""
    text = ''.join(
        path.read_text('utf-8') for path in Path(__file__).parent.glob('*.py'))
    rows = {kind for row in ROWS.values() for kind in row.kinds}
    assert {kind for kind in FAULT_KINDS
            if kind not in rows and f"'{kind}'" not in text} == set()
