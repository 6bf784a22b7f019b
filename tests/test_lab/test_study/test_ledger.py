"""The file of results."""
import json
import os
import random
import signal
import time
from multiprocessing import get_context

import pytest

from lab.study import Ledger

FORK = get_context('fork')


def record(seed, **more):
    return dict(row='a', seed=seed, test='b', **more)


def test_adds_replaces_and_removes(tmp_path):
    ledger = Ledger(tmp_path / 'new' / 'results.json')
    assert ledger.records() == []
    for seed in (0, 1):
        ledger.add(record(seed, value=1))
    ledger.add(record(0, value=2))
    assert ledger.records() == [record(0, value=2), record(1, value=1)]
    ledger.remove([('a', 0, 'b'), ('not', 0, 'there')])
    assert ledger.records() == [record(1, value=1)]
    assert os.listdir(ledger.path.parent) == ['results.json']


@pytest.mark.parametrize('text', ['', '{"records": [', '[]', '{}',
                                  '{"records": [{"row": "a"}]}'])
def test_refuses_other_files(tmp_path, text):
    path = tmp_path / 'results.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='Ledger: expected the results of a'):
        Ledger(path)
    assert path.read_text() == text


def add_many(path, seeds):
    for seed in seeds:
        Ledger(path).add(record(seed, value=[seed] * 1000))


def test_two_processes_lose_nothing(tmp_path):
    path = tmp_path / 'results.json'
    processes = [
        FORK.Process(target=add_many, args=(path, range(start, 30, 2)))
        for start in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(r['seed'] for r in Ledger(path).records()) == [*range(30)]


def test_a_kill_leaves_it_whole(tmp_path):
    path = tmp_path / 'results.json'
    sizes = []
    for _ in range(6):
        process = FORK.Process(target=add_many, args=(path, range(10**6)))
        process.start()
        # Killed at another moment each time, after it has written some.
        time.sleep(random.uniform(0.05, 0.1))
        while not path.exists():
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        records = json.loads(path.read_text())['records']
        sizes.append(len(records))
        assert [r['seed'] for r in records] == [*range(sizes[-1])]
    assert sizes == sorted(sizes)
