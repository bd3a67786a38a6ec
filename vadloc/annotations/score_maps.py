"""Pixel-level score maps of a py-ssvad-metrics JSON: one ``.npy`` or ``.tiff`` file per frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.arrays import map_array
from vadloc.annotations.pictures import open_picture
from vadloc.errors import VadlocError, one_line
from vadloc.files.storage import npy_to_array

NPY_DTYPES = ("float32", "float64", "bool")
TIFF_SUFFIXES = (".tif", ".tiff")


def find_map(folder: Path, name: str, *, where: str) -> Path:
    """The map file that a JSON names by its path.

    The path is relative to the folder of maps or, as py-ssvad-metrics reads it, to the working
    directory. In both cases the file must be in the folder of maps.

    Args:
        folder: Folder of maps: that of the JSON, or the one that the user gave instead.
        name: The path as written; Windows' separators are accepted.
        where: File, frame and field of the path, for the message.

    Raises:
        VadlocError: The path leaves the folder (by ``..``, by a link, or as an absolute path), has
            another suffix than ``.npy``, ``.tif`` or ``.tiff``, or there is no such file.
    """
    try:
        path = _first_place(folder, name).resolve()
        inside = path.is_relative_to(folder.resolve())
        found = inside and path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise VadlocError(f"{where} is {name[:200]!r}: {error}") from None
    if not inside:
        raise VadlocError(
            f"{where} is {name[:200]!r}, which is not below {folder}; maps are read only from the "
            "folder of their JSON, or the one given for maps: copy them there"
        )
    if path.suffix.lower() not in (".npy", *TIFF_SUFFIXES):
        raise VadlocError(f"{where} is {name[:200]!r}; expected .npy, .tif or .tiff")
    if not found:
        raise VadlocError(
            f"{where} is {name[:200]!r}, but {path} is no file; the path is relative to the folder "
            "of the JSON, or the one given for maps"
        )
    return path


def _first_place(folder: Path, name: str) -> Path:
    """The first meaning of a path under which a file exists, or else the first meaning."""
    places = folder / name, folder / name.replace("\\", "/"), Path(name)
    return next((place for place in places if place.is_file()), places[0])


def read_map(path: Path, *, height_px: int, width_px: int) -> NDArray[np.float32]:
    """Read one map, ``(height, width)`` with scores in [0, 1].

    Raises:
        VadlocError: The map is unreadable, of another size or dtype, or a score is NaN or outside
            [0, 1].
    """
    if path.suffix.lower() in TIFF_SUFFIXES:
        scores = _read_tiff(path, height_px=height_px, width_px=width_px)
    else:
        shape = (height_px, width_px)
        scores = np.array(map_array(path, shapes=[shape], dtypes=NPY_DTYPES), np.float32)
    if not (scores.min() >= 0 and scores.max() <= 1):
        y, x = np.argwhere(~((scores >= 0) & (scores <= 1)))[0]
        raise VadlocError(
            f"{path}: score {scores[y, x]} at x = {x}, y = {y}; expected numbers from 0 to 1"
        )
    return scores


def map_size(path: Path) -> tuple[int, int]:
    """Height and width of a map, from the header of its file.

    Raises:
        VadlocError: The file is missing, unreadable or no map.
    """
    if path.suffix.lower() in TIFF_SUFFIXES:
        from PIL import Image

        try:
            with Image.open(path, formats=("TIFF",)) as picture:
                return picture.height, picture.width
        except (OSError, ValueError) as error:
            raise VadlocError(f"{path}: not a readable TIFF picture ({one_line(error)})") from None
    try:
        with path.open("rb") as file:
            shape = npy_to_array(file, path).shape
    except OSError as error:
        raise VadlocError(f"{path}: cannot read ({error.strerror})") from None
    if len(shape) != 2:
        raise VadlocError(f"{path}: an array of shape {shape}, expected (height, width)")
    return int(shape[0]), int(shape[1])


def _read_tiff(path: Path, *, height_px: int, width_px: int) -> NDArray[np.float32]:
    with open_picture(path, ("TIFF",), height_px=height_px, width_px=width_px) as picture:
        if picture.mode != "F":
            raise VadlocError(f"{path}: pixels of mode {picture.mode}, expected 32-bit float (F)")
        return np.array(picture, np.float32)


class FrameMaps:
    """The maps of a sequence, read one frame at a time.

    ``maps[frame]`` reads the map of a 0-based frame; frames without a file score 0 everywhere.

    Attributes:
        shape: ``(frames, height, width)``.
        dtype: float32.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, files: Sequence[Path | None], *, height_px: int, width_px: int) -> None:
        self._files = tuple(files)
        self.shape = (len(self._files), height_px, width_px)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> NDArray[np.float32]:
        path = self._files[frame]
        _, height_px, width_px = self.shape
        if path is None:
            return np.zeros((height_px, width_px), np.float32)
        return read_map(path, height_px=height_px, width_px=width_px)
