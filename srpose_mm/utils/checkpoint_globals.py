"""Let ``torch.load(weights_only=True)`` read MMEngine's own checkpoints.

Since torch 2.6 that is the default, and it refuses what MMEngine stores
beside the weights: the log history of the run. Here its contents, and no
others, are declared safe.
"""
from types import FunctionType

import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

from .checkpoint_arrays import (
    PlainArray,
    PlainDtype,
    array_type,
    empty_bytes,
    plain_array,
    plain_scalar,
    refusal,
)


def history_buffer_getattr(owner: type, name: str) -> FunctionType:
    """Stand in for ``getattr`` inside a checkpoint.

    MMEngine pickles ``HistoryBuffer.mean`` and its siblings, which reads
    back as ``getattr(HistoryBuffer, 'mean')``. Only that is answered.

    Args:
        owner: Must be :class:`HistoryBuffer` itself.
        name: Name of one of its statistics methods.

    Returns:
        The method. Unpickling can store it but not call it.

    Raises:
        ValueError: For anything else.
    """
    method = None
    if owner is HistoryBuffer and not name.startswith('_'):
        method = vars(HistoryBuffer).get(name)
    if not isinstance(method, FunctionType):
        raise refusal(f'the attribute {name!r} of {owner!r}')
    return method


def register_checkpoint_globals() -> None:
    """Declare the contents of MMEngine's checkpoints safe to unpickle."""
    if digit_version(torch.__version__) < digit_version('2.6.0'):
        return  # loads everything by default and knows no aliases
    safe = [
        HistoryBuffer, PlainArray, PlainDtype,
        (history_buffer_getattr, 'builtins.getattr'),
        (empty_bytes, 'builtins.bytes'),
        (PlainDtype, 'numpy.dtype'), (array_type, 'numpy.ndarray')
    ]
    # numpy 2 writes the same functions under another name.
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        safe.append((plain_scalar, f'{module}.scalar'))
        safe.append((plain_array, f'{module}._reconstruct'))
    torch.serialization.add_safe_globals(safe)
