"""`make setup` on machines where something is missing."""
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from .conftest import ROOT

SCRIPT = ROOT / 'scripts' / 'setup_env.py'
if not SCRIPT.is_file():
    pytest.skip('needs the repository, not an installed package',
                allow_module_level=True)


@pytest.fixture
def setup_env():
    spec = util.spec_from_file_location('setup_env', SCRIPT)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeEnvironment:
    """An environment of the running Python in which nothing imports."""
    executable = Path(sys.executable)

    def lacks(self, module):
        return True

    def python(self, *words, **kwargs):
        return subprocess.CompletedProcess(words, returncode=1)

    def value(self, expression):
        return 'py311-torch0.0.0'


@pytest.mark.parametrize('version', [(3, 8, 18), (3, 13, 0)])
def test_wrong_python(setup_env, monkeypatch, version):
    monkeypatch.setattr(setup_env.sys, 'version_info', version)
    with pytest.raises(SystemExit, match=r'Python 3.9 to 3.12 is needed and '
                       rf'.* is 3.{version[1]}; .*make setup PYTHON='):
        setup_env.main([])


def test_no_compiler(setup_env, monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(SystemExit, match=r'no C\+\+ compiler '
                       r'\(no-such-compiler\) .*install g\+\+ or set CXX'):
        setup_env.install_mmcv(FakeEnvironment())


def test_no_network(setup_env, monkeypatch, tmp_path, capsys):
    """pip itself, cut off from every index."""
    environment = setup_env.Environment(tmp_path)
    environment.executable = Path(sys.executable)
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    with pytest.raises(SystemExit, match='pip found no file of a package .* '
                       'check the network and what PIP_INDEX_URL'):
        environment.pip('install', 'no-such-package-of-srpose')


def test_wheels_are_kept_by_versions(setup_env, monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert setup_env.wheel_cache(FakeEnvironment()) == (
        tmp_path / 'srpose_mm' / 'py311-torch0.0.0-mmcv2.1.0')


def test_build_errors_are_quoted(setup_env):
    log = ('c++ -Werror=format-security a.cpp\n'
           'a.cpp:1: fatal error: Python.h: No such file\nmore\n')
    assert setup_env.last_error(log) == (
        'a.cpp:1: fatal error: Python.h: No such file')
    offline = 'WARNING: Retrying: NewConnectionError'
    assert setup_env.last_error(offline) is None
    assert 'no package index' in setup_env.explain_pip(offline, [])


def test_another_python_than_the_environment_has(setup_env, monkeypatch,
                                                 tmp_path):
    environment = setup_env.Environment(tmp_path)
    environment.executable = Path(sys.executable)
    environment.check_version()
    monkeypatch.setattr(setup_env.sys, 'version_info', (3, 9, 18))
    with pytest.raises(SystemExit, match='was made with Python .* and 3.9 is '
                       'asked for; remove it or name another with VENV'):
        environment.check_version()
