"""Trainings that are killed at random moments until they end.

python -m tests.support.killing ROOT WORK ROUNDS
"""
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from .training import config, train, write_slowly

MOST = 8  # kills of one training


def start(root, work_dir):
    """Train in a process that need not import anything."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.dup2(2, 1)
        write_slowly(0.2)
        train(config(root, work_dir, resume=True))
        status = 0
    finally:
        os._exit(status)


def ends_within(child, seconds):
    """Whether a process does; if it fails, so does this one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, status
            return True
        time.sleep(0.01)
    return False


def unfinished(work_dir):
    return set(work_dir.glob('.unfinished_checkpoint_*/*'))


def main(root, folder, rounds):
    rng = random.Random(0)
    counts = {'trainings': 0, 'kills': 0, 'while writing': 0}
    begin = time.monotonic()
    ends_within(start(root, Path(folder) / 'timed'), float('inf'))
    duration = time.monotonic() - begin
    for number in range(int(rounds)):
        work_dir = Path(folder) / str(number)
        for kill in range(MOST + 1):
            limit = rng.uniform(0, duration) if kill < MOST else float('inf')
            left = unfinished(work_dir)
            child = start(root, work_dir)
            if ends_within(child, limit):
                break
            # Not what the one before left.
            counts['while writing'] += bool(unfinished(work_dir) - left)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            counts['kills'] += 1
        counts['trainings'] += 1
    sys.stdout.write(json.dumps(counts) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
