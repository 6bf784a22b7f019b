"""Run mim as a user does, in a process of its own."""
import os
import re
import subprocess
import sys
from pathlib import Path

MIM = Path(sys.executable).parent / 'mim'


def mim(*words, cwd, env=None, check=True):
    """Run ``mim WORDS``; give back what it printed.

    Args:
        words: The command line after ``mim``.
        cwd: Where to run: never the repository, whose folders would hide
            what is installed.
        env: More environment variables.
        check: Whether a failure is an error.
    """
    result = subprocess.run(
        [str(MIM), *map(str, words)],
        cwd=cwd,
        # Two ranks on two cores wait for each other less with one thread; a
        # process that crashes says where.
        env={
            **os.environ, 'OMP_NUM_THREADS': '1',
            'PYTHONFAULTHANDLER': '1',
            **(env or {})
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    if check and result.returncode:
        raise AssertionError(
            f'mim {words[0]} failed:\n{result.stdout[-4000:]}')
    return result.stdout


def metric(output, name):
    """The last value that was logged for a metric, e.g. ``coco/AP``."""
    found = re.findall(rf'{re.escape(name)}: (-?[\d.]+)', output)
    assert found, f'{name} was not reported:\n{output[-2000:]}'
    return float(found[-1])
