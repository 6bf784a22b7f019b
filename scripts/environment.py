"""A virtual environment, uv in it, and one sentence for what can go wrong.

Shared by the scripts of this folder; needs only the standard library.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / 'requirements' / 'lock.txt'

# Setting of pip: variables of uv that mean the same, option of uv. Where both
# are set, the variable of uv wins.
INDEX_SETTINGS = {
    'index-url': (('UV_DEFAULT_INDEX', 'UV_INDEX_URL'), '--default-index'),
    'extra-index-url': (('UV_INDEX', 'UV_EXTRA_INDEX_URL'), '--index'),
    'find-links': (('UV_FIND_LINKS', ), '--find-links'),
    'trusted-host': (('UV_INSECURE_HOST', ), '--allow-insecure-host'),
}

NO_NETWORK = re.compile(
    'error sending request|dns error|network was disabled|timed out|'
    'NewConnectionError|name resolution|Connection refused|Max retries')


class Environment:
    """A virtual environment with the Python that runs this script.

    Args:
        root: Its folder.
    """

    def __init__(self, root):
        self.root = Path(root).absolute()
        self.executable = self.root / 'bin' / 'python'

    def create(self):
        """Make the environment if it is missing, and see to it that uv runs.

        uv comes from the PATH, or else from the package index, into the
        environment, in the version of the lock file.
        """
        self.uv_command = find_uv(self.root)
        if not self.executable.exists():
            say(f'virtual environment {self.root}')
            maker = [sys.executable, '-m', 'venv']
            if self.uv_command:
                maker = [self.uv_command, 'venv', '-q', '--python',
                         sys.executable]
            made = run([*maker, self.root], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, universal_newlines=True)
            if made.returncode:
                print(made.stdout, file=sys.stderr)
                fail(explain(made.stdout) or
                     f'{sys.executable} cannot make a virtual environment in '
                     f'{self.root}; install its venv package or set PYTHON')
        self.check_version()
        if not self.uv_command:
            self.install(['pip', 'install', '-q', locked('uv')])
            self.uv_command = self.root / 'bin' / 'uv'

    def check_version(self):
        """Stop if the environment was made with another Python."""
        code = 'import sys; print("%d.%d" % sys.version_info[:2])'
        made = self.python('-c', code, stdout=subprocess.PIPE,
                           universal_newlines=True).stdout.strip()
        asked = '%d.%d' % sys.version_info[:2]
        if made != asked:
            fail(f'{self.root} was made with Python {made} and {asked} is '
                 'asked for; remove it or name another with VENV')

    def uv(self, *words):
        """Run a command of ``uv pip``; stop with one sentence if it fails."""
        command, *options = words
        self.install([self.uv_command, 'pip', command, '--python',
                      self.executable, *uv_options(index_settings()),
                      *options])

    def install(self, command):
        """Run an installer, show its progress, explain its failure."""
        if command[0] == 'pip':
            command = [self.executable, '-m', *command]
        output = []
        process = subprocess.Popen(
            [str(word) for word in command], cwd=str(ROOT),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True)
        for line in process.stdout:
            output.append(line)
            if re.match(r'\s*(Resolved|Downloading|Prepared|Installed)', line):
                print('   ' + line.strip()[:110], flush=True)
        if process.wait():
            text = ''.join(output)
            print(''.join(output[-25:]), file=sys.stderr)
            fail(explain(text) or f'{Path(command[0]).name} failed, see above')

    def python(self, *words, **kwargs):
        """Run the Python of the environment."""
        return run([self.executable, *words], **kwargs)


def find_uv(root):
    """Return a uv that runs: on the PATH, or in the environment, or None."""
    for command in (shutil.which('uv'), str(root / 'bin' / 'uv')):
        # Version managers put programs on the PATH that do not run.
        if command and os.path.exists(command) and not subprocess.run(
                [command, '--version'], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL).returncode:
            return command
    return None


def index_settings():
    """Return where the user wants packages from, by the names of pip.

    The variables of uv come first, then what pip is configured with.
    """
    listed = subprocess.run(
        [sys.executable, '-m', 'pip', 'config', 'list'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        universal_newlines=True).stdout
    # From the weakest: the file's global part, its install part, PIP_*.
    places = ('global', 'install', ':env:')
    settings = {}
    for place in places:
        for name, value in re.findall(
                rf"^{place}\.([\w-]+)=['\"](.*)['\"]$", listed, re.MULTILINE):
            if name in INDEX_SETTINGS:
                settings[name] = value.replace('\\n', ' ')
    for name in INDEX_SETTINGS:
        # A Python without pip lists nothing.
        value = os.environ.get('PIP_' + name.upper().replace('-', '_'))
        if value:
            settings[name] = value
    for name, (variables, _) in INDEX_SETTINGS.items():
        for variable in variables:
            if os.environ.get(variable):
                settings[name] = os.environ[variable]
    return settings


def uv_options(settings):
    """Return index settings as options of uv.

    A setting that uv reads from its own variable is left to uv.
    """
    options = []
    for name, value in settings.items():
        variables, option = INDEX_SETTINGS[name]
        if any(os.environ.get(variable) for variable in variables):
            continue
        for word in value.split():
            options += [option, word]
    if '--index' in options:
        # As pip does: the best version of all indexes. If two have the same
        # version, uv looks at the first index only, and the main one has all
        # files.
        main = settings.get('index-url') or default_index()
        options = [*(['--index', main] if main else []), *options,
                   '--index-strategy', 'unsafe-best-match']
    return options


def default_index():
    """Return the index that pip uses unless told otherwise."""
    return subprocess.run(
        [sys.executable, '-c', 'from pip._internal.models.index import PyPI;'
         'print(PyPI.simple_url)'],
        stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()


def pip_environment(settings):
    """Return index settings as environment variables of pip."""
    names = {name: 'PIP_' + name.upper().replace('-', '_')
             for name in settings}
    return {names[name]: value.replace(',', ' ')
            for name, value in settings.items()}


def locked(name):
    """Return ``name==version`` as the lock file has it."""
    return re.search(rf'^{name}==[^\s;]+', LOCK.read_text(),
                     re.MULTILINE).group()


def explain(output):
    """Return one sentence for a failed installer, or None."""
    if NO_NETWORK.search(output):
        return ('no package index was reached; check the network, or point '
                'UV_DEFAULT_INDEX or PIP_INDEX_URL at a mirror')
    if 'No space left' in output:
        return 'the disk is full; the environment takes 6 GB'
    missing = re.search(r'Because .*', output)
    if missing:
        return (f'no versions fit together: {missing.group()} Leave TORCH '
                'and WITH out for the tested versions')
    return None


def run(command, **kwargs):
    """Run a command whose words may be paths."""
    return subprocess.run([str(word) for word in command], **kwargs)


def say(text):
    """Print a headline."""
    print(f'== {text}', flush=True)


def fail(text):
    """Stop with one sentence."""
    sys.exit(f'make setup: {text}')
