"""Read sequences (folders of pictures or video files) one frame at a time."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line, some_of
from vadloc.video.decoding import (
    MAX_FRAME_PX,
    VIDEO_SUFFIXES,
    Colour,
    frame_times_s,
    read_video,
)
from vadloc.video.numbering import check_names, one_spelling

FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
LEFT_BEHIND = frozenset({"thumbs.db", "desktop.ini", "@eadir", "__macosx"})
"""Names, in lower case, of files and folders that file managers create."""
LONGEST_NAME_BYTES = 160
"""File systems allow 255; temporary result files add a suffix, host and process to the name."""
_PILLOW_MODE: dict[Colour, str] = {"grey": "L", "rgb": "RGB"}


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which ``2.jpg`` stands before ``10.jpg``."""
    parts = re.split(r"(\d+)", name)  # digits of any script
    return tuple((int(p), "") if p.isdecimal() else (-1, p) for p in parts)


@dataclass(frozen=True)
class Sequence:
    """One sequence of a dataset.

    Attributes:
        name: Folder name, or file name of a video without its suffix.
        path: The folder of frames or the video file.
    """

    name: str
    path: Path

    @property
    def is_video(self) -> bool:
        """True for a video file, False for a folder of frames."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES and not self.path.is_dir()


def is_hidden(name: str) -> bool:
    """Whether a file of this name is hidden or was created by a file manager."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def what_is_read() -> str:
    """A sentence for messages: which files make a sequence."""
    pictures, videos = (" ".join(sorted(s)) for s in (FRAME_SUFFIXES, VIDEO_SUFFIXES))
    return f"a sequence is a folder of pictures ({pictures}) or a video ({videos})"


def list_sequences(folder: Path) -> list[Sequence]:
    """All sequences of a folder in natural order; ``<name>_gt`` folders are ground truth.

    Raises:
        VadlocError: The folder is missing, or holds no sequence, two of one name, or a broken link.
    """
    if not folder.is_dir():
        what = "a file, no folder" if folder.exists() else "no such folder"
        raise VadlocError(
            f"{folder}: {what}; it should hold one folder of frames or one video for each "
            "sequence. --datasets says where the folders of the config lie"
        )
    entries = [e for e in folder.iterdir() if not is_hidden(e.name)]
    for entry in entries:
        if not entry.exists():
            raise VadlocError(f"{entry}: a link to nowhere; mend or remove it")
    found = [Sequence(e.name, e) for e in entries if e.is_dir() and not e.name.endswith("_gt")]
    videos = [e for e in entries if e.suffix.lower() in VIDEO_SUFFIXES and e.is_file()]
    found += [Sequence(e.stem, e) for e in videos]
    if not found:
        raise VadlocError(f"{folder}: no sequence in it; {_instead(entries)}")
    found.sort(key=lambda s: (natural_key(s.name), s.path.name))
    for sequence in found:
        check_name_length(sequence)
    _check_unique(folder, found)
    return found


def check_name_length(sequence: Sequence) -> None:
    """Refuse a sequence name that is too long for the names of result files.

    Raises:
        VadlocError: The name is too long.
    """
    count = len(os.fsencode(sequence.name))
    if count > LONGEST_NAME_BYTES:
        raise VadlocError(
            f"{sequence.path}: a name of {count} bytes; results are named after it, which leaves "
            f"{LONGEST_NAME_BYTES}. Rename it, or a link to it"
        )


def _instead(entries: list[Path]) -> str:
    """For messages: what a folder without sequences holds, and what it should hold."""
    if any(entry.suffix.lower() in FRAME_SUFFIXES for entry in entries):
        return (
            "the pictures lie in the folder itself; put those of each sequence into a folder of "
            "their own in it"
        )
    names = sorted(entry.name for entry in entries)
    there = f"there is only {some_of(names)}" if names else "it is empty"
    return f"{there}; {what_is_read()}"


def _check_unique(folder: Path, sequences: list[Sequence]) -> None:
    """Refuse two sequences of one name, even if it has two spellings in Unicode.

    Raises:
        VadlocError: Two sequences have one name.
    """
    seen: dict[str, Sequence] = {}
    for sequence in sequences:
        other = seen.setdefault(one_spelling(sequence.name), sequence)
        if other is not sequence:
            names = other.path.name, sequence.path.name
            if other.name != sequence.name:  # they look alike
                names = ascii(names[0]), ascii(names[1])
            raise VadlocError(
                f"{folder}: {names[0]} and {names[1]} give one sequence name; rename or remove one"
            )


def list_frame_files(folder: Path) -> list[Path]:
    """Frame files of a sequence in natural order.

    Raises:
        VadlocError: There is no frame file, or the order of the frames is not clear from the names.
    """
    entries = [entry for entry in folder.iterdir() if not is_hidden(entry.name)]
    files = [entry for entry in entries if entry.suffix.lower() in FRAME_SUFFIXES]
    if not files:
        names = sorted(entry.name + "/" * entry.is_dir() for entry in entries)
        there = f"there is only {some_of(names)}" if names else "it is empty"
        raise VadlocError(
            f"{folder}: a sequence without frames; {there}; expected pictures "
            f"({' '.join(sorted(FRAME_SUFFIXES))}). Fill the folder or remove it"
        )
    files.sort(key=lambda f: natural_key(f.name))
    check_names(folder, [file.name for file in files])
    return files


def frame_files(sequence: Sequence) -> list[Path]:
    """Every file of a sequence, in order.

    Raises:
        VadlocError: As `list_frame_files`.
    """
    return [sequence.path] if sequence.is_video else list_frame_files(sequence.path)


def read_frames(sequence: Sequence, *, colour: Colour = "grey") -> Iterator[NDArray[np.uint8]]:
    """Frames in order, one in memory at a time; all must have the size of the first one.

    Yields:
        uint8 ``(height, width)`` for grey (ITU-R 601 luma) or ``(height, width, 3)`` for rgb.

    Raises:
        VadlocError: A frame cannot be decoded or has another size, or a video ends before the
            number of frames that its header promises.
    """
    for (frame,) in read_frames_as(sequence, (colour,)):
        yield frame


def read_frames_as(
    sequence: Sequence, colours: tuple[Colour, ...]
) -> Iterator[tuple[NDArray[np.uint8], ...]]:
    """Read frames as ``read_frames`` does, in several colours; each frame is decoded once."""
    frames = read_video if sequence.is_video else _read_folder
    size: tuple[int, ...] | None = None
    for where, pictures in frames(sequence.path, colours):
        shape = pictures[0].shape
        size = size or shape
        if shape != size:
            raise VadlocError(
                f"{where}: {shape[1]} x {shape[0]} px, but the sequence began with "
                f"{size[1]} x {size[0]}; all frames of a sequence must have one size"
            )
        yield pictures


def read_picture(path: Path, *, colour: Colour) -> NDArray[np.uint8]:
    """Read a picture file as uint8 ``(height, width)`` or ``(height, width, 3)``.

    The picture is rotated by its EXIF orientation. Grey is ITU-R 601 luma. CMYK becomes RGB by
    ``(255 - C) (255 - K) / 255`` for red, and likewise for green and blue. Alpha is ignored: a
    transparent pixel has its stored colour (as in OpenCV).

    Raises:
        VadlocError: The picture is unreadable, truncated or too large, has more than 8 bits per
            channel or an unsupported colour space (CIELAB), or the file holds several pictures.
    """
    return _read_picture_as(path, (colour,))[0]


def _read_picture_as(path: Path, colours: tuple[Colour, ...]) -> tuple[NDArray[np.uint8], ...]:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():  # opening a named pipe would wait for ever
        raise VadlocError(f"{path}: no regular file; restore the frame or remove it")
    try:
        # Given a path, Pillow maps a TIFF into memory, and scrambles it when it rotates it.
        with (
            path.open("rb") as file,
            warnings.catch_warnings(action="ignore"),
            Image.open(file) as picture,
        ):
            _check_picture(path, picture)
            _turn_as_shown(picture)
            return tuple(np.array(picture.convert(_PILLOW_MODE[colour])) for colour in colours)
    except VadlocError:
        raise
    except UnidentifiedImageError:
        raise VadlocError(
            f"{path}: not a readable picture, of no known format; restore the file or remove it"
        ) from None
    except Exception as error:  # a damaged picture can fail in any way
        raise VadlocError(
            f"{path}: not a readable picture ({one_line(error)}); restore the file or remove it"
        ) from None


def _check_picture(path: Path, picture: Any) -> None:
    width, height = picture.size
    if width * height > MAX_FRAME_PX:
        raise VadlocError(f"{path}: claims {width} x {height} px, the limit is {MAX_FRAME_PX} px")
    if picture.mode.startswith(("I", "F")) or _is_cut_to_8_bits(picture):
        raise VadlocError(
            f"{path}: more than 8 bits a channel (Pillow calls it {_raw_mode(picture)}); expected "
            "8, convert the frames with one fixed scale for all of them"
        )
    if picture.mode == "LAB":
        raise VadlocError(f"{path}: colours in CIELAB; expected grey or RGB, convert the frames")
    count = getattr(picture, "n_frames", 1)
    if count > 1 and picture.format != "MPO":  # MPO: a JPEG with its own preview
        raise VadlocError(f"{path}: holds {count} pictures; expected one a file, split it")


def _raw_mode(picture: Any) -> str:
    """The pixel format of the file, as Pillow's decoders call it."""
    arguments = picture.tile[0][3] if picture.tile else picture.mode
    return str(arguments if isinstance(arguments, str) else arguments[0])


def _is_cut_to_8_bits(picture: Any) -> bool:
    """Whether Pillow would silently cut 16 bits per channel to 8, as it does for colour."""
    return ";16" in (raw := _raw_mode(picture)) and not raw.startswith("BGR")  # 5, 6 and 5 bits


def _turn_as_shown(picture: Any) -> None:
    from PIL import ImageOps

    picture.load()
    with suppress(Exception):  # an unreadable EXIF block is ignored
        ImageOps.exif_transpose(picture, in_place=True)


_Pictures = Iterator[tuple[str, tuple[NDArray[np.uint8], ...]]]


def _read_folder(folder: Path, colours: tuple[Colour, ...]) -> _Pictures:
    for file in list_frame_files(folder):
        yield str(file), _read_picture_as(file, colours)


def sequence_times_s(
    sequence: Sequence, *, frame_count: int | None = None
) -> NDArray[np.float64] | None:
    """Presentation time of every frame of a video in seconds, the first 0; None for pictures.

    Args:
        sequence: A folder of frames or a video.
        frame_count: Number of frames that were read from the video, if known.

    Raises:
        VadlocError: The video cannot be read.
    """
    if not sequence.is_video:
        return None
    return frame_times_s(sequence.path, frame_count=frame_count)


def sequence_size(sequence: Sequence) -> tuple[int, int, int]:
    """Frame count, height and width in pixels.

    Of pictures, the files are counted and the first one is read; a video is decoded.

    Raises:
        VadlocError: The first picture or the video cannot be read.
    """
    if not sequence.is_video:
        first = next(read_frames(sequence))
        return len(list_frame_files(sequence.path)), first.shape[0], first.shape[1]
    count = 0
    for frame in read_frames(sequence):
        count += 1
        height, width = frame.shape
    return count, height, width
