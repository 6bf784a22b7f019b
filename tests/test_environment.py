"""What is installed, what is registered and what is missing."""
import platform
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from srpose_mm import __main__ as command
from srpose_mm import __version__, environment


def test_report(monkeypatch, capsys):
    monkeypatch.setattr(command, 'is_installed', lambda name: False)
    command.main([])
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split(maxsplit=1)[1]
            for line in lines if line.startswith('  ')}
    assert lines[0] == f'srpose_mm {__version__}'
    assert rows['python'] == platform.python_version()
    assert rows['numpy'] == np.__version__
    assert torch.__version__.startswith(rows['torch'])
    assert rows['KEYPOINT_CODECS'] == 'SRAssociativeEmbedding, SRHeatmap'
    assert rows['HOOKS'] == (
        'ChannelsLastHook, CheckDatasetHook, EndWorkersHook, EpochSeedHook, '
        'SafeCheckpointHook')
    assert 'SRPoseHead, SRPoseNeck' in rows['MODELS']
    assert set(environment.OPTIONAL) <= set(rows)


def test_nothing_is_missing(monkeypatch):
    monkeypatch.setattr(command, 'is_installed', lambda name: True)
    assert command.report().endswith('Nothing is missing')


def test_every_class_of_the_package_is_registered():
    import srpose_mm
    classes = {name for name in srpose_mm.__all__ if name[0].isupper()}
    registered = environment.registered_classes()
    assert classes <= set(sum(registered.values(), []))


def test_unknown_argument():
    with pytest.raises(SystemExit, match='2'):
        command.main(['--nonsense'])


def test_a_missing_package_is_named_at_import():
    hidden = "sys.modules['mmpose'] = sys.modules['cv2'] = None"
    result = subprocess.run(
        [sys.executable, '-c', f'import sys; {hidden}; import srpose_mm'],
        stderr=subprocess.PIPE,
        text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(
        'missing cv2, mmpose; install opencv-python mmpose into this '
        'environment, as docs/install.md shows')


def test_a_stub_counts_as_installed(monkeypatch):
    """Such as those of tools that build documentation."""
    monkeypatch.setitem(sys.modules, 'stub', ModuleType('stub'))
    assert environment.is_installed('stub')
    assert not environment.is_installed('no_such_module')
    assert not environment.is_installed('no_such_module.part')
