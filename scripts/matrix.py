"""Run the quick tests on the oldest, the default and the newest stack.

Run by ``make matrix``. Each row makes an environment of its own with
scripts/setup_env.py and removes it afterwards. A row whose Python is missing
is untested; make matrix fails if a row has no environment or its tests fail.

Example:
    python3 scripts/matrix.py --rows oldest --tests tests/test_codecs
"""
import argparse
import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name: Python, versions that differ from those of the lock file.
ROWS = {
    'oldest': ('3.10', ['torch==2.1.2', 'numpy==1.26.4',
                        'opencv-python-headless==4.8.1.78']),
    'default': ('3.11', []),
    'numpy 1': ('3.12', ['numpy==1.26.4']),
    'newest': ('3.13', ['numpy>=2.4']),
}
SHOWN = ('torch', 'numpy', 'opencv-python-headless')


def main(argv=None):
    args = parse_args(argv)
    table = Path(args.folder).resolve() / 'matrix.md'
    table.parent.mkdir(parents=True, exist_ok=True)
    lines = ['| row | Python | torch | numpy | OpenCV | quick tests | date |',
             '|---|---|---|---|---|---|---|']
    failed = False
    for name in args.rows:
        cells, passed = run_row(table.parent / name.replace(' ', ''), name,
                                args.tests)
        failed |= not passed
        today = datetime.date.today().isoformat()
        lines.append(f'| {" | ".join([name, *cells, today])} |')
        table.write_text('\n'.join(lines) + '\n')
    print(table.read_text())
    return failed


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--folder', default='work_dirs/matrix',
        help='where logs, matrix.md and, for a while, environments go')
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS))
    parser.add_argument(
        '--tests', nargs='+', default=['tests'], help='what pytest runs')
    return parser.parse_args(argv)


def run_row(folder, name, tests):
    """Make an environment, run the tests in it, remove it.

    Returns:
        tuple: The cells of the row after its name, and whether it is good.
    """
    python, changes = ROWS[name]
    interpreter = find_python(python)
    if interpreter is None:
        return [python, '', '', '', 'untested, no such Python'], True
    folder.mkdir(exist_ok=True)
    venv, log = folder / 'venv', folder / 'setup.log'
    words = ['--with', *changes] if changes else []
    try:
        if run([interpreter, ROOT / 'scripts' / 'setup_env.py', '--venv', venv,
                *words], log):
            return [python, '', '', '', f'no environment, see {log}'], False
        versions = installed_versions(venv)
        log = folder / 'tests.log'
        code = run([venv / 'bin' / 'python', '-m', 'pytest', '-m', 'not slow',
                    '-n', 'logical', *tests], log)
        result = log.read_text().rstrip().splitlines()[-1].strip('= ')
        return [python, *versions, result], code == 0
    finally:
        shutil.rmtree(str(venv), ignore_errors=True)


def installed_versions(venv):
    code = ('from importlib.metadata import version; '
            f'print(*map(version, {SHOWN}))')
    return subprocess.run(
        [str(venv / 'bin' / 'python'), '-c', code], stdout=subprocess.PIPE,
        universal_newlines=True).stdout.split()


def find_python(version):
    """Return an interpreter that runs: on the PATH or among pyenv's."""
    home = Path(os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv')
    on_path = shutil.which(f'python{version}')
    paths = [*([on_path] if on_path else []),
             *map(str, sorted(
                 (home / 'versions').glob(f'{version}.*/bin/python')))]
    for path in paths:
        # pyenv puts programs on the PATH for versions that are switched off.
        if subprocess.run([path, '-c', ''],
                          stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


def run(command, log):
    """Run a command in the repository with its output in a file."""
    print(f'== {" ".join(map(str, command))}, log in {log}', flush=True)
    with log.open('w') as stream:
        return subprocess.run(
            [str(word) for word in command], cwd=str(ROOT), stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'OMP_NUM_THREADS': '1'}).returncode


if __name__ == '__main__':
    sys.exit(main())
