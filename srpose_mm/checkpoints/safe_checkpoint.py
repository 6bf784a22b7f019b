"""Read and write checkpoint files without trust and without halves."""
from pathlib import Path
from typing import Any, Dict

import torch
from torch import Tensor

from .replacing import replacing
from .safe_load import safe_load

StateDict = Dict[str, Tensor]


def check_input(checkpoint: Path,
                owner: str,
                what: str = 'checkpoint') -> None:
    """Refuse a checkpoint that is not there.

    Args:
        checkpoint: The file to read.
        owner: What messages of errors start with.
        what: The argument that names it.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(f'{owner}: expected {what} to be a file, '
                                f'got {str(checkpoint)!r}')


def check_out(out: Path, sources: Dict[str, Path], owner: str) -> None:
    """Refuse what cannot be written before the work begins.

    Args:
        out: The file to write.
        sources: Files that are read, which it must not replace, by what they
            are called.
        owner: What messages of errors start with.

    Raises:
        FileNotFoundError: If there is no folder to write to.
        ValueError: If ``out`` is a folder or one of the sources.
    """
    if not out.parent.is_dir():
        raise FileNotFoundError(
            f'{owner}: expected the folder of out to be there, got '
            f'{str(out)!r}; make it')
    replaced = any(
        out.exists() and out.samefile(source) for source in sources.values())
    if out.is_dir() or replaced:
        others = ''.join(f' other than the {what}' for what in sources)
        raise ValueError(f'{owner}: expected out to be a file{others}, got '
                         f'{str(out)!r}; choose another name')


def load_checkpoint(path: Path, owner: str) -> Dict[str, Any]:
    """Contents of a file that may be corrupt or hostile.

    Args:
        path: The file. Only tensors and plain values are read from it.
        owner: What messages of errors start with.

    Returns:
        The contents, in which ``state_dict`` is a dict.

    Raises:
        ValueError: If the file is damaged, holds anything else or has no
            state dict.
    """
    contents = safe_load(path, owner)
    if not isinstance(contents, dict) or not isinstance(
            contents.get('state_dict'), dict):
        found = list(contents)[:3] if isinstance(contents, dict) else type(
            contents).__name__
        raise ValueError(
            f'{owner}: {path}: expected a dict with a state_dict, '
            f'got {found}; save the weights as dict(state_dict=...)')
    return contents


def dense_tensors(contents: Dict[str, Any], owner: str,
                  wanted: str) -> StateDict:
    """The state dict, in which everything is a plain tensor.

    Args:
        contents: What :func:`load_checkpoint` gives.
        owner: What messages of errors start with.
        wanted: The checkpoint that is asked for instead.

    Raises:
        ValueError: If something is not; names it.
    """
    state_dict = {}
    for key, value in contents['state_dict'].items():
        if (not isinstance(key, str) or not isinstance(value, Tensor)
                or value.layout != torch.strided or value.is_quantized
                or value.device.type != 'cpu'):
            raise ValueError(
                f'{owner}: expected state_dict to map names to dense tensors, '
                f'got {type(value).__name__} for {key!r}; give {wanted}')
        state_dict[key] = value.detach()
    return state_dict


def write_checkpoint(out: Path, contents: dict, owner: str) -> None:
    """Write a checkpoint in one step: all of it or nothing.

    Args:
        out: The file to write or replace.
        contents: What to write.
        owner: What messages of errors start with.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(out) as unfinished:
        try:
            torch.save(contents, unfinished)
        except RuntimeError as err:
            raise OSError(f'{owner}: cannot write {out}, for '
                          f'example for lack of space: {err}') from err
