"""Whether the data of a study are complete."""
import json

import pytest

from lab.study import plan_runs, read_study
from lab.study.data_check import check_data

from ..conftest import ROOT

STUDY = """
title = 'Two'
rows = [dict(name='a', config='a.py', seeds=(0, ), tests={'b': {}})]
metrics = {'AP': 'coco/AP'}
headline = 'AP'
data = {
    'coco.json': dict(images=4, annotations=6, source='here'),
    'mpii.json': dict(annotations=3, source='there'),
    'images': dict(source='the photographer'),
    'det.json': dict(annotations=2),
}
"""
CONFIG = """
train_dataloader = dict(batch_size=2, dataset=dict(
    data_root='data', ann_file='coco.json', data_prefix=dict(img='images/')))
val_dataloader = dict(dataset=dict(
    **train_dataloader['dataset'], bbox_file='data/det.json',
    headbox_file='data/heads.mat'))
test_dataloader = val_dataloader
test_evaluator = dict(ann_file='data/coco.json')
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study whose data are complete, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'study.py').write_text(STUDY)
    (tmp_path / 'a.py').write_text(CONFIG)
    names = [f'{index}.jpg' for index in range(4)]
    files = {
        'coco.json': dict(images=[dict(file_name=name) for name in names],
                          annotations=6 * [{}]),
        'mpii.json': [dict(image=name) for name in names[:3]],
        'det.json': [{}, {}],
        'heads.mat': 0
    }
    (tmp_path / 'data/images').mkdir(parents=True)
    for name in names:
        (tmp_path / 'data/images' / name).touch()
    for name, content in files.items():
        (tmp_path / 'data' / name).write_text(json.dumps(content))
    return tmp_path


def check(study, **options):
    read = read_study(study / 'study.py')
    check_data(read, plan_runs(read, study / 'work', cfg_options=options))


def faults(study, **options):
    with pytest.raises(ValueError, match='expected the data of .*study.py to '
                       'be complete') as caught:
        check(study, **options)
    head, *lines, tail = str(caught.value).splitlines()
    assert head.endswith('got these faults:')
    assert 'train_dataloader.dataset.data_root=PATH' in tail
    return lines


def test_complete_data(study):
    check(study)
    check(study, **{f'{key}_dataloader.dataset.ann_file': 'mpii.json'
                    for key in ('train', 'val', 'test')})


def test_missing_files(study):
    for name in ('coco.json', 'det.json', 'heads.mat'):
        (study / 'data' / name).unlink()
    assert faults(study) == [
        '- data/coco.json does not exist; get it from here',
        '- data/det.json does not exist',
        '- data/heads.mat does not exist',
    ]


@pytest.mark.parametrize('key', ['images', 'annotations'])
def test_wrong_counts(study, key):
    file = study / 'data/coco.json'
    content = json.loads(file.read_text())
    number = len(content[key])
    content[key].pop()
    file.write_text(json.dumps(content))
    assert faults(study) == [f'- data/coco.json: expected {number} {key}, got '
                             f'{number - 1}; get it from here']


def test_wrong_counts_of_lists(study):
    (study / 'data/det.json').write_text('[{}]')
    (study / 'data/mpii.json').write_text('[{"image": "0.jpg"}]')
    assert faults(study, **{
        'train_dataloader.dataset.ann_file': 'mpii.json'
    }) == [
        '- data/mpii.json: expected 3 annotations, got 1; get it from there',
        '- data/det.json: expected 2 annotations, got 1',
    ]


def test_missing_images(study):
    for name in ('1.jpg', '2.jpg'):
        (study / 'data/images' / name).unlink()
    assert faults(study) == [
        '- data/images lacks 2 of 4 images, e.g. 1.jpg; get it from the '
        'photographer'
    ]
    (study / 'data/images').rename(study / 'elsewhere')
    assert faults(study) == [
        '- data/images does not exist; get it from the photographer'
    ]


def test_a_truncated_download(study):
    file = study / 'data/coco.json'
    file.write_text(file.read_text()[:-10])
    line, = faults(study)
    assert line.startswith('- data/coco.json is corrupt (')


def test_another_data_root(study):
    (study / 'data').rename(study / 'elsewhere')
    roots = {f'{key}_dataloader.dataset.data_root': 'elsewhere'
             for key in ('train', 'val', 'test')}
    # MMPose does not search for these in data_root.
    assert [line.split()[1] for line in faults(study, **roots)] == [
        'data/det.json', 'data/heads.mat', 'data/coco.json'
    ]


def test_a_study_without_data_is_not_checked(study):
    (study / 'data').rename(study / 'elsewhere')
    text = (study / 'study.py').read_text()
    (study / 'study.py').write_text(text.replace('data =', 'other ='))
    check(study)


def test_the_check_precedes_the_runs(fake):
    fake.edit('study.py', "headline = 'AP'", "headline = 'AP'\ngpus = 1\n"
              "data = {'ann.json': dict(source='the shop')}")
    fake.edit('second.py', 'fake = dict()', "fake = dict()\ntrain_dataloader ="
              " dict(batch_size=1, dataset=dict(ann_file='ann.json'))")
    with pytest.raises(ValueError, match='- ann.json does not exist; get it '
                       'from the shop'):
        fake.run(rows=['second'])
    assert fake.calls() == []
    (fake.folder / 'ann.json').write_text('{}')
    assert fake.run(rows=['second']) == []
    # The data of a run that is done are not needed.
    (fake.folder / 'ann.json').unlink()
    assert fake.run(rows=['second']) == []


@pytest.mark.parametrize('name', ['coco', 'crowdpose', 'mpii'])
def test_the_studies_know_their_data(name, monkeypatch):
    """Each entry of ``data`` is a file or folder that a row reads."""
    monkeypatch.chdir(ROOT)
    study = read_study(ROOT / 'lab/experiments' / name / 'study.py')
    read = set()
    for run in plan_runs(study, ROOT / 'work_dirs'):
        for cfg, key in [(run.cfg, 'train_dataloader'),
                         *((test.cfg, 'test_dataloader')
                           for test in run.tests)]:
            dataset = cfg[key].dataset
            paths = [dataset.ann_file, dataset.data_prefix.img.strip('/'),
                     dataset.get('bbox_file'), dataset.get('headbox_file')]
            read |= {path.split('/')[-1] for path in paths if path}
    assert set(study.data) == read
