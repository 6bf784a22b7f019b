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
        The method, which computes with the numbers of a buffer, no more.

    Raises:
        ValueError: For anything else.
    """
    method = None
    if owner is HistoryBuffer and not name.startswith('_'):
        method = vars(HistoryBuffer).get(name)
    if not isinstance(method, FunctionType):
        raise refusal(f'the attribute {name!r} of {owner!r}')
    return method


# What a checkpoint of MMEngine names, and what it gets.
STAND_INS = {
    'builtins.getattr': history_buffer_getattr,
    'builtins.bytes': empty_bytes,
    'numpy.dtype': PlainDtype,
    'numpy.ndarray': array_type,
}
# numpy 2 writes the same functions under another name.
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    STAND_INS[f'{_module}.scalar'] = plain_scalar
    STAND_INS[f'{_module}._reconstruct'] = plain_array


def knows_aliases() -> bool:
    """Whether ``torch.load`` can be told of stand-ins: torch 2.6 and later."""
    return digit_version(torch.__version__) >= digit_version('2.6.0')


def register_checkpoint_globals() -> None:
    """Declare the contents of MMEngine's checkpoints safe to unpickle."""
    if not knows_aliases():
        return  # loads everything by default
    stand_ins = [(value, name) for name, value in STAND_INS.items()]
    torch.serialization.add_safe_globals(
        [HistoryBuffer, PlainArray, PlainDtype, *stand_ins])
