"""The alarm threshold that keeps to so many false alarms per hour of normal video.

    python -m anomaly_detection.calibration --config configs/ped2.toml

leaves out each training sequence in turn, merges the exemplars of the others, scores the one left
out, and writes to ``calibration/<version>/<sequence>.joblib`` how many false alarms it would raise
at every threshold: components of its score map in space and time. Test data have no part in it. A
single training sequence is cut into halves, each scored by the exemplars of the other. Only the
divisors Z_k of the distance are those of all training sequences.

The number of components is not monotone in the threshold, since components join as it falls. The
threshold for X per hour is the smallest one from which on, upwards, there are never more. If the
training video is so short that X per hour are less than one alarm, none is allowed, and the
threshold lies just above all scores of normal video; the record says so.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.score_anomalies import features_to_scores
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.merge_exemplars import merge_exemplars
from exemplar_selection.select_exemplars import features_to_exemplars
from vadloc.arguments import stage_parser
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.config import Config
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures, load_features
from vadloc.stage import Stage, Work, stage_main

logger = logging.getLogger(__name__)
COMMAND = "anomaly_detection.calibration"
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Threshold:
    """From which score on something is an alarm.

    Attributes:
        value: Least score of an alarm, in units of the distance.
        origin: Where it comes from, as explanations store it.
    """

    value: float
    origin: dict[str, Any]


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The false alarms of a training sequence."""
    return [artifacts.calibration(sequence)]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Count the false alarms of one training sequence by the exemplars of the others."""
    from anomaly_detection.calibration.alarm_curves import (
        alarm_curve,
        sum_of_curves,
    )

    config, artifacts = work.config, work.artifacts
    frames, curves = 0, []
    times: dict[str, float] = {}
    for features, model in left_out(config, artifacts, work.unit):
        frames += features.frame_count
        for key, value in features.time_record.items():
            times[key] = value + (times.get(key, 0.0) if key == "duration_s" else 0.0)
        scores = features_to_scores(features, model, config)
        curves.append(alarm_curve(scores, connectivity=config.evaluation.connectivity))
    curve = sum_of_curves(curves)
    yield (
        artifacts.calibration(work.unit),
        {
            "schema": SCHEMAS["calibration"],
            "sequence": work.unit,
            "frame_count": frames,
            **times,
            "scores": curve.scores,
            "alarms": curve.alarms,
        },
    )
    work.count(frames=frames, highest_score=float(curve.scores[0]))


def left_out(
    config: Config, artifacts: Artifacts, sequence: str
) -> Iterator[tuple[SequenceFeatures, Exemplars]]:
    """Features that are left out, and a model that knows nothing of them.

    Yields:
        A training sequence with the exemplars of the others; if it is the only one, each half of it
        with those of the other half.

    Raises:
        VadlocError: The only sequence is too short to be halved.
    """
    features = load_features(artifacts, "train", sequence)
    threshold = config.exemplars.threshold
    names = [s.name for s in artifacts.sequences("train") if s.name != sequence]
    if names:
        parts = [Exemplars.from_content(artifacts.exemplars(name).load()) for name in names]
        yield features, merge_exemplars(parts, threshold=threshold)
        return
    own = Exemplars.from_content(artifacts.exemplars(sequence).load())
    halves = split_in_time(features, config.regions.frames_per_volume)
    for half, other in (halves, halves[::-1]):
        yield half, features_to_exemplars(other, distance=own.distance, threshold=threshold)


def split_in_time(
    features: SequenceFeatures, frames_per_volume: int
) -> tuple[SequenceFeatures, SequenceFeatures]:
    """The volumes before and after the middle of a sequence, as sequences of their own.

    Raises:
        VadlocError: A half has no volume.
    """
    middle, starts = features.frame_count // 2, features.first_frame
    steps = np.flatnonzero(starts + frames_per_volume <= middle), np.flatnonzero(starts >= middle)
    if not all(len(half) for half in steps):
        raise VadlocError(
            f"{features.sequence}: {features.frame_count} frames are too few to calibrate a "
            "threshold on the only training sequence; add normal video, or set [alarms] threshold"
        )
    first, second = (_part(features, half, frames_per_volume) for half in steps)
    return first, second


def _part(
    features: SequenceFeatures, steps: NDArray[np.int64], frames_per_volume: int
) -> SequenceFeatures:
    starts = features.first_frame[steps]
    count = int(starts[-1] - starts[0]) + frames_per_volume
    times = features.times_s
    return replace(
        features,
        frame_count=count,
        times_s=None if times is None else times[starts[0] :][:count],
        first_frame=starts - starts[0],
        values=features.values[steps],
        descriptors={name: values[steps] for name, values in features.descriptors.items()},
    )


def calibrate(artifacts: Artifacts, *, overwrite: bool = False) -> None:
    """Count the false alarms of all training sequences, unless the config has a threshold."""
    if artifacts.config.alarms.threshold is None:
        for sequence in artifacts.sequences("train"):
            STAGE.run(artifacts, sequence.name, overwrite=overwrite)


def log_threshold(config: Config, artifacts: Artifacts) -> None:
    """Say that the false alarms per hour allow none in so little video; once a command."""
    origin = alarm_threshold(config, artifacts).origin
    if not origin.get("is_resolved", True):
        minutes = 60 * origin["hours"]
        shown = f"{minutes:.1f} minutes" if minutes >= 1 else f"{60 * minutes:.1f} seconds"
        logger.warning(
            "%g false alarms per hour are less than one in the %s of training video: none is "
            "allowed",
            origin["per_hour"],
            shown,
        )


def alarm_threshold(config: Config, artifacts: Artifacts) -> Threshold:
    """The threshold of the config, or the one calibrated for its false alarms per hour."""
    from anomaly_detection.calibration.alarm_curves import (
        AlarmCurve,
        curves_to_threshold,
    )

    if config.alarms.threshold is not None:
        return Threshold(config.alarms.threshold, {"kind": "fixed"})
    contents = [artifacts.calibration(s.name).load() for s in artifacts.sequences("train")]
    rate = config.dataset.frames_per_second
    seconds = sum(c.get("duration_s", c["frame_count"] / rate) for c in contents)
    hours = seconds / SECONDS_PER_HOUR
    curves = [AlarmCurve(content["scores"], content["alarms"]) for content in contents]
    per_hour = config.alarms.false_alarms_per_hour
    allowed = int(round(per_hour * hours, 6))  # sums of seconds may lack a last digit
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


STAGE = Stage(COMMAND, outputs, compute, "train")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Count the false alarms of normal video.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))
