"""Score a test sequence: how far each place is from the nearest exemplar of its region.

    python -m anomaly_detection.score_anomalies --config configs/ped2.toml

reads the sequence's features and the model, and writes the score map
``scores/<version>/<sequence>.npy``, float32 ``(frames, cell rows, cell columns)``, with a ``.json``
beside it that gives the size of cells and frames.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from vadloc.arguments import stage_parser
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.config import Config
from vadloc.features import SequenceFeatures, check_frame_size, load_features
from vadloc.regions import RegionGrid
from vadloc.stage import Stage, Work, stage_main

COMMAND = "anomaly_detection.score_anomalies"
COMBINE: dict[str, Callable[..., NDArray[np.floating]]] = {"mean": np.nanmean, "max": np.nanmax}


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """Score map and details; the map is written last."""
    return [artifacts.scores(sequence), artifacts.score_details(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Score one test sequence; the map is saved last."""
    config, (scores, details) = work.config, outputs(work.artifacts, work.unit)
    model = Exemplars.from_content(work.artifacts.merged().load())
    features = load_features(work.artifacts, "test", work.unit)
    score_map = features_to_scores(features, model, config)
    yield (
        details,
        {
            "schema": SCHEMAS["scores"],
            "sequence": work.unit,
            "frame_count": features.frame_count,
            **features.time_record,
            "frame_height_px": features.height_px,
            "frame_width_px": features.width_px,
            "cell_height_px": config.regions.stride_px,
            "cell_width_px": config.regions.stride_px,
        },
    )
    yield scores, score_map
    work.count(frames=features.frame_count, volumes=features.first_frame.size * model.region_count)


def features_to_scores(
    features: SequenceFeatures, model: Exemplars, config: Config
) -> NDArray[np.float32]:
    """Score map ``(frames, cell rows, cell columns)`` of a sequence.

    Raises:
        VadlocError: Its frames or features are not of the model's size.
    """
    check_frame_size(features, model.height_px, model.width_px, "training")
    model.check_widths(features)
    grid = model.grid(config.regions)
    distances = volume_distances(features, model, grid, neighbourhood=config.scoring.neighbourhood)
    return distances_to_scores(
        distances,
        features.first_frame,
        grid,
        frame_count=features.frame_count,
        frames_per_volume=config.regions.frames_per_volume,
        combine=config.scoring.combine,
    )


def volume_distances(
    features: SequenceFeatures, model: Exemplars, grid: RegionGrid, *, neighbourhood: int
) -> NDArray[np.float64]:
    """Distance of each volume to the nearest exemplar of its region (or neighbouring ones).

    Args:
        features: Of the sequence.
        model: Exemplars of all regions.
        grid: Of the frames.
        neighbourhood: Regions up to so many rows and columns away lend their exemplars.

    Returns:
        ``(v, regions)`` float64, in units of the distance.
    """
    result = np.empty(features.values.shape[:2])
    for region in range(grid.region_count):
        exemplars = model.features[model.rows_of(grid.neighbours(region, neighbourhood))]
        result[:, region] = model.distance.nearest(features.values[:, region], exemplars)[1]
    return result


def distances_to_scores(
    distances: NDArray[np.float64],
    first_frame: NDArray[np.int64],
    grid: RegionGrid,
    *,
    frame_count: int,
    frames_per_volume: int,
    combine: str,
) -> NDArray[np.float32]:
    """Each cell of each frame takes the mean or maximum over the volumes that cover it.

    Args:
        distances: ``(v, regions)``.
        first_frame: ``(v,)``.
        grid: Of the frames.
        frame_count: Number of frames, all covered by volumes.
        frames_per_volume: T.
        combine: ``mean`` or ``max``, over space and time.

    Returns:
        ``(frames, cell rows, cell columns)`` float32.
    """
    over = COMBINE[combine]
    cells = np.stack([over(grid.spread(d.reshape(grid.regions)), axis=0) for d in distances])
    scores = np.empty((frame_count, *grid.cells), np.float32)
    for frame in range(frame_count):
        # Volumes that hold the frame: those that begin at most T - 1 frames before it.
        begin = np.searchsorted(first_frame, frame - frames_per_volume + 1)
        end = np.searchsorted(first_frame, frame, side="right")
        scores[frame] = over(cells[begin:end], axis=0)
    return scores


STAGE = Stage(COMMAND, outputs, compute, "test")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Score test sequences against the model.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
