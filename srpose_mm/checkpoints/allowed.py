"""Contents that a checkpoint may have.

A checkpoint is a pickle, and a pickle names the functions that rebuild its
contents. ``ALLOWED`` holds the names in checkpoints of PyTorch and MMEngine;
any other name is refused. NumPy's functions are replaced by ones that accept
plain numbers and text, because a forged data type would make pointers.
"""
import pickle
import re
import tarfile
from codecs import encode
from collections import Counter, OrderedDict
from types import FunctionType, SimpleNamespace
from typing import Any, BinaryIO, Callable, Optional, Tuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

PLAIN_CODE = re.compile(r'[?biufcSU]\d*')
# Replacements of classes that are never called.
ARRAY_TYPE, ONE_CYCLE = object(), object()
# Functions that a OneCycleLR keeps.
ANNEALING = ('_annealing_cos', '_annealing_linear')


class Refused(ValueError):
    """A checkpoint has contents that could run code."""


class PlainDtype:
    """Replacement of ``numpy.dtype`` for a number or text such as ``'f8'``."""

    def __init__(self, code: str, align: bool = False, copy: bool = True):
        if not isinstance(code, str) or not PLAIN_CODE.fullmatch(code):
            raise Refused(f'the data type {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Tuple) -> None:
        """Set the byte order; refuse subarrays, names and fields."""
        order, *compound = state[1:5]
        if order not in ('<', '>', '=', '|') or any(
                part is not None for part in compound):
            raise Refused(f'the data type state {state!r}')
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray(np.ndarray):
    """Array of numbers or text. Results of operations are NumPy's own."""

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return np.asarray(array)[()]

    def __reduce__(self):
        return np.array(self, subok=False).__reduce__()

    def __setstate__(self, state: Tuple) -> None:
        """Set shape, data type and bytes, which must fit together."""
        version, shape, plain, fortran, data = state
        if not isinstance(plain, PlainDtype) or not isinstance(data, bytes):
            raise Refused('an array that is not plain bytes')
        if len(data) != plain.dtype.itemsize * np.prod(shape, dtype=object):
            raise Refused(f'{len(data)} bytes for an array of shape {shape}')
        super().__setstate__((version, shape, plain.dtype, fortran, data))


class CallOnly:
    """Callable whose attributes a pickle cannot set with the opcode BUILD."""

    def __init__(self, function: Callable, owner: Optional[type] = None):
        self.function, self.owner = function, owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; logging passes a keyword."""
        return self.function(*args, **kwargs)

    def __setstate__(self, state: Any) -> None:
        raise Refused(f'a state of {self.function.__name__}')

    def __reduce__(self) -> Tuple:
        """Pickle as an attribute of the owner: no other kind is kept."""
        return getattr, (self.owner, self.function.__name__)


def plain_array(subtype: Any, shape: Any, code: Any) -> PlainArray:
    """Replace ``numpy.core.multiarray._reconstruct``."""
    if subtype is not ARRAY_TYPE:
        raise Refused(f'an array of type {subtype!r}')
    return PlainArray((0, ))


def plain_scalar(plain: PlainDtype, data: bytes) -> Any:
    """Replace ``numpy.core.multiarray.scalar``."""
    if not isinstance(plain, PlainDtype) or not isinstance(data, bytes):
        raise Refused('a number that is not plain bytes')
    return np.frombuffer(data, plain.dtype, count=1)[0]


def allowed_attribute(owner: Any, name: str) -> CallOnly:
    """Replace ``getattr``: MMEngine pickles ``HistoryBuffer.mean`` with it."""
    function = None
    if owner is HistoryBuffer and not name.startswith('_'):
        function = vars(HistoryBuffer).get(name)
    elif owner is ONE_CYCLE and name in ANNEALING:
        owner = OneCycleParamScheduler
        function = getattr(owner, name)
    if not isinstance(function, FunctionType):
        raise Refused(f'the attribute {name!r}')
    return CallOnly(function, owner)


ALLOWED = {
    'builtins.bytes': CallOnly(lambda: b''),  # called for empty bytes only
    'builtins.complex': complex,
    'builtins.getattr': CallOnly(allowed_attribute),
    'builtins.set': set,
    'collections.Counter': CallOnly(Counter),  # milestones of MultiStepLR
    'collections.OrderedDict': OrderedDict,
    '_codecs.encode': encode,
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
    'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler':
    ONE_CYCLE,
    'numpy.dtype': PlainDtype,
    'numpy.ndarray': ARRAY_TYPE,
    'torch.Size': torch.Size,
    'torch.device': torch.device,
    **{str(v): v for v in vars(torch).values() if isinstance(v, torch.dtype)}
}
for _name in ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter'):
    ALLOWED[f'torch._utils.{_name}'] = CallOnly(getattr(torch._utils, _name))
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    ALLOWED[f'{_module}.scalar'] = CallOnly(plain_scalar)
    ALLOWED[f'{_module}._reconstruct'] = CallOnly(plain_array)


class AllowedUnpickler(pickle.Unpickler):
    """Unpickle the names in ``ALLOWED`` and refuse any other."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the function or class that a name stands for."""
        name = f'{module.replace("__builtin__", "builtins")}.{name}'
        if name not in ALLOWED:
            raise Refused(f'the name {name}')
        return ALLOWED[name]


def load_allowed(stream: BinaryIO, map_location: Any = 'cpu') -> Any:
    """Read a file of ``torch.save``, and refuse what could run code."""
    if tarfile.is_tarfile(stream):
        raise Refused('a tar archive')
    stream.seek(0)
    try:
        records = torch._C.PyTorchFileReader(stream).get_all_records()
    except RuntimeError:
        records = []  # PyTorch's older format, which is no archive
    # torch.load runs the program in such an archive, whatever the unpickler.
    if 'constants.pkl' in records:
        raise Refused('a TorchScript program')
    stream.seek(0)
    module = SimpleNamespace(
        __name__='allowed',
        Unpickler=AllowedUnpickler,
        load=lambda file, **kwargs: AllowedUnpickler(file, **kwargs).load())
    # AllowedUnpickler resolves each name in the file. weights_only=True would
    # use PyTorch's list, which lacks MMEngine's log history and which other
    # code can extend.
    return torch.load(
        stream,
        map_location=map_location,
        pickle_module=module,
        weights_only=False)
