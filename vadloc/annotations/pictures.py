"""Read picture files of annotations; their size is checked before they are decoded."""

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
    """The pixel values (levels) of a mask in a PNG or BMP picture.

    Returns:
        ``(height, width)``: grey values, or the highest of the three channels (transparency is
        ignored).

    Raises:
        VadlocError: The picture is unreadable or of another size.
    """
    with open_picture(path, MASK_FORMATS, height_px=height_px, width_px=width_px) as picture:
        if picture.mode == "1" or (picture.mode[0] in "LIF" and picture.mode != "LA"):
            return np.asarray(picture)
        highest: NDArray[np.uint8] = np.asarray(picture.convert("RGB")).max(axis=2)
        if not highest.any():
            _refuse_hidden(path, picture)
        return highest


def _refuse_hidden(path: Path, picture: "Image") -> None:
    """Refuse a black picture whose mask may be in its transparency or palette indices."""
    hidden = {
        "transparency": np.asarray(picture.convert("RGBA"))[..., 3],
        "palette numbers": np.asarray(picture) if picture.mode == "P" else np.zeros(1),
    }
    for name, values in hidden.items():
        if values.min() != values.max():
            raise VadlocError(
                f"{path}: all black, but with several values of {name}; save what is meant "
                "as grey levels, 0 where all is normal"
            )


def read_identities(path: Path, *, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """The object number of each pixel of a PNG or BMP picture, ``(height, width)``.

    The number is the grey value or, in a picture with a palette, the palette index.

    Raises:
        VadlocError: The picture is unreadable or of another size.
    """
    with open_picture(path, MASK_FORMATS, height_px=height_px, width_px=width_px) as picture:
        colours = np.asarray(picture.convert("RGB"))
        if picture.mode == "P" and (colours != colours[..., :1]).any():
            return np.asarray(picture)
        return np.asarray(picture.convert("L"))


@contextmanager
def open_picture(
    path: Path, formats: tuple[str, ...], *, height_px: int, width_px: int
) -> Iterator["Image"]:
    """Open a picture of the expected size; errors of the decoder are reported with the file.

    Raises:
        VadlocError: The picture is unreadable or of another size.
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
    except Exception as error:  # decoders raise nearly any exception on damaged files
        kind, detail = "/".join(formats), one_line(error)
        raise VadlocError(f"{path}: not a readable {kind} picture ({detail})") from None


def check_size(path: Path, size: tuple[int, int], *, height_px: int, width_px: int) -> None:
    """Check that a picture has the size of the frames.

    Raises:
        VadlocError: The sizes differ.
    """
    if size != (width_px, height_px):
        raise VadlocError(
            f"{path}: {size[0]} x {size[1]} px, but the frames have {width_px} x {height_px}"
        )
