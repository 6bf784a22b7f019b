"""What is run, what is not, and what is kept of it."""
import json
import shlex
import subprocess
import sys

import pytest
from mmengine.config import Config

from lab.study import Ledger
from lab.study.training import latest_checkpoint

from ...conftest import CONFIGS
from .conftest import FAKE

ALL = [
    'train first_row/seed0', 'test seed0/test_dark', 'test seed0/test_none',
    'train second/seed0', 'test seed0/test_dark', 'train first_row/seed1',
    'test seed1/test_dark', 'test seed1/test_none'
]


def results(fake):
    return Ledger(fake.folder / 'results.json').by_key()


def test_everything_once_the_first_seeds_first(fake):
    assert fake.run() == []
    assert fake.calls() == ALL
    aps = {key: record['metrics']['coco/AP']
           for key, record in results(fake).items()}
    assert aps == {
        ('first row', 0, 'dark'): 0.5,
        ('first row', 0, 'none'): 0.375,
        ('second', 0, 'dark'): 0.75,
        ('first row', 1, 'dark'): 0.6,
        ('first row', 1, 'none'): 0.475
    }
    for name in ('results.csv', 'results.md', 'results.png'):
        assert (fake.folder / name).is_file()


def test_a_finished_study_runs_nothing(fake):
    fake.run()
    fake.calls()
    file = fake.folder / 'results.json'
    before = file.read_bytes(), file.stat().st_mtime_ns
    assert fake.run() == []
    assert fake.calls() == []
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert 'finished before' in fake.told[-1]


def test_a_record_says_how_it_was_made(fake):
    fake.run(rows=['first row'], seeds=[1], cfg_options={'fake.a': (1, 2.5)})
    record = results(fake)['first row', 1, 'none']
    assert record['training_seconds'] == 4 * 90
    assert record['epochs'] == 5
    assert (record['backbone_params'], record['other_params']) == (2e6, 1e6)
    assert set(record['versions']) == {'torch', 'mmpose', 'srpose_mm'}
    assert 'CPUs' in record['machine'] or 'NVIDIA' in record['machine']
    train, test = map(shlex.split, record['commands'])
    assert train == [
        'python', str(FAKE), 'first.py', '--work-dir', 'work/first_row/seed1',
        '--cfg-options', 'fake.a=(1,2.5)', 'randomness.seed=1'
    ]
    folder = 'work/first_row/seed1/test_none'
    assert test == [
        'python', str(FAKE), 'first.py', 'work/first_row/seed1/epoch_4.pth',
        '--work-dir', folder, '--out', f'{folder}/metrics.json',
        '--cfg-options', 'fake.a=(1,2.5)', 'model.head.decoder.refine=none',
        'fake.add=-0.125'
    ]


def test_the_commands_repeat_a_row(fake):
    fake.run(rows=['second'])
    record = results(fake)['second', 0, 'dark']
    out = fake.folder / 'work/second/seed0/test_dark/metrics.json'
    out.unlink()
    for command in record['commands']:
        words = shlex.split(command)
        subprocess.run([sys.executable, *words[1:]], check=True)
    assert json.loads(out.read_text()) == record['metrics']


def test_only_some_rows_and_seeds(fake):
    fake.run(rows=['first row'], seeds=[1])
    assert fake.calls() == ALL[-3:]
    fake.run(seeds=[0])
    assert fake.calls() == ALL[:5]


def test_a_new_test_needs_no_training(fake):
    fake.run()
    fake.calls()
    fake.edit('study.py', "{'dark': {}, ", "{'dark': {}, 'more': {}, ")
    fake.run()
    assert fake.calls() == ['test seed0/test_more', 'test seed1/test_more']


def test_a_new_seed_and_row(fake):
    fake.run()
    fake.calls()
    fake.edit('study.py', 'seeds=(0, ),', 'seeds=(0, 7),')
    fake.run()
    assert fake.calls() == ['train second/seed7', 'test seed7/test_dark']


def test_a_changed_config_is_refused_until_run_again(fake):
    fake.run()
    fake.calls()
    fake.edit('first.py', 'fake = dict()', 'optim_wrapper = dict(a=1)')
    match = ('expected the configs .* got others for .first row.; undo the '
             'change, or run them anew with --again --rows .first row.')
    with pytest.raises(ValueError, match=match):
        fake.run()
    with pytest.raises(ValueError, match=match):
        fake.run(rows=['first row'], seeds=[1])
    assert fake.calls() == []
    assert fake.run(rows=['second']) == []
    fake.run(rows=['first row'], again=True)
    assert fake.calls() == ALL[:3] + ALL[-3:]
    assert fake.run() == []


def test_a_changed_option_of_a_test_is_refused(fake):
    fake.run()
    fake.edit('study.py', '-0.125', '-0.0625')
    with pytest.raises(ValueError, match='got others for .first row.'):
        fake.run()


def test_what_changes_no_result_is_not_refused(fake):
    fake.run()
    fake.calls()
    fake.edit('first.py', 'fake = dict()', "fake = dict()\n"
              "default_hooks = dict(logger=dict(interval=1), check_dataset="
              "dict(type='CheckDatasetHook', enable=False))\n"
              "log_level = 'ERROR'  # a comment")
    assert fake.run() == []
    assert fake.calls() == []


def test_again_wants_rows(fake):
    with pytest.raises(ValueError, match='expected names of rows to run'):
        fake.run(again=True)


def test_again_throws_nothing_away_where_data_are_missing(fake):
    assert fake.run(rows=['second']) == []
    before = (fake.folder / 'results.json').read_text()
    fake.edit('study.py', "headline = 'AP'",
              "headline = 'AP'\ndata = {'a.json': {}}")
    fake.edit('second.py', 'fake = dict()', "fake = dict()\n"
              "test_dataloader = dict(dataset=dict(ann_file='a.json'))")
    with pytest.raises(ValueError, match='a.json is not there'):
        fake.run(rows=['second'], again=True)
    assert (fake.folder / 'results.json').read_text() == before
    assert list((fake.folder / 'work/second/seed0').glob('*.pth'))


@pytest.mark.parametrize('text', ['', None])
def test_goes_on_without_the_name_of_the_last_checkpoint(text, fake):
    """A kill can leave that file empty."""
    options = {'fake.fail_at': 2}
    assert fake.run(rows=['second'], cfg_options=options)
    folder = fake.folder / 'work/second/seed0'
    (folder / 'last_checkpoint').unlink()
    if text is not None:
        (folder / 'last_checkpoint').write_text(text)
    assert latest_checkpoint(folder) == folder / 'epoch_2.pth'


def test_a_failure_stops_no_other(fake):
    fake.edit('study.py', "dict(name='second'",
              "dict(name='bad', config='bad.py', seeds=(0, ), tests={'a': {}}"
              "),\n    dict(name='second'")
    (fake.folder / 'bad.py').write_text(
        (fake.folder / 'second.py').read_text())
    options = {'fake.fail_at': 2}
    assert fake.run(rows=['bad'], cfg_options=options) == ['bad, seed 0']
    line = next(line for line in fake.told if 'failed' in line)
    assert 'ended with code 1; the end of work/bad/seed0/train.log' in line
    assert line.endswith('\nthis epoch fails')
    assert len(fake.calls()) == 1
    # The same training, with the same options, goes on where it failed.
    for path in (fake.folder / 'work/bad/seed0').glob('*.pth'):
        path.unlink()
    assert fake.run() == []
    assert fake.calls() == [
        *ALL[:3], 'train bad/seed0', 'test seed0/test_a', *ALL[3:]
    ]


def test_a_missing_metric_is_named(fake):
    fake.edit('study.py', "'AR': 'AR'", "'AR': 'coco/AR'")
    assert fake.run(rows=['second']) == ['second, seed 0']
    assert ('expected the test to give coco/AR, got coco/AP, AR, epoch'
            in fake.told[-1])
    assert results(fake) == {}


def test_a_model_that_cannot_be_built_is_not_trained(fake, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(fake.folder)
    assert fake.run(rows=['first row'], seeds=[0]) == ['first row, seed 0']
    assert 'its model cannot be built: ' in fake.told[-1]
    assert 'Nonsense is not in the mmpose::model registry' in fake.told[-1]
    assert not (fake.folder / 'work/first_row/seed0/train.log').exists()


def test_a_training_by_hand_is_adopted(fake):
    """With the config that MMEngine leaves, and its logs."""
    folder = fake.folder / 'work/second/seed0'
    folder.mkdir(parents=True)
    words = ['second.py', '--work-dir', 'work/second/seed0', '--cfg-options',
             'randomness.seed=0']
    subprocess.run([sys.executable, str(FAKE), *words], check=True)
    cfg = Config.fromfile('second.py')
    cfg.merge_from_dict({'randomness.seed': 0, 'work_dir': 'work',
                         'launcher': 'none'})
    cfg.dump(folder / 'second.py')
    fake.calls()
    assert fake.run(rows=['second']) == []
    assert fake.calls() == ['train resumed second/seed0',
                            'test seed0/test_dark']
    assert results(fake)['second', 0, 'dark']['training_seconds'] == 360


def test_a_training_of_something_else_is_refused(fake):
    folder = fake.folder / 'work/second/seed0'
    folder.mkdir(parents=True)
    (folder / 'epoch_1.pth').write_text('1')
    (folder / 'last_checkpoint').write_text('elsewhere/epoch_1.pth')
    with pytest.raises(ValueError, match='got others for second;'):
        fake.run()
    assert fake.run(rows=['second'], again=True) == []


def test_a_config_by_name(fake):
    demo = next((CONFIGS / 'demo').glob('*.py'))
    fake.edit('study.py', 'second.py', demo.stem)
    assert fake.run(rows=['second']) == []
    record = results(fake)['second', 0, 'dark']
    assert shlex.split(record['commands'][0])[2].endswith(demo.name)
