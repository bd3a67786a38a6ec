"""Compute curves from events.

An event is a score and the change of a count when the threshold falls to this score. Sorted and
summed, events give the counts at every threshold at which a count changes. Thresholds fall along a
curve. Everything that scores at least the threshold is detected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError

FloatArray = NDArray[np.float64]
NO_REGIONS = "no ground-truth region in the test set"


@dataclass(frozen=True)
class Value:
    """A number, or NaN with the reason why the number is undefined.

    Attributes:
        value: The number.
        reason: ``None`` for a number, otherwise a short phrase that says what is missing.
    """

    value: float
    reason: str | None = None

    @classmethod
    def undefined(cls, reason: str) -> "Value":
        """NaN with the reason."""
        return cls(float("nan"), reason)


@dataclass(frozen=True)
class Events:
    """How the detected regions of one sequence change as the threshold falls.

    Attributes:
        sequence: Name of the sequence.
        frame_score: ``(frames,)`` highest score of each frame, ``-inf`` without any detection.
        lowest_score: Lowest score of the sequence; NaN if it has no scores.
        track: ``(n,)`` int64, track id of each annotated region, as in the ground truth.
        false_positive_score: ``(e,)`` distinct scores at which the number of false positive
            regions in all frames changes.
        false_positive_change: ``(e,)`` int64, change of that number at each of these scores.
        region_score: ``(m,)`` scores at which an annotated region becomes found or is lost.
        region: ``(m,)`` int64, row of that region in the ground truth.
        region_change: ``(m,)`` int64, +1 if the region becomes found, -1 if it is lost.
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
        lowest_score: Lowest score of the test set, for area rules with fixed thresholds.
        reason: Why ``fpr`` or ``rate`` is NaN; ``None`` if neither is.
    """

    thresholds: FloatArray
    fpr: FloatArray
    rate: FloatArray
    lowest_score: float = float("nan")
    reason: str | None = None


@dataclass(frozen=True)
class DetectionCurve:
    """Region and track detection at every threshold at which a count changes.

    Attributes:
        thresholds: ``(k,)`` float64, strictly falling from ``+inf``, where nothing is detected.
        false_positives_per_frame: ``(k,)`` float64, can exceed 1.
        region_rate: ``(k,)`` float64, share of all annotated regions found; NaN without regions.
        track_rate: ``(k,)`` float64, share of all tracks found; NaN without tracks.
        lowest_score: Lowest score of the test set.
        frame_count: Number of test frames.
        region_count: Number of annotated regions.
        track_count: Number of tracks; equal ids in two sequences are two tracks.
        reason: Why all rates are NaN, if the detected regions are unknown; otherwise ``None``.
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

    Ramachandra and Jones, *Street Scene* (WACV 2020), define both criteria. A track is found if at
    least the share ``alpha`` of its regions is found. All sequences have the same threshold.

    Args:
        events: Events of each sequence, in any order.
        alpha: Least share of a track's regions that must be found, above 0 and at most 1.

    Returns:
        The curve; its first point is "nothing detected" at threshold ``+inf``.

    Raises:
        VadlocError: ``alpha`` is out of range or there is no frame.
    """
    check_share("alpha", alpha)
    frame_count = sum(len(e.frame_score) for e in events)
    check_frames(frame_count)
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
    """For each threshold, the sum of the changes at scores of at least this threshold.

    Args:
        thresholds: ``(k,)`` thresholds in any order.
        scores: ``(e,)`` scores of the events in any order, below ``+inf``.
        changes: ``(e,)`` change of the count at each event.

    Returns:
        ``(k,)`` int64 counts.
    """
    order = np.argsort(-scores, kind="stable")
    total = np.append(0, np.cumsum(changes[order]))
    reached = np.searchsorted(-scores[order].astype(np.float64), -thresholds, side="right")
    return np.asarray(total[reached], np.int64)


def share(counts: NDArray[np.int64], whole: int) -> FloatArray:
    """``counts / whole``; all NaN if ``whole`` is 0."""
    return counts / whole if whole else np.full(counts.shape, np.nan)


def check_frames(count: int) -> None:
    """Raise if there is no test frame."""
    if not count:
        raise VadlocError("no test frames: the criteria need at least one sequence with frames")


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
        Track number of each region event, in the order of the events, and number of regions of
        each track.
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
    # All events of a track at one score happen together; only the state after the last counts.
    last = np.append((new_track | _starts(score))[1:], np.ones(min(len(track), 1), np.bool_))
    track, score = track[last], score[last]
    found = (found_regions[last] / regions_per_track[track] >= alpha).astype(np.int64)
    before = np.where(_starts(track), 0, np.roll(found, 1))
    steps = found - before
    return score[steps != 0], steps[steps != 0]
