"""Compute the features of every video volume of a sequence.

    python -m feature_extraction.extract_features --config configs/ped2.toml --split train

reads the frames of each sequence once and writes ``features/<extractor>/<split>/<sequence>.joblib``
for every extractor that the version needs.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Extractor
from feature_extraction.frame import Frame
from feature_extraction.momentum import MIN_SIDE_PX, Momentum
from feature_extraction.workers import Workers
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts, Split
from vadloc.cli import Stage, stage_main, stage_parser, thread_count
from vadloc.config import Config
from vadloc.errors import UsageError, VadlocError, counted
from vadloc.regions import RegionGrid
from vadloc.stage_reports import stage_report
from vadloc.versions import extractors_of
from vadloc.video.frames import (
    Sequence,
    read_frames_as,
    sequence_times_s,
)

logger = logging.getLogger(__name__)
COMMAND = "feature_extraction.extract_features"


def _momentum(config: Config, grid: RegionGrid, workers: Workers, _device: str) -> Extractor:
    length = config.regions.frames_per_volume
    return Momentum(config.features.momentum, grid, frames_per_volume=length, workers=workers)


def _appearance(config: Config, grid: RegionGrid, workers: Workers, device: str) -> Extractor:
    from feature_extraction.network_extractor import appearance_extractor

    return appearance_extractor(config.features.appearance, grid, workers=workers, device=device)


def _motion(config: Config, grid: RegionGrid, workers: Workers, device: str) -> Extractor:
    from feature_extraction.network_extractor import motion_extractor

    length = config.regions.frames_per_volume
    return motion_extractor(
        config.features.motion, grid, frames_per_volume=length, workers=workers, device=device
    )


EXTRACTORS: dict[str, Callable[[Config, RegionGrid, Workers, str], Extractor]] = {
    "momentum": _momentum,
    "appearance": _appearance,
    "motion": _motion,
}
NETWORKS = frozenset({"appearance", "motion"})
COLOURED = frozenset({"appearance"})
"""Extractors that look at colour; the others have grey frames enough."""


def outputs(artifacts: Artifacts, sequence: str, *, split: Split) -> list[Artifact]:
    """The feature files of a sequence, one an extractor of the version."""
    return [artifacts.features(e, split, sequence) for e in extractors_of(artifacts.version)]


def reported(artifacts: Artifacts, sequence: str, *, split: Split) -> list[str]:
    """The names of a sequence's reports: beside each feature file one of its own."""
    return [f"{name}/{split}/{sequence}" for name in extractors_of(artifacts.version)]


def run(
    config: Config,
    artifacts: Artifacts,
    sequence: str,
    *,
    split: Split,
    device: str = "auto",
    overwrite: bool = False,
) -> Path:
    """Extract the features of one sequence that are not there yet, reading its frames once.

    Args:
        config: The config.
        artifacts: The results.
        sequence: Name of the sequence.
        split: Whether it is for training or test.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        overwrite: Replace what is damaged or was made otherwise.

    Returns:
        Path of the (first) feature file.

    Raises:
        VadlocError: Frames are unreadable or too few, or a file made otherwise is in the way.
    """
    files = dict(
        zip(
            extractors_of(artifacts.version), outputs(artifacts, sequence, split=split), strict=True
        )
    )
    todo = {name: f for name, f in files.items() if not f.is_done(overwrite=overwrite)}
    if todo:
        with ExitStack() as reports:  # each has the time of the one pass over the frames
            counts = {
                name: reports.enter_context(
                    stage_report(artifacts, COMMAND, f"{name}/{split}/{sequence}", file.stamp)
                )
                for name, file in todo.items()
            }
            frames = artifacts.sequence(split, sequence)
            contents = frames_to_features(config, frames, tuple(todo), device=device)
            artifacts.check_frames(split, sequence)
            for name, file in todo.items():
                file.save(contents[name])
                counts[name].update(_count(contents[name]), extractors=len(todo))
    return next(iter(files.values())).path


def _count(content: dict[str, Any]) -> dict[str, int]:
    return {
        "frames": content["frame_count"],
        "volumes": content["index"].size,
        "volumes_computed": len(next(iter(content["components"].values()))),
    }


def frames_to_features(
    config: Config,
    sequence: Sequence,
    extractors: tuple[str, ...],
    *,
    device: str = "auto",
    limit: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Features of one sequence by several extractors, as they are stored.

    Args:
        config: The config.
        sequence: The sequence.
        extractors: Names of the extractors.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        limit: Look at so many frames from the beginning; ``None`` for all.

    Returns:
        For each extractor a dict: ``first_frame`` ``(v,)`` int64, 0-based, of each time step;
        ``index`` ``(v, regions)`` int32, regions row by row: the row of each volume in
        ``components`` and ``descriptors`` (name to ``(n, width)``); sizes and counts; of a video
        ``times_s`` ``(frames,)`` float64, when each frame begins.
    """
    frames = _Counted(sequence, coloured=not COLOURED.isdisjoint(extractors), limit=limit)
    height, width = frames.first.shape
    if "momentum" in extractors and min(height, width) < MIN_SIDE_PX:
        raise VadlocError(
            f"{sequence.name}: frames of {width} x {height} px, but optical flow needs "
            f"{MIN_SIDE_PX} px on each side; enlarge the frames"
        )
    regions = config.regions
    grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
    with Workers(thread_count()) as workers:
        working = {name: EXTRACTORS[name](config, grid, workers, device) for name in extractors}
        first_frames = _pass_frames(config, frames, grid, list(working.values()))
        found = {name: extractor.finish() for name, extractor in working.items()}
    shared = {
        "schema": SCHEMAS["features"],
        "sequence": sequence.name,
        "frame_count": frames.count,
        "height_px": height,
        "width_px": width,
        "region_count": grid.region_count,
        "first_frame": np.array(first_frames, np.int64),
        **_times(sequence, frames.count, is_whole=limit is None),
    }
    return {name: {**shared, **vars(features)} for name, features in found.items()}


def _times(
    sequence: Sequence, frame_count: int, *, is_whole: bool
) -> dict[str, NDArray[np.float64]]:
    """When the frames of a video are; nothing of pictures."""
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


def _pass_frames(
    config: Config, frames: "_Counted", grid: RegionGrid, extractors: list[Extractor]
) -> list[int]:
    """Show all frames to the extractors; the first frames of all volumes."""
    length, stride = config.regions.frames_per_volume, config.regions.frame_stride
    window: deque[Frame] = deque(maxlen=length)
    first_frames: list[int] = []

    def volumes(first: int) -> None:
        first_frames.append(first)
        for extractor in extractors:
            extractor.add_volumes(window)

    first = -1
    for grey, *rgb in frames:
        window.append(Frame(grey, rgb[0] if rgb else None, grid))
        for extractor in extractors:
            extractor.add_frame(window[-1])
        first = frames.count - length
        if first >= 0 and first % stride == 0:
            volumes(first)
    if first < 0:
        raise VadlocError(
            f"{frames.name}: {counted(frames.count, 'frame')}, but a video volume has {length} "
            "([regions] frames_per_volume); remove the sequence or shorten the volumes"
        )
    if first % stride:
        volumes(first)
    return first_frames


class _Counted:
    """Frames that are counted as they pass; the first one is looked at in advance."""

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


def check_networks(config: Config, extractors: Collection[str], *, device: str) -> str:
    """Notice before any frame is read that networks cannot run.

    Args:
        config: The config.
        extractors: Which will run.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The device on which they will: ``cpu`` or ``cuda``.

    Raises:
        UsageError: A package or the device is missing, crops cannot be cut from such regions, or
            volumes are too short for the motion network.
    """
    from feature_extraction.motion.architecture import MIN_FRAMES
    from feature_extraction.network_extractor import (
        check_crops,
        device_of,
        require,
        runs_without_torch,
    )

    check_crops(config.regions)
    length = config.regions.frames_per_volume
    if "motion" in extractors and length < MIN_FRAMES:
        raise UsageError(
            f"{config.path}: [regions] frames_per_volume = {length}: the motion network needs at "
            f"least {MIN_FRAMES}"
        )
    found = device_of(device)
    if "appearance" in extractors and not runs_without_torch(config.features.appearance, found):
        require("torch")
    return found


def _prepare(
    config: Config, artifacts: Artifacts, *, split: Split, device: str, overwrite: bool
) -> None:
    del overwrite
    extractors = extractors_of(artifacts.version)
    if not NETWORKS.isdisjoint(extractors):
        found = check_networks(config, extractors, device=device)
        level = logging.INFO if split == "train" else logging.DEBUG  # once for a run of all stages
        logger.log(level, "networks run on: %s", found)


def stage(split: Split, *, device: str = "auto") -> Stage:
    """The stage for one split."""
    return Stage(
        COMMAND,
        partial(run, split=split, device=device),
        partial(outputs, split=split),
        split,
        prepare=partial(_prepare, split=split, device=device),
        variant=split,
        reports=partial(reported, split=split),
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Compute the features of every video volume.", sequences=True)
    parser.add_argument("--split", choices=["train", "test"], required=True)
    args = parser.parse_args(argv)
    stage_main(stage(args.split, device=args.device), args)


if __name__ == "__main__":
    main()
