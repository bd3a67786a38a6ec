"""Read ``.npy`` files of annotations; the header is checked before memory is allocated."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.files import kind_of_bytes
from vadloc.errors import VadlocError, one_line


def map_array(
    path: Path, *, shapes: Collection[tuple[int, ...]], dtypes: Collection[str]
) -> NDArray[Any]:
    """A ``.npy`` file as a read-only memory map; nothing is ever unpickled.

    Args:
        path: The file.
        shapes: Allowed shapes.
        dtypes: Names of the allowed dtypes, such as ``"float32"``.

    Raises:
        VadlocError: The file is missing, truncated or not a ``.npy`` file, or its shape or dtype
            is not allowed.
    """
    array = map_numbers(path, dtypes=dtypes)
    check_shape(path, array.shape, shapes)
    return array


def map_numbers(path: Path, *, dtypes: Collection[str]) -> NDArray[Any]:
    """Map an array of any shape, as `map_array` does."""
    if not path.is_file():
        raise VadlocError(f"{path}: no such file; expected a .npy file")
    first = b""
    try:
        with path.open("rb") as file:
            first = file.read(8)
            file.seek(0)
            shape, by_column, dtype = _read_header(file)
            offset = file.tell()
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
    except Exception as error:  # NumPy parses headers as Python: any exception may come
        kind = kind_of_bytes(first) if not first.startswith(b"\x93NUMPY") else ""
        detail = f"it is {kind}; save the array with np.save" if kind else one_line(error)
        raise VadlocError(f"{path}: not a readable .npy file ({detail})") from None
    _check_dtype(path, dtype, dtypes)
    missing = offset + math.prod(shape) * dtype.itemsize - path.stat().st_size
    if missing > 0:
        raise VadlocError(f"{path}: cut off, {missing} bytes are missing; restore the file")
    order: Literal["F", "C"] = "F" if by_column else "C"
    if not math.prod(shape):
        return np.empty(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, order)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's (column by column), and dtype."""
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"version {version[0]}.{version[1]}")
    return readers[version](file)


def _check_dtype(path: Path, dtype: np.dtype[Any], dtypes: Collection[str]) -> None:
    if dtype.hasobject:
        raise VadlocError(
            f"{path}: an array of Python objects, which is never unpickled; save numbers: "
            "np.save(path, np.asarray(values, float))"
        )
    if dtype.name not in dtypes:
        raise VadlocError(f"{path}: an array of {dtype.name}, expected {', '.join(dtypes)}")


def check_shape(path: Path, shape: tuple[int, ...], shapes: Collection[tuple[int, ...]]) -> None:
    """Check that an array's shape is one of the allowed shapes.

    Raises:
        VadlocError: The shape is not allowed.
    """
    if shape not in shapes:
        expected = " or ".join(str(expected) for expected in shapes)
        raise VadlocError(f"{path}: an array of shape {shape}, expected {expected}")
