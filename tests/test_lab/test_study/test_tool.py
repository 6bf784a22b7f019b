"""tools/study.py, and a study with real trainings."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lab.study import Ledger
from srpose_mm.configs import SRPOSE_MIM

from ...conftest import CONFIGS
from ...test_docs import load

DEMO = next((CONFIGS / 'demo').glob('*.py'))
TOOL = SRPOSE_MIM / 'tools' / 'study.py'
STUDY = """
title = 'Tiny'
rows = [
    dict(name='tiny', config='tiny.py', seeds=(0, ),
         tests={'dark': {}, 'none': {'model.head.decoder.refine': 'none'}})
]
metrics = {'EPE': 'EPE'}
headline = 'EPE'
lower_is_better = True
"""
CONFIG = """
_base_ = [{base!r}]
root = {root!r}
train_cfg = dict(max_epochs=6, val_interval=9)
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


@pytest.fixture(scope='module')
def main():
    return load(TOOL).main


@pytest.fixture(autouse=True)
def _signals():
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def test_prints_the_table(fake, main, capsys):
    main(['study.py', '--work-dir', 'work', '--rows', 'second',
          '--results', 'here/found.json', '--cfg-options', 'fake.add=0.5'])
    assert '| second | dark   | **0.7500** | 0.2500 |' in (
        capsys.readouterr().out)
    folder = fake.folder / 'here'
    assert sorted(os.listdir(folder)) == [
        f'found.{end}' for end in ('csv', 'json', 'md', 'png')
    ]
    fake.calls()
    main(['study.py', '--report-only', '--results', 'here/found.json'])
    assert '**0.7500**' in capsys.readouterr().out
    assert fake.calls() == []


def test_ends_with_an_error_where_a_run_failed(fake, main, capsys):
    with pytest.raises(SystemExit, match='failed: first row, seed 0; first'):
        main(['study.py', '--work-dir', 'work', '--cfg-options',
              'fake.fail_at=1', '--rows', 'first row'])
    assert len(fake.calls()) == 2


@pytest.mark.parametrize('words, message', [
    (['study.py'], 'expected --work-dir, or --report-only'),
    (['study.py', '--report-only', '--rows', 'a'], 'expected nothing but'),
    (['study.py', '--report-only', '--again'], 'expected nothing but'),
])
def test_options_that_do_not_fit(main, capsys, words, message):
    with pytest.raises(SystemExit, match='2'):
        main(words)
    assert message in capsys.readouterr().err


def test_a_refusal_is_a_sentence(fake, main):
    with pytest.raises(SystemExit, match='^study: expected a study, got'):
        main(['nothing.py', '--work-dir', 'work'])


@pytest.fixture
def tiny(toy_coco, tmp_path):
    (tmp_path / 'study.py').write_text(STUDY)
    (tmp_path / 'tiny.py').write_text(
        CONFIG.format(base=str(DEMO), root=f'{toy_coco}/'))
    return tmp_path


def start(folder, work_dir):
    return subprocess.Popen(
        [sys.executable, str(TOOL), 'study.py', '--work-dir', work_dir,
         '--results', f'{work_dir}.json'],
        cwd=folder, env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True)


@pytest.mark.slow
def test_killed_and_started_again_it_gives_the_same(tiny):
    """As a study that nobody killed."""
    whole = start(tiny, 'whole')
    output, _ = whole.communicate()
    assert whole.returncode == 0, output
    killed = start(tiny, 'killed')
    folder = tiny / 'killed' / 'tiny' / 'seed0'
    while not (folder / 'epoch_2.pth').exists():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    # The training was killed in the middle.
    assert not (folder / 'epoch_6.pth').exists()
    again = start(tiny, 'killed')
    output, _ = again.communicate()
    assert again.returncode == 0, output
    assert 'resumed epoch: ' in (folder / 'train.log').read_text()
    first, second = (Ledger(tiny / f'{name}.json').by_key()
                     for name in ('whole', 'killed'))
    assert set(first) == set(second) == {('tiny', 0, 'dark'),
                                         ('tiny', 0, 'none')}
    for key, record in first.items():
        assert record['metrics'] == pytest.approx(second[key]['metrics'])
        assert record['digests'] == second[key]['digests']
        assert record['metrics']['EPE'] > 0
    assert first['tiny', 0, 'dark'] != first['tiny', 0, 'none']


@pytest.mark.slow
def test_a_command_of_a_record_repeats_it(tiny):
    process = start(tiny, 'work')
    output, _ = process.communicate()
    assert process.returncode == 0, output
    for record in Ledger(tiny / 'work.json').records():
        for command in record['commands']:
            assert command.startswith('python ')
            subprocess.run(command, shell=True, check=True, cwd=tiny,
                           env={**os.environ, 'OMP_NUM_THREADS': '1'},
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        folder = tiny / 'work/tiny/seed0' / f'test_{record["test"]}'
        metrics = json.loads((folder / 'metrics.json').read_text())
        assert metrics == pytest.approx(record['metrics'])
