"""Check for required packages before the first of them is imported.

This module imports the standard library only.
"""
import sys
from importlib.util import find_spec

# Distribution of each required module.
REQUIRED = dict(
    numpy='numpy',
    torch='torch',
    cv2='opencv-python',
    mmengine='mmengine',
    mmcv='mmcv',
    mmpose='mmpose',
    safetensors='safetensors',
    tabulate='tabulate')


def check_required() -> None:
    """Name all missing packages at once.

    Raises:
        ImportError: If a required package is missing.
    """
    missing = [name for name in REQUIRED if not is_installed(name)]
    if missing:
        raise ImportError(
            f'srpose_mm: expected {", ".join(REQUIRED)} to be installed, '
            f'missing {", ".join(missing)}; install '
            f'{" ".join(REQUIRED[name] for name in missing)} into this '
            'environment, as docs/install.md shows')


def is_installed(name: str) -> bool:
    """Return True if a module is installed, without importing it."""
    # Stubs in sys.modules, e.g. of documentation tools, have no spec.
    if sys.modules.get(name) is not None:
        return True
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
