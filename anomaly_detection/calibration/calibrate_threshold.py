"""The alarm threshold for a given number of false alarms per hour of normal video.

    python -m anomaly_detection.calibration --config configs/ped2.toml

scores each training sequence with the version's detector, as if nothing had been learnt from this
sequence (see `Detector.score_training`). It writes to ``calibration/<version>/<sequence>.joblib``
how many false alarms there would be at every threshold. An alarm is a connected component of the
score map in space and time. Test data are not used.

The number of components is not monotone in the threshold, since components join as it falls. The
threshold for X false alarms per hour is the smallest one at and above which there are never more.
If the training video is so short that X per hour are less than one alarm, no alarm is allowed. Then
the threshold lies just above all scores of normal video, and the record says so.

What stands out in a sequence that is left out is what no other one has. The most unusual moments
are named in the log and in ``reports/anomaly_detection.calibration/<version>.json``.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.detector import check_contract
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.config import Config
from vadloc.stage import Stage, Work, stage_main
from vadloc.stage_reports import write_report
from vadloc.stamps import SCHEMAS

logger = logging.getLogger(__name__)
COMMAND = "anomaly_detection.calibration"
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Threshold:
    """The alarm threshold.

    Attributes:
        value: Least score of an alarm, in the detector's unit.
        origin: Where the value comes from, as explanations store it.
    """

    value: float
    origin: dict[str, Any]


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The false alarms of a training sequence."""
    return [artifacts.calibration(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Count the false alarms of one training sequence, as if nothing had been learnt from it."""
    from anomaly_detection.calibration.alarm_curves import (
        alarm_curve,
        sum_of_curves,
    )
    from anomaly_detection.calibration.unusual_moments import scores_to_moments

    config, connectivity = work.config, work.config.evaluation.connectivity
    frames, curves, moments = 0, [], []
    times: dict[str, float] = {}
    whole = load_input(work.artifacts, "train", work.unit)
    detector = load_detector(work.artifacts)
    parts = list(detector.score_training(whole, whole.grid(config.regions)))
    for number, (part, scores) in enumerate(parts):
        grid = part.grid(config.regions)
        check_contract(detector, part, grid, scores)
        is_first_half = len(parts) > 1 and number == 0  # other parts end with the sequence
        first_frame = 0 if is_first_half else whole.frame_count - part.frame_count
        moments += scores_to_moments(
            scores, grid, connectivity=connectivity, first_frame=first_frame
        )
        frames += part.frame_count
        for key, value in part.time_record.items():
            times[key] = value + (times.get(key, 0.0) if key == "duration_s" else 0.0)
        curves.append(alarm_curve(scores, connectivity=connectivity))
    curve = sum_of_curves(curves)
    yield (
        work.artifacts.calibration(work.unit),
        {
            "schema": SCHEMAS["calibration"],
            "sequence": work.unit,
            "frame_count": frames,
            **times,
            "scores": curve.scores,
            "alarms": curve.alarms,
            "moments": moments,
        },
    )
    work.count(frames=frames, highest_score=float(curve.scores[0]))


def calibration_sequences(artifacts: Artifacts) -> list[str]:
    """The training sequences whose false alarms are counted: those that can be left out."""
    if artifacts.members:
        of_members = [calibration_sequences(member) for member in artifacts.members]
        return [name for name in of_members[0] if all(name in names for names in of_members)]
    if artifacts.detector.training:
        from anomaly_detection.detectors.held_out import held_out_names

        return held_out_names(artifacts)
    return [sequence.name for sequence in artifacts.sequences("train")]


def calibrate(artifacts: Artifacts, *, overwrite: bool = False) -> None:
    """Count the false alarms of all training sequences, unless the config has a threshold."""
    if artifacts.config.alarms.threshold is None:
        for sequence in calibration_sequences(artifacts):
            STAGE.run(artifacts, sequence, overwrite=overwrite)


def log_threshold(config: Config, artifacts: Artifacts) -> None:
    """Log, once for each command, what the calibrated threshold hides.

    Warn if the training video is too short to allow one alarm, and name its most unusual moments.
    """
    threshold = alarm_threshold(config, artifacts)
    origin = threshold.origin
    if config.alarms.threshold is None:
        _log_moments(artifacts, threshold)
    if not origin.get("is_resolved", True):
        minutes = 60 * origin["hours"]
        shown = f"{minutes:.1f} minutes" if minutes >= 1 else f"{60 * minutes:.1f} seconds"
        logger.warning(
            "%g false alarms per hour are less than one in the %s of training video: none is "
            "allowed",
            origin["per_hour"],
            shown,
        )


def _log_moments(artifacts: Artifacts, threshold: Threshold) -> None:
    """Name the most unusual moments of the training video, and write them into a report."""
    from anomaly_detection.calibration.unusual_moments import ADVICE, moment_to_line, name_moments

    contents = [artifacts.calibration(name).load() for name in calibration_sequences(artifacts)]
    is_resolved = threshold.origin.get("is_resolved", True)
    moments = name_moments(contents, threshold.value, is_resolved=is_resolved)
    for moment in moments:
        logger.info("%s", moment_to_line(moment))
    if moments:
        logger.info("%s", ADVICE)
    measured = {
        "threshold": threshold.value,
        "threshold_from": threshold.origin,
        "unusual_moments": moments,
        "advice": ADVICE if moments else "",
    }
    write_report(artifacts, COMMAND, artifacts.label, measured)


def conclude(artifacts: Artifacts) -> None:
    """Log what the threshold of the training video hides, once all sequences are calibrated."""
    if artifacts.config.alarms.threshold is None:
        log_threshold(artifacts.config, artifacts)


def alarm_threshold(config: Config, artifacts: Artifacts) -> Threshold:
    """The threshold of the config, or the one calibrated for its false alarms per hour."""
    from anomaly_detection.calibration.alarm_curves import (
        AlarmCurve,
        curves_to_threshold,
    )

    if config.alarms.threshold is not None:
        return Threshold(config.alarms.threshold, {"kind": "fixed"})
    contents = [artifacts.calibration(name).load() for name in calibration_sequences(artifacts)]
    rate = config.dataset.frames_per_second
    seconds = sum(c.get("duration_s", c["frame_count"] / rate) for c in contents)
    hours = seconds / SECONDS_PER_HOUR
    curves = [AlarmCurve(content["scores"], content["alarms"]) for content in contents]
    per_hour = config.alarms.false_alarms_per_hour
    allowed = int(round(per_hour * hours, 6))  # sums of seconds have rounding errors
    value, alarms = curves_to_threshold(curves, allowed=allowed)
    return Threshold(
        value,
        {
            "kind": "false_alarms_per_hour",
            "per_hour": per_hour,
            "sequences": len(curves),
            "hours": round(hours, 4),
            "alarms": alarms,
            "is_resolved": allowed >= 1,
        },
    )


STAGE = Stage(COMMAND, outputs, compute, "train", conclude=conclude, chosen=calibration_sequences)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Count the false alarms of normal video.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))
