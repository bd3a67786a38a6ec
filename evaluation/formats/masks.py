"""Folders of pixel masks: ``<sequence>_gt/*.png`` or ``*.bmp``, one picture a frame.

The layout of the UCSD Anomaly Detection Dataset (Mahadevan et al., CVPR 2010). Pictures are taken
in natural order of their names; any pixel that is not black is anomalous.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.formats.components import masks_to_ground_truth
from evaluation.formats.pictures import read_mask
from evaluation.formats.regions import SequenceSize
from evaluation.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.frames import natural_key

SUFFIXES = (".png", ".bmp")


def read(
    folder: Path,
    sequence: str,
    *,
    frame_count: int,
    height_px: int,
    width_px: int,
    min_pixels: int = 1,
) -> GroundTruth:
    """Read ``<sequence>_gt``; regions and tracks are derived as in ``components``.

    Args:
        folder: Folder of the mask folders.
        sequence: Name of the sequence.
        frame_count: Number of its frames, and so of masks.
        height_px: Frame height.
        width_px: Frame width.
        min_pixels: Components of fewer pixels are left out.

    Raises:
        VadlocError: The folder is missing, a picture is unreadable, or number or size of the
            masks differ from the frames'.
    """
    masks = folder / f"{sequence}_gt"
    size = SequenceSize(frame_count, height_px, width_px)
    files = _list_masks(masks)
    if len(files) != frame_count:
        raise VadlocError(
            f"{masks}: {len(files)} masks ({', '.join(SUFFIXES)}), but the sequence has "
            f"{frame_count} frames; a mask is needed for every frame, black where all is normal"
        )
    return masks_to_ground_truth(
        _read_masks(files, size), sequence, size, source=masks, min_pixels=min_pixels
    )


def _list_masks(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise VadlocError(f"{folder}: no such folder; expected a mask picture for every frame")
    files = [f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != "."]
    return sorted(files, key=lambda file: natural_key(file.name))


def _read_masks(files: list[Path], size: SequenceSize) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    read_one = functools.partial(read_mask, height_px=size.height_px, width_px=size.width_px)
    return ((str(file), read_one(file)) for file in files)
