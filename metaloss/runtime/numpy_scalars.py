"""Numbers of NumPy in a checkpoint, read as plain ones without running NumPy's own unpickling.

Training scripts put a mean loss into their files as NumPy computed it. NumPy's way of reading such a number back takes
a description of its type from the file and believes it; here only real numbers of known types are read.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from typing import Any

_FORMATS = {"b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}
_FORMATS |= {"f2": "e", "f4": "f", "f8": "d"}
_ORDERS = ("<", ">", "=", "|")


class _DType:
    """Stands for ``numpy.dtype``: the name of a type, ``"f8"`` say, and the order of its bytes."""

    def __init__(self, name: Any, *_: Any) -> None:
        self.name: Any = name
        self.order: Any = "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1] if isinstance(state, tuple) and len(state) > 1 else None


def _scalar(dtype: Any = None, data: Any = None) -> bool | int | float:
    """Stands for NumPy's ``scalar``: a plain number of the bytes of one.

    Raises:
        pickle.UnpicklingError: something else than a number of a known type.
    """
    known = isinstance(dtype, _DType) and isinstance(dtype.name, str) and dtype.name in _FORMATS
    if not known or dtype.order not in _ORDERS or not isinstance(data, bytes):
        raise pickle.UnpicklingError("a NumPy scalar that is no plain number")
    form = dtype.order.replace("|", "=") + _FORMATS[dtype.name]
    if struct.calcsize(form) != len(data):
        raise pickle.UnpicklingError(f"a NumPy scalar of type {dtype.name} in {len(data)} bytes")
    value: bool | int | float = struct.unpack(form, data)[0]
    return value


def _called(stand_in: Callable[..., Any], module: str, name: str) -> Callable[..., Any]:
    """Lets torch find a stand-in where a file names NumPy's own."""
    stand_in.__module__, stand_in.__name__, stand_in.__qualname__ = module, name, name
    return stand_in


STAND_INS: list[Any] = [
    _called(_DType, "numpy", "dtype"),
    _called(lambda *arguments: _scalar(*arguments), "numpy.core.multiarray", "scalar"),
    _called(lambda *arguments: _scalar(*arguments), "numpy._core.multiarray", "scalar"),
]
"""For ``torch.serialization.safe_globals``: what is called in the place of NumPy's own."""
