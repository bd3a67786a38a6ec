"""Read joblib files of plain data; whatever else a pickle could do is refused.

joblib writes a pickle in which every array is a small object (its dtype, shape and order) followed
by the raw bytes. Here each global that such a file names is replaced by a stand-in of our own that
only remembers and checks values, so that nothing of the file's choosing is ever called.
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

from vadloc.errors import VadlocError

_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|U[0-9]{1,6}|S[0-9]{1,6}")
_REFUSED_OPCODES = (pickle.BYTEARRAY8, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER)


def load_plain(file: IO[bytes], path: Path, *, limit: int) -> Any:
    """The content of a joblib file that holds containers, numbers, strings and arrays only.

    Args:
        file: A real binary file at its beginning (arrays are read by ``numpy.fromfile``).
        path: Its name, for messages.
        limit: Number of bytes that may be read; an array that claims more is refused.

    Raises:
        VadlocError: It names any other global, holds objects, or is cut off.
    """
    try:
        return _PlainUnpickler(file, path, limit).load()
    except VadlocError as error:
        raise VadlocError(f"{path}: {error}") from None
    except Exception as error:  # a hostile pickle can fail in any way; nothing of it has run
        detail = f"{type(error).__name__}: {error}"
        raise VadlocError(f"{path}: not a joblib file of plain data ({detail})") from None


class _DType:
    """Stand-in for ``numpy.dtype``: numbers, booleans and fixed-width text."""

    def __init__(self, name: str, *_: object) -> None:
        if not _DTYPE.fullmatch(name):
            raise VadlocError(f"arrays of type {name!r} are not plain data")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _NDArray:
    """Stand-in for the name ``numpy.ndarray``; never made."""

    def __new__(cls, *_: object) -> "_NDArray":
        raise VadlocError("a pickle that makes arrays by itself is not plain data")


class _Array(NumpyArrayWrapper):  # type: ignore[misc]  # joblib has no types
    """joblib's announcement of an array, which checks its claims before it allocates."""

    shape: Any
    order: Any
    dtype: Any

    def read(self, unpickler: "_PlainUnpickler", _ensure_native_byte_order: bool) -> NDArray[Any]:
        """Called by joblib once dtype, shape and order are known."""
        if not isinstance(self.dtype, _DType) or self.order not in ("C", "F"):
            raise VadlocError("an array without a plain type")
        shape = self.shape
        if not (isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)):
            raise VadlocError(f"an array of shape {str(shape)[:80]}")
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
        super().__init__(str(path), file, ensure_native_byte_order=False)

    def find_class(self, module: str, name: str) -> Any:
        """Only stand-ins are ever found."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise VadlocError(
                f"names {module}.{name}, which is no plain data; refused, nothing of the file has "
                "been run"
            ) from None

    def load_build(self) -> None:
        """Only arrays and their types have a state; that of a stand-in itself is ours."""
        if not isinstance(self.stack[-2], (_Array, _DType)):
            raise VadlocError("a pickle that changes classes is not plain data")
        super().load_build()

    dispatch[pickle.BUILD[0]] = load_build
