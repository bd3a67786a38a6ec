"""Predictions as folders with one map per frame.

The folder ``<sequence>`` has a ``.npy``, ``.tif`` or ``.tiff`` map for each frame. Maps have the
names of the frame files, or are numbered without gaps.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from evaluation.predictions.score_arrays import DTYPES
from vadloc.annotations.arrays import map_numbers
from vadloc.annotations.context import (
    ONE_EACH,
    FrameNames,
)
from vadloc.annotations.files import visible_entries
from vadloc.annotations.frame_files import in_order_of_frames
from vadloc.annotations.score_maps import TIFF_SUFFIXES
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.errors import VadlocError, one_line
from vadloc.scores import ScoreMap
from vadloc.video.decoding import MAX_FRAME_PX
from vadloc.video.frames import natural_key

MAP_SUFFIXES = (".npy", *TIFF_SUFFIXES)
TIFF_MODES = ("F", "L", "1", "I;16", "I")


def map_files(folder: Path) -> list[Path]:
    """The maps of a folder in natural order."""
    entries = visible_entries(folder)
    files = [f for f in entries if f.suffix.lower() in MAP_SUFFIXES and f.is_file()]
    return sorted(files, key=lambda file: natural_key(file.name))


def read(folder: Path, sequence: str, frame_names: FrameNames | None) -> Prediction:
    """Find the maps of a folder; each is read when it is needed, the first now for its size.

    Args:
        folder: The folder.
        sequence: Name of the sequence.
        frame_names: The files of the frames, to find the frame of each map; ``None`` if there are
            none.

    Raises:
        VadlocError: A frame has no map, or the first map is unusable.
    """
    files = map_files(folder)
    files = in_order_of_frames(folder, files, frame_names, what="maps", remedy=ONE_EACH)
    height_px, width_px = _read_map(files[0]).shape
    maps = MapFiles(files, height_px=height_px, width_px=width_px)
    grid = cast("NDArray[np.float32]", maps)  # ScoreMap needs only shape and [frame]
    score_map = ScoreMap(sequence, grid, 1, 1, height_px=height_px, width_px=width_px)
    return Prediction(sequence, len(files), score_map, None)


class MapFiles:
    """Maps of a sequence, one file per frame; each is read when it is needed.

    Attributes:
        shape: ``(frames, height, width)``.
    """

    def __init__(self, files: Sequence[Path], *, height_px: int, width_px: int) -> None:
        self._files = tuple(files)
        self.shape = (len(self._files), height_px, width_px)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> NDArray[Any]:
        scores = _read_map(self._files[frame])
        if scores.shape != self.shape[1:]:
            raise VadlocError(
                f"{self._files[frame]}: a map of shape {scores.shape}, but the first one of the "
                f"folder has {self.shape[1:]}; all maps of a sequence must have one size"
            )
        return scores


def _read_map(path: Path) -> NDArray[Any]:
    is_tiff = path.suffix.lower() in TIFF_SUFFIXES
    scores = _read_tiff(path) if is_tiff else map_numbers(path, dtypes=DTYPES)
    if scores.ndim != 2 or not scores.size:
        raise VadlocError(f"{path}: an array of shape {scores.shape}, expected (height, width)")
    return scores


def _read_tiff(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("TIFF",)) as picture:
                if picture.width * picture.height > MAX_FRAME_PX:
                    raise ValueError(f"{picture.width} x {picture.height} px")
                mode, scores = picture.mode, np.asarray(picture)
    except Exception as error:  # decoders raise nearly any exception on damaged files
        detail = one_line(error)
        raise VadlocError(f"{path}: not a readable TIFF picture ({detail})") from None
    if mode not in TIFF_MODES:
        raise VadlocError(f"{path}: pixels of mode {mode}, expected one of {', '.join(TIFF_MODES)}")
    return scores
