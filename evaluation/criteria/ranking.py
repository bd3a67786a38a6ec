"""Numbers for criteria that rank frames: ROC curve, area, equal error rate, average precision."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.areas import (
    equal_error_rate,
    roc_area,
)
from evaluation.criteria.criterion import CurveResult
from evaluation.criteria.curves import (
    RateCurve,
    Value,
    counts_at,
    falling_thresholds,
    share,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError

NO_ANOMALOUS = "no anomalous frame"
NO_NORMAL = "no normal frame"


@dataclass(frozen=True)
class RankedFrames:
    """Statistics of some frames for a frame-wise criterion.

    Attributes:
        normal_score: ``(n,)`` score of each normal frame; at this threshold and below, the frame
            is a false positive.
        found_score: ``(e,)`` scores at which an anomalous frame becomes found or is lost again.
        found_change: ``(e,)`` int64, +1 where a frame becomes found, -1 where it is lost.
        anomalous_count: Number of anomalous frames.
    """

    normal_score: NDArray[np.floating[Any]]
    found_score: NDArray[np.floating[Any]]
    found_change: NDArray[np.int64]
    anomalous_count: int


def rank_frames(frame_scores: NDArray[np.floating[Any]], truth: GroundTruth) -> RankedFrames:
    """Statistics of the frames of a sequence, which have one score each.

    Args:
        frame_scores: ``(frames,)`` score of each frame, ``-inf`` without any detection.
        truth: Ground truth of the sequence.

    Raises:
        VadlocError: The number of frames differs, or a score is not finite.
    """
    if frame_scores.shape != truth.anomalous.shape:
        raise VadlocError(
            f"{truth.sequence}: frame scores for {len(frame_scores)} frames, ground truth for "
            f"{truth.frame_count}; both must describe the same frames"
        )
    if not (frame_scores < np.inf).all():
        raise VadlocError(
            f"{truth.sequence}: a frame score is NaN or infinite, expected finite numbers"
        )
    found = frame_scores[truth.anomalous]
    ones = np.ones(len(found), np.int64)
    return RankedFrames(frame_scores[~truth.anomalous], found, ones, len(found))


def join_frames(parts: Iterable[RankedFrames]) -> RankedFrames:
    """Join the statistics of all sequences."""
    parts = list(parts)
    return RankedFrames(
        np.concatenate([p.normal_score for p in parts]),
        np.concatenate([p.found_score for p in parts]),
        np.concatenate([p.found_change for p in parts]),
        sum(p.anomalous_count for p in parts),
    )


def roc_curve(frames: RankedFrames) -> RateCurve:
    """Share of anomalous frames found over share of normal frames that raise an alarm.

    Args:
        frames: Statistics of all frames.

    Returns:
        A curve with a point at every distinct score. If there are no normal or no anomalous frames,
        the rates are NaN and the curve has the reason.
    """
    normal_count = len(frames.normal_score)
    thresholds = falling_thresholds(frames.normal_score, frames.found_score)
    alarms = counts_at(thresholds, frames.normal_score, np.ones(normal_count, np.int64))
    found = counts_at(thresholds, frames.found_score, frames.found_change)
    missing = [NO_ANOMALOUS] * (not frames.anomalous_count) + [NO_NORMAL] * (not normal_count)
    return RateCurve(
        thresholds=thresholds,
        fpr=share(alarms, normal_count),
        rate=share(found, frames.anomalous_count),
        reason=" and ".join(missing) or None,
    )


def roc_result(frames: RankedFrames) -> CurveResult:
    """Curve, area and equal error rate of a criterion that ranks frames."""
    curve = roc_curve(frames)
    return CurveResult(curve, roc_area(curve), *equal_error_rate(curve))


def average_precision(frames: RankedFrames) -> Value:
    """Sum of (increase of recall) x precision over all thresholds; ties count together.

    Args:
        frames: Statistics of all frames at frame level.

    Returns:
        The average precision in 0..1; undefined without an anomalous frame.
    """
    if not frames.anomalous_count:
        return Value.undefined(NO_ANOMALOUS)
    thresholds = falling_thresholds(frames.normal_score, frames.found_score)[1:]
    alarms = counts_at(thresholds, frames.normal_score, np.ones_like(frames.normal_score, np.int64))
    found = counts_at(thresholds, frames.found_score, frames.found_change)
    gained = np.diff(found, prepend=0) / frames.anomalous_count
    return Value(float(np.sum(gained * (found / (found + alarms)))))


def false_alarm_rate(frames: RankedFrames, *, threshold: float = 0.5) -> Value:
    """Share of normal frames that score at least the threshold; undefined without normal frames."""
    if not len(frames.normal_score):
        return Value.undefined(NO_NORMAL)
    return Value(float(np.mean(frames.normal_score >= np.float64(threshold))))
