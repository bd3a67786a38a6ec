"""Training crops of the appearance network: folders or zip archives of 64 x 64 pictures.

Layout: ``<data>/<split>/<class>/`` or ``<data>/<split>/<class>.zip`` for each of the eight classes
and ``background``, with splits ``train`` and ``val``. An optional ``<data>/index.csv`` with columns
``split,class,member,source`` names the source of each crop, for balance and for reports.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.classes import LABELS
from feature_extraction.frame import CROP_PX
from vadloc.errors import UsageError, VadlocError, one_line
from vadloc.files.storage import DamagedFileError

Split = Literal["train", "val"]

_SUFFIXES = (".jpg", ".jpeg", ".png")
_MAX_MEMBER_BYTES = 1 << 20
_MAX_MEMBERS = 1_000_000
_BOMB_BYTES, _BOMB_RATIO = 1 << 26, 20
"""Pictures that unpack to more than the first, and to so many times the archive, are a bomb."""
_UNKNOWN_SOURCE = "unknown"


@dataclass(frozen=True)
class Crops:
    """Crops of one split, in memory.

    Attributes:
        pixels: uint8 ``(n, 64, 64, 3)``, RGB.
        labels: int64 ``(n,)``, an index into ``LABELS``.
        sources: ``(n,)`` names of the data sets that the crops came from.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]


def read_crops(data: Path, split: Split) -> Crops:
    """Read all crops of a split.

    Args:
        data: Folder of the layout above.
        split: Which half of it.

    Raises:
        UsageError: A class is missing.
        VadlocError: An archive or picture is damaged, hostile, empty or of another size.
    """
    source_of = _read_sources(data / "index.csv")
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    sources: list[str] = []
    for label, name in enumerate(LABELS):
        count = len(pixels)
        for member, content in _members(data / split, name):
            pixels.append(_decode(f"{data / split / name}: {one_line(member)}", content))
            sources.append(source_of.get((split, name, member)) or _UNKNOWN_SOURCE)
        if len(pixels) == count:
            raise VadlocError(f"{data / split / name}: holds no {', '.join(_SUFFIXES)} pictures")
        labels += [label] * (len(pixels) - count)
    return Crops(np.stack(pixels), np.array(labels), np.array(sources))


def _members(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pictures of a class, in the order of their names."""
    if (folder / name).is_dir():
        for path in sorted((folder / name).iterdir()):
            if path.suffix.lower() in _SUFFIXES:
                yield path.name, _file_bytes(path)
    elif (folder / f"{name}.zip").is_file():
        yield from _archive_members(folder / f"{name}.zip")
    else:
        raise UsageError(
            f"{folder}: has neither {name}/ nor {name}.zip; expected one for each of "
            f"{', '.join(LABELS)}"
        )


def _file_bytes(path: Path) -> bytes:
    _check_size(str(path), path.stat().st_size)
    return path.read_bytes()


def _archive_members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.filename)
            _check_members(path, members)
            for member in members:
                if member.filename.lower().endswith(_SUFFIXES):
                    yield member.filename, archive.read(member)
    except VadlocError:
        raise
    except Exception as error:  # a damaged archive can fail in any way
        words = one_line(error)
        raise DamagedFileError(f"{path}: not a readable zip archive ({words})") from None


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse archives that unpack to more than crops before anything is unpacked."""
    names = [member.filename for member in members]
    if len(names) > _MAX_MEMBERS or len(set(names)) < len(names):
        raise VadlocError(f"{path}: {len(names)} members, some of one name or too many")
    for member in members:
        name = one_line(member.filename)
        if member.filename != Path(member.filename).name or "\\" in member.filename:
            raise VadlocError(
                f"{path}: member {name} has a folder in its name; expected pictures side by side"
            )
        _check_size(f"{path}: {name}", member.file_size)
    size = sum(member.file_size for member in members)
    if size > max(_BOMB_BYTES, _BOMB_RATIO * path.stat().st_size):
        raise VadlocError(
            f"{path}: unpacks to {size} bytes, the archive has {path.stat().st_size}; pictures "
            "do not shrink so far"
        )


def _check_size(where: str, size: int) -> None:
    if size > _MAX_MEMBER_BYTES:
        raise VadlocError(
            f"{where}: {size} bytes, far more than a crop of {CROP_PX} x {CROP_PX} pixels has"
        )


def _decode(where: str, content: bytes) -> NDArray[np.uint8]:
    """RGB pixels of a picture; its size is looked at before it is decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.size == (CROP_PX, CROP_PX):
                return np.array(picture.convert("RGB"))
            size = picture.size
    except Exception as error:  # a damaged picture can fail in any way
        raise DamagedFileError(f"{where}: not a readable picture ({one_line(error)})") from None
    raise VadlocError(
        f"{where}: {size[0]} x {size[1]} px, expected {CROP_PX} x {CROP_PX}; resize the crops"
    )


def _read_sources(index: Path) -> dict[tuple[str, str, str], str]:
    """Source by split, class and member; empty without an index."""
    if not index.is_file():
        return {}
    with index.open(newline="", encoding="utf-8") as file:
        try:
            rows = csv.DictReader(file, restval="")
            return {(r["split"], r["class"], r["member"]): r["source"] for r in rows}
        except (KeyError, csv.Error, UnicodeDecodeError) as error:
            raise VadlocError(
                f"{index}: not a table with columns split,class,member,source ({error})"
            ) from None
