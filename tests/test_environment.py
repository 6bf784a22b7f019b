"""The report of the environment, and packages that are missing."""
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import cv2
import pytest
import torch
from mmpose import registry

import srpose_mm
from srpose_mm import __main__ as command
from srpose_mm import __version__, environment
from srpose_mm.configs import load_config
from srpose_mm.console import one_line_errors


def rows_of(text):
    """Return the rows of a report by their first word."""
    rows = [line.split(maxsplit=1) for line in text.splitlines()
            if line.startswith('  ')]
    return {name: value.strip() for name, value in rows}


def test_report(monkeypatch, capsys):
    monkeypatch.setattr(command, 'is_installed', lambda name: False)
    command.main([])
    text = capsys.readouterr().out
    rows = rows_of(text)
    assert text.startswith(f'srpose_mm {__version__}\n')
    assert rows['Python'] == sys.version.replace('\n', '')
    assert rows['PyTorch'] == torch.__version__
    assert rows['OpenCV'] == cv2.__version__
    assert rows['mmpose'] == version('mmpose')
    assert set(command.OPTIONAL) <= set(rows)
    assert text.endswith(
        'runs, its heatmaps have shape (1, 17, 128, 96)\n')


def test_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(command, 'is_installed', lambda name: True)
    assert 'Nothing is missing' in command.environment_report()


def test_every_public_class_is_registered():
    classes = {name for name in srpose_mm.__all__ if name[0].isupper()}
    names = (registry.KEYPOINT_CODECS, registry.MODELS, registry.TRANSFORMS,
             registry.HOOKS)
    assert classes <= {name for part in names for name in part.module_dict}


def test_unknown_argument():
    with pytest.raises(SystemExit, match='2'):
        command.main(['--nonsense'])


def test_missing_packages_are_named_at_import():
    hidden = "sys.modules['mmpose'] = sys.modules['cv2'] = None"
    result = subprocess.run(
        [sys.executable, '-c', f'import sys; {hidden}; import srpose_mm'],
        stderr=subprocess.PIPE,
        text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(
        'missing cv2, mmpose; install opencv-python mmpose into this '
        'environment, as docs/install.md shows')


def test_stubs_count_as_installed(monkeypatch):
    """Tools that build documentation put stubs into ``sys.modules``."""
    monkeypatch.setitem(sys.modules, 'stub', ModuleType('stub'))
    assert environment.is_installed('stub')
    assert not environment.is_installed('no_such_module')
    assert not environment.is_installed('no_such_module.part')


@pytest.mark.parametrize('build', [
    load_config,
    lambda _: registry.MODELS.build(dict(type='mmpretrain.Nothing')),
], ids=['syntax', 'registry'])
def test_errors_of_tools_are_one_sentence(build, tmp_path):
    path = tmp_path / 'wrong.py'
    path.write_text('model = (')
    with pytest.raises(SystemExit, match='^mytool: '), one_line_errors(
            'mytool'):
        build(path)


def test_other_key_errors_pass():
    with pytest.raises(KeyError), one_line_errors('mytool'):
        raise KeyError('of a fault in the code')
