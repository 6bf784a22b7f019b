"""Show the environment, what is registered and what is missing.

Example:
    python -m srpose_mm
"""
import argparse
import sys

import torch

from .environment import (
    OPTIONAL,
    is_installed,
    registered_classes,
    versions,
)
from .version import __version__


def report() -> str:
    """Environment, registered classes and missing packages, as text."""
    device = 'none, CPU only'
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    lines = [f'srpose_mm {__version__}', '', 'Environment']
    rows = {**versions(), 'GPU': device}
    lines += [f'  {name:<18} {value}' for name, value in rows.items()]
    lines += ['', 'Registered']
    for registry, names in registered_classes().items():
        lines += [f'  {registry:<18} {", ".join(names)}']
    missing = {
        name: purpose
        for name, purpose in OPTIONAL.items() if not is_installed(name)
    }
    lines += ['', 'Missing' if missing else 'Nothing is missing']
    lines += [f'  {name:<18} {purpose}' for name, purpose in missing.items()]
    return '\n'.join(lines)


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog='python -m srpose_mm',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.parse_args(argv)
    sys.stdout.write(report() + '\n')


if __name__ == '__main__':
    main()
