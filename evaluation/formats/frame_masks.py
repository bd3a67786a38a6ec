"""One ``.npy`` file a sequence: masks of all frames, or their labels.

``<sequence>.npy`` or ``<sequence>_gt.npy``, of numbers or booleans, of shape ``(frames, height,
width)`` (not 0 where anomalous) or ``(frames,)`` (1 for an anomalous frame, 0 for a normal one).
ShanghaiTech's ``test_pixel_mask`` and ``test_frame_mask`` are of this form.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.formats.arrays import map_array
from evaluation.formats.components import masks_to_ground_truth, numbers_to_mask
from evaluation.formats.regions import (
    SequenceSize,
    first_file,
    frame_labels_to_ground_truth,
)
from evaluation.ground_truth import GroundTruth

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "float32", "float64")


def read(
    folder: Path, sequence: str, *, frame_count: int, height_px: int, width_px: int
) -> GroundTruth:
    """Read ``<sequence>.npy`` or ``<sequence>_gt.npy``; masks are read one frame at a time.

    Args:
        folder: Folder of the files.
        sequence: Name of the sequence.
        frame_count: Number of its frames.
        height_px: Frame height.
        width_px: Frame width.

    Returns:
        Regions and tracks derived as in ``components``; none if the file has labels only.

    Raises:
        VadlocError: The file is missing, unreadable, holds NaN, or does not fit the frames.
    """
    names = (f"{sequence}.npy", f"{sequence}_gt.npy")
    path = first_file([folder / name for name in names], what="frame masks")
    size = SequenceSize(frame_count, height_px, width_px)
    array = map_array(path, shapes=[tuple(size), (frame_count,)], dtypes=DTYPES)
    if array.ndim == 1:
        return frame_labels_to_ground_truth(array, sequence, size, source=path)
    return masks_to_ground_truth(_masks(path, array), sequence, size, source=path)


def _masks(path: Path, array: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for frame, values in enumerate(array):
        where = f"{path}, frame {frame} (0-based)"
        yield where, numbers_to_mask(values, where=where)
