"""Evaluate score maps in memory by all criteria, and take curves at given thresholds."""

from collections.abc import Iterable

from evaluation.criteria.combination import CriteriaResult, combine
from evaluation.criteria.curves import DetectionCurve, FloatArray, states_at
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.sequences import sequence_statistics
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Scores


def evaluate_maps(
    scores: Iterable[Scores],
    truths: Iterable[GroundTruth],
    *,
    options: CriteriaOptions | None = None,
) -> CriteriaResult:
    """The result for sequences whose scores and ground truth are given in the same order."""
    pairs = zip(scores, truths, strict=True)
    statistics = [sequence_statistics(score, truth, options=options) for score, truth in pairs]
    return combine(statistics, options=options)


def curve_at(curve: DetectionCurve, thresholds: FloatArray) -> DetectionCurve:
    """The points of a curve at given thresholds.

    Args:
        curve: Curve with a point at every distinct event score.
        thresholds: ``(k,)`` float64, in any order.

    Returns:
        A curve whose element ``i`` is the point at ``thresholds[i]``.
    """
    state = states_at(curve.thresholds, thresholds)
    return DetectionCurve(
        thresholds=thresholds,
        false_positives_per_frame=curve.false_positives_per_frame[state],
        region_rate=curve.region_rate[state],
        track_rate=curve.track_rate[state],
        lowest_score=curve.lowest_score,
        frame_count=curve.frame_count,
        region_count=curve.region_count,
        track_count=curve.track_count,
    )
