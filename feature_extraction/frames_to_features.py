"""The features of all video volumes of a sequence, computed in one pass over its frames."""

import logging
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Extracted, Extractor
from feature_extraction.frame import Frame
from feature_extraction.registry import check_frame_side, kind_of, make_extractors
from feature_extraction.time_steps import CollectedSteps
from feature_extraction.volume_stream import VolumeStream
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.errors import VadlocError, counted
from vadloc.process import thread_count
from vadloc.regions import RegionGrid
from vadloc.stamps import SCHEMAS
from vadloc.video.camera_motion import CameraMotion, Shift, shift_rows
from vadloc.video.frames import Sequence, read_frames_as, sequence_times_s

logger = logging.getLogger(__name__)


def frames_to_features(
    config: Config,
    sequence: Sequence,
    extractors: tuple[str, ...],
    *,
    device: str = "auto",
    limit: int | None = None,
    learnt: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Features of one sequence by several extractors, as they are stored.

    Args:
        config: The config.
        sequence: The sequence.
        extractors: Names of the extractors.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        limit: Number of frames to use from the beginning; ``None`` for all.
        learnt: For each extractor that learns from training video, what it learnt.

    Returns:
        For each extractor a dict with ``first_frame`` ``(v,)`` int64, the 0-based first frame of
        each time step; ``components`` and ``descriptors``, each name to ``(n, width)``; ``index``
        ``(v, regions)`` int32, regions row by row, the row of each volume in these; sizes and
        counts; the arrays of ``camera_motion.shift_rows`` unless shifts of the camera are kept;
        and for a video ``times_s`` ``(frames,)`` float64, when each frame begins.
    """
    coloured = any(kind_of(name).needs_colour for name in extractors)
    frames = _Counted(sequence, coloured=coloured, limit=limit)
    height, width = frames.first.shape
    for name in extractors:
        check_frame_side(sequence.name, name, height, width)
    regions = config.regions
    grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
    with Workers(thread_count()) as workers:
        working = make_extractors(
            extractors, config, grid, workers=workers, device=device, learnt=learnt or {}
        )
        first_frames, shifts, found = _pass_frames(config, frames, grid, working)
    shared = {
        "schema": SCHEMAS["features"],
        "sequence": sequence.name,
        "frame_count": frames.count,
        "height_px": height,
        "width_px": width,
        "region_count": grid.region_count,
        "first_frame": np.array(first_frames, np.int64),
        **(shift_rows(shifts) if config.camera.undo_shake else {}),
        **_times(sequence, frames.count, is_whole=limit is None),
    }
    return {name: {**shared, **vars(features)} for name, features in found.items()}


def _pass_frames(
    config: Config, frames: "_Counted", grid: RegionGrid, extractors: Mapping[str, Extractor]
) -> tuple[list[int], list[Shift], dict[str, Extracted]]:
    """Pass all frames to the extractors.

    Returns:
        The first frames of time steps, the shifts of all frames, and all features.
    """
    length, stride = config.regions.frames_per_volume, config.regions.frame_stride
    stream = VolumeStream(extractors.values(), frames_per_volume=length, frame_stride=stride)
    camera = CameraMotion(undo=config.camera.undo_shake)
    collected = {name: CollectedSteps() for name in extractors}

    def collect() -> None:
        for name, extractor in extractors.items():
            collected[name].add(extractor.take())

    first_frames, shifts = [], []
    for grey, *rgb in frames:
        shifts.append(camera.follow(grey))
        frame = Frame.seen(grey, rgb[0] if rgb else None, grid, shifts[-1])
        first_frames.append(stream.add_frame(frame))
        collect()
    if frames.count < length:
        raise VadlocError(
            f"{frames.name}: {counted(frames.count, 'frame')}, but a video volume has {length} "
            "([regions] frames_per_volume); remove the sequence or shorten the volumes"
        )
    first_frames.append(stream.end())
    collect()
    ended = [first for first in first_frames if first is not None]
    return ended, shifts, {name: steps.extracted() for name, steps in collected.items()}


def _times(
    sequence: Sequence, frame_count: int, *, is_whole: bool
) -> dict[str, NDArray[np.float64]]:
    """The times of the frames of a video; empty for pictures."""
    times_s = sequence_times_s(sequence, frame_count=frame_count if is_whole else None)
    if times_s is None:
        return {}
    if len(times_s) < frame_count:
        logger.warning(
            "%s: times of %d of %d frames; it counts as one of even intervals",
            sequence.name,
            len(times_s),
            frame_count,
        )
        return {}
    return {"times_s": times_s[:frame_count]}


class _Counted:
    """Counts frames while they are read; the first frame is read in advance for its size."""

    def __init__(self, sequence: Sequence, *, coloured: bool, limit: int | None) -> None:
        self.name = sequence.name
        frames = read_frames_as(sequence, ("grey", "rgb") if coloured else ("grey",))
        first = next(frames)
        self.first = first[0]
        self.count = 0
        self._frames = islice(chain([first], frames), limit)

    def __iter__(self) -> Iterator[Any]:
        for frame in self._frames:
            self.count += 1
            yield frame
