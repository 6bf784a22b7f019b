"""Whether data are complete, on copies of the few real images' annotations."""
import json

import pytest
from mmengine.config import Config

from lab.study import read_study
from lab.study.data_check import check_data
from lab.study.plan import plan_runs

STUDY = """
title = 'Two'
rows = [dict(name='a', config='a.py', seeds=(0, ), tests={'b': {}})]
metrics = {'AP': 'coco/AP'}
headline = 'AP'
data = {
    'test_coco.json': dict(images=4, annotations=14, source='here'),
    'test_mpii.json': dict(annotations=5, source='there'),
    'images': dict(source='the photographer'),
    'det.json': dict(annotations=2),
}
"""
CONFIG = """
train_dataloader = dict(batch_size=2, dataset=dict(
    data_root='data', ann_file='test_coco.json',
    data_prefix=dict(img='images/')))
val_dataloader = dict(dataset=dict(
    train_dataloader['dataset'], bbox_file='data/det.json',
    headbox_file='data/heads.mat'))
test_dataloader = val_dataloader
test_evaluator = dict(ann_file='data/test_coco.json')
"""


@pytest.fixture
def study(tmp_path, monkeypatch, shared_data):
    """A study whose data are complete, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'study.py').write_text(STUDY)
    (tmp_path / 'a.py').write_text(CONFIG.replace(
        'dict(\n    train_dataloader[', 'dict(\n    **train_dataloader['))
    images = tmp_path / 'data' / 'images'
    images.mkdir(parents=True)
    for name in ('coco', 'mpii'):
        source = shared_data(name)
        file = f'test_{name}.json'
        (tmp_path / 'data' / file).write_text((source / file).read_text())
        for image in source.glob('*.jpg'):
            (images / image.name).touch()
    (tmp_path / 'data' / 'det.json').write_text('[{}, {}]')
    (tmp_path / 'data' / 'heads.mat').touch()
    return tmp_path


def check(study, **options):
    read = read_study(study / 'study.py')
    check_data(read, plan_runs(read, study / 'work', cfg_options=options))


def faults(study, **options):
    with pytest.raises(ValueError, match='expected the data of .*study.py to '
                       'be complete') as caught:
        check(study, **options)
    head, *lines, tail = str(caught.value).splitlines()
    assert head.endswith(f'got {len(lines)} faults:')
    assert 'train_dataloader.dataset.data_root=PATH' in tail
    return lines


def test_complete(study):
    check(study)
    mpii = {f'{key}_dataloader.dataset.ann_file': 'test_mpii.json'
            for key in ('train', 'val', 'test')}
    check(study, **mpii)


def test_names_all_that_is_missing(study):
    (study / 'data/test_coco.json').unlink()
    (study / 'data/det.json').unlink()
    (study / 'data/heads.mat').unlink()
    assert faults(study) == [
        '- data/test_coco.json is not there; get it from here',
        '- data/det.json is not there',
        '- data/heads.mat is not there',
    ]


@pytest.mark.parametrize('key', ['images', 'annotations'])
def test_counts(study, key):
    file = study / 'data/test_coco.json'
    content = json.loads(file.read_text())
    number = len(content[key])
    content[key].pop()
    file.write_text(json.dumps(content))
    assert faults(study) == [
        f'- data/test_coco.json: expected {number} {key}, got {number - 1}; '
        'get it from here'
    ]


def test_counts_of_lists(study):
    (study / 'data/det.json').write_text('[{}]')
    file = study / 'data/test_mpii.json'
    file.write_text(json.dumps(json.loads(file.read_text())[1:]))
    assert faults(study, **{
        'train_dataloader.dataset.ann_file': 'test_mpii.json'
    }) == [
        '- data/test_mpii.json: expected 5 annotations, got 4; get it from '
        'there',
        '- data/det.json: expected 2 annotations, got 1',
    ]


def test_missing_images(study):
    for name in ('000000000785.jpg', '000000040083.jpg', '004645041.jpg'):
        (study / 'data/images' / name).unlink()
    line, = faults(study)
    assert line.startswith('- data/images lacks 2 of 4 images, 00000')
    assert line.endswith('.jpg for one; get it from the photographer')
    for image in (study / 'data/images').iterdir():
        image.unlink()
    (study / 'data/images').rmdir()
    assert faults(study) == [
        '- data/images is not there; get it from the photographer'
    ]


def test_a_download_that_broke_off(study):
    file = study / 'data/test_coco.json'
    file.write_text(file.read_text()[:-1000])
    line, = faults(study)
    assert line.startswith('- data/test_coco.json is no whole JSON file (')


def test_other_places(study):
    (study / 'data').rename(study / 'elsewhere')
    assert len(faults(study)) == 4
    places = {f'{key}_dataloader.dataset.data_root': 'elsewhere'
              for key in ('train', 'val', 'test')}
    lines = faults(study, **places)
    # What MMPose does not look for below data_root.
    assert [line.split()[1] for line in lines] == [
        'data/det.json', 'data/heads.mat', 'data/test_coco.json'
    ]


def test_nothing_is_checked_without_data(study):
    (study / 'data').rename(study / 'elsewhere')
    text = (study / 'study.py').read_text()
    (study / 'study.py').write_text(text.replace('data =', 'other ='))
    check(study)


@pytest.mark.parametrize('value', ["['a']", "{'a': 1}", "{'a': dict(b=1)}"])
def test_refuses_another_form(study, value):
    text = (study / 'study.py').read_text()
    (study / 'study.py').write_text(text + f'data = {value}\n')
    with pytest.raises(ValueError, match='expected data to map names of file'):
        read_study(study / 'study.py')


def test_before_anything_runs(fake):
    """And not for what is finished."""
    fake.edit('study.py', "headline = 'AP'", "headline = 'AP'\ngpus = 1\n"
              "data = {'ann.json': dict(source='the shop')}")
    for name in ('first.py', 'second.py'):
        fake.edit(name, 'fake = dict()', "fake = dict()\ntrain_dataloader = "
                  "dict(batch_size=1, dataset=dict(ann_file='ann.json'))")
    with pytest.raises(ValueError, match='- ann.json is not there; get it '
                       'from the shop'):
        fake.run()
    assert fake.calls() == []
    (fake.folder / 'ann.json').write_text('{}')
    assert fake.run(rows=['second']) == []
    (fake.folder / 'ann.json').unlink()
    assert fake.run(rows=['second']) == []


def test_the_studies_name_what_their_configs_read():
    """Each entry of their data is a file or folder that a row reads."""
    from ...conftest import ROOT
    for name in ('coco', 'crowdpose', 'mpii'):
        path = ROOT / 'lab/experiments' / name / 'study.py'
        study = read_study(path)
        read = set()
        for run in plan_runs(study, ROOT / 'work_dirs'):
            read |= set(names_in(run.cfg, 'train_dataloader'))
            for test in run.tests:
                read |= set(names_in(test.cfg, 'test_dataloader'))
        assert set(study.data) == read, name


def names_in(cfg: Config, key):
    dataset = cfg[key].dataset
    yield dataset.ann_file.split('/')[-1]
    yield dataset.data_prefix.img.strip('/').split('/')[-1]
    for name in ('bbox_file', 'headbox_file'):
        if dataset.get(name):
            yield dataset[name].split('/')[-1]
