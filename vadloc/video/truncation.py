"""Find video files that are cut off, without decoding: by the sizes that the file declares."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

_RIFF_HEADER_BYTES = 8
_RIFF_UNKNOWN = (0, 0xFFFFFFFF)
"""The size field of a recording that was never closed."""
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_EMPTY_BYTES = 50
"""Size of the data object where it was never closed."""
_TS_PACKET_BYTES = (188, 192, 204)
_TS_SYNC = b"\x47"


def missing_bytes(path: Path, container_format: str, index: Iterable[Any]) -> int:
    """Number of bytes missing at the end of a video file; 0 if it is complete or gives no size.

    The size follows from the structure of the file: the positions of its samples (MP4), the length
    of the chunk that holds the frames (AVI, Matroska, ASF), or the length of the last packet
    (MPEG-TS). Durations and frame counts in headers are not used: in many good files they are
    wrong.

    Args:
        path: The video.
        container_format: Name of its format in FFmpeg.
        index: Entries with ``pos`` and ``size`` of every sample of the video stream (MP4).
    """
    size = path.stat().st_size
    if container_format.startswith("mov"):
        end = max((entry.pos + entry.size for entry in index), default=0)
    elif container_format in _ENDS:
        with path.open("rb") as file:
            end = _ENDS[container_format](file)
    else:
        end = 0
    return max(0, end - size)


def _riff_end(file: BinaryIO) -> int:
    """End of the last RIFF chunk; an AVI of more than 1 GB has several."""
    end = 0
    while len(header := file.read(_RIFF_HEADER_BYTES)) == _RIFF_HEADER_BYTES:
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length in _RIFF_UNKNOWN:
            break
        end += _RIFF_HEADER_BYTES + length + length % 2
        file.seek(end)
    # Some programs count the header of 8 bytes twice, or do not write the last odd byte.
    return end - _RIFF_HEADER_BYTES - 1


def _segment_end(file: BinaryIO) -> int:
    """End of the segment, which holds everything but the first few bytes (RFC 9559)."""
    head = file.read(4096)
    if not head.startswith(_EBML):
        return 0
    start, length = _ebml_size(head, len(_EBML))
    segment = start + (length or 0)
    if head[segment : segment + len(_SEGMENT)] != _SEGMENT:
        return 0
    start, length = _ebml_size(head, segment + len(_SEGMENT))
    return 0 if length is None else start + length


def _ebml_size(data: bytes, at: int) -> tuple[int, int | None]:
    """Read a size: the position where the content begins, and the size, None if it is unknown."""
    if at >= len(data) or not data[at]:
        return at, None
    width = 9 - data[at].bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return at + width, None if value == (1 << 7 * width) - 1 else value


def _data_object_end(file: BinaryIO) -> int:
    """End of the data object of an ASF, which holds all packets."""
    start = 0
    for kind in (_ASF_HEADER, _ASF_DATA):
        file.seek(start)
        head = file.read(24)
        if head[:16] != kind:
            return 0
        length = int.from_bytes(head[16:], "little")
        start += length
    return start if length > _ASF_EMPTY_BYTES else 0


def _packets_end(file: BinaryIO) -> int:
    """End that the last packet would have if it were complete."""
    head = file.read(4 + 2 * max(_TS_PACKET_BYTES) + 1)
    size = file.seek(0, os.SEEK_END)
    for length in _TS_PACKET_BYTES:
        for first in (0, 4):
            places = (first, first + length, first + 2 * length)
            if all(head[at : at + 1] == _TS_SYNC for at in places):
                return size + -size % length
    return 0


_ENDS = {
    "asf": _data_object_end,
    "avi": _riff_end,
    "matroska,webm": _segment_end,
    "mpegts": _packets_end,
}
