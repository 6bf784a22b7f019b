"""Run the quick tests with the oldest and the newest stack.

Run by ``make matrix``. Each row gets an environment of its own, from
scripts/setup_env.py, where its Python is found; mmcv is built once a row. A
row whose Python is not there, or whose environment cannot be built, is said to
be untested. It fails if a row's tests do.

Example:
    python3 scripts/matrix.py --folder work_dirs/matrix --rows oldest
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Name: Python, torch.
ROWS = {
    'oldest': ('3.9', '2.1.2'),
    'middle': ('3.10', '2.5.1'),
    'default': ('3.11', '2.11.0'),
    'newest': ('3.12', '2.13.0')
}


def main(argv=None):
    args = parse_args(argv)
    folder = Path(args.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in args.rows:
        python, torch = ROWS[name]
        results[name] = dict(
            python=python, torch=torch,
            **run_row(folder / name, python, torch, args.tests))
        (folder / 'matrix.json').write_text(json.dumps(results, indent=2))
    print(f'{"row":10}{"Python":8}{"torch":9}result')
    for name, row in results.items():
        print(f'{name:10}{row["python"]:8}{row["torch"]:9}{row["result"]}')
    return any(row['failed'] for row in results.values())


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--folder', default='work_dirs/matrix',
        help='where environments, logs and matrix.json go, 6 GB a row')
    parser.add_argument(
        '--rows', nargs='+', choices=ROWS, default=['oldest', 'newest'])
    parser.add_argument(
        '--tests', nargs='+', default=['tests'], help='what pytest runs')
    return parser.parse_args(argv)


def run_row(folder, python, torch, tests):
    """Build an environment and run the tests; say what came of it."""
    interpreter = find_python(python)
    if interpreter is None:
        return dict(result=f'untested: no Python {python}', failed=False)
    folder.mkdir(exist_ok=True)
    built = run([interpreter, ROOT / 'scripts/setup_env.py', '--venv',
                 folder / 'venv', '--torch', torch], folder / 'setup.log')
    if built.returncode:
        return dict(
            result=f'untested: no environment, see {folder / "setup.log"}',
            failed=False)
    log = folder / 'tests.log'
    done = run([folder / 'venv/bin/python', '-m', 'pytest', '-m', 'not slow',
                *tests], log)
    summary = log.read_text().splitlines()[-1].strip('= ')
    return dict(result=summary, failed=done.returncode != 0)


def find_python(version):
    """The interpreter of a version, on the path or among pyenv's."""
    found = shutil.which(f'python{version}')
    # pyenv puts a stand-in on the path for versions that are switched off.
    if found and subprocess.run([found, '-c', ''],
                                stderr=subprocess.DEVNULL).returncode == 0:
        return found
    home = Path(os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv')
    return next(
        map(str, sorted((home / 'versions').glob(f'{version}.*/bin/python'))),
        None)


def run(command, log):
    """Run a command in the repository, with its output in a file."""
    print(f'== {" ".join(map(str, command))}, log in {log}', flush=True)
    with log.open('w') as stream:
        return subprocess.run([str(word) for word in command], cwd=str(ROOT),
                              stdout=stream, stderr=subprocess.STDOUT)


if __name__ == '__main__':
    sys.exit(main())
