"""GPUs, accumulated batches, and the batch of the recipe."""
import os
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config

from lab.study import Ledger, read_study
from lab.study.plan import plan_runs

from ...conftest import CONFIGS
from .test_tool import CONFIG, DEMO, STUDY, TOOL

LOADER = '\ntrain_dataloader = dict(batch_size=32)\n'
KEY = ('second', 0, 'dark')


@pytest.fixture
def batched(fake):
    """A study that is meant for 8 GPUs with 32 people each."""
    fake.edit('study.py', "headline = 'AP'", "headline = 'AP'\ngpus = 8")
    for name in ('first.py', 'second.py'):
        fake.edit(name, 'fake = dict()', 'fake = dict()' + LOADER)
    return fake


def plan(fake, **kwargs):
    return plan_runs(read_study(fake.file), fake.folder, ['second'], **kwargs)


@pytest.mark.parametrize('gpus, batch, accumulate', [
    (1, 32, 8), (2, 32, 4), (8, 32, 1), (4, 64, 1), (1, 16, 16)
])
def test_the_batch_of_the_recipe(batched, gpus, batch, accumulate):
    options = {'train_dataloader.batch_size': batch}
    run, = plan(batched, gpus=gpus, cfg_options=options)
    assert run.launch.facts == dict(gpus=gpus, accumulate=accumulate)
    words = run.command()
    if gpus == 1:
        assert words[0].endswith('fake_tool.py')
        assert 'pytorch' not in words
    else:
        assert words[:5] == ['-m', 'torch.distributed.run', '--standalone',
                             '--nproc_per_node', str(gpus)]
        assert words[words.index('--launcher') + 1] == 'pytorch'
    told = f'optim_wrapper.accumulative_counts={accumulate}' in words
    assert told is (accumulate > 1)
    same, = plan(batched, gpus=gpus, accumulate=accumulate,
                 cfg_options=options)
    assert same.launch == run.launch


@pytest.mark.parametrize('kwargs, match', [
    (dict(gpus=3), 'be the 256 of the recipe, got 3 x 32 x 1; give others'),
    (dict(accumulate=4), 'got 1 x 32 x 4; give --accumulate 8, or another'),
    (dict(gpus=16), 'got 16 x 32 x 1; give others'),
    (dict(gpus=0), 'expected --gpus and --accumulate of 1 or more, got 0'),
    (dict(accumulate=0), 'of 1 or more, got 1 and 0'),
    (dict(cfg_options={'train_dataloader.batch_size': 24}), '1 x 24 x 1;'),
])
def test_other_batches_are_refused(batched, kwargs, match):
    with pytest.raises(ValueError, match=match):
        plan(batched, **kwargs)


def test_a_study_that_says_nothing_is_for_one_gpu(fake):
    run, = plan(fake)
    assert run.launch.facts == dict(gpus=1, accumulate=1)
    fake.edit('second.py', 'fake = dict()', 'fake = dict()' + LOADER)
    with pytest.raises(ValueError, match='the 32 of the recipe, got 2 x 32'):
        plan(fake, gpus=2)
    run, = plan(fake, gpus=2, cfg_options={'train_dataloader.batch_size': 4})
    assert run.launch.facts == dict(gpus=2, accumulate=4)


def test_more_gpus_than_there_are(batched, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    with pytest.raises(ValueError, match='expected --gpus 4 at most'):
        plan(batched, gpus=8)


SCHEDULE = """
param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[170, 200], by_epoch=True),
    dict(type='mmengine.MultiStepLR', milestones=[3, 7], by_epoch=False)
]
"""


def test_schedules_by_iterations_become_longer(batched):
    batched.edit('second.py', 'fake = dict()', 'fake = dict()' + SCHEDULE)
    run, = plan(batched, gpus=2)
    assert run.launch.options == {
        'optim_wrapper.accumulative_counts': 4,
        'param_scheduler.0.end': 2000,
        'param_scheduler.2.milestones': [12, 28]
    }
    assert plan(batched, gpus=8)[0].launch.options == {}


@pytest.mark.parametrize('old, new, match', [
    ('max_epochs=5', 'max_iters=5', 'got one in iterations'),
    ('fake = dict()', 'optim_wrapper = dict(accumulative_counts=2)\n'
     'fake = dict()', 'got one that accumulates by itself'),
    ('fake = dict()', 'auto_scale_lr = dict(enable=True)\nfake = dict()',
     'got auto_scale_lr.enable'),
    ('fake = dict()', "custom_hooks = [dict(type='EMAHook')]\nfake = dict()",
     'got an EMAHook'),
    ("fake = dict()", "param_scheduler = dict(type='ExponentialLR', "
     "gamma=0.9, by_epoch=False)\nfake = dict()", 'got ExponentialLR by iter'),
])
def test_what_cannot_be_accumulated(batched, old, new, match):
    batched.edit('second.py', old, new)
    with pytest.raises(ValueError, match=f"row 'second': .*{match}"):
        plan(batched)
    plan(batched, gpus=8)


def test_results_do_not_depend_on_the_launch(batched):
    """They stand in one table; the records tell how each was trained."""
    digests = set()
    for gpus in (1, 8):
        run, = plan(batched, gpus=gpus)
        digests |= {frozenset(run.digests(t).items()) for t in run.tests}
    assert len(digests) == 1
    assert batched.run(rows=['second'], accumulate=8) == []
    record = Ledger('results.json').by_key()[KEY]
    assert (record['gpus'], record['accumulate']) == (1, 8)
    command = record['commands'][0]
    assert 'optim_wrapper.accumulative_counts=8' in command
    text = (batched.folder / 'results.md').read_text()
    assert 'Trained on GPUs x accumulated batches: 1 x 8.' in text
    # It is finished, on however many GPUs.
    batched.calls()
    assert batched.run(rows=['second'], gpus=8) == []
    assert batched.calls() == []


def test_a_half_done_training_goes_on_as_it_was_begun(batched):
    """Its checkpoint counts batches, which are others on other GPUs."""
    fail = {'fake.fail_at': 2}
    assert batched.run(rows=['second'], cfg_options=fail) == [
        'second, seed 0'
    ]
    match = (r'expected --gpus 1 --accumulate 8, with which the training in '
             r'work/second/seed0 was begun, got --gpus 8 --accumulate 1;')
    with pytest.raises(ValueError, match=match):
        batched.run(rows=['second'], gpus=8, cfg_options=fail)
    assert batched.run(rows=['second'], cfg_options=fail) == [
        'second, seed 0'
    ]
    assert batched.calls() == ['train second/seed0',
                               'train resumed second/seed0']


def test_a_failure_of_several_processes(batched):
    """What failed is told, not how the launcher sums it up."""
    fail = {'fake.fail_at': 0}
    assert batched.run(rows=['second'], gpus=2, cfg_options=fail) == [
        'second, seed 0'
    ]
    line, = [line for line in batched.told if 'failed' in line]
    assert 'fake_tool.py ended with code 1; the end of ' in line
    assert line.endswith('this epoch fails')
    log = batched.folder / 'work/second/seed0/train.log'
    assert 'ChildFailedError' in log.read_text()


def test_the_warm_up_ends_after_as_many_steps():
    """What the stock config's 500 steps become when 8 batches make one."""
    name = 'td-sr_res50_8xb32-210e_coco-256x192.py'
    path = next(CONFIGS.rglob(name))
    study = read_study(
        CONFIGS.parent / 'lab/experiments' / 'coco' / 'study.py')
    run = next(run for run in plan_runs(study, CONFIGS)
               if run.row.config.name == name)
    assert run.launch.facts == dict(gpus=1, accumulate=8)
    cfg = Config.fromfile(path)
    before = [scheduler.get('end') for scheduler in cfg.param_scheduler]
    cfg.merge_from_dict(dict(run.launch.options))
    assert before == [500, 210]
    assert [s.get('end') for s in cfg.param_scheduler] == [4000, 210]
    assert cfg.optim_wrapper.accumulative_counts == 8


@pytest.mark.slow
@pytest.mark.parametrize('words', [['--gpus', '2'], ['--accumulate', '2']])
def test_two_processes_and_two_batches(words, toy_coco, tmp_path):
    """A study for two, by its command line, with real trainings."""
    if torch.cuda.is_available():
        pytest.skip('the processes join over gloo where there is no GPU')
    (tmp_path / 'study.py').write_text(STUDY + 'gpus = 2\n')
    (tmp_path / 'tiny.py').write_text(
        CONFIG.format(base=str(DEMO), root=f'{toy_coco}/').replace(
            'max_epochs=6', 'max_epochs=1'))
    process = subprocess.run(
        [sys.executable, str(TOOL), 'study.py', '--work-dir', 'work', *words],
        cwd=tmp_path, env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=900)
    assert process.returncode == 0, process.stdout
    records = Ledger(tmp_path / 'results.json').by_key()
    assert set(records) == {('tiny', 0, 'dark'), ('tiny', 0, 'none')}
    expected = (2, 1) if '--gpus' in words else (1, 2)
    for record in records.values():
        assert (record['gpus'], record['accumulate']) == expected
        assert record['metrics']['EPE'] > 0
    # 11 people, 2 at a time: 3 of two processes, 6 of one, in 3 steps.
    checkpoint = torch.load(tmp_path / 'work/tiny/seed0/epoch_1.pth',
                            map_location='cpu', weights_only=False)
    assert checkpoint['meta']['iter'] == (3 if '--gpus' in words else 6)
    steps = {int(state['step'])
             for state in checkpoint['optimizer']['state'].values()}
    assert steps == {3}
