"""Write ground truth as the JSON of py-ssvad-metrics."""

import json
from pathlib import Path

from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.ssvad_document import (
    Document,
    Frame,
    Region,
    mask_to_runs,
)
from vadloc.files.storage import replacing


def write_ground_truth(path: Path, truth: GroundTruth) -> None:
    """Write the ground truth of a sequence; `read_ground_truth` reads all of it back.

    Masks are written as ``mask_runs``; other readers ignore these and read the boxes. The
    ``anomaly_track_id`` of a frame is the track id of its first region.

    Args:
        path: The JSON; it is written completely or not at all.
        truth: The ground truth.

    Raises:
        VadlocError: The file cannot be written.
    """
    regions_known = truth.region_count > 0 or not truth.anomalous.any()
    document = Document(
        is_gt=True,
        is_derived=truth.derived,
        frames_count=truth.frame_count,
        is_anomalous_regions_available=regions_known,
        is_anomaly_track_id_available=regions_known,
        frame_width=truth.width_px,
        frame_height=truth.height_px,
        frames=[
            _to_frame(truth, frame, regions_known=regions_known)
            for frame in range(truth.frame_count)
        ],
    )
    content = document.model_dump()
    for frame in content["frames"]:
        for region in frame["anomalous_regions"] or ():
            region["bounding_box"] = [_whole_if_possible(c) for c in region["bounding_box"]]
            if region["mask_runs"] is None:
                del region["mask_runs"]
    with replacing(path) as file:
        file.write(json.dumps(content, allow_nan=False).encode() + b"\n")


def _to_frame(truth: GroundTruth, frame: int, *, regions_known: bool) -> Frame:
    rows = truth.regions_of(frame)
    regions = [_to_region(truth, row) for row in range(rows.start, rows.stop)]
    return Frame(
        frame_id=frame + 1,
        anomaly_track_id=regions[0].track_id if regions else -1,
        frame_level_score=float(truth.anomalous[frame]),
        anomalous_regions=regions if regions_known else None,
    )


def _to_region(truth: GroundTruth, row: int) -> Region:
    x0, y0, x1, y1 = truth.box_xyxy_px[row].tolist()
    return Region(
        bounding_box=(x0, y0, x1, y1),
        score=1.0,
        track_id=int(truth.track[row]),
        mask_runs=None if truth.masks is None else mask_to_runs(truth.masks[row]),
    )


def _whole_if_possible(value: float) -> float | int:
    return int(value) if value.is_integer() else value
