"""Build a virtual environment that trains and tests MMPose models.

Run by ``make setup`` and ``make lock``. Needs nothing but Python 3.9 to 3.13
and a C++ compiler. A step whose result is present is skipped.

Examples:
    python3 scripts/setup_env.py --venv .venv
    python3 scripts/setup_env.py --with torch==2.8.0 numpy==1.26.4
    python3 scripts/setup_env.py --lock
"""
import argparse
import os
import shutil
import sys
import time

from environment import LOCK, ROOT, Environment, fail, say

OLDEST, NEWEST = (3, 9), (3, 13)
OPENMMLAB = ROOT / 'requirements' / 'openmmlab.txt'
# What the lock file is made of.
INPUTS = ('requirements.txt', 'requirements/build.txt',
          'requirements/tests.txt')
LIMITS = 'requirements/limits.txt'


def main(argv=None):
    args = parse_args(argv)
    check_python()
    start = time.time()
    # What the steps import is compiled once, not again in every process.
    os.environ.pop('PYTHONDONTWRITEBYTECODE', None)
    environment = Environment(args.venv)
    environment.create()
    if args.lock:
        return write_lock(environment)
    lock = LOCK
    if args.changes:
        lock = changed_lock(environment, args.changes)
    say(f'packages of {lock} and {OPENMMLAB.name}')
    # Every package is listed, so that no dependency comes in unpinned.
    environment.uv('install', '--no-deps', '-r', lock, '-r', OPENMMLAB)
    run_script(environment, 'build_wheels.py')
    say(f'srpose_mm, {args.install}')
    install_self(environment, args.install)
    say('checking')
    if environment.python('-m', 'srpose_mm').returncode:
        fail('the environment was built but its check failed, see above')
    say(f'ready in {time.time() - start:.0f} s: {environment.root}')


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--venv', default='.venv', help='where to build it')
    parser.add_argument(
        '--with', dest='changes', nargs='+', metavar='NAME==VERSION',
        help='versions that differ from those of the lock file')
    parser.add_argument(
        '--install',
        choices=['editable', 'wheel'],
        default='editable',
        help='how this package goes in')
    parser.add_argument(
        '--lock', action='store_true',
        help='write the newest versions into the lock file, no more')
    return parser.parse_args(argv)


def check_python():
    """Stop unless the running Python is one that is supported."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail('Python 3.9 to 3.13 is needed and {} is {}.{}; name another one, '
             'for example: make setup PYTHON=python3.12'.format(
                 sys.executable, *sys.version_info[:2]))


def write_lock(environment):
    """Resolve the newest versions for all supported versions of Python."""
    say(f'{LOCK.relative_to(ROOT)} of {", ".join(INPUTS)}')
    environment.uv(
        'compile', '--quiet', '--universal', '--upgrade', '--python-version',
        '%d.%d' % OLDEST, '--no-annotate', '--custom-compile-command',
        'make lock', '-c', LIMITS, '-o', LOCK.relative_to(ROOT), *INPUTS)


def changed_lock(environment, changes):
    """Return a lock file in which some versions are others.

    uv keeps the versions of a lock file that it writes over, as far as the
    changes permit.
    """
    lock = environment.root / 'lock.txt'
    shutil.copy(str(LOCK), str(lock))
    constraints = environment.root / 'changes.txt'
    constraints.write_text('\n'.join(changes) + '\n')
    say(f'versions that fit {", ".join(changes)}')
    environment.uv('compile', '--quiet', '-c', constraints, '-o', lock,
                   *INPUTS)
    return lock


def install_self(environment, how):
    """Install this package, editable or from a wheel."""
    words = ['-e', '.'] if how == 'editable' else ['.']
    # setuptools packs again what an earlier build left behind.
    shutil.rmtree(str(ROOT / 'build'), ignore_errors=True)
    environment.uv('install', '--no-deps', '--no-build-isolation',
                   '--reinstall-package', 'srpose_mm', *words)


def run_script(environment, name):
    """Run a script of this folder in the environment; stop if it fails."""
    done = environment.python(ROOT / 'scripts' / name)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == '__main__':
    main()
