"""Studies that are killed, and two processes at one study."""
import os
import signal
import time
from functools import partial
from multiprocessing import get_context

import pytest

from lab.study import Ledger
from lab.study.locks import locked

# The training waits after two epochs until there is a file `go`.
HELD = {'fake.hold_at': 2}
KEY = ('second', 0, 'dark')


def wait_for(path):
    for _ in range(1200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f'{path} did not come')


@pytest.fixture
def run(fake):
    return partial(fake.run, rows=['second'], cfg_options=HELD)


@pytest.fixture
def started(fake, run):
    """A process that runs the study, in a group of its own with its child."""

    def target():
        os.setpgid(0, 0)
        # A shell lets what it runs in the background ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run()

    process = get_context('fork').Process(target=target)
    process.start()
    wait_for(fake.folder / 'work/second/seed0/epoch_2.pth')
    yield process
    (fake.folder / 'go').touch()
    process.join()


def results(fake):
    return Ledger(fake.folder / 'results.json').by_key()


def go_when_told(fake):
    """Let the training of the other process go on when we wait for it."""

    def tell(line):
        fake.told.append(line)
        if 'waiting for the process that does it' in line:
            (fake.folder / 'go').touch()

    return tell


def test_goes_on_in_the_middle_of_a_training(fake, run, started):
    os.killpg(started.pid, signal.SIGKILL)
    started.join()
    assert results(fake) == {}
    (fake.folder / 'go').touch()
    assert run() == []
    assert fake.calls() == [
        'train second/seed0', 'train resumed second/seed0',
        'test seed0/test_dark'
    ]
    record = results(fake)[KEY]
    assert record['metrics']['epoch'] == 4
    # Two epochs before and two after.
    assert record['training_seconds'] == 4 * 90
    assert '--resume' not in record['commands'][0]


def test_a_training_that_lost_its_study_is_not_doubled(fake, run, started):
    os.kill(started.pid, signal.SIGKILL)
    started.join()
    assert run(tell=go_when_told(fake)) == []
    assert any('another process does it' in line for line in fake.told)
    # It is at its end when the second one resumes it.
    assert results(fake)[KEY]['training_seconds'] == 4 * 90
    assert results(fake)[KEY]['metrics']['epoch'] == 4


def test_two_processes_share_a_study(fake, run, started):
    assert run(tell=go_when_told(fake)) == []
    started.join()
    assert started.exitcode == 0
    assert fake.calls() == ['train second/seed0', 'test seed0/test_dark']
    assert 'finished before' in fake.told[-1]


def test_again_refuses_a_folder_in_use(run, started):
    with pytest.raises(ValueError, match='expected nobody in work/second'):
        run(again=True)


def test_ends_the_training_when_it_is_asked_to_end(fake, started):
    """As Python does at SIGINT and tools/study.py at SIGTERM."""
    os.kill(started.pid, signal.SIGINT)
    started.join()
    assert started.exitcode != 0
    with locked(fake.folder / 'work/second/seed0', wait=False) as lock:
        assert lock is not None
    assert results(fake) == {}
