"""All criteria of a test set: region, track, frame, pixel and dual pixel level.

``sequence_statistics`` does one sequence and ``combine`` puts sequences together, so they can be
done side by side; ``evaluate_maps`` does both. Everything is exact: curves have a point at every
score that makes a difference, on cells weighted by their pixel areas.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.areas import (
    area_rule,
    area_under,
    equal_error_rate,
    roc_area,
)
from evaluation.criteria.basins import check_connectivity
from evaluation.criteria.curves import (
    DetectionCurve,
    Events,
    RateCurve,
    Value,
    check_share,
    counts_at,
    detection_curve,
    falling_thresholds,
    share,
)
from evaluation.criteria.pixel_levels import PixelLevels
from evaluation.criteria.sweep import (
    box_events,
    sequence_events,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.config import CRITERIA, Criterion
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    Scores,
)

NO_ANOMALOUS = "no anomalous frame"
NO_NORMAL = "no normal frame"
NOT_SERVED = "no ground truth of the evaluated sequences serves it"
FIELDS: dict[Criterion, tuple[str, ...]] = {
    "frame": (
        "frame",
        "frame_macro_auc",
        "frame_macro_eer",
        "frame_auc_by_sequence",
        "average_precision",
        "false_alarm_rate",
        "normal_frame_count",
        "anomalous_frame_count",
    ),
    "pixel": ("pixel", "dual_pixel", "frames_without_pixels"),
    "region": ("detection", "region_auc"),
    "track": ("track_detection", "track_auc"),
}
"""What a ground truth that serves a criterion decides of a `CriteriaResult`."""


@dataclass(frozen=True, kw_only=True)
class CriteriaOptions:
    """What the criteria leave open.

    Attributes:
        alpha: Least share of a track's regions that must be found.
        beta: Least intersection over union of a match.
        connectivity: 8 or 4, how cells form detected regions; without effect on boxes.
        pixel_share: Least share of a frame's anomalous pixels that must be detected (pixel level).
        dual_share: Least share of the detected pixels that must be anomalous (dual pixel level).
        rule: How region and track curves become areas, a key of ``areas.AREA_RULES``.
        alarm_threshold: Score from which a frame raises an alarm, for the false alarm rate.
    """

    alpha: float = 0.1
    beta: float = 0.1
    connectivity: int = 8
    pixel_share: float = 0.4
    dual_share: float = 0.05
    rule: str = "envelope"
    alarm_threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check every option."""
        for name in ("alpha", "beta", "pixel_share", "dual_share"):
            check_share(name, getattr(self, name))
        check_connectivity(self.connectivity)
        area_rule(self.rule)
        if np.isnan(self.alarm_threshold):
            raise VadlocError("alarm_threshold is NaN, expected a number")


@dataclass(frozen=True)
class RankedFrames:
    """What a frame-wise criterion needs to know of some frames.

    Attributes:
        normal_score: ``(n,)`` highest score of each normal frame, a false positive from there on.
        found_score: ``(e,)`` score at which an anomalous frame becomes found or is lost again.
        found_change: ``(e,)`` int64, +1 found, -1 lost.
        anomalous_count: Number of anomalous frames.
    """

    normal_score: NDArray[np.floating[Any]]
    found_score: NDArray[np.floating[Any]]
    found_change: NDArray[np.int64]
    anomalous_count: int


@dataclass(frozen=True)
class SequenceStatistics:
    """All that the criteria need of one sequence; small, can be pickled.

    Attributes:
        events: Changes of detected regions.
        frame: Ranking of the frames by their highest score.
        pixel: The same for the pixel level.
        dual_pixel: The same for the dual pixel level.
        frames_without_pixels: Anomalous frames without any annotated pixel. They count at frame
            level; at both pixel levels there is nothing to find in them, nor are they normal, so
            they are left out.
        places_known: False if the detector scores frames and does not say where.
    """

    events: Events
    frame: RankedFrames
    pixel: RankedFrames
    dual_pixel: RankedFrames
    frames_without_pixels: int
    places_known: bool = True


@dataclass(frozen=True)
class RocResult:
    """One frame-wise criterion.

    Attributes:
        curve: True positive rate over false positive rate at every distinct score.
        auc: Area under it (`areas.roc_area`); area rules have no effect on it.
        eer: Error rate where FPR = 1 - TPR.
        eer_threshold: Highest threshold whose point lies on or past that.
    """

    curve: RateCurve
    auc: Value
    eer: Value
    eer_threshold: Value


@dataclass(frozen=True)
class CriteriaResult:
    """Every criterion of a test set.

    Attributes:
        options: The options it was computed with.
        detection: Region curve (and the track curve, if one ground truth serves both).
        track_detection: Track curve.
        region_auc: Area under the region curve (RBDC under rule ``envelope``).
        track_auc: Area under the track curve (TBDC).
        frame: Frame level, all frames together (micro).
        pixel: Pixel level.
        dual_pixel: Dual pixel level.
        frame_macro_auc: Mean over the sequences that have both classes.
        frame_macro_eer: The same for the EER.
        frame_auc_by_sequence: Frame-level AUC of each sequence, NaN and the reason for those with
            one class only (these are not in the macro means).
        average_precision: Frame level, step-wise sum over the ranking.
        false_alarm_rate: Share of normal frames that score at least ``options.alarm_threshold``.
        normal_frame_count: Normal test frames.
        anomalous_frame_count: Anomalous test frames.
        frames_without_pixels: Anomalous frames left out at both pixel levels.
    """

    options: CriteriaOptions
    detection: DetectionCurve
    track_detection: DetectionCurve
    region_auc: Value
    track_auc: Value
    frame: RocResult
    pixel: RocResult
    dual_pixel: RocResult
    frame_macro_auc: Value
    frame_macro_eer: Value
    frame_auc_by_sequence: dict[str, Value]
    average_precision: Value
    false_alarm_rate: Value
    normal_frame_count: int
    anomalous_frame_count: int
    frames_without_pixels: int


def evaluate_maps(
    scores: Iterable[Scores],
    truths: Iterable[GroundTruth],
    *,
    options: CriteriaOptions | None = None,
    threads: int = 1,
) -> CriteriaResult:
    """All criteria of a test set.

    Args:
        scores: One for each sequence; consumed one after the other, so a generator may open files.
        truths: The ground truth of the same sequences in the same order.
        options: ``None`` for the defaults.
        threads: Number of frames side by side; without effect on the result.

    Returns:
        Curves and values; what is undefined is NaN with its reason.

    Raises:
        VadlocError: Scores and truths do not belong together, or a score is not finite.
    """
    options = options or CriteriaOptions()
    statistics: list[SequenceStatistics] = []
    for score, truth in zip_longest(scores, truths):
        if score is None or truth is None:
            raise VadlocError(
                f"{len(statistics)} sequences have both scores and ground truth, the next one has "
                f"only {'scores' if truth is None else 'ground truth'}; give one of each"
            )
        statistics.append(sequence_statistics(score, truth, options=options, threads=threads))
    return combine(statistics, options=options)


def sequence_statistics(
    scores: Scores,
    truth: GroundTruth,
    *,
    frame_scores: NDArray[np.float64] | None = None,
    options: CriteriaOptions | None = None,
    threads: int = 1,
) -> SequenceStatistics:
    """What the criteria need of one sequence.

    Args:
        scores: Map or boxes of the sequence.
        truth: Its ground truth.
        frame_scores: ``(frames,)`` the detector's own score of each frame, for the frame level
            only; ``None`` for the highest score in the frame.
        options: ``None`` for the defaults; ``alpha``, ``rule`` and ``alarm_threshold`` matter
            only to ``combine``.
        threads: Number of frames side by side; without effect on the result.

    Raises:
        VadlocError: Scores and truth do not belong together, or a score is not finite.
    """
    options = options or CriteriaOptions()
    levels = PixelLevels(truth, pixel_share=options.pixel_share, dual_share=options.dual_share)
    if isinstance(scores, BoxScores):
        events = box_events(scores, truth, beta=options.beta)
        for frame in np.flatnonzero(truth.anomalous).tolist():
            levels.add(frame, scores.cells(frame))
    else:
        events = sequence_events(
            scores,
            truth,
            beta=options.beta,
            connectivity=options.connectivity,
            each_frame=levels.add,
            threads=threads,
        )
    normal, found = events.frame_score[~truth.anomalous], levels.found_score
    count = len(found)
    own = events.frame_score if frame_scores is None else frame_scores
    return SequenceStatistics(
        events=events,
        frame=_ranked(truth.sequence, own, truth),
        pixel=RankedFrames(normal, found, np.ones(count, np.int64), count),
        dual_pixel=RankedFrames(normal, levels.dual_score, levels.dual_change, count),
        frames_without_pixels=int(np.count_nonzero(truth.anomalous)) - count,
    )


def frame_statistics(frame_scores: NDArray[np.float64], truth: GroundTruth) -> SequenceStatistics:
    """The same for a detector that scores frames and does not say where.

    With one such sequence in the test set, the frame level is all that is defined.

    Args:
        frame_scores: ``(frames,)``.
        truth: Ground truth of the sequence.

    Raises:
        VadlocError: The number of frames differs, or a score is not finite.
    """
    no_score, no_change = np.empty(0), np.empty(0, np.int64)
    nothing = RankedFrames(no_score, no_score, no_change, 0)
    return SequenceStatistics(
        events=Events(
            sequence=truth.sequence,
            frame_score=frame_scores,
            lowest_score=float("nan"),
            track=truth.track,
            false_positive_score=no_score,
            false_positive_change=no_change,
            region_score=no_score,
            region=no_change,
            region_change=no_change,
        ),
        frame=_ranked(truth.sequence, frame_scores, truth),
        pixel=nothing,
        dual_pixel=nothing,
        frames_without_pixels=0,
        places_known=False,
    )


def combine(
    statistics: Sequence[SequenceStatistics], *, options: CriteriaOptions | None = None
) -> CriteriaResult:
    """All criteria of a test set from those of its sequences; their order has no effect.

    Args:
        statistics: One for each sequence, made with the same options.
        options: ``None`` for the defaults.

    Raises:
        VadlocError: There is no frame, or a sequence was given twice.
    """
    options = options or CriteriaOptions()
    _check_names([s.events.sequence for s in statistics])
    detection = detection_curve([s.events for s in statistics], alpha=options.alpha)
    frames = _joined([s.frame for s in statistics])
    by_sequence = {s.events.sequence: roc_result(s.frame) for s in statistics}
    result = CriteriaResult(
        options=options,
        detection=detection,
        track_detection=detection,
        region_auc=area_under(detection.region, rule=options.rule),
        track_auc=area_under(detection.track, rule=options.rule),
        frame=roc_result(frames),
        pixel=roc_result(_joined([s.pixel for s in statistics])),
        dual_pixel=roc_result(_joined([s.dual_pixel for s in statistics])),
        frame_macro_auc=_macro(by_sequence.values(), lambda roc: roc.auc),
        frame_macro_eer=_macro(by_sequence.values(), lambda roc: roc.eer),
        frame_auc_by_sequence={name: roc.auc for name, roc in by_sequence.items()},
        average_precision=average_precision(frames),
        false_alarm_rate=false_alarm_rate(frames, threshold=options.alarm_threshold),
        normal_frame_count=len(frames.normal_score),
        anomalous_frame_count=frames.anomalous_count,
        frames_without_pixels=sum(s.frames_without_pixels for s in statistics),
    )
    unplaced = [s.events.sequence for s in statistics if not s.places_known]
    if not unplaced:
        return result
    reason = f"{unplaced[0]} has frame scores only, which do not say where"
    return without(result, ("region", "track", "pixel"), reason)


def merge(results: Sequence[tuple[Collection[Criterion], CriteriaResult]]) -> CriteriaResult:
    """One result that has each criterion from where it is served.

    Args:
        results: Each with the criteria that are to be taken from it; no criterion twice, and all
            with the same options.

    Returns:
        The result; criteria that none serves are undefined.
    """
    merged = without(results[0][1], CRITERIA, NOT_SERVED)
    for criteria, result in results:
        names = [name for criterion in criteria for name in FIELDS[criterion]]
        merged = replace(merged, **{name: getattr(result, name) for name in names})
    return merged


def roc_curve(frames: RankedFrames) -> RateCurve:
    """Share of anomalous frames found over share of normal frames that raise an alarm.

    Args:
        frames: Frames of a criterion.

    Returns:
        A point at every distinct score; NaN rates and the reason if a class is missing.
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


def roc_result(frames: RankedFrames) -> RocResult:
    """Curve, area and equal error rate of a frame-wise criterion."""
    curve = roc_curve(frames)
    eer, threshold = equal_error_rate(curve)
    return RocResult(curve, roc_area(curve), eer, threshold)


def average_precision(frames: RankedFrames) -> Value:
    """Sum over the ranking of (recall gained) x (precision there), ties taken together.

    Args:
        frames: Frames at frame level.

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
    """Share of normal frames that score at least the threshold; undefined without any."""
    if not len(frames.normal_score):
        return Value.undefined(NO_NORMAL)
    return Value(float(np.mean(frames.normal_score >= np.float64(threshold))))


def _ranked(
    sequence: str, frame_scores: NDArray[np.floating[Any]], truth: GroundTruth
) -> RankedFrames:
    """The frames of a sequence by one score each."""
    if frame_scores.shape != truth.anomalous.shape:
        raise VadlocError(
            f"{sequence}: frame scores for {len(frame_scores)} frames, ground truth for "
            f"{truth.frame_count}; both must describe the same frames"
        )
    if not (frame_scores < np.inf).all():
        raise VadlocError(f"{sequence}: a frame score is NaN or infinite, expected finite numbers")
    found = frame_scores[truth.anomalous]
    ones = np.ones(len(found), np.int64)
    return RankedFrames(frame_scores[~truth.anomalous], found, ones, len(found))


def without(result: CriteriaResult, criteria: Collection[Criterion], reason: str) -> CriteriaResult:
    """A result with some criteria undefined.

    Args:
        result: Any result.
        criteria: Which ones.
        reason: Why.
    """
    nan = np.full(1, np.nan)
    nothing = Value.undefined(reason)
    curve = RateCurve(np.full(1, np.inf), nan, nan, reason=reason)
    undefined: dict[str, Any] = dict.fromkeys(
        ("region_auc", "track_auc", "frame_macro_auc", "frame_macro_eer", "average_precision"),
        nothing,
    )
    undefined |= dict.fromkeys(
        ("frame", "pixel", "dual_pixel"), RocResult(curve, nothing, nothing, nothing)
    )
    undefined |= {"false_alarm_rate": nothing, "frame_auc_by_sequence": {}}
    undefined |= dict.fromkeys(
        ("normal_frame_count", "anomalous_frame_count", "frames_without_pixels"), 0
    )
    for name in ("detection", "track_detection"):
        undefined[name] = replace(
            getattr(result, name),
            thresholds=curve.thresholds,
            false_positives_per_frame=nan,
            region_rate=nan,
            track_rate=nan,
            reason=reason,
        )
    names = [name for criterion in criteria for name in FIELDS[criterion]]
    return replace(result, **{name: undefined[name] for name in names})


def _joined(parts: Sequence[RankedFrames]) -> RankedFrames:
    """All frames of all sequences."""
    return RankedFrames(
        np.concatenate([p.normal_score for p in parts]),
        np.concatenate([p.found_score for p in parts]),
        np.concatenate([p.found_change for p in parts]),
        sum(p.anomalous_count for p in parts),
    )


def _macro(rocs: Iterable[RocResult], pick: Callable[[RocResult], Value]) -> Value:
    """Mean over the sequences where the value is defined."""
    values = [value.value for roc in rocs if (value := pick(roc)).reason is None]
    if not values:
        return Value.undefined("no sequence has both normal and anomalous frames")
    return Value(float(np.mean(values)))


def _check_names(names: Sequence[str]) -> None:
    """Raise if a sequence was given twice."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise VadlocError(f"sequence {name!r} was given twice; give each sequence once")
