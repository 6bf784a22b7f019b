"""`make setup`: its versions, and machines where something is missing."""
import os
import re
import stat
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from .conftest import ROOT

SCRIPTS = ROOT / 'scripts'
if not SCRIPTS.is_dir():
    pytest.skip('needs the repository, not an installed package',
                allow_module_level=True)

REQUIREMENTS = [ROOT / 'requirements.txt', ROOT / 'requirements' / 'build.txt',
                ROOT / 'requirements' / 'tests.txt']


@pytest.fixture(autouse=True)
def no_index_settings(monkeypatch):
    for name in list(os.environ):
        if re.match('(UV|PIP)_', name):
            monkeypatch.delenv(name)
    monkeypatch.setenv('PIP_CONFIG_FILE', os.devnull)


def load(monkeypatch, name):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module(name)


@pytest.fixture
def environment(monkeypatch):
    return load(monkeypatch, 'environment')


@pytest.fixture
def setup_env(monkeypatch):
    return load(monkeypatch, 'setup_env')


@pytest.fixture
def build_wheels(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return load(monkeypatch, 'build_wheels')


def program(path, output, code=1):
    """A program that prints a text and exits with a code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\ncat <<"end"\n{output}\nend\nexit {code}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def made(environment, tmp_path, uv):
    """An environment that exists, with a program in the place of uv."""
    env = environment.Environment(tmp_path)
    env.executable, env.uv_command = Path(sys.executable), uv
    return env


@pytest.mark.parametrize('version', [(3, 8, 18), (3, 14, 0)])
def test_python_too_old_or_too_new(setup_env, monkeypatch, version):
    monkeypatch.setattr(setup_env.sys, 'version_info', version)
    with pytest.raises(SystemExit, match=r'Python 3.9 to 3.13 is needed and '
                       rf'.* is 3.{version[1]}; .*make setup PYTHON='):
        setup_env.main([])


def test_environment_of_another_python(environment, tmp_path):
    program(tmp_path / 'bin' / 'python', '3.8', code=0)
    asked = '.'.join(map(str, sys.version_info[:2]))
    with pytest.raises(SystemExit, match=f'made with Python 3.8 and {asked} '
                       'is asked for; remove it or name another with VENV'):
        environment.Environment(tmp_path).create()


@pytest.mark.parametrize('output, sentence', [
    ('error: Failed to fetch\n  cause: dns error', 'no package index was '
     'reached; check the network, or point UV_DEFAULT_INDEX or PIP_INDEX_URL'),
    ('error: failed to copy file: No space left on device (os error 28)',
     'the disk is full; the environment takes 6 GB'),
    ('error: No solution found when resolving dependencies\n  cause: Because '
     'there is no version of torch==9.9.9 and you require torch==9.9.9, we '
     'can conclude that your requirements are unsatisfiable.',
     'no versions fit together: Because there is no version of torch==9.9.9 '
     '.* Leave TORCH and WITH out for the tested versions'),
    ('error: something else', 'uv failed, see above'),
])
def test_failing_uv(environment, tmp_path, capsys, output, sentence):
    env = made(environment, tmp_path, program(tmp_path / 'uv', output))
    with pytest.raises(SystemExit, match=f'make setup: {sentence}'):
        env.uv('install', 'torch')
    assert output in capsys.readouterr().err


def test_no_network(environment, monkeypatch, tmp_path):
    """uv itself; nothing listens at that port."""
    uv = environment.find_uv(Path(sys.prefix))
    if uv is None:
        pytest.skip('needs uv, which is in requirements/build.txt')
    monkeypatch.setenv('UV_DEFAULT_INDEX', 'http://127.0.0.1:9/simple')
    monkeypatch.setenv('UV_HTTP_RETRIES', '0')
    with pytest.raises(SystemExit, match='no package index was reached'):
        made(environment, tmp_path, uv).uv(
            'install', '--no-cache', '--dry-run', 'no-such-package-of-srpose')


def test_no_space_for_the_environment(environment, monkeypatch, tmp_path):
    uv = program(tmp_path / 'uv', 'No space left on device')
    monkeypatch.setattr(environment, 'find_uv', lambda root: str(uv))
    with pytest.raises(SystemExit, match='the disk is full'):
        environment.Environment(tmp_path / 'venv').create()


def test_a_uv_that_does_not_run_is_passed_over(environment, monkeypatch,
                                               tmp_path):
    program(tmp_path / 'path' / 'uv', 'not for this version of Python')
    monkeypatch.setenv('PATH', str(tmp_path / 'path'), prepend=os.pathsep)
    assert environment.find_uv(tmp_path) is None
    own = program(tmp_path / 'bin' / 'uv', 'uv 1', code=0)
    assert environment.find_uv(tmp_path) == str(own)


def test_index_settings_of_pip(environment, monkeypatch, tmp_path):
    config = tmp_path / 'pip.conf'
    config.write_text('[global]\nindex-url = http://main/simple\n'
                      'find-links = /wheels\n')
    monkeypatch.setenv('PIP_CONFIG_FILE', str(config))
    monkeypatch.setenv('PIP_EXTRA_INDEX_URL', 'http://one http://two')
    monkeypatch.setenv('PIP_FIND_LINKS', '/other')
    settings = environment.index_settings()
    assert settings == {
        'index-url': 'http://main/simple', 'find-links': '/other',
        'extra-index-url': 'http://one http://two'
    }
    options = ' '.join(environment.uv_options(settings))
    assert options.startswith('--index http://main/simple ')
    for option in ('--default-index http://main/simple', '--find-links /other',
                   '--index http://one --index http://two',
                   '--index-strategy unsafe-best-match'):
        assert option in options


def test_index_settings_of_uv(environment, monkeypatch):
    """What is set for uv wins, and pip gets it as well."""
    monkeypatch.setenv('PIP_INDEX_URL', 'http://pip/simple')
    monkeypatch.setenv('UV_DEFAULT_INDEX', 'http://uv/simple')
    settings = environment.index_settings()
    assert environment.uv_options(settings) == []
    assert environment.pip_environment(settings) == {
        'PIP_INDEX_URL': 'http://uv/simple'}


def test_no_index_settings(environment):
    assert environment.uv_options(environment.index_settings()) == []


def test_every_package_is_pinned():
    lock = (ROOT / 'requirements' / 'lock.txt').read_text('utf-8')
    openmmlab = (ROOT / 'requirements' / 'openmmlab.txt').read_text('utf-8')
    pins = [line for line in (lock + openmmlab).splitlines()
            if not line.startswith('#')]
    unpinned = [pin for pin in pins
                if not re.match(r'[\w.-]+==[\w.]+( ;|$)', pin)]
    assert not unpinned
    locked = {re.split('==', pin)[0] for pin in pins}
    asked = {
        re.match(r'[\w-]+', line).group().lower().replace('_', '-')
        for path in REQUIREMENTS for line in path.read_text().splitlines()
        if line and not line.startswith('#')
    }
    assert len(asked) > 40
    assert asked <= locked, '`make lock` was not run'
    assert '://' not in lock


def test_no_compiler(build_wheels, monkeypatch, tmp_path):
    monkeypatch.setenv('CXX', 'no-such-compiler -m64')
    with pytest.raises(SystemExit, match=r'mmcv has no wheel that fits and '
                       r'there is no compiler \(no-such-compiler -m64\) .*'
                       r'install g\+\+ or set CXX'):
        build_wheels.build_mmcv(tmp_path, tmp_path, with_cuda=False)


class FakeBuild:
    """Wheels that import or not, without pip and compilers."""

    def __init__(self, build_wheels, monkeypatch, imports=True):
        self.builds, self.installed = 0, False
        self.script, self.good = build_wheels, imports
        for name, fake in (
            ('download', lambda *args: None),
            ('fetch_wheel', lambda *args: None),
            ('imports', lambda module: self.installed),
            ('of_another_tag', lambda name, cache: False),
            ('try_wheel', lambda cache, module:
                self.good and bool(list(cache.glob('*.whl')))),
        ):
            monkeypatch.setattr(build_wheels, name, fake)

    def build(self, source, wheels):
        self.builds += 1
        wheels.mkdir()
        (wheels / 'mmcv-2.1.0-cp311.whl').touch()

    def install(self, build=None, tag='py311-torch0.0'):
        self.script.install('mmcv', '2.1.0', 'no_such_module', tag,
                            build or self.build)


def test_wheels_are_kept_by_versions(build_wheels, monkeypatch, tmp_path):
    fake = FakeBuild(build_wheels, monkeypatch)
    for tag in ('py311-torch0.0', 'py311-torch0.0', 'py311-torch0.1'):
        fake.install(tag=tag)
    assert fake.builds == 2
    cache = tmp_path / 'cache' / 'srpose_mm'
    assert sorted(path.name for path in cache.glob('*/*')) == [
        'mmcv-2.1.0-cp311.whl'] * 2


def test_what_works_is_left_alone(build_wheels, monkeypatch):
    fake = FakeBuild(build_wheels, monkeypatch)
    fake.installed = True
    fake.install()
    assert fake.builds == 0


def test_a_wheel_of_another_torch_is_noticed(build_wheels, monkeypatch):
    class Distribution:

        def read_text(self, name):
            return ('{"url": "file:///cache/srpose_mm/py311-torch2.1%2Bcpu-'
                    'mmcv2.1.0/mmcv-2.1.0-cp311.whl"}')

    monkeypatch.setattr(build_wheels.metadata, 'distribution',
                        lambda name: Distribution())
    cache = Path('/cache/srpose_mm')
    for tag, another in (('torch2.1+cpu', False), ('torch2.2+cpu', True)):
        assert build_wheels.of_another_tag(
            'mmcv', cache / f'py311-{tag}-mmcv2.1.0') == another


def test_a_failed_build_leaves_no_wheel(build_wheels, monkeypatch, tmp_path):
    fake = FakeBuild(build_wheels, monkeypatch)

    def cut_off(source, wheels):
        fake.build(source, wheels)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fake.install(cut_off)
    assert not list((tmp_path / 'cache').rglob('*.whl'))


def test_a_wheel_that_does_not_import(build_wheels, monkeypatch):
    """It is built again, then given up."""
    fake = FakeBuild(build_wheels, monkeypatch, imports=False)
    for builds in (1, 2):
        with pytest.raises(SystemExit, match='was built but does not import'):
            fake.install()
        assert fake.builds == builds


def test_prebuilt_wheel(build_wheels, monkeypatch, tmp_path):
    """It comes from the user's own places and goes if it does not import."""
    wheel = tmp_path / 'links' / 'mmcv-2.1.0-py3-none-any.whl'
    wheel.parent.mkdir()
    with zipfile.ZipFile(str(wheel), 'w') as archive:
        info = 'mmcv-2.1.0.dist-info/'
        archive.writestr(f'{info}METADATA', 'Metadata-Version: 2.1\n'
                         'Name: mmcv\nVersion: 2.1.0\n')
        archive.writestr(f'{info}WHEEL', 'Wheel-Version: 1.0\n')
        archive.writestr(f'{info}RECORD', '')
    cache = tmp_path / 'wheels'
    cache.mkdir()
    build_wheels.fetch_wheel('mmcv', '2.1.0', cache)
    assert not list(cache.iterdir())
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(wheel.parent))
    build_wheels.fetch_wheel('mmcv', '2.1.0', cache)
    assert [path.name for path in cache.iterdir()] == [wheel.name]
    monkeypatch.setattr(build_wheels, 'imports', lambda module: False)
    monkeypatch.setattr(
        build_wheels.subprocess, 'run',
        lambda command: subprocess.CompletedProcess(command, 0))
    assert not build_wheels.try_wheel(cache, 'no_such_module')
    assert not list(cache.iterdir())


def test_a_failed_build_quotes_the_compiler(build_wheels, tmp_path):
    (tmp_path / 'setup.py').write_text(
        'raise SystemExit("a.cpp:1: fatal error: Python.h: No such file")')
    wheels = tmp_path / 'scratch' / 'wheels'
    with pytest.raises(SystemExit, match='mmcv did not build: a.cpp:1: fatal '
                       r'error: Python.h: No such file \(all of it in .*log'):
        build_wheels.run_setup('mmcv', tmp_path, wheels, {})


def test_source_archive_is_fetched_without_running_it(build_wheels,
                                                      monkeypatch, tmp_path):
    """Its setup.py would fail."""
    folder = tmp_path / 'toy-1.0'
    folder.mkdir()
    (folder / 'PKG-INFO').write_text(
        'Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n')
    (folder / 'setup.py').write_text('raise ValueError')
    subprocess.run(['tar', 'czf', str(tmp_path / 'toy-1.0.tar.gz'), 'toy-1.0'],
                   cwd=str(tmp_path), check=True)
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    scratch = tmp_path / 'scratch'
    scratch.mkdir()
    source = build_wheels.download('toy', '1.0', scratch)
    assert (source / 'setup.py').read_text() == 'raise ValueError'


def test_units_include_each_source_once(build_wheels, tmp_path):
    csrc = tmp_path / 'csrc'
    (csrc / 'cpu').mkdir(parents=True)
    names = ['nms.cpp', 'roi_align.cpp', 'cpu/nms.cpp', 'cpu/roi_align.cpp']
    for name in names:
        (csrc / name).write_text(f'// {name}\n')
    (csrc / 'pybind.cpp').write_text('#include <torch/extension.h>\n')
    build_wheels.merge_units(csrc)
    units = sorted(csrc.rglob('*.cpp'))
    assert [unit.stem for unit in units] == [
        'unit_1_bindings', 'unit_2_cpu', 'unit_3_dispatch']
    included = re.findall('#include "(.*)"', ''.join(
        unit.read_text() for unit in units))
    assert sorted(included) == sorted(
        name.replace('.cpp', '.inc') for name in [*names, 'pybind.cpp'])
    assert all((csrc / name).is_file() for name in included)


def test_setup_py_reads_its_version(build_wheels, tmp_path):
    """As both archives do, which fails on Python 3.13."""
    (tmp_path / 'version.py').write_text('__version__ = "1.2"\n')
    setup_py = tmp_path / 'setup.py'
    setup_py.write_text(
        'version_file = "version.py"\n'
        'def read():\n'
        '    with open(version_file) as f:\n'
        "        exec(compile(f.read(), version_file, 'exec'))\n"
        "    return locals()['__version__']\n"
        'print(read())\n')
    build_wheels.read_version_by_globals(setup_py)
    printed = subprocess.run([sys.executable, setup_py.name],
                             cwd=str(tmp_path), stdout=subprocess.PIPE)
    assert printed.stdout == b'1.2\n'
    with pytest.raises(ValueError, match='setup.py: expected .* in it'):
        build_wheels.read_version_by_globals(setup_py)


@pytest.fixture
def matrix(monkeypatch):
    module = load(monkeypatch, 'matrix')
    monkeypatch.setattr(module, 'find_python', lambda version: 'python')
    return module


def run_matrix(matrix, monkeypatch, tmp_path, codes):
    """Run one row; its set-up and its tests end with these codes."""
    codes = iter(codes)

    def run(command, log):
        log.write_text('.....\n===== 5 passed in 1 s =====\n')
        return next(codes)

    monkeypatch.setattr(matrix, 'run', run)
    monkeypatch.setattr(matrix, 'installed_versions',
                        lambda venv: ['2.1.2', '1.26.4', '4.11'])
    code = matrix.main(['--folder', str(tmp_path), '--rows', 'oldest'])
    return code, (tmp_path / 'matrix.md').read_text().splitlines()[-1]


@pytest.mark.parametrize('tests', [0, 1])
def test_matrix(matrix, monkeypatch, tmp_path, tests):
    code, row = run_matrix(matrix, monkeypatch, tmp_path, [0, tests])
    assert code == tests
    assert row.startswith(
        '| oldest | 3.10 | 2.1.2 | 1.26.4 | 4.11 | 5 passed in 1 s | 20')


def test_matrix_without_an_environment(matrix, monkeypatch, tmp_path):
    code, row = run_matrix(matrix, monkeypatch, tmp_path, [1])
    assert code == 1
    assert '| no environment, see ' in row


def test_matrix_without_a_python(matrix, monkeypatch, tmp_path):
    monkeypatch.setattr(matrix, 'find_python', lambda version: None)
    code, row = run_matrix(matrix, monkeypatch, tmp_path, [])
    assert code == 0
    assert '| untested, no such Python |' in row
