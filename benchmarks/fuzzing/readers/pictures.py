"""Frames as pictures."""

import shutil
import zlib
from pathlib import Path

from PIL import Image

from fuzzing.reader import Reader
from vadloc.video.frames import Sequence, read_frames


def make_pictures(folder: Path) -> None:
    """Two frames in every format and in several modes."""
    from tiny_scene import film

    for suffix in (".jpg", ".png", ".tif", ".bmp"):
        for mode in ("L", "RGB", "P", "1", "CMYK", "RGBA"):
            target = folder / f"{mode}{suffix}"
            target.mkdir()
            try:
                for number, frame in enumerate(film(seed=0)[:2]):
                    Image.fromarray(frame).convert(mode).save(target / f"{number}{suffix}")
            except OSError:  # no such mode in this format
                shutil.rmtree(target)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4", "packbits"):
        target = folder / compression
        target.mkdir()
        frame = Image.fromarray(film(seed=0)[0]).convert("1" if compression == "group4" else "L")
        frame.save(target / "0.tif", compression=compression)


def read_pictures(folder: Path) -> object:
    """Every frame, in grey and in colour."""
    sequence = Sequence("a", folder)
    return [*read_frames(sequence), *read_frames(sequence, colour="rgb")]


def seal_pictures(name: str, content: bytes) -> bytes:
    """The chunks of a PNG with the checksums that fit them; other files as they are."""
    start, sealed = 8, bytearray(content)
    while name.endswith(".png") and start + 12 <= len(sealed):
        end = start + 8 + int.from_bytes(sealed[start : start + 4], "big")
        sealed[end : end + 4] = zlib.crc32(sealed[start + 4 : end]).to_bytes(4, "big")
        start = end + 4
    return bytes(sealed)


PICTURES = Reader(make_pictures, read_pictures, seal_pictures)
