"""Describe the machine and the software that results were measured with."""
import os
import platform
from pathlib import Path
from typing import Dict

import mmpose
import torch

import srpose_mm


def describe_machine(device: str, threads: int) -> str:
    """Return the name of the GPU, or of the processor and its threads.

    Args:
        device: Device of the measurement, e.g. ``'cpu'``.
        threads: Threads of each process on a CPU.
    """
    if torch.device(device).type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'{_processor()}, {threads} threads on {os.cpu_count()} CPUs'


def software_versions() -> Dict[str, str]:
    """Return the versions of the packages that results depend on."""
    return dict(
        torch=torch.__version__,
        mmpose=mmpose.__version__,
        srpose_mm=srpose_mm.__version__)


def _processor() -> str:
    """Return the processor's name; Python alone does not know it on Linux."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()
