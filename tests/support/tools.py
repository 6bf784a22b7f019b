"""Command-line tools as modules."""
import importlib.util

from ..conftest import ROOT


def load_tool(name):
    """Import a script of ``tools/`` whose ``main(argv)`` a test calls."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'tool_{name}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
