"""Build a virtual environment that trains and tests MMPose models.

Run by ``make setup``. Needs nothing but Python 3.9 to 3.12 and, where no mmcv
wheel fits, a C++ compiler. Every step is skipped when its result is there.

Example:
    python3 scripts/setup_env.py --venv .venv --torch 2.11.0
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MMCV = '2.1.0'
OLDEST, NEWEST = (3, 9), (3, 12)
MMCV_FLAGS = {'MMCV_WITH_OPS': '1', 'CFLAGS': '-g0 -O1 -w'}


def main(argv=None):
    args = parse_args(argv)
    check_python()
    start = time.time()
    venv = Environment(Path(args.venv))
    venv.create()
    torch = args.torch or default_torch()
    say(f'torch {torch}')
    # numpy is named here so that torch does not bring numpy 2 along.
    venv.pip('install', f'torch=={torch}', 'torchvision', 'numpy==1.26.4')
    say('requirements.txt')
    if venv.lacks('xtcocotools'):
        # Built here where no wheel fits; it needs these to build.
        venv.pip('install', 'cython', 'numpy==1.26.4')
    venv.pip('install', '--no-build-isolation', '-r', 'requirements.txt')
    say('requirements/openmmlab.txt')
    venv.pip('install', '--no-deps', '-r', 'requirements/openmmlab.txt')
    install_mmcv(venv)
    say(f'srpose_mm, {args.install}')
    install_self(venv, args.install)
    venv.pip('install', '-r', 'requirements/tests.txt')
    say('checking')
    if venv.python('-m', 'srpose_mm').returncode:
        fail('the environment was built but its check failed, see above')
    say(f'ready in {time.time() - start:.0f} s: {venv.root}')


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--venv', default='.venv', help='where to build it')
    parser.add_argument('--torch', help='torch version, e.g. 2.11.0')
    parser.add_argument(
        '--install',
        choices=['editable', 'wheel'],
        default='editable',
        help='how this package goes in')
    return parser.parse_args(argv)


class Environment:
    """A virtual environment and the two programs we run in it."""

    def __init__(self, root):
        self.root = root.absolute()
        folder = 'Scripts' if os.name == 'nt' else 'bin'
        self.executable = self.root / folder / 'python'

    def create(self):
        if not self.executable.exists():
            say(f'virtual environment {self.root}')
            result = run([sys.executable, '-m', 'venv', self.root])
            if result.returncode:
                fail(f'{sys.executable} cannot make a virtual environment; '
                     'install its venv package or set PYTHON')
        self.check_version()
        self.pip('install', '--upgrade', 'pip', 'setuptools<80.9', 'wheel',
                 'ninja', 'psutil')

    def check_version(self):
        """An environment keeps the Python that it was made with."""
        code = 'import sys; print("%d.%d" % sys.version_info[:2])'
        made = self.python('-c', code, stdout=subprocess.PIPE,
                           universal_newlines=True).stdout.strip()
        asked = '%d.%d' % sys.version_info[:2]
        if made != asked:
            fail(f'{self.root} was made with Python {made} and {asked} is '
                 'asked for; remove it or name another with VENV')

    def pip(self, *words):
        """Run pip; stop with one sentence where it fails."""
        command = [self.executable, '-m', 'pip', '--disable-pip-version-check']
        process = subprocess.Popen(
            [str(word) for word in [*command, *words]],
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True)
        output = []
        for line in process.stdout:
            output.append(line)
            if re.match(r'\s*(Downloading|Building|Success|WARNING: Retry)',
                        line):
                print('   ' + line.strip()[:110], flush=True)
        if process.wait():
            print(''.join(output[-25:]), file=sys.stderr)
            fail(explain_pip(''.join(output), words))

    def python(self, *words, **kwargs):
        return run([self.executable, *words], **kwargs)

    def lacks(self, module):
        code = f'import {module}'
        return self.python('-c', code, stderr=subprocess.DEVNULL).returncode

    def value(self, expression):
        """What a Python expression prints there."""
        result = self.python(
            '-c', f'import sys, torch; print({expression})',
            stdout=subprocess.PIPE, universal_newlines=True)
        return result.stdout.strip()


def install_mmcv(venv):
    """Install mmcv: what is there, a cached or prebuilt wheel, or a build."""
    if not venv.lacks('mmcv.ops'):
        return
    cache = wheel_cache(venv)
    sources = [('cached', ['--no-index', '--find-links', cache]),
               ('prebuilt', ['--only-binary', 'mmcv'])]
    for name, options in sources:
        command = ['-m', 'pip', 'install', '--no-deps', '-q',
                   '--force-reinstall', *options, f'mmcv=={MMCV}']
        found = venv.python(*command, stderr=subprocess.DEVNULL)
        # A wheel for another torch installs, but does not import.
        if found.returncode == 0 and not venv.lacks('mmcv.ops'):
            say(f'mmcv {MMCV}, {name} wheel')
            return
    build_mmcv(venv, cache)
    venv.pip('install', '--no-deps', '--force-reinstall', '--no-index',
             '--find-links', cache, f'mmcv=={MMCV}')
    if venv.lacks('mmcv.ops'):
        venv.python('-c', 'import mmcv.ops')
        fail('mmcv was built but its operators do not import, see above')


def build_mmcv(venv, cache):
    """Build the wheel into ``cache``, showing ninja's progress."""
    compiler = (os.environ.get('CXX') or 'c++').split()[0]
    if shutil.which(compiler) is None:
        fail(f'no wheel of mmcv {MMCV} fits and there is no C++ compiler '
             f'({compiler}) to build one; install g++ or set CXX')
    cache.mkdir(parents=True, exist_ok=True)
    log = cache / 'build.log'
    say(f'mmcv {MMCV}: no wheel fits, building it (4 to 10 minutes), '
        f'log in {log}')
    command = [str(venv.executable), '-m', 'pip', 'wheel', '-v', '--no-deps',
               '--no-build-isolation', '--no-binary', 'mmcv',
               '--no-cache-dir', '-w', str(cache), f'mmcv=={MMCV}']
    # ninja is found through PATH.
    path = os.pathsep.join([str(venv.executable.parent), os.environ['PATH']])
    # What the user has set wins over our flags.
    env = {'MAX_JOBS': str(os.cpu_count()), **MMCV_FLAGS, **os.environ,
           'PATH': path}
    with open(str(log), 'w') as stream:
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, universal_newlines=True)
        for line in process.stdout:
            stream.write(line)
            show_progress(line)
    if process.wait():
        text = log.read_text()
        reason = last_error(text) or explain_pip(text, ['wheel', 'mmcv'])
        fail(f'mmcv {MMCV} did not build: {reason} (all of it in {log})')


def show_progress(line):
    match = re.search(r'\[(\d+)/(\d+)\]', line)
    if not match:
        return
    done, total = int(match.group(1)), int(match.group(2))
    if sys.stdout.isatty():
        print(f'\r   compiled {done}/{total}', end='\n' * (done == total),
              flush=True)
    elif done % 10 == 0 or done == total:
        print(f'   compiled {done}/{total}', flush=True)


def wheel_cache(venv):
    """A wheel fits one Python, one torch build and one mmcv."""
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    tag = venv.value(
        '"py%d%d-torch" % sys.version_info[:2] + torch.__version__')
    return Path(home) / 'srpose_mm' / f'{tag}-mmcv{MMCV}'


def install_self(venv, how):
    if how == 'editable':
        venv.pip('install', '--no-deps', '--no-build-isolation', '-e', '.')
        return
    wheels = venv.root / 'wheels'
    # setuptools packs again what an earlier build left there.
    for folder in (wheels, ROOT / 'build'):
        shutil.rmtree(str(folder), ignore_errors=True)
    venv.pip('wheel', '--no-deps', '--no-build-isolation', '-w', wheels, '.')
    wheel = next(wheels.glob('srpose_mm-*.whl'))
    venv.pip('install', '--no-deps', '--force-reinstall', wheel)


def default_torch():
    """The newest torch that this was tried with, by Python version."""
    return '2.8.0' if sys.version_info < (3, 10) else '2.11.0'


def check_python():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail('Python 3.9 to 3.12 is needed and {} is {}.{}; name another one, '
             'for example: make setup PYTHON=python3.11'.format(
                 sys.executable, *sys.version_info[:2]))


def explain_pip(output, words):
    """One sentence for the ways pip fails on a bare machine."""
    if re.search('NewConnectionError|name resolution|timed out', output):
        return ('pip reached no package index; check the network, or point '
                'PIP_INDEX_URL or PIP_FIND_LINKS at a mirror')
    if 'from versions: none' in output:
        return ('pip found no file of a package for this Python; check the '
                'network and what PIP_INDEX_URL and PIP_FIND_LINKS point at')
    if 'No space left' in output:
        return 'the disk is full; the environment takes 6 GB'
    return 'pip {} failed, see above'.format(' '.join(map(str, words)))


def last_error(text):
    """The compiler's first error, or None where it had none."""
    errors = re.findall(r'^.*\berror: .*$', text, flags=re.MULTILINE)
    errors = [line.strip() for line in errors if 'subprocess' not in line]
    return errors[0] if errors else None


def run(command, **kwargs):
    return subprocess.run([str(word) for word in command], **kwargs)


def say(text):
    print(f'== {text}', flush=True)


def fail(text):
    sys.exit(f'make setup: {text}')


if __name__ == '__main__':
    main()
