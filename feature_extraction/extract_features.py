"""Compute the features of every video volume of a sequence.

    python -m feature_extraction.extract_features --config configs/ped2.toml --split train

reads the frames of each sequence once and writes ``features/<extractor>/<split>/<sequence>.joblib``
for every extractor that the version needs.
"""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import SCHEMAS, Artifact, Artifacts, Split
from vadloc.cli import Stage, stage_main, stage_parser, stage_report, thread_count
from vadloc.config import Config
from vadloc.errors import VadlocError
from vadloc.frames import read_frames
from vadloc.regions import RegionGrid
from vadloc.versions import extractors_of

COMMAND = "feature_extraction.extract_features"


def outputs(artifacts: Artifacts, sequence: str, *, split: Split) -> list[Artifact]:
    """The feature files of a sequence, one an extractor of the version."""
    return [artifacts.features(e, split, sequence) for e in extractors_of(artifacts.version)]


def run(
    config: Config, artifacts: Artifacts, sequence: str, *, split: Split, overwrite: bool = False
) -> Path:
    """Extract the features of one sequence that are not there yet.

    Returns:
        Path of the (first) feature file.

    Raises:
        VadlocError: Frames are unreadable or too few, or a file made otherwise is in the way.
    """
    files = outputs(artifacts, sequence, split=split)
    for file in files:
        if not file.is_done(overwrite=overwrite):
            with stage_report(artifacts, COMMAND, f"{split}/{sequence}", file.stamp) as counts:
                content = frames_to_features(config, artifacts, split, sequence)
                file.save(content)
                counts["frames"] = content["frame_count"]
                counts["volumes"] = content["first_frame"].size * content["region_count"]
    return files[0].path


def frames_to_features(
    config: Config, artifacts: Artifacts, split: Split, sequence: str
) -> dict[str, Any]:
    """Momentum of one sequence, as it is stored.

    Returns:
        ``first_frame`` ``(v,)`` int64, 0-based, of each time step; ``components``: for each its
        features ``(v, regions, width)`` float32, regions row by row; sizes and counts.
    """
    from feature_extraction.momentum import MIN_SIDE_PX, FlowSettings, cell_sums, volume_momentum

    frames = _Counted(read_frames(artifacts.sequence(split, sequence)))
    regions = config.regions
    height, width = frames.first.shape
    if min(height, width) < MIN_SIDE_PX:
        raise VadlocError(
            f"{sequence}: frames of {width} x {height} px, but optical flow needs {MIN_SIDE_PX} px "
            "on each side; enlarge the frames"
        )
    grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
    flow = FlowSettings(config.features.flow_preset, config.features.flow_floor_px_per_frame)
    volumes = list(
        volume_momentum(
            cell_sums(frames, grid, flow, threads=thread_count()),
            grid,
            frames_per_volume=regions.frames_per_volume,
            frame_stride=regions.frame_stride,
        )
    )
    if not volumes:
        raise VadlocError(
            f"{sequence}: {frames.count} frames, but a video volume has "
            f"{regions.frames_per_volume} ([regions] frames_per_volume); remove the sequence or "
            "shorten the volumes"
        )
    return {
        "schema": SCHEMAS["features"],
        "sequence": sequence,
        "frame_count": frames.count,
        "height_px": height,
        "width_px": width,
        "region_count": grid.region_count,
        "first_frame": np.array([first for first, _ in volumes], np.int64),
        "components": {"momentum": np.stack([momentum for _, momentum in volumes])},
    }


class _Counted:
    """Frames that are counted as they pass; the first one is looked at in advance."""

    def __init__(self, frames: Iterator[NDArray[np.uint8]]) -> None:
        self.first = next(frames)
        self.count = 0
        self._frames = chain([self.first], frames)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for frame in self._frames:
            self.count += 1
            yield frame


def stage(split: Split) -> Stage:
    """The stage for one split."""
    return Stage(COMMAND, partial(run, split=split), partial(outputs, split=split), split)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Compute the features of every video volume.", sequences=True)
    parser.add_argument("--split", choices=["train", "test"], required=True)
    args = parser.parse_args(argv)
    stage_main(stage(args.split), args)


if __name__ == "__main__":
    main()
