"""Ground truth in the JSON of py-ssvad-metrics.

`ssvad_document` defines the fields, `ssvad_prediction` reads predictions, and `ssvad_writing`
writes ground truth.
"""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.components import (
    MaskRegion,
    box_overlap_px,
    collect_regions,
    link_by_overlap,
    mask_overlap_px,
    mask_regions_to_ground_truth,
    mask_to_components,
)
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
    FrameNames,
)
from vadloc.annotations.files import (
    first_file,
    stems_with,
    visible_entries,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import (
    BoxRegion,
    SequenceSize,
    boxes_to_ground_truth,
    clip_to_frame,
)
from vadloc.annotations.score_maps import (
    find_map,
    read_map,
)
from vadloc.annotations.ssvad_document import (
    Document,
    Frame,
    Places,
    Region,
    frame_score_of,
    listed_regions,
    places_of,
    read_document,
    runs_to_mask,
)
from vadloc.errors import VadlocError, one_line
from vadloc.video.decoding import MAX_FRAME_PX
from vadloc.video.numbering import one_spelling

logger = logging.getLogger(__name__)
_MAP_NAME = re.compile(rb'"pixel_level_scores_map"\s*:\s*("(?:[^"\\]|\\.)*")')


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>_gt.json`` or ``<sequence>.json``, beside or inside the sequence's folder.

    Args:
        folder: Folder of the test sequences or of the JSON files.
        sequence: Name of the sequence.
        size: Number and size of its frames.
        context: The names of the frames.

    Raises:
        VadlocError: The file is missing, malformed, or does not fit the frames.
    """
    path = annotation_of(folder, sequence)
    return read_ground_truth(path, sequence=sequence, size=size, context=context)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    names = (f"{sequence}_gt.json", f"{sequence}.json")
    return (*names, *(f"{sequence}/{name}" for name in names))


def files_at(document: Path) -> Iterator[Path]:
    """A JSON, and the maps below its folder that it names."""
    yield document
    for written in _MAP_NAME.findall(document.read_bytes()):
        try:
            path = (document.parent / json.loads(written)).resolve()
            found = document.parent / path.relative_to(document.parent.resolve())
            if found.is_file():
                yield found
        except (OSError, RuntimeError, ValueError):  # no map can be read from such a path
            continue


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file; the message lists the paths that were tried.
    """
    return first_file([folder / place for place in places(sequence)], what="JSON annotation")


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence; if there are ``*_gt.json``, other ``.json`` do not count."""
    found = stems_with(folder, ".json")
    for entry in visible_entries(folder):
        if entry.is_dir():
            own, name = stems_with(entry, ".json"), one_spelling(entry.name)
            found |= {key: own[key] for key in (name, f"{name}_gt") if key in own}
    marked = {key.removesuffix("_gt"): path for key, path in found.items() if key.endswith("_gt")}
    return marked or found


def read_ground_truth(
    path: Path,
    *,
    sequence: str | None = None,
    size: SequenceSize | None = None,
    maps: Path | None = None,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read a ground-truth file.

    Args:
        path: The JSON.
        sequence: Name of the sequence; by default the file's name without suffix.
        size: Number and size of the frames, if known; the file must agree.
        maps: Folder that the paths of maps are relative to; by default that of the file.
        context: The names of the frames and the threshold of maps.

    Raises:
        VadlocError: The file is malformed or does not fit; the message has file, frame and field.
    """
    document = read_document(path)
    if size is not None and document.frames_count != size.frame_count:
        raise context.miscounted(path, document.frames_count, "frames", size.frame_count)
    if size is not None and document.size != size:
        raise VadlocError(f"{path}: {_words(document.size)}, but the sequence has {_words(size)}")
    name = sequence or path.stem
    frames = places_of(path, document)
    if context.frame_names is not None:
        _check_files(frames, context.frame_names)
    labels = _frame_labels(document, frames)
    if not document.is_anomalous_regions_available:
        truth = boxes_to_ground_truth([], name, document.size, source=path)
    elif any(_has_pixels(frame) for frame in document.frames):
        truth = _read_masks(path, maps or path.parent, document, frames, name)
    else:
        truth = _read_boxes(path, document, frames, name)
    truth.anomalous[labels] = True
    return truth


def _check_files(places: Places, names: FrameNames) -> None:
    """Refuse a frame with the file name of another frame."""
    for index, (where, frame) in enumerate(places):
        if frame.frame_filepath is None:
            continue
        other = names.get_exactly(frame.frame_filepath)
        if other not in (None, index):
            raise VadlocError(
                f"{where}: frame_filepath is {one_line(frame.frame_filepath, limit=80)}, but frame "
                f"{frame.frame_id} is the file {one_line(names.files[index], limit=80)}; mend one"
            )


def _has_pixels(frame: Frame) -> bool:
    if frame.pixel_level_scores_map is not None:
        return True
    return any(region.mask_runs is not None for region in frame.anomalous_regions or ())


def _words(size: SequenceSize) -> str:
    return f"{size.frame_count} frames of {size.width_px} x {size.height_px} px"


def _frame_labels(document: Document, places: Places) -> NDArray[np.bool_]:
    """True for each frame whose frame-level score is 1, ``(frames,)``."""
    if document.is_anomalous_regions_available:
        return np.array([frame.frame_level_score == 1 for _, frame in places], np.bool_)
    labels = [(where, frame_score_of(where, frame)) for where, frame in places]
    for where, label in labels:
        if label not in (0, 1):
            raise VadlocError(
                f"{where}: frame_level_score is {label}, in ground truth it must be 0 or 1"
            )
    return np.array([label == 1 for _, label in labels], np.bool_)


def _check_truth_score(where: str, region: Region) -> None:
    if region.score != 1:
        raise VadlocError(f"{where}.score: {region.score}, in ground truth it must be 1")


def _track(where: str, frame: Frame, own: int | None) -> int:
    """The track id of a region or, if it has none, of its frame."""
    track = frame.anomaly_track_id if own is None else own
    if track is None or track < 0:
        raise VadlocError(
            f"{where}: a region, but anomaly_track_id is {frame.anomaly_track_id} and the region "
            "has no track_id; if tracks are unknown, is_anomaly_track_id_available must be false"
        )
    return track


def _read_boxes(path: Path, document: Document, places: Places, name: str) -> GroundTruth:
    tracked = document.is_anomaly_track_id_available
    frames: list[list[BoxRegion]] = []
    for index, (where, frame) in enumerate(places):
        frames.append([])
        for place, region in listed_regions(where, frame):
            _check_truth_score(place, region)
            track = _track(place, frame, region.track_id) if tracked else 0
            frames[-1].append(BoxRegion(place, index, track, region.bounding_box))
    if not tracked:
        linked = link_by_overlap(frames, _region_overlap_px)
        frames = [
            [replace(region, track=track) for region, track in zip(*pair, strict=True)]
            for pair in zip(frames, linked, strict=True)
        ]
    return boxes_to_ground_truth(
        [region for regions in frames for region in regions],
        name,
        document.size,
        source=path,
        derived=document.is_derived or not tracked,
    )


def _region_overlap_px(
    before: Sequence[BoxRegion], now: Sequence[BoxRegion]
) -> NDArray[np.float64]:
    return box_overlap_px([r.box_xyxy_px for r in before], [r.box_xyxy_px for r in now])


def _read_masks(
    path: Path, maps: Path, document: Document, places: Places, name: str
) -> GroundTruth:
    tracked = document.is_anomaly_track_id_available
    regions = (_mask_regions(maps, document.size, where, frame) for where, frame in places)
    frames = collect_regions(regions, source=path)
    cut = sum(_is_beyond(region.bounding_box, document.size) for region in _with_pixels(document))
    if tracked:
        tracks = [
            [_track(where, frame, region.track) for region in regions]
            for (where, frame), regions in zip(places, frames, strict=True)
        ]
    else:
        tracks = link_by_overlap(frames, mask_overlap_px)
    from_maps = any(frame.pixel_level_scores_map is not None for _, frame in places)
    derived = document.is_derived or from_maps or not tracked
    truth = mask_regions_to_ground_truth(
        frames, tracks, name, document.size, source=path, derived=derived
    )
    if cut:
        logger.warning("%s: %d regions stick out of the frame and were cut", path, cut)
    return replace(truth, cut_regions=cut)


def _with_pixels(document: Document) -> Iterator[Region]:
    """The listed regions of frames without a map."""
    for frame in document.frames:
        if frame.pixel_level_scores_map is None:
            yield from frame.anomalous_regions or ()


def _is_beyond(box_xyxy_px: Sequence[float], size: SequenceSize) -> bool:
    x0, y0, x1, y1 = box_xyxy_px
    return x0 < 0 or y0 < 0 or x1 > size.width_px or y1 > size.height_px


def _mask_regions(maps: Path, size: SequenceSize, where: str, frame: Frame) -> list[MaskRegion]:
    """The regions of a frame with their pixels.

    If the frame has a map, its components are the regions. A component gets the track id of the
    listed region with the same box.
    """
    if frame.pixel_level_scores_map is None:
        return [_mask_region(place, region, size) for place, region in listed_regions(where, frame)]
    scores = _read_map(maps, size, where, frame.pixel_level_scores_map)
    ids = {region.bounding_box: region.track_id for region in frame.anomalous_regions or ()}
    components = mask_to_components(scores > 0, where=where)
    return [replace(region, track=ids.get(region.box_xyxy_px)) for region in components]


def _read_map(maps: Path, size: SequenceSize, where: str, name: str) -> NDArray[np.float32]:
    file = find_map(maps, name, where=f"{where}: pixel_level_scores_map")
    return read_map(file, height_px=size.height_px, width_px=size.width_px)


def _mask_region(where: str, region: Region, size: SequenceSize) -> MaskRegion:
    """A listed region with its pixels; without runs it fills its box."""
    _check_truth_score(where, region)
    box = np.array([region.bounding_box], np.float64)
    clipped = clip_to_frame(box, [where], size)[0]
    if not all(corner.is_integer() for corner in region.bounding_box):
        raise VadlocError(
            f"{where}.bounding_box: {list(region.bounding_box)}, expected whole pixels where the "
            "sequence has masks"
        )
    x0, y0, x1, y1 = (int(corner) for corner in region.bounding_box)
    left, top, right, bottom = (int(corner) for corner in clipped)
    if region.mask_runs is None:
        filled = np.ones((bottom - top, right - left), np.bool_)
        return MaskRegion((left, top, right, bottom), filled, region.track_id)
    shape, runs = (y1 - y0, x1 - x0), region.mask_runs
    if sum(runs) != shape[0] * shape[1] or sum(runs) > MAX_FRAME_PX:
        raise VadlocError(
            f"{where}.mask_runs: {sum(runs)} pixels, the box has {shape[0] * shape[1]}; expected "
            f"as many, at most {MAX_FRAME_PX}"
        )
    mask = runs_to_mask(runs, shape)
    inside = mask[top - y0 : bottom - y0, left - x0 : right - x0]
    if mask.any() and not inside.any():
        raise VadlocError(f"{where}.mask_runs: no pixel within the frame; mend or remove it")
    return MaskRegion((left, top, right, bottom), inside, region.track_id)
