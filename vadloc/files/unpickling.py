"""Read joblib files of plain data, and refuse pickles that hold anything else.

joblib writes a pickle in which every array is a small object (its dtype, shape and order) followed
by the raw bytes. This module replaces each global (class or function) that such a file names by a
class that only stores and checks values. Nothing that the file names is ever called.

A small pickle can also describe very large content. A tuple that contains a tuple twice, which
contains another one twice and so on, takes ``2**depth`` steps to hash, compare or print. Therefore
only text and whole numbers may be keys, no content of the file is printed, and a shared value
counts each time it occurs.
"""

import math
import os
import pickle
import re
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line

_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|U[0-9]{1,6}|S[0-9]{1,6}")
MAX_PICKLED_BYTES = 1 << 22
"""Limit for the bytes of a file without its array data; files of vadloc have a few kB."""
MAX_VALUES = 1_000_000
MAX_DEPTH = 50
_REFUSED_OPCODES = (
    *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER),
    *(pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET),
)


def load_plain(file: IO[bytes], path: Path, *, limit: int) -> Any:
    """The content of a joblib file that holds containers, numbers, strings and arrays only.

    Args:
        file: A binary file on disk, at its beginning (``numpy.fromfile`` reads the arrays).
        path: Path of the file, for messages.
        limit: Number of bytes that may be read; a larger array is refused.

    Raises:
        VadlocError: The file names any other global, holds objects, or is cut off.
    """
    try:
        content = _PlainUnpickler(file, path, limit).load()
        _count_values(content, {})
    except VadlocError as error:
        raise VadlocError(f"{path}: {error}") from None
    except Exception as error:  # a malicious pickle can fail in any way; none of its code ran
        detail = one_line(f"{type(error).__name__}: {error}")
        raise VadlocError(f"{path}: not a joblib file of plain data ({detail})") from None
    return content


def _count_values(value: Any, counts: dict[int, int], depth: int = 0) -> int:
    """Number of values inside a value; a shared value counts each time it occurs.

    Args:
        value: The content, or a part of it.
        counts: Results for the containers that were counted before, by ``id``.
        depth: Number of containers around the value.

    Raises:
        VadlocError: The values are too many, nested too deeply, circular, or no plain data.
    """
    if isinstance(value, str | int | float | np.ndarray | None):
        return 1
    if not isinstance(value, dict | list | tuple):
        raise VadlocError(f"holds {type(value).__name__}, which is no plain data")
    if id(value) not in counts:
        if depth > MAX_DEPTH:
            raise VadlocError(f"containers within each other more than {MAX_DEPTH} deep")
        counts[id(value)] = MAX_VALUES + 1  # for a container that contains itself
        parts = value.values() if isinstance(value, dict) else value
        counts[id(value)] = 1 + sum(_count_values(part, counts, depth + 1) for part in parts)
    if counts[id(value)] > MAX_VALUES:
        raise VadlocError(f"more than {MAX_VALUES} values, counted where they occur")
    return counts[id(value)]


class _DType:
    """Stand-in for ``numpy.dtype``: numbers, booleans and fixed-width text."""

    def __init__(self, name: str, *_: object) -> None:
        if not _DTYPE.fullmatch(name):
            raise VadlocError(f"arrays of type {one_line(name)!r} are not plain data")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _NDArray:
    """Stand-in for the name ``numpy.ndarray``; no instance is ever made."""

    def __new__(cls, *_: object) -> "_NDArray":
        raise VadlocError("a pickle that makes arrays by itself is not plain data")


class _Array(NumpyArrayWrapper):  # type: ignore[misc]  # joblib has no types
    """joblib's header of an array; size and dtype are checked before memory is allocated."""

    shape: Any
    order: Any
    dtype: Any

    def read(self, unpickler: "_PlainUnpickler", _ensure_native_byte_order: bool) -> NDArray[Any]:
        """Read the array; joblib calls this when dtype, shape and order are known."""
        if not isinstance(self.dtype, _DType) or self.order not in ("C", "F"):
            raise VadlocError("an array without a plain type")
        shape = self.shape
        if not (isinstance(shape, tuple) and len(shape) <= MAX_DEPTH and all(map(_is_size, shape))):
            raise VadlocError("an array whose shape is no tuple of sizes")
        dtype = self.dtype.dtype
        file = unpickler.file_handle
        file.seek(file.read(1)[0], os.SEEK_CUR)
        count = math.prod(shape)
        if count * dtype.itemsize > unpickler.limit - file.tell():
            raise VadlocError(
                f"an array claims {count * dtype.itemsize} bytes, the file has "
                f"{unpickler.limit - file.tell()} left"
            )
        return np.fromfile(file, dtype=dtype, count=count).reshape(shape, order=self.order)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63


_ALLOWED = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Array,
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _DType,
}


class _PlainUnpickler(NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
    dispatch: ClassVar[dict[int, Any]] = {
        code: method
        for code, method in NumpyUnpickler.dispatch.items()
        if code not in {opcode[0] for opcode in _REFUSED_OPCODES}
    }

    def __init__(self, file: IO[bytes], path: Path, limit: int) -> None:
        self.limit = limit
        self._pickled_bytes = 0
        super().__init__(str(path), file, ensure_native_byte_order=False)
        self._file_read = self._read
        self._file_readline = self._readline

    def _read(self, size: int) -> bytes:
        """Read bytes of the pickle; the unframer of the standard library calls this."""
        self._count_bytes(size)
        data: bytes = self.file_handle.read(size)
        return data

    def _readline(self) -> bytes:
        line: bytes = self.file_handle.readline(MAX_PICKLED_BYTES)
        self._count_bytes(len(line))
        return line

    def _count_bytes(self, size: int) -> None:
        self._pickled_bytes += size
        if self._pickled_bytes > MAX_PICKLED_BYTES:
            raise VadlocError(f"more than {MAX_PICKLED_BYTES} bytes that are no data of arrays")

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a global; all other globals are refused."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise VadlocError(
                f"names {one_line(f'{module}.{name}')}, which is no plain data; refused, nothing "
                "of the file has been run"
            ) from None

    def load_build(self) -> None:
        """Set the state of an array or dtype; for anything else the file is refused."""
        if not isinstance(self.stack[-2], (_Array, _DType)):
            raise VadlocError("a pickle that changes classes is not plain data")
        super().load_build()

    def load_dict(self) -> None:
        """Make a dict of the keys and values since the mark."""
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def load_setitem(self) -> None:
        """Set one key of a dict."""
        items = self.stack[-2:]
        del self.stack[-2:]
        self._set_items(items)

    def load_setitems(self) -> None:
        """Set the keys and values since the mark."""
        self._set_items(self.pop_mark())

    def _set_items(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        if type(target) is not dict or not all(type(key) in (str, int) for key in keys):
            raise VadlocError("a key that is neither text nor a whole number")
        target.update(zip(keys, items[1::2], strict=True))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
