"""What this package needs and what it finds.

Imported before everything else, so nothing but the standard library is
imported here at first.
"""
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Dict, List, Optional, Sequence

# Modules and the distributions that bring them.
REQUIRED = dict(
    numpy=('numpy', ),
    torch=('torch', ),
    cv2=('opencv-python', 'opencv-python-headless'),
    mmengine=('mmengine', 'mmengine-lite'),
    mmcv=('mmcv', 'mmcv-lite'),
    mmpose=('mmpose', ),
    tabulate=('tabulate', ))
# What is missing without them.
OPTIONAL = {
    'mmcv._ext': 'compiled operators of mmcv; mmcv-lite has none',
    'mmdet': 'a detector for predict, HRFormer and other backbones',
    'mim': 'the commands mim train, mim test and mim run',
    'onnx': 'export_onnx',
    'onnxruntime': 'export_onnx, which checks what it writes',
    'tensorboard': 'training curves in TensorBoard',
    'mmpretrain': 'ViT and other backbones of MMPretrain'
}


def check_required() -> None:
    """Name everything at once that the package cannot be without.

    Raises:
        ImportError: If something is missing.
    """
    missing = [name for name in REQUIRED if not is_installed(name)]
    if missing:
        names = [REQUIRED[name][0] for name in missing]
        raise ImportError(
            f'srpose_mm: expected {", ".join(REQUIRED)} to be installed, '
            f'missing {", ".join(missing)}; install {" ".join(names)} into '
            'this environment, as docs/install.md shows')


def is_installed(name: str) -> bool:
    """Whether a module is there; only its package is imported."""
    if sys.modules.get(name) is not None:
        return True
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def distribution_version(distributions: Sequence[str]) -> Optional[str]:
    """The version of the first distribution that is installed."""
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def versions() -> Dict[str, str]:
    """Versions of Python and of the modules that are needed."""
    found = {'python': platform.python_version()}
    for name, distributions in REQUIRED.items():
        found[name] = distribution_version(distributions) or 'unknown'
    return found


def registered_classes() -> Dict[str, List[str]]:
    """Name of each registry to the classes of this package in it."""
    from mmpose.registry import HOOKS, KEYPOINT_CODECS, MODELS
    registries = dict(
        KEYPOINT_CODECS=KEYPOINT_CODECS, MODELS=MODELS, HOOKS=HOOKS)
    return {
        name: sorted(
            key for key, entry in registry.module_dict.items()
            if entry.__module__.startswith('srpose_mm.'))
        for name, registry in registries.items()
    }
