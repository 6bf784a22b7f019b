"""Arrays and numbers of NumPy in a checkpoint, rebuilt without trust.

NumPy unpickles a data type from its state, and a forged state makes an array
whose elements are pointers. These stand-ins take the place of NumPy's own
functions inside ``torch.load``: they accept plain numbers and text, as bytes.
"""
import re
from typing import Any, Tuple

import numpy as np

PLAIN_CODE = re.compile(r'[?biufcSU]\d*')


class PlainDtype:
    """Stand in for ``numpy.dtype``: a number or text, no fields, no objects.

    Args:
        code: Kind and size as in ``'f8'``.
        align: What NumPy pickles beside it; not used.
        copy: What NumPy pickles beside it; not used.

    Raises:
        ValueError: For any other code.
    """

    def __init__(self, code: str, align: bool = False, copy: bool = True):
        if not isinstance(code, str) or not PLAIN_CODE.fullmatch(code):
            raise refusal(f'data type {code!r}')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Tuple) -> None:
        """Take the byte order; subarrays, names and fields are refused."""
        order, *compound = state[1:5]
        if order not in ('<', '>', '=', '|') or any(
                part is not None for part in compound):
            raise refusal(f'data type state {state!r}')
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray(np.ndarray):
    """An array of plain numbers or text; results of it are NumPy's own."""

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return np.asarray(array)[()]

    def __reduce__(self):
        return np.array(self, subok=False).__reduce__()

    def __setstate__(self, state: Tuple) -> None:
        """Fill in shape, type and bytes.

        Raises:
            ValueError: If they are anything else or do not fit together.
        """
        version, shape, plain, fortran, data = state
        if not isinstance(plain, PlainDtype) or not isinstance(data, bytes):
            raise refusal('an array that is not plain bytes')
        if len(data) != plain.dtype.itemsize * np.prod(shape, dtype=object):
            raise refusal(f'{len(data)} bytes for an array of shape {shape}')
        super().__setstate__((version, shape, plain.dtype, fortran, data))


def plain_scalar(plain: PlainDtype, data: bytes) -> Any:
    """Stand in for ``numpy.core.multiarray.scalar``."""
    if not isinstance(plain, PlainDtype) or not isinstance(data, bytes):
        raise refusal('a number that is not plain bytes')
    return np.frombuffer(data, plain.dtype, count=1)[0]


def plain_array(subtype: Any, shape: Any, code: Any) -> PlainArray:
    """Stand in for ``numpy.core.multiarray._reconstruct``."""
    if subtype is not array_type:
        raise refusal(f'an array of type {subtype!r}')
    return PlainArray((0, ))


def array_type(*args: Any) -> None:
    """Stand in for the name ``numpy.ndarray``, which is never called."""
    raise refusal('a call of numpy.ndarray')


def empty_bytes() -> bytes:
    """Stand in for ``bytes``, which pickle calls for the bytes of nothing."""
    return b''


def refusal(what: str) -> ValueError:
    return ValueError(
        f'this checkpoint holds {what}, which no checkpoint of MMEngine does; '
        'it is refused, because loading it could run code')
