"""From events to curves, and from curves to areas.

An event says by how much a count changes when the threshold falls to a score. Sorted and summed
they give the counts at every threshold that makes a difference. Thresholds fall along a curve, and
what scores at least the threshold is detected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError

FloatArray = NDArray[np.float64]
SSVAD_THRESHOLDS = np.linspace(1.01, -0.01, 103)
"""Of py-ssvad-metrics, for scores in 0..1."""
NO_REGIONS = "no ground-truth region in the test set"


@dataclass(frozen=True)
class Value:
    """A number, or NaN and the reason why there is none.

    Attributes:
        value: The number.
        reason: ``None`` for a number, otherwise one phrase that says what is missing.
    """

    value: float
    reason: str | None = None

    @classmethod
    def undefined(cls, reason: str) -> "Value":
        """NaN with its reason."""
        return cls(float("nan"), reason)


@dataclass(frozen=True)
class Events:
    """How the detected regions of one sequence change as the threshold falls.

    Attributes:
        sequence: Name of the sequence.
        frame_score: ``(frames,)`` highest score of each frame, ``-inf`` without any detection.
        lowest_score: Lowest score of the sequence, NaN when it has none.
        track: ``(n,)`` int64, track id of each annotated region, as in the ground truth.
        false_positive_score: ``(e,)`` distinct scores at which the number of false positive
            regions, all frames together, changes.
        false_positive_change: ``(e,)`` int64, by how much.
        region_score: ``(m,)`` score at which an annotated region becomes found or is lost.
        region: ``(m,)`` int64, its row in the ground truth.
        region_change: ``(m,)`` int64, +1 found, -1 lost.
    """

    sequence: str
    frame_score: NDArray[np.floating[Any]]
    lowest_score: float
    track: NDArray[np.int64]
    false_positive_score: NDArray[np.floating[Any]]
    false_positive_change: NDArray[np.int64]
    region_score: NDArray[np.floating[Any]]
    region: NDArray[np.int64]
    region_change: NDArray[np.int64]


@dataclass(frozen=True)
class RateCurve:
    """A rate over a false positive rate, one point for each threshold.

    Attributes:
        thresholds: ``(k,)`` float64, strictly falling from ``+inf``, where nothing is detected.
        fpr: ``(k,)`` float64, false positives per frame or share of normal frames.
        rate: ``(k,)`` float64 in 0..1, share of regions, tracks or frames found.
        lowest_score: Lowest score of the test set (for rules that lay their own thresholds).
        reason: Why ``fpr`` or ``rate`` is NaN, else ``None``.
    """

    thresholds: FloatArray
    fpr: FloatArray
    rate: FloatArray
    lowest_score: float = float("nan")
    reason: str | None = None


@dataclass(frozen=True)
class DetectionCurve:
    """Region and track detection at every threshold that makes a difference.

    Attributes:
        thresholds: ``(k,)`` float64, strictly falling from ``+inf``, where nothing is detected.
        false_positives_per_frame: ``(k,)`` float64, can exceed 1.
        region_rate: ``(k,)`` float64, share of all annotated regions found; NaN without any.
        track_rate: ``(k,)`` float64, share of all tracks found; NaN without any.
        lowest_score: Lowest score of the test set.
        frame_count: Number of test frames.
        region_count: Number of annotated regions.
        track_count: Number of tracks; equal ids in two sequences are two tracks.
        reason: Why no region is known to be detected or not, else ``None``; all rates are NaN then.
    """

    thresholds: FloatArray
    false_positives_per_frame: FloatArray
    region_rate: FloatArray
    track_rate: FloatArray
    lowest_score: float
    frame_count: int
    region_count: int
    track_count: int
    reason: str | None = None

    @property
    def region(self) -> RateCurve:
        """Region detection rate over false positives per frame (the curve of RBDC)."""
        return self._rate_curve(self.region_rate)

    @property
    def track(self) -> RateCurve:
        """Track detection rate over false positives per frame (the curve of TBDC)."""
        return self._rate_curve(self.track_rate)

    def _rate_curve(self, rate: FloatArray) -> RateCurve:
        reason = self.reason or (None if self.region_count else NO_REGIONS)
        return RateCurve(
            self.thresholds, self.false_positives_per_frame, rate, self.lowest_score, reason
        )


def detection_curve(events: Sequence[Events], *, alpha: float = 0.1) -> DetectionCurve:
    """Count false positives, found regions and found tracks at every distinct event score.

    Ramachandra and Jones, *Street Scene* (WACV 2020), define both criteria; a track is found when
    at least the share ``alpha`` of its regions is. One threshold holds for all sequences.

    Args:
        events: Events of each sequence, in any order.
        alpha: Share of a track's regions, above 0 and at most 1.

    Returns:
        The curve; its first point is "nothing detected" at threshold ``+inf``.

    Raises:
        VadlocError: ``alpha`` is out of range or there is no frame.
    """
    check_share("alpha", alpha)
    frame_count = sum(len(e.frame_score) for e in events)
    if not frame_count:
        raise VadlocError("no test frames: the criteria need at least one sequence with frames")
    fp_score = np.concatenate([e.false_positive_score for e in events])
    fp_change = np.concatenate([e.false_positive_change for e in events])
    region_score = np.concatenate([e.region_score for e in events])
    region_change = np.concatenate([e.region_change for e in events])
    track, regions_per_track = _number_tracks(events)
    track_score, track_change = _track_events(
        track, region_score, region_change, regions_per_track, alpha=alpha
    )
    thresholds = falling_thresholds(fp_score, region_score)
    lowest = [e.lowest_score for e in events if not np.isnan(e.lowest_score)]
    region_count = int(regions_per_track.sum())
    return DetectionCurve(
        thresholds=thresholds,
        false_positives_per_frame=counts_at(thresholds, fp_score, fp_change) / frame_count,
        region_rate=share(counts_at(thresholds, region_score, region_change), region_count),
        track_rate=share(counts_at(thresholds, track_score, track_change), len(regions_per_track)),
        lowest_score=min(lowest, default=float("nan")),
        frame_count=frame_count,
        region_count=region_count,
        track_count=len(regions_per_track),
    )


def falling_thresholds(*scores: NDArray[np.floating[Any]]) -> FloatArray:
    """``+inf``, then every distinct score from high to low, float64."""
    distinct = np.unique(np.concatenate([np.empty(0), *scores]))
    return np.append(np.inf, distinct[::-1])


def counts_at(
    thresholds: FloatArray, scores: NDArray[np.floating[Any]], changes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sum of the changes whose score is at least each threshold.

    Args:
        thresholds: ``(k,)``, any order.
        scores: ``(e,)``, any order, below ``+inf``.
        changes: ``(e,)``.

    Returns:
        ``(k,)`` int64.
    """
    order = np.argsort(-scores, kind="stable")
    total = np.append(0, np.cumsum(changes[order]))
    reached = np.searchsorted(-scores[order].astype(np.float64), -thresholds, side="right")
    return np.asarray(total[reached], np.int64)


def share(counts: NDArray[np.int64], whole: int) -> FloatArray:
    """``counts / whole``; NaN throughout when there is nothing to share."""
    return counts / whole if whole else np.full(counts.shape, np.nan)


def curve_at(curve: DetectionCurve, thresholds: FloatArray) -> DetectionCurve:
    """The same detections seen at thresholds of one's own.

    Args:
        curve: Curve at every distinct event score.
        thresholds: ``(k,)`` float64, in any order.

    Returns:
        A curve whose element ``i`` is the state at ``thresholds[i]``.
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


def envelope_path(curve: RateCurve) -> RateCurve:
    """The best rate reachable at each false positive rate or less: the corners of a staircase.

    False positives can merge and found regions can be lost as the threshold falls, so neither axis
    is monotone. A corner is a point that finds more than every point with as few false positives;
    from there on its rate holds until the next corner.

    Args:
        curve: Any curve that is defined.

    Returns:
        The corners, both axes strictly rising, the first one at rate 0 unless something is found
        without any false positive. The threshold of a corner is that of its point.
    """
    order = np.lexsort((-curve.rate, curve.fpr))
    rate = curve.rate[order]
    best_before = np.append(-np.inf, np.maximum.accumulate(rate)[:-1])
    corner = order[rate > best_before]
    return RateCurve(
        curve.thresholds[corner],
        curve.fpr[corner],
        curve.rate[corner],
        curve.lowest_score,
        curve.reason,
    )


def roc_path(curve: RateCurve) -> RateCurve:
    """The best rate so far at each point of a ROC curve, whose false positive rate never falls.

    A frame once found stays found, except at the dual pixel level. Points are joined by straight
    lines, which counts a tie of a normal and an anomalous frame as half, as the AUC of a ranking
    does.

    Args:
        curve: Rate over the share of normal frames that raise an alarm.

    Returns:
        As many points in the same order. The threshold of a point is one at which its rate is
        reached, with no more false positives.
    """
    rate = np.maximum.accumulate(curve.rate)
    reached = np.maximum.accumulate(np.where(curve.rate == rate, np.arange(len(rate)), 0))
    return RateCurve(curve.thresholds[reached], curve.fpr, rate, curve.lowest_score, curve.reason)


def area_to_one(fpr: FloatArray, rate: FloatArray, *, hold: bool) -> float:
    """Trapezoid area of a path over the false positive rates 0 to 1.

    Args:
        fpr: ``(k,)`` not decreasing.
        rate: ``(k,)``.
        hold: Carry the last rate flat to 1 if the path ends before.

    Returns:
        The area; the piece that crosses 1 is cut there by linear interpolation.
    """
    inside = int(np.searchsorted(fpr, 1.0, side="right"))
    x, y = fpr[:inside], rate[:inside]
    if not inside:
        return 0.0
    if inside < len(fpr):
        part = (1.0 - x[-1]) / (fpr[inside] - x[-1])
        x, y = np.append(x, 1.0), np.append(y, y[-1] + part * (rate[inside] - y[-1]))
    elif hold:
        x, y = np.append(x, 1.0), np.append(y, y[-1])
    return float(np.trapezoid(y, x))


def envelope(curve: RateCurve) -> float:
    """Area of the staircase "best rate reachable at FPR <= x" for x in 0..1; our own rule.

    A point that finds no more with no fewer false positives than another has no effect on it, and
    a further false positive never raises it.
    """
    path = envelope_path(curve)
    edges = np.minimum(np.append(path.fpr, np.inf), 1.0)
    return float(np.sum(path.rate * np.diff(edges)))


def hold(curve: RateCurve) -> float:
    """Area of the sweep up to its first point with a false positive rate of 1 or more.

    The step that reaches 1 is interpolated there; if none does, the rate of the largest false
    positive rate is carried flat to 1. The points before are put in order (stable).
    """
    reaches = curve.fpr >= 1
    end = int(np.argmax(reaches)) if reaches.any() else len(reaches)
    order = np.argsort(curve.fpr[:end], kind="stable")
    fpr, rate = curve.fpr[order], curve.rate[order]
    if end < len(reaches):
        (f0, f1), (r0, r1) = curve.fpr[end - 1 : end + 1], curve.rate[end - 1 : end + 1]
        fpr = np.append(fpr, 1.0)
        rate = np.append(rate, r0 + (1 - f0) / (f1 - f0) * (r1 - r0))
    return area_to_one(fpr, rate, hold=True)


def ssvad(curve: RateCurve) -> float:
    """Area as py-ssvad-metrics closes it, for scores in 0..1.

    103 thresholds from 1.01 down to -0.01; points above 1 false positive per frame are dropped, the
    others sorted (stable) and joined by straight lines, without anything added at either end.
    """
    state = states_at(curve.thresholds, SSVAD_THRESHOLDS)
    state = state[curve.fpr[state] <= 1]
    state = state[np.argsort(curve.fpr[state], kind="stable")]
    return float(np.trapezoid(curve.rate[state], curve.fpr[state]))


def grid100(curve: RateCurve) -> float:
    """Area on 100 thresholds from the highest to the lowest score of the test set.

    Sorted by false positive rate, cut at 1 by linear interpolation; the point (1, 1) is added if 1
    is never reached. Undefined without any score.
    """
    if len(curve.thresholds) < 2:
        return float("nan")
    thresholds = np.linspace(curve.thresholds[1], curve.lowest_score, 100)
    state = states_at(curve.thresholds, thresholds)
    state = state[np.argsort(curve.fpr[state], kind="stable")]
    fpr, rate = curve.fpr[state], curve.rate[state]
    if fpr[-1] < 1:
        fpr, rate = np.append(fpr, 1.0), np.append(rate, 1.0)
    return area_to_one(fpr, rate, hold=False)


AREA_RULES: dict[str, Callable[[RateCurve], float]] = {
    "envelope": envelope,
    "ssvad": ssvad,
    "grid100": grid100,
    "hold": hold,
}


def area_rule(name: str) -> Callable[[RateCurve], float]:
    """The rule of that name; an unknown name raises and lists the known ones."""
    if name not in AREA_RULES:
        raise VadlocError(f"unknown area rule {name!r}; known rules: {', '.join(AREA_RULES)}")
    return AREA_RULES[name]


def area_under(curve: RateCurve, *, rule: str = "envelope") -> Value:
    """Area under a curve over false positive rates 0 to 1.

    Args:
        curve: Rate over false positive rate.
        rule: Key of ``AREA_RULES``.

    Returns:
        The area in 0..1, or NaN with the curve's reason.

    Raises:
        VadlocError: The rule is unknown.
    """
    compute = area_rule(rule)
    if curve.reason is not None:
        return Value.undefined(curve.reason)
    area = compute(curve)
    if np.isnan(area):
        return Value.undefined(f"no score to lay the thresholds of {rule} on")
    return Value(area)


def roc_area(curve: RateCurve) -> Value:
    """Area under a ROC curve: ordinary trapezoids under the best rate so far (see `roc_path`).

    Where no found frame is lost again, it is the share of pairs of an anomalous and a normal frame
    that the scores put in order, half of the ties.

    Args:
        curve: Rate over the share of normal frames, up to where all of them raise an alarm.

    Returns:
        The area in 0..1, or NaN with the curve's reason.
    """
    if curve.reason is not None:
        return Value.undefined(curve.reason)
    path = roc_path(curve)
    return Value(area_to_one(path.fpr, path.rate, hold=True))


def equal_error_rate(curve: RateCurve) -> tuple[Value, Value]:
    """Where the false positive rate equals the share missed, ``FPR = 1 - TPR``.

    A ROC curve jumps from point to point, so that hardly ever a point lies there; as for its area,
    straight lines join the points. Between two thresholds this is what choosing one of them at
    random for each frame would give.

    Args:
        curve: Rate over the share of normal frames; the best rate so far is used.

    Returns:
        ``(rate, threshold)``: the error rate, interpolated on the straight pieces of the curve,
        and the highest threshold whose point lies on or past it. NaN with the reason where the
        curve is undefined or never gets there.
    """
    if curve.reason is not None:
        return Value.undefined(curve.reason), Value.undefined(curve.reason)
    path = roc_path(curve)
    excess = path.fpr + path.rate - 1
    past = int(np.searchsorted(excess, 0.0))
    if past == len(excess):
        reason = "the curve ends before FPR = 1 - TPR"
        return Value.undefined(reason), Value.undefined(reason)
    part = excess[past - 1] / (excess[past - 1] - excess[past])
    fpr = path.fpr[past - 1] + part * (path.fpr[past] - path.fpr[past - 1])
    return Value(float(fpr)), Value(float(path.thresholds[past]))


def check_share(name: str, value: float) -> None:
    """Raise unless ``0 < value <= 1``."""
    if not 0 < value <= 1:
        raise VadlocError(f"{name} is {value}, expected a share above 0 and at most 1")


def states_at(event_thresholds: FloatArray, thresholds: FloatArray) -> NDArray[np.intp]:
    """Index of the last event at or above each threshold."""
    return np.searchsorted(-event_thresholds, -thresholds, side="right") - 1


def _starts(values: NDArray[Any]) -> NDArray[np.bool_]:
    """True where a run of equal values begins."""
    starts = np.ones(len(values), np.bool_)
    starts[1:] = values[1:] != values[:-1]
    return starts


def _number_tracks(events: Sequence[Events]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the tracks of all sequences.

    Returns:
        Track number of each region event, in the order of the events; regions of each track.
    """
    numbers, sizes, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for e in events:
        _, number, size = np.unique(e.track, return_inverse=True, return_counts=True)
        numbers.append(first + number[e.region])
        sizes.append(size)
        first += len(size)
    return np.concatenate(numbers), np.concatenate(sizes)


def _track_events(
    track: NDArray[np.int64],
    score: NDArray[np.floating[Any]],
    change: NDArray[np.int64],
    regions_per_track: NDArray[np.int64],
    *,
    alpha: float,
) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64]]:
    """Scores at which a track becomes found (+1) or is lost (-1)."""
    order = np.lexsort((-score, track))
    track, score, change = track[order], score[order], change[order]
    new_track = _starts(track)
    begin = np.maximum.accumulate(np.where(new_track, np.arange(len(track)), 0))
    total = np.cumsum(change)
    found_regions = total - (total - change)[begin]
    # All events of one track at one score happen together: only the last of them is a state.
    last = np.append((new_track | _starts(score))[1:], np.ones(min(len(track), 1), np.bool_))
    track, score = track[last], score[last]
    found = (found_regions[last] / regions_per_track[track] >= alpha).astype(np.int64)
    before = np.where(_starts(track), 0, np.roll(found, 1))
    steps = found - before
    return score[steps != 0], steps[steps != 0]
