"""UBnormal's annotation: rows of tracks, and pictures of object numbers.

*UBnormal: New Benchmark for Supervised Open-Set Video Anomaly Detection* (Acsintoae et al., CVPR
2022). The authors do not describe the format; this description follows the tools in their
repository (``scripts/``):

* ``Scene<N>/<sequence>_annotations/<sequence>_tracks.txt`` has rows of three numbers, separated by
  commas: an object, its first and its last anomalous frame. The numbers are whole, but may be
  written as decimals. Frames are 0-based, the last one is included, and all frames between are
  anomalous. If there is also a file ``<sequence>_new_tracks.txt``, it is a correction and is read
  instead.
* ``<sequence>_annotations/<sequence>_0007_gt.png`` is the picture of frame 7. The grey value of a
  pixel is the number of the object that is visible there, 0 for none. If the frame files have such
  names too (``<sequence>_0007``), frames are found by these names.
* A row is a track, even if an object has several rows. Tracks are numbered by object, then by row.
* Clips ``normal_scene_*`` are completely normal and have no annotation.

The region of a track in a frame is all pixels of its object. A frame in which the object is hidden
has no region but is still anomalous.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.components import (
    MaskRegion,
    collect_regions,
    mask_regions_to_ground_truth,
)
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    files_with_suffix,
    find_entry,
    first_file,
    visible_entries,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.pictures import read_identities
from vadloc.annotations.regions import (
    SequenceSize,
    check_frame,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)
from vadloc.errors import VadlocError
from vadloc.video.numbering import one_spelling

LAYOUT = "object,first_frame,last_frame"
NORMAL_PREFIX = "normal_scene_"
ANNOTATIONS = "_annotations"
"""End of the name of a clip's annotation folder, after the name of the clip."""
_MAX_OBJECT = 255


@dataclass(frozen=True)
class _Track:
    number: int
    first_frame: int
    last_frame: int


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>_annotations`` under the folder or under its ``Scene<N>``.

    Args:
        folder: Folder of the scenes or of the annotation folders.
        sequence: Name of the sequence, such as ``abnormal_scene_1_scenario_2``.
        size: Number and size of its frames.
        context: The names of the frames.

    Raises:
        VadlocError: Rows or pictures are missing, malformed, or do not fit the frames.
    """
    tracks, path = [], annotation_of(folder, sequence)
    numbers = _numbers_of(sequence, size.frame_count, context)
    if not sequence.startswith(NORMAL_PREFIX):
        rows = read_rows(path, layout=LAYOUT)
        tracks = [_row_to_track(row, numbers, context) for row in rows]
        tracks.sort(key=lambda track: track.number)
    clip = path.parent.name.removesuffix(ANNOTATIONS)  # spelled as on the disk
    regions = (
        _read_frame(path.with_name(f"{clip}_{number:04d}_gt.png"), frame, tracks, size)
        for frame, number in enumerate(numbers)
    )
    frames = collect_regions(regions, source=path)
    ids = [[region.track or 0 for region in regions] for regions in frames]
    truth = mask_regions_to_ground_truth(frames, ids, sequence, size, source=path, derived=False)
    _check_visible(tracks, truth)
    for track in tracks:
        truth.anomalous[track.first_frame : track.last_frame + 1] = True
    return truth


def _read_frame(
    path: Path, frame: int, tracks: list[_Track], size: SequenceSize
) -> list[MaskRegion]:
    active = [i for i, t in enumerate(tracks) if t.first_frame <= frame <= t.last_frame]
    if not active:
        return []
    objects = read_identities(path, height_px=size.height_px, width_px=size.width_px)
    regions = (_object_region(objects == tracks[index].number, index) for index in active)
    return [region for region in regions if region is not None]


def _object_region(mask: NDArray[np.bool_], track: int) -> MaskRegion | None:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not rows.size:
        return None
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    return MaskRegion((x0, y0, x1, y1), mask[y0:y1, x0:x1].copy(), track)


def _check_visible(tracks: list[_Track], truth: GroundTruth) -> None:
    for index in np.setdiff1d(np.arange(len(tracks)), truth.track)[:1]:
        track = tracks[index]
        raise VadlocError(
            f"{truth.source}: object {track.number} has no pixel in the pictures of frames "
            f"{track.first_frame} to {track.last_frame}; are rows and pictures of one release?"
        )


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the rows of a clip may be."""
    scene = re.search(r"scene_([0-9]+)", sequence)
    parents = ("", *([f"Scene{scene[1]}/"] if scene else []))
    names = (f"{sequence}_new_tracks.txt", f"{sequence}_tracks.txt")
    return tuple(f"{at}{sequence}{ANNOTATIONS}/{name}" for at in parents for name in names)


def files_at(rows: Path) -> Iterator[Path]:
    """The file of rows, and the pictures of object numbers beside it."""
    yield rows
    pictures = files_with_suffix(rows.parent, ".png")
    yield from (path for path in pictures if path.stem.endswith("_gt"))


def annotation_of(folder: Path, sequence: str) -> Path:
    """The file of rows of a clip; for a normal clip, which has none, the folder.

    Raises:
        VadlocError: There is no such file.
    """
    if sequence.startswith(NORMAL_PREFIX):
        return folder
    paths = [folder / place for place in places(sequence)]
    candidates = [(find_entry(path.parent) or path.parent) / path.name for path in paths]
    return first_file(candidates, what="UBnormal track rows")


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence."""
    parents = [folder, *(e for e in visible_entries(folder) if re.fullmatch("Scene[0-9]+", e.name))]
    found = (e for parent in parents for e in visible_entries(parent) if e.is_dir())
    return {
        one_spelling(e.name.removesuffix(ANNOTATIONS)): e
        for e in found
        if e.name.endswith(ANNOTATIONS)
    }


def _numbers_of(sequence: str, frame_count: int, context: Context) -> list[int]:
    """The number of each frame in the annotation."""
    names = context.frame_names
    if names is None or not names.numbers:
        return list(range(frame_count))
    start = one_spelling(sequence) + "_"
    if all(re.fullmatch("[0-9]+", stem.removeprefix(start)) for stem in names.stems):
        return list(names.numbers)
    return [names.number_of(frame, first=0) for frame in range(frame_count)]


def _frame_of(number: int, numbers: list[int], context: Context, *, where: str) -> int:
    """The 0-based frame of a number in a row."""
    if context.frame_names is None:
        count, counted_by = len(numbers), context.counted_by
        return check_frame(number, count, where=where, first=0, counted_by=counted_by)
    if number not in numbers:
        raise VadlocError(f"{where}: frame {number}, but {context.frame_names.described}")
    return numbers.index(number)


def _row_to_track(row: Row, numbers: list[int], context: Context) -> _Track:
    number = row.whole(0, "the object")
    if not 1 <= number <= _MAX_OBJECT:
        raise VadlocError(f"{row.where}: object {number}, expected 1 to {_MAX_OBJECT}")
    first, last = row.whole(1, "the first frame"), row.whole(2, "the last frame")
    if first > last:
        raise VadlocError(f"{row.where}: the first frame {first} is after the last, {last}")
    first, last = (_frame_of(frame, numbers, context, where=row.where) for frame in (first, last))
    return _Track(number, first, last)
