"""Shared behaviour of the command-line tools."""
import runpy
import sys
from contextlib import contextmanager
from typing import Iterable, Iterator, Optional, Sequence

from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import track

from .configs import MMPOSE_MIM


def get_logger() -> MMLogger:
    """Return the package's logger, which prints to the terminal."""
    name = 'srpose_mm'
    # MMEngine warns if an existing logger is requested with its options.
    if MMLogger.check_instance_created(name):
        return MMLogger.get_instance(name)
    return MMLogger.get_instance(name, logger_name=name)


def progress(items: Iterable,
             description: str,
             total: Optional[int] = None) -> Iterable:
    """Iterate over items with a progress bar on standard error.

    If ``total`` is ``None``, it is ``len(items)``.
    """
    return track(
        items, description, total=total, console=Console(stderr=True))


@contextmanager
def one_line_errors(tool: str) -> Iterator[None]:
    """End the process with one sentence if the user can mend the error.

    Args:
        tool: Name of the command-line tool, which starts the sentence.

    Raises:
        SystemExit: In place of an error that an argument or a file caused.
    """
    try:
        yield
    except (ImportError, OSError, RuntimeError, SyntaxError, TypeError,
            ValueError) as err:
        raise SystemExit(f'{tool}: {err}') from err
    except KeyError as err:
        # MMEngine's error for a class of a package that is not installed.
        if 'registry' not in str(err):
            raise
        raise SystemExit(f'{tool}: {err.args[0]}') from err


def run_mmpose_tool(name: str, argv: Sequence[str]) -> None:
    """Run a script that MMPose installs for mim.

    Args:
        name: Name of the script, e.g. ``'train'``.
        argv: Arguments of the script.

    Raises:
        FileNotFoundError: If MMPose was installed without its scripts.
    """
    script = MMPOSE_MIM / 'tools' / f'{name}.py'
    if not script.is_file():
        raise FileNotFoundError(
            f'expected {script}, which does not exist; install mmpose from '
            'its wheel or with mim')
    sys.argv = [sys.argv[0], *argv]
    runpy.run_path(str(script), run_name='__main__')
