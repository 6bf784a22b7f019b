"""Which trainings and tests a study runs, and what it records of them."""
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import get_context

import pytest
import torch

from lab.study import read_results, runs
from lab.study.__main__ import main
from srpose_mm.apis import load_checkpoint

from ..conftest import CONFIGS, ROOT
from ..support import fake_study_tool

FAKE = fake_study_tool.__file__
DEMO = next((CONFIGS / 'demo').glob('*.py'))
ALL = [
    'train first_row/seed0', 'test seed0/test_dark', 'test seed0/test_none',
    'train second/seed0', 'test seed0/test_dark', 'train first_row/seed1',
    'test seed1/test_dark', 'test seed1/test_none'
]
KEY = ('second', 0, 'dark')


def test_each_run_once_and_first_seeds_first(fake):
    assert fake.run() == []
    assert fake.calls() == ALL
    aps = {key: record['metrics']['coco/AP']
           for key, record in fake.results().items()}
    assert aps == {
        ('first row', 0, 'dark'): 0.5,
        ('first row', 0, 'none'): 0.375,
        ('second', 0, 'dark'): 0.75,
        ('first row', 1, 'dark'): 0.6,
        ('first row', 1, 'none'): 0.475
    }
    for name in ('results.csv', 'results.md', 'results.png'):
        assert (fake.folder / name).is_file()


def test_done_runs_are_skipped(fake):
    fake.run(rows=['first row'], seeds=[1])
    assert fake.calls() == ALL[-3:]
    fake.run(seeds=[0])
    assert fake.calls() == ALL[:5]
    before = (fake.folder / 'results.json').stat().st_mtime_ns
    assert fake.run() == []
    assert fake.calls() == []
    assert (fake.folder / 'results.json').stat().st_mtime_ns == before


def test_a_new_test_needs_no_training(fake):
    fake.run()
    fake.calls()
    fake.edit('study.py', "{'dark': {}, ", "{'dark': {}, 'more': {}, ")
    fake.run()
    assert fake.calls() == ['test seed0/test_more', 'test seed1/test_more']


def test_lost_results_are_read_again(fake):
    fake.run()
    fake.calls()
    before = fake.results()
    (fake.folder / 'results.json').unlink()
    fake.run()
    assert fake.calls() == []
    assert fake.results() == before


def test_a_removed_folder_is_run_again(fake):
    fake.run(rows=['second'])
    (fake.folder / 'work/second/seed0').rename(fake.folder / 'old')
    fake.calls()
    fake.edit('study.py', '0.25}', '0.5}')
    fake.run(rows=['second'])
    assert fake.calls() == ALL[3:5]
    assert fake.results()[KEY]['metrics']['coco/AP'] == 1


def test_a_record_says_how_it_was_made(fake):
    fake.run(rows=['first row'], seeds=[1], cfg_options={'fake.a': (1, 2.5)})
    record = fake.results()['first row', 1, 'none']
    assert record['training_seconds'] == 4 * 90
    assert record['epochs'] == 4
    assert (record['backbone_params'], record['other_params']) == (2e6, 1e6)
    assert set(record['versions']) == {'torch', 'mmpose', 'srpose_mm'}
    if not torch.cuda.is_available():
        assert ', 1 threads on ' in record['machine']
    train, test = map(shlex.split, record['commands'])
    assert train == [
        'python', FAKE, 'first.py', '--work-dir', 'work/first_row/seed1',
        '--cfg-options', 'fake.a=(1,2.5)', 'randomness.seed=1'
    ]
    folder = 'work/first_row/seed1/test_none'
    assert test == [
        'python', FAKE, 'first.py', 'work/first_row/seed1/epoch_4.pth',
        '--work-dir', folder, '--out', f'{folder}/metrics.json',
        '--cfg-options', 'fake.a=(1,2.5)', 'model.head.decoder.refine=none',
        'fake.add=-0.125'
    ]
    before = (fake.folder / folder / 'metrics.json').read_text()
    (fake.folder / folder / 'metrics.json').unlink()
    for words in (train, test):
        subprocess.run([sys.executable, *words[1:]], check=True)
    assert (fake.folder / folder / 'metrics.json').read_text() == before


def test_a_failure_stops_no_other_run_and_resumes(fake):
    failed = fake.run(cfg_options={'fake.fail_at': 2}, rows=['second'])
    assert len(failed) == 1
    assert failed[0].startswith(
        f'second, seed 0: {FAKE} ended with code 1; the end of '
        'work/second/seed0/train.log:')
    assert failed[0].endswith('\nthis epoch fails')
    assert fake.results() == {}
    assert fake.calls() == ['train second/seed0']
    assert fake.run() == []
    assert fake.calls() == [*ALL[:3], 'train resumed second/seed0', *ALL[4:]]
    # Two epochs before the failure and two after.
    assert fake.results()[KEY]['training_seconds'] == 4 * 90


@pytest.mark.parametrize('text', ['', None])
def test_resumes_without_the_name_of_the_last_checkpoint(text, fake):
    """A kill can leave that file empty."""
    fake.run(rows=['second'], cfg_options={'fake.fail_at': 2})
    file = fake.folder / 'work/second/seed0/last_checkpoint'
    file.unlink() if text is None else file.write_text(text)
    fake.calls()
    fake.run(rows=['second'], cfg_options={'fake.fail_at': 0})
    assert fake.calls() == ['train resumed second/seed0']


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_study_resumes(fake, number):
    """SIGTERM also ends the training; SIGKILL cannot."""
    words = ['study.py', '--work-dir', 'work', '--rows', 'second',
             '--cfg-options', 'fake.hold_at=2']
    process = get_context('fork').Process(target=partial(main, words))
    process.start()
    pid = fake.folder / 'pid'
    while not pid.exists() or not pid.read_text():
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join()
    training = int(pid.read_text())
    if number == signal.SIGTERM:
        with pytest.raises(ProcessLookupError):
            os.kill(training, 0)
    else:
        os.kill(training, signal.SIGKILL)
    assert fake.results() == {}
    (fake.folder / 'go').touch()
    assert fake.run(rows=['second']) == []
    assert fake.calls() == ['train second/seed0',
                            'train resumed second/seed0', ALL[4]]
    assert fake.results()[KEY]['metrics']['epoch'] == 4
    assert '--resume' not in fake.results()[KEY]['commands'][0]


def test_a_missing_metric_is_named(fake):
    fake.edit('study.py', "'AR': 'AR'", "'AR': 'coco/AR'")
    failed, = fake.run(rows=['second'])
    assert ('expected coco/AR in work/second/seed0/test_dark/metrics.json, '
            'got coco/AP, AR, epoch' in failed)
    assert fake.results() == {}


def test_a_model_that_cannot_be_built_is_not_trained(fake, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(fake.folder)
    failed, = fake.run(rows=['first row'], seeds=[0])
    assert 'Nonsense is not in the mmpose::model registry' in failed
    assert not (fake.folder / 'work/first_row/seed0').exists()


def test_the_data_are_checked_before_the_first_run(fake, toy_coco):
    (fake.folder / 'first.py').write_text(f"""
_base_ = [{str(DEMO)!r}]
train_dataloader = dict(dataset=dict(data_root={str(toy_coco)!r}))
val_dataloader = dict(dataset=dict(data_root='nowhere', bbox_file=None))
test_dataloader = val_dataloader
""")
    fake.edit('study.py', "headline = 'AP'",
              "headline = 'AP'\ncheck_data = True")
    with pytest.raises(ValueError, match='expected complete data, got .* '
                       'nowhere/annotations/person_keypoints_val2017.json'):
        fake.run(rows=['first row'])
    assert fake.calls() == []


def test_the_end_of_a_log_is_that_of_the_script(tmp_path):
    """torchrun prints a summary after the output of a failure."""
    script = tmp_path / 'script.py'
    script.write_text(
        'print("this epoch fails")\n'
        'print("E1126 05:53:16 14397 torch/distributed/elastic/'
        'multiprocessing/api.py:874] failed (exitcode: 1)\\nRoot Cause:")\n'
        'raise SystemExit(3)\n')
    with pytest.raises(runs.RunFailed) as caught:
        runs._call([str(script)], tmp_path / 'train.log')
    assert str(caught.value).endswith('train.log:\nthis epoch fails')


def test_main_prints_the_table(fake, capsys):
    main(['study.py', '--work-dir', 'work', '--rows', 'second',
          '--results', 'here/found.json', '--cfg-options', 'fake.add=0.5'])
    assert '| second | dark   | **0.7500** | 0.2500 |' in (
        capsys.readouterr().out)
    assert sorted(os.listdir(fake.folder / 'here')) == [
        f'found.{end}' for end in ('csv', 'json', 'md', 'png')
    ]
    fake.calls()
    main(['study.py', '--report-only', '--results', 'here/found.json'])
    assert '**0.7500**' in capsys.readouterr().out
    assert fake.calls() == []


@pytest.mark.parametrize('words, message', [
    (['study.py', '--work-dir', 'work', '--cfg-options', 'fake.fail_at=0'],
     '^study: 3 runs failed; the first: first row, seed 0: '),
    (['nothing.py', '--work-dir', 'work'],
     '^study: expected the file of a study'),
    (['study.py'], '^2$'),
])
def test_main_fails_with_a_sentence(fake, words, message):
    with pytest.raises(SystemExit, match=message):
        main(words)


TINY_STUDY = """
title = 'Tiny'
rows = [
    dict(name='tiny', config='tiny.py', seeds=(0, ),
         tests={'dark': {}, 'none': {'model.head.decoder.refine': 'none'}})
]
metrics = {'EPE': 'EPE'}
headline = 'EPE'
lower_is_better = True
"""
TINY = """
_base_ = [{base!r}]
root = {root!r}
train_cfg = dict(max_epochs={epochs}, val_interval=9)
train_dataloader = dict(batch_size=2, dataset=dict(data_root=root))
val_dataloader = dict(dataset=dict(data_root=root, bbox_file=None))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='EPE')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best=None))
model = dict(
    backbone=dict(base_channels=8, stem_channels=8),
    neck=dict(in_channels=(64, 32, 16, 8), out_channels=(8, 8, 8, 8)),
    head=dict(in_channels=(8, 8, 8, 8)))
"""


def start(folder, work_dir, *words):
    """Start a study of real trainings in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, '-m', 'lab.study', 'study.py', '--work-dir',
         work_dir, '--results', f'{work_dir}.json', *words],
        cwd=folder, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)


def write_tiny(folder, root, epochs, more=''):
    (folder / 'study.py').write_text(TINY_STUDY + more)
    (folder / 'tiny.py').write_text(
        TINY.format(base=str(DEMO), root=f'{root}/', epochs=epochs))


@pytest.mark.slow
def test_a_resumed_study_has_the_same_results(toy_coco, tmp_path):
    write_tiny(tmp_path, toy_coco, epochs=6)
    whole = start(tmp_path, 'whole')
    assert whole.communicate()[0] and whole.returncode == 0
    killed = start(tmp_path, 'killed')
    folder = tmp_path / 'killed/tiny/seed0'
    while not (folder / 'epoch_2.pth').exists():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (folder / 'epoch_6.pth').exists()
    resumed = start(tmp_path, 'killed')
    output, _ = resumed.communicate()
    assert resumed.returncode == 0, output
    assert 'resumed epoch: ' in (folder / 'train.log').read_text()
    expected, found = (
        {record['test']: record['metrics']
         for record in read_results(tmp_path / f'{name}.json')}
        for name in ('whole', 'killed'))
    assert found == expected
    assert set(found) == {'dark', 'none'} and found['dark'] != found['none']


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(),
                    reason='the processes join over gloo without a GPU')
@pytest.mark.parametrize('gpus', [1, 2])
def test_two_processes_or_two_batches(gpus, toy_coco, tmp_path):
    """Both make the same number of optimizer steps."""
    write_tiny(tmp_path, toy_coco, epochs=1, more='gpus = 2\n')
    process = start(tmp_path, 'work', '--gpus', str(gpus))
    output, _ = process.communicate()
    assert process.returncode == 0, output
    records = json.loads((tmp_path / 'work.json').read_text())['records']
    assert {(record['gpus'], record['accumulate'])
            for record in records} == {(gpus, 2 // gpus)}
    # 11 instances, 2 at a time: 3 batches of two processes, or 6 of one.
    checkpoint = load_checkpoint(tmp_path / 'work/tiny/seed0/epoch_1.pth')
    assert checkpoint['meta']['iter'] == 6 // gpus
    steps = {int(state['step'])
             for state in checkpoint['optimizer']['state'].values()}
    assert steps == {3}
