"""Folders of pixel masks: ``<sequence>_gt/*.png`` or ``*.bmp``, one picture per frame.

This is the layout of the UCSD Anomaly Detection Dataset (Mahadevan et al., CVPR 2010). A picture
belongs to the frame whose file has the same name; suffix, leading zeros and a ``_gt`` at the end
may differ. Pictures are taken in natural order of their names in two cases: if their numbers all
differ from those of the frame files by the same amount, and for a video, where the numbers must
have no gaps. Masks have two levels: black is normal.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vadloc.annotations.components import masks_to_ground_truth
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    files_with_suffix,
    find_entry,
    visible_entries,
)
from vadloc.annotations.frame_files import in_order_of_frames
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.pictures import read_levels
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import VadlocError, some_of
from vadloc.video.frames import natural_key
from vadloc.video.numbering import one_spelling

IN_FOLDERS = True
SUFFIXES = (".png", ".bmp")
ONE_A_FRAME = (
    "a mask is needed for every frame, black where all is normal, and called as the frame is"
)


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    *,
    min_pixels: int = 1,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>_gt``; regions and tracks are derived from the masks.

    Args:
        folder: Folder of the mask folders.
        sequence: Name of the sequence.
        size: Number and size of its frames.
        min_pixels: Components of fewer pixels are left out.
        context: The names of the frames and the threshold of the masks.

    Raises:
        VadlocError: The folder is missing, a picture is unreadable or belongs to no frame, or
            number, size or levels of the masks do not fit.
    """
    masks = annotation_of(folder, sequence)
    files = in_order_of_frames(
        masks, _list_masks(masks), context.frame_names, what="masks", remedy=ONE_A_FRAME
    )
    if len(files) != size.frame_count:
        raise context.miscounted(
            masks, len(files), f"masks ({', '.join(SUFFIXES)})", size.frame_count
        )
    return masks_to_ground_truth(
        _read_masks(files, size),
        sequence,
        size,
        source=masks,
        min_pixels=min_pixels,
        context=context,
    )


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    return (f"{sequence}_gt",)


def files_at(masks: Path) -> Iterator[Path]:
    """The pictures in a folder of masks."""
    return files_with_suffix(masks, *SUFFIXES)


def annotation_of(folder: Path, sequence: str) -> Path:
    """The folder with the masks of a sequence.

    Raises:
        VadlocError: There is no such folder.
    """
    masks = folder / places(sequence)[0]
    found = find_entry(masks)
    if found is None or not found.is_dir():
        raise VadlocError(f"{masks}: no such folder; expected a mask picture for every frame")
    return found


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence."""
    found = (e for e in visible_entries(folder) if e.is_dir() and e.name.lower().endswith("_gt"))
    return {one_spelling(entry.name[:-3]): entry for entry in found}


def _list_masks(folder: Path) -> list[Path]:
    entries = list(visible_entries(folder))
    files = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
    if not files:
        there = f"; there is {some_of([entry.name for entry in entries])}" if entries else ""
        raise VadlocError(
            f"{folder}: no mask ({' or '.join(SUFFIXES)}){there}; save masks as .png, which loses "
            "nothing"
        )
    return sorted(files, key=lambda file: natural_key(file.name))


def _read_masks(files: list[Path], size: SequenceSize) -> Iterator[tuple[str, NDArray[Any]]]:
    read_one = functools.partial(read_levels, height_px=size.height_px, width_px=size.width_px)
    return ((str(file), read_one(file)) for file in files)
