"""Read cell arrays of matrices from MATLAB files, and nothing else.

The reader follows the description of the format (*MAT-File Format*, The MathWorks, level 5).
General readers are not made for files from unknown sources: a damaged file ends
``scipy.io.loadmat`` with a segmentation fault.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.files import read_bytes
from vadloc.errors import VadlocError, one_line

_HEADER_BYTES = 128
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_PLACES = (0, 512, 1024, 2048)
"""Byte offsets at which an HDF5 file may begin; other data may stand before it."""
_TAG_BYTES = 8
_NAME, _DIMENSIONS, _FLAGS, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_STORED_AS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""NumPy's name of each numeric data type of the format."""
_CELL_CLASS = 1
_NUMBER_CLASSES = range(6, 16)
_COMPLEX_FLAG = 0x800

_Element: TypeAlias = tuple[int, memoryview]
"""Data type and content of one element of a file or matrix."""
_NOTHING: _Element = (0, memoryview(b""))


def read_cells(path: Path, variable: str, *, limit_bytes: int) -> Iterator[NDArray[Any]]:
    """The matrices of a cell array, in MATLAB's order (column by column).

    Args:
        path: A MATLAB file of versions 5 to 7 (7.3 is another format).
        variable: Name of the cell array.
        limit_bytes: Most bytes that the compressed parts of the file may unpack to.

    Yields:
        Read-only matrices of numbers; logical matrices are uint8.

    Raises:
        VadlocError: The file is no MATLAB file of these versions, damaged or too large, has no
            such cell array, or a cell is no matrix of real numbers.
    """
    content = read_bytes(path)
    if any(content[at : at + len(_HDF5)] == _HDF5 for at in _HDF5_PLACES):
        raise VadlocError(
            f"{path}: a MATLAB file of version 7.3 (HDF5); versions 5 to 7 are read, save it with "
            f"save(file, '{variable}', '-v7') in MATLAB"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if order is None:
        raise VadlocError(f"{path}: not a MATLAB file of version 5 to 7; save it with -v7")
    try:
        for payload in _matrices(memoryview(content)[_HEADER_BYTES:], order, limit_bytes):
            parts = _elements(payload, order)
            flags, _, name = _flags(parts, order), _take(parts, _DIMENSIONS), _take(parts, _NAME)
            if name == variable.encode() and flags & 0xFF == _CELL_CLASS:
                yield from _cells(parts, order, variable)
                return
    except (ValueError, zlib.error) as error:
        raise VadlocError(f"{path}: damaged or no annotation ({one_line(error)})") from None
    raise VadlocError(
        f"{path}: no cell array {variable} in it; save the masks as {variable}, a cell a frame"
    )


def _matrices(data: memoryview, order: str, limit_bytes: int) -> Iterator[memoryview]:
    """The variables of a file, unpacked one after the other."""
    for kind, payload in _elements(data, order):
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(payload, limit_bytes + 1)
            limit_bytes -= len(unpacked)
            if limit_bytes < 0:
                raise ValueError("it unpacks to more than masks of the sequence's frames need")
            kind, payload = next(_elements(memoryview(unpacked), order), _NOTHING)
        if kind == _MATRIX:
            yield payload


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    """The elements in some bytes, one after the other."""
    position = 0
    while position < len(data):
        tag = data[position : position + _TAG_BYTES]
        if len(tag) < _TAG_BYTES:
            raise ValueError("the last element is cut off")
        kind, length = struct.unpack(f"{order}II", tag)
        start, padding = position + _TAG_BYTES, -length % 8 if kind != _COMPRESSED else 0
        if kind >> 16:  # a small element has its length and up to 4 bytes of content in its tag
            kind, length, start, padding = kind & 0xFFFF, kind >> 16, position + 4, 0
        payload = data[start : start + length]
        if len(payload) < length:
            raise ValueError("an element is cut off")
        yield kind, payload
        position = max(start + length + padding, position + _TAG_BYTES)


def _take(parts: Iterator[_Element], kind: int) -> memoryview:
    found, payload = next(parts, _NOTHING)
    if found != kind:
        raise ValueError(f"an element of type {found} where one of type {kind} belongs")
    return payload


def _flags(parts: Iterator[_Element], order: str) -> int:
    payload = _take(parts, _FLAGS)
    return int(np.frombuffer(payload, f"{order}u4")[0]) if len(payload) == 8 else 0


def _cells(parts: Iterator[_Element], order: str, variable: str) -> Iterator[NDArray[Any]]:
    for number, (kind, payload) in enumerate(parts, start=1):
        try:
            yield _to_array(kind, payload, order)
        except ValueError as error:
            raise ValueError(f"{variable}{{{number}}}: {error}") from None


def _to_array(kind: int, payload: memoryview, order: str) -> NDArray[Any]:
    """One cell as a matrix of real numbers."""
    if kind != _MATRIX or not payload:
        raise ValueError("no matrix")
    parts = _elements(payload, order)
    flags = _flags(parts, order)
    if flags & 0xFF not in _NUMBER_CLASSES or flags & _COMPLEX_FLAG:
        raise ValueError("not a matrix of real numbers")
    shape = np.frombuffer(_take(parts, _DIMENSIONS), f"{order}i4").tolist()
    _take(parts, _NAME)
    stored_as, numbers = next(parts, _NOTHING)
    if stored_as not in _STORED_AS:
        raise ValueError(f"numbers of type {stored_as}")
    array = np.frombuffer(numbers, order + _STORED_AS[stored_as])
    if min(shape, default=0) < 1 or math.prod(shape) != array.size:
        raise ValueError(f"{array.size} numbers for a matrix of shape {shape}")
    return array.reshape(shape, order="F")
