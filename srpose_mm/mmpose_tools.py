import runpy
import sys
from pathlib import Path
from typing import Optional, Sequence

import mmpose

MMPOSE_MIM = Path(mmpose.__file__).parent / '.mim'
SRPOSE_MIM = Path(__file__).parent / '.mim'


def run_mmpose_tool(name: str, argv: Optional[Sequence[str]] = None) -> None:
    """Run one of the scripts that MMPose installs for mim.

    Args:
        name: Name of the script, e.g. ``'train'``.
        argv: Its arguments; ``None`` takes those of this process.

    Raises:
        FileNotFoundError: If MMPose was installed without its scripts.
    """
    script = MMPOSE_MIM / 'tools' / f'{name}.py'
    if not script.is_file():
        raise FileNotFoundError(
            f'run_mmpose_tool: expected {script}, which is not there; '
            'install mmpose from its wheel or with mim, not by copying')
    if argv is not None:
        sys.argv = [sys.argv[0], *argv]
    runpy.run_path(str(script), run_name='__main__')
