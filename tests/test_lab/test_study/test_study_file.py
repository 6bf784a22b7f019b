"""What a study's file may say."""
import pytest

from lab.study import read_study
from lab.study.names import option_words
from lab.study.plan import plan_runs

from ...conftest import ROOT


def test_reads(fake):
    study = read_study(fake.file)
    first, second = study.rows
    assert (first.name, first.seeds) == ('first row', (0, 1))
    assert first.config == fake.folder / 'first.py'
    assert first.tests['none']['fake.add'] == -0.125
    assert second.tests == {'dark': {'fake.add': 0.25}}
    assert study.metrics == {'AP': 'coco/AP', 'AR': 'AR'}
    assert study.headline == 'AP'
    assert study.lower_is_better is False
    assert study.cfg_options == {}


@pytest.mark.parametrize('old, new, match', [
    ('headline =', 'heading =', 'got one without headline'),
    ("headline = 'AP'", "headline = 'AP75'", "AP, AR, got 'AP75'"),
    ('plain', 'metric', 'looks like metrics, got metric;'),
    ('config=', 'file=', r'expected rows\[0\] to be a dict with name, config'),
    ('seeds=(0, 1)', 'seeds=1', 'expected seeds to be different integers'),
    ('seeds=(0, 1)', 'seeds=(1, 1)', 'expected seeds to be different'),
    ("tests={'dark': {}, ", "tests={'dark': 1, ", 'tests to map labels'),
    ("'first row'", "'second'", "names of rows .* got \\['second'\\]"),
    ("{'dark': {}, 'none'", "{'a b': {}, 'a_b'", 'names of tests that differ'),
    ("metrics = {'AP': 'coco/AP', 'AR': 'AR'}", "metrics = ['AP']",
     'expected metrics to map'),
])
def test_refusals(fake, old, new, match):
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
    (dict(rows=['second'], seeds=[1]), 'seeds of second in .* got 1'),
    (dict(cfg_options={'pipeline.99.type': 'A'}),
     "row 'first row': expected cfg_options that fit"),
    (dict(cfg_options={'a': {'b': 1}}), 'write the keys of a dict out'),
])
def test_runs_that_cannot_be(fake, kwargs, match):
    with pytest.raises(ValueError, match=match):
        plan_runs(read_study(fake.file), fake.folder, **kwargs)


@pytest.mark.parametrize('value, word', [
    (1, '1'), (0.5, '0.5'), (1e-5, '1e-05'), (True, 'True'), (None, 'None'),
    ('dark', 'dark'), ((1, 2.5), '(1,2.5)'), (('a', ), '(a,)'),
    ([1, ['a', 'b']], '[1,[a,b]]'), ([], '[]')
])
def test_options_as_words(value, word):
    assert option_words({'a.b': value}, 'owner') == [
        '--cfg-options', f'a.b={word}'
    ]


@pytest.mark.parametrize('value', ['1', 'a,b', 'a b', 'None', '(a,b', {}])
def test_values_that_no_word_says(value):
    with pytest.raises(ValueError, match='owner: expected a value of a.b'):
        option_words({'a.b': value}, 'owner')


STUDIES = sorted((ROOT / 'lab/experiments').glob('*/study.py'))


@pytest.mark.parametrize('path', STUDIES, ids=lambda path: path.parent.name)
def test_our_studies_can_be_planned(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    study = read_study(path)
    runs = plan_runs(study, ROOT / 'work_dirs')
    assert len(runs) == sum(len(row.seeds) for row in study.rows)
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
