"""The file of a study, its launch and its command lines."""
import pytest
import torch
from mmengine.config import Config

from lab.study import plan_runs, read_study
from lab.study.plan import _option_words

from ..conftest import CONFIGS, ROOT

LOADER = '\ntrain_dataloader = dict(batch_size=32)\n'


def test_reads_a_study(fake):
    study = read_study(fake.file)
    first, second = study.rows
    assert (first.name, first.seeds) == ('first row', (0, 1))
    assert first.config == fake.folder / 'first.py'
    assert first.tests['none']['fake.add'] == -0.125
    assert second.tests == {'dark': {'fake.add': 0.25}}
    assert study.metrics == {'AP': 'coco/AP', 'AR': 'AR'}
    assert (study.lower_is_better, study.cfg_options) == (False, {})


@pytest.mark.parametrize('old, new, match', [
    ('headline =', 'heading =', 'expected headline'),
    ("headline = 'AP'", "headline = 'AP75'", "AP, AR, got 'AP75'"),
    ('plain', 'metric', "the key metrics, got 'metric'"),
    ('config=', 'file=', 'each row to be a dict of name, config'),
    ('seeds=(0, 1)', 'seeds=1', 'expected seeds to be different integers'),
    ('seeds=(0, 1)', 'seeds=(1, 1)', 'expected seeds to be different'),
    ("tests={'dark': {}, ", "tests={'dark': 1, ", 'tests to map labels'),
    ("'first row'", "'second'", 'names of rows that differ'),
    ("{'dark': {}, 'none'", "{'a b': {}, 'a_b'", 'names of tests that differ'),
    ("metrics = {'AP': 'coco/AP', 'AR': 'AR'}", "metrics = ['AP']",
     'expected metrics to map'),
    ("headline = 'AP'", "headline = 'AP'\ngpus = 0", 'gpus to be a number'),
])
def test_refuses_other_files(fake, old, new, match):
    fake.edit('study.py', old, new)
    with pytest.raises(ValueError, match=match):
        read_study(fake.file)


def test_missing_files(fake):
    with pytest.raises(FileNotFoundError, match="got 'nothing.py'"):
        read_study('nothing.py')
    fake.edit('study.py', 'first.py', 'third.py')
    with pytest.raises(FileNotFoundError, match="row 'first row': .*third.py"):
        read_study(fake.file)


@pytest.mark.parametrize('kwargs, match', [
    (dict(rows=['third']), "first row, second, got 'third'"),
    (dict(rows=['second'], seeds=[1]), 'seeds of .* got 1'),
    (dict(cfg_options={'pipeline.99.type': 'A'}),
     "row 'first row': expected cfg_options that fit"),
    (dict(cfg_options={'a': {'b': 1}}), 'write a.KEY for the keys of a dict'),
])
def test_refuses_other_runs(fake, kwargs, match):
    with pytest.raises(ValueError, match=match):
        plan_runs(read_study(fake.file), fake.folder, **kwargs)


@pytest.mark.parametrize('value, word', [
    (1, '1'), (0.5, '0.5'), (1e-5, '1e-05'), (True, 'True'), (None, 'None'),
    ('dark', 'dark'), ((1, 2.5), '(1,2.5)'), (('a', ), '(a,)'),
    ([1, ['a', 'b']], '[1,[a,b]]'), ([], '[]')
])
def test_options_as_words(value, word):
    assert _option_words({'a.b': value}) == ['--cfg-options', f'a.b={word}']


@pytest.mark.parametrize('value', ['1', 'a,b', 'a b', 'None', '(a,b', {}])
def test_values_without_a_word(value):
    with pytest.raises(ValueError, match='expected a.b to be a number'):
        _option_words({'a.b': value})


@pytest.fixture
def batched(fake):
    """A study for 8 GPUs with 32 instances each."""
    fake.edit('study.py', "headline = 'AP'", "headline = 'AP'\ngpus = 8")
    for name in ('first.py', 'second.py'):
        fake.edit(name, 'fake = dict()', 'fake = dict()' + LOADER)
    return fake


def plan(fake, **kwargs):
    run, = plan_runs(read_study(fake.file), fake.folder, ['second'], **kwargs)
    return run


@pytest.mark.parametrize('gpus, batch, accumulate', [
    (1, 32, 8), (2, 32, 4), (8, 32, 1), (4, 64, 1), (1, 16, 16)
])
def test_the_batch_of_the_recipe(batched, gpus, batch, accumulate):
    options = {'train_dataloader.batch_size': batch}
    run = plan(batched, gpus=gpus, cfg_options=options)
    assert (run.launch.gpus, run.launch.accumulate) == (gpus, accumulate)
    words = run.command()
    if gpus == 1:
        assert 'pytorch' not in words and words[0].endswith('.py')
    else:
        assert words[:5] == ['-m', 'torch.distributed.run', '--standalone',
                             '--nproc_per_node', str(gpus)]
        assert words[words.index('--launcher') + 1] == 'pytorch'
    accumulates = f'optim_wrapper.accumulative_counts={accumulate}' in words
    assert accumulates is (accumulate > 1)


@pytest.mark.parametrize('kwargs, match', [
    (dict(gpus=3), "a divisor of the recipe's 256, got 3 x 32; change"),
    (dict(gpus=16), 'got 16 x 32; change'),
    (dict(gpus=0), 'expected --gpus of at least 1'),
    (dict(cfg_options={'train_dataloader.batch_size': 24}), '1 x 24; change'),
])
def test_refuses_other_batches(batched, kwargs, match):
    with pytest.raises(ValueError, match=match):
        plan(batched, **kwargs)


def test_a_study_without_gpus_is_for_one(fake):
    assert plan(fake).launch[:2] == (1, 1)
    fake.edit('second.py', 'fake = dict()', 'fake = dict()' + LOADER)
    with pytest.raises(ValueError, match="the recipe's 32, got 2 x 32"):
        plan(fake, gpus=2)
    options = {'train_dataloader.batch_size': 4}
    assert plan(fake, gpus=2, cfg_options=options).launch[:2] == (2, 4)


def test_refuses_more_gpus_than_the_machine_has(batched, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 4)
    with pytest.raises(ValueError, match='of the machine, 4, got 8'):
        plan(batched, gpus=8)


def test_schedules_by_iterations_are_lengthened(batched):
    batched.edit('second.py', 'fake = dict()', """fake = dict()
param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, by_epoch=False),
    dict(type='MultiStepLR', milestones=[170, 200], by_epoch=True),
    dict(type='mmengine.MultiStepLR', milestones=[3, 7], by_epoch=False)
]
""")
    assert plan(batched, gpus=2).launch.options == {
        'optim_wrapper.accumulative_counts': 4,
        'param_scheduler.0.end': 2000,
        'param_scheduler.2.milestones': [12, 28]
    }
    assert plan(batched, gpus=8).launch.options == {}


@pytest.mark.parametrize('old, new, match', [
    ('max_epochs=4', 'max_iters=5', 'got max_iters'),
    ('fake = dict()', 'optim_wrapper = dict(accumulative_counts=2)\n'
     'fake = dict()', 'got accumulative_counts in optim_wrapper'),
    ('fake = dict()', 'auto_scale_lr = dict(enable=True)\nfake = dict()',
     'got auto_scale_lr.enable'),
    ('fake = dict()', "custom_hooks = [dict(type='EMAHook')]\nfake = dict()",
     'got an EMAHook'),
    ('fake = dict()', "param_scheduler = dict(type='ExponentialLR', "
     "gamma=0.9, by_epoch=False)\nfake = dict()", 'got ExponentialLR by iter'),
])
def test_refuses_to_accumulate(batched, old, new, match):
    batched.edit('second.py', old, new)
    with pytest.raises(ValueError, match=f"row 'second': .*{match}"):
        plan(batched)
    plan(batched, gpus=8)


def test_the_warm_up_has_as_many_steps():
    """500 steps of the recipe are 4,000 batches if 8 batches make a step."""
    name = 'td-sr_res50_8xb32-210e_coco-256x192.py'
    study = read_study(ROOT / 'lab/experiments/coco/study.py')
    row = next(row.name for row in study.rows if row.config.name == name)
    run, = plan_runs(study, ROOT / 'work_dirs', [row])
    cfg = Config.fromfile(next(CONFIGS.rglob(name)))
    assert [s.get('end') for s in cfg.param_scheduler] == [500, 210]
    cfg.merge_from_dict(dict(run.launch.options))
    assert [s.get('end') for s in cfg.param_scheduler] == [4000, 210]
    assert cfg.optim_wrapper.accumulative_counts == 8
