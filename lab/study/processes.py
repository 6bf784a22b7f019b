import re
import subprocess
import sys
from pathlib import Path
from typing import List

LINES = 15
# Where the launcher of several processes begins to sum up how they ended.
SUMMARY = re.compile(r'torch[./]distributed[./]elastic[./]multiprocessing')
PATIENCE = 60  # s from a request to end to the end; torchrun takes 30


class RunFailed(Exception):
    """A training or test that did not end well; the message says why."""


def call(words: List[str], log: Path, lock: int) -> None:
    """Run a Python script in a process of its own.

    Args:
        words: The script and its arguments.
        log: File that gets its output, after what is there.
        lock: Descriptor that the process keeps open as long as it lives.

    Raises:
        RunFailed: If it ends with an error; with the last lines of ``log``.
    """
    with log.open('ab') as stream:
        start = stream.tell()
        process = subprocess.Popen([sys.executable, *words],
                                   stdin=subprocess.DEVNULL,
                                   stdout=stream,
                                   stderr=subprocess.STDOUT,
                                   pass_fds=(lock, ))
        try:
            code = process.wait()
        finally:
            _end(process)
    if code:
        script = next(word for word in words if word.endswith('.py'))
        raise RunFailed(f'{script} ended with code {code}; the end of '
                        f'{log}:\n' + _last_lines(log, start))


def _last_lines(log: Path, start: int) -> str:
    """What a process said last; ``start`` is where its output begins."""
    lines = log.read_bytes()[start:].decode('utf-8', 'replace').splitlines()
    own = next((index for index, line in enumerate(lines)
                if SUMMARY.search(line)), len(lines))
    return '\n'.join(lines[:own or None][-LINES:])


def _end(process: subprocess.Popen) -> None:
    """Do not leave it behind when this process is asked to end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
