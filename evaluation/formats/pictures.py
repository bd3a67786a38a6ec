"""Picture files of annotations, their size checked before they are decoded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line

if TYPE_CHECKING:
    from PIL.Image import Image

MASK_FORMATS = ("PNG", "BMP")


def read_levels(path: Path, *, height_px: int, width_px: int) -> NDArray[Any]:
    """The levels of a mask's pixels in a PNG or BMP picture.

    Returns:
        ``(height, width)``: grey values, or the highest of the three channels (transparency is
        ignored).

    Raises:
        VadlocError: It is unreadable or of another size.
    """
    with open_picture(path, MASK_FORMATS, height_px=height_px, width_px=width_px) as picture:
        if picture.mode == "1" or picture.mode[0] in "LIF":
            return np.asarray(picture.convert("L") if picture.mode == "LA" else picture)
        highest: NDArray[np.uint8] = np.asarray(picture.convert("RGB")).max(axis=2)
        return highest


def read_identities(path: Path, *, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """A PNG or BMP picture whose grey values are numbers of objects, ``(height, width)``.

    Raises:
        VadlocError: It is unreadable or of another size.
    """
    with open_picture(path, MASK_FORMATS, height_px=height_px, width_px=width_px) as picture:
        return np.asarray(picture.convert("L"))


@contextmanager
def open_picture(
    path: Path, formats: tuple[str, ...], *, height_px: int, width_px: int
) -> Iterator["Image"]:
    """An opened picture of the expected size; whatever its decoder throws names the file.

    Raises:
        VadlocError: It is unreadable or of another size.
    """
    from PIL import Image

    if not path.is_file():
        raise VadlocError(f"{path}: no such picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=formats) as picture:
                check_size(path, picture.size, height_px=height_px, width_px=width_px)
                yield picture
    except VadlocError:
        raise
    except Exception as error:  # decoders fail with nearly any exception on hostile bytes
        kind, detail = "/".join(formats), one_line(error)
        raise VadlocError(f"{path}: not a readable {kind} picture ({detail})") from None


def check_size(path: Path, size: tuple[int, int], *, height_px: int, width_px: int) -> None:
    """Compare a picture's width and height with the frame's.

    Raises:
        VadlocError: They differ.
    """
    if size != (width_px, height_px):
        raise VadlocError(
            f"{path}: {size[0]} x {size[1]} px, but the frames have {width_px} x {height_px}"
        )
