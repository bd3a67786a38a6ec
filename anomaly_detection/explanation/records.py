"""The records of detections, as ``explanations`` store them, with the detector's reasons."""

from typing import Any

from anomaly_detection.calibration.calibrate_threshold import Threshold
from anomaly_detection.detectors.detector import Detector, Reason, Scores
from anomaly_detection.explanation.detections import Detection, scores_to_detections
from anomaly_detection.explanation.sentences import (
    box_to_place,
    detection_to_sentence,
    score_to_words,
)
from vadloc.config import Config
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput
from vadloc.stamps import SCHEMAS
from vadloc.video.times import Clock


def sequence_to_record(
    sequence: SequenceInput,
    scores: Scores,
    detector: Detector,
    threshold: Threshold,
    *,
    config: Config,
    version: str,
) -> dict[str, Any]:
    """The record of a sequence with all its detections.

    Args:
        sequence: The features or frames of the sequence.
        scores: The score map ``(frames, cell rows, cell columns)`` of the sequence.
        detector: The detector that made the score map.
        threshold: Least score of a detection.
        config: The config.
        version: Name of the version.
    """
    grid = sequence.grid(config.regions)
    clock = Clock.of(sequence.times_s, frames_per_second=config.dataset.frames_per_second)
    detections = scores_to_detections(
        scores, grid, threshold=threshold.value, connectivity=config.evaluation.connectivity
    )
    length = min(config.regions.frames_per_volume, sequence.frame_count)
    reasons = (
        detector.explain(detection, sequence, grid)
        or default_reason(detection, grid, threshold.value, length, sequence.frame_count)
        for detection in detections
    )
    return {
        "schema": SCHEMAS["explanations"],
        "sequence": sequence.sequence,
        "frame_count": sequence.frame_count,
        "height_px": grid.height_px,
        "width_px": grid.width_px,
        **clock.to_record(),
        **({"camera": sequence.camera} if sequence.camera else {}),
        "cell_px": grid.stride_px,
        "region_px": grid.size_px,
        "frames_per_volume": config.regions.frames_per_volume,
        "version": version,
        "components": list(sequence.components),
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "frame_scores": [round(float(s), 6) for s in scores.max(axis=(1, 2))],
        "detections": [
            {"id": i, **detection_to_record(detection, reason, grid, clock, length)}
            for i, (detection, reason) in enumerate(zip(detections, reasons, strict=True))
        ],
    }


def detection_to_record(
    detection: Detection, reason: Reason, grid: RegionGrid, clock: Clock, frames_per_volume: int
) -> dict[str, Any]:
    """The record of one detection.

    Args:
        detection: The detection.
        reason: Why it was detected.
        grid: Regions and cells of the frames.
        clock: The times of the frames of the sequence.
        frames_per_volume: T.
    """
    frame = detection.peak[0]
    box = detection.box_xyxy_px[frame - detection.first_frame].tolist()
    volume = volume_to_record(
        reason.region, reason.first_frame, grid, frames_per_volume=frames_per_volume
    )
    record: dict[str, Any] = {
        "score": round(detection.score, 6),
        "first_frame": detection.first_frame,
        "last_frame": detection.last_frame,
        "peak_frame": frame,
        "boxes_xyxy_px": detection.box_xyxy_px.tolist(),
        "place": box_to_place(box, grid),
        "peak": volume | reason.peak,
        **reason.details,
    }
    return {**record, "sentence": detection_to_sentence(record, reason.words, clock=clock)}


def default_reason(
    detection: Detection,
    grid: RegionGrid,
    threshold: float,
    frames_per_volume: int,
    frame_count: int,
) -> Reason:
    """The reason of a detection without another one: its score, and the volume around its peak.

    Args:
        detection: The detection.
        grid: Regions and cells of the frames.
        threshold: Least score of a detection.
        frames_per_volume: T, at most ``frame_count``.
        frame_count: Number of frames of the sequence.
    """
    frame, row, column = detection.peak
    regions = grid.regions_over(row, column)
    first_frame = min(max(0, frame - frames_per_volume // 2), frame_count - frames_per_volume)
    words = score_to_words(detection.score, threshold)
    return Reason(regions[len(regions) // 2], first_frame, words)


def volume_to_record(
    region: int, first_frame: int, grid: RegionGrid, *, frames_per_volume: int
) -> dict[str, Any]:
    """Where and when a volume is."""
    return {
        "region": region,
        "box_xyxy_px": list(grid.box_xyxy_px(region)),
        "first_frame": first_frame,
        "last_frame": first_frame + frames_per_volume - 1,
    }
