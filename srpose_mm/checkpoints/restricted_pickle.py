"""Read checkpoints without trust where torch cannot, before torch 2.6.

There ``weights_only=True`` refuses what MMEngine stores beside the weights.
"""
import pickle
from codecs import encode
from collections import Counter, OrderedDict
from types import FunctionType, SimpleNamespace
from typing import Any, BinaryIO

import torch
from mmengine.logging import HistoryBuffer

from .checkpoint_arrays import array_type, refusal
from .checkpoint_globals import STAND_INS, history_buffer_getattr


class CallOnly:
    """What a pickle may call but not change.

    The opcode BUILD sets attributes of functions and of classes written in
    Python, for the whole process. HistoryBuffer refuses by itself what is no
    state of its own.

    Args:
        function: What is called.
    """

    def __init__(self, function: Any):
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def __setstate__(self, state: Any) -> None:
        raise refusal(f'a state of {self.function.__name__}')

    def __reduce__(self) -> tuple:
        """As a method of HistoryBuffer, the only ones that are kept."""
        return getattr, (HistoryBuffer, self.function.__name__)


def history_buffer_method(owner: type, name: str) -> CallOnly:
    """As :func:`history_buffer_getattr`, of which nothing can be changed."""
    return CallOnly(history_buffer_getattr(owner, name))


# All that a checkpoint may name, besides torch's types of storage.
KNOWN = {
    'collections.Counter': CallOnly(Counter),  # of MultiStepLR
    'collections.OrderedDict': OrderedDict,
    'torch._utils._rebuild_tensor_v2': CallOnly(
        torch._utils._rebuild_tensor_v2),
    'torch._utils._rebuild_parameter': CallOnly(
        torch._utils._rebuild_parameter),
    'torch.Size': torch.Size,
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
    '_codecs.encode': encode,
    # array_type is compared and never called.
    **{
        name: CallOnly(value)
        if isinstance(value, FunctionType) and value is not array_type else
        value
        for name, value in STAND_INS.items()
    },
    'builtins.getattr': CallOnly(history_buffer_method)
}


class KnownUnpickler(pickle.Unpickler):
    """Unpickle what MMEngine's checkpoints hold and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known = f'{module.replace("__builtin__", "builtins")}.{name}'
        if known not in KNOWN:
            raise refusal(known)
        return KNOWN[known]


def restricted_load(stream: BinaryIO) -> Any:
    """As ``torch.load(stream, map_location='cpu', weights_only=True)``.

    Args:
        stream: A checkpoint; of MMEngine's contents tensors, plain values and
            the log history are read.

    Raises:
        ValueError: If it names anything else.
    """
    try:
        records = torch._C.PyTorchFileReader(stream).get_all_records()
    except RuntimeError:
        records = []  # torch's older format, which is no archive
    # torch runs the program of such an archive, whatever unpickler it gets.
    if 'constants.pkl' in records:
        raise refusal('a TorchScript program')
    stream.seek(0)
    module = SimpleNamespace(
        __name__='restricted_pickle',
        Unpickler=KnownUnpickler,
        load=lambda file, **kwargs: KnownUnpickler(file, **kwargs).load())
    # The safe way, weights_only=True, cannot be told of stand-ins here and
    # refuses MMEngine's files. KnownUnpickler takes its place: it resolves
    # every name that the file holds and knows no function that runs code.
    return torch.load(
        stream, map_location='cpu', pickle_module=module, weights_only=False)
