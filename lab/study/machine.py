import os
from typing import Dict

import torch

from lab.benchmark.run import describe_machine
from srpose_mm.environment import versions
from srpose_mm.version import __version__


def machine() -> str:
    """GPU, or processor and threads, in a few words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    # Its line ends with versions, which a study keeps apart.
    place = describe_machine('cpu').split(', torch ')[0]
    return f'{place} on {os.cpu_count()} CPUs'


def study_versions() -> Dict[str, str]:
    """Versions that results depend on."""
    found = versions()
    return dict(
        torch=torch.__version__,
        mmpose=found['mmpose'],
        srpose_mm=__version__)
