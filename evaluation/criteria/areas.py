"""From curves to areas and equal error rates.

Region and track curves become areas by a rule of one's choice, since their false positives can
merge; curves that rank frames have the ordinary area.
"""

from collections.abc import Callable

import numpy as np

from evaluation.criteria.curves import (
    FloatArray,
    RateCurve,
    Value,
    states_at,
)
from vadloc.errors import VadlocError

SSVAD_THRESHOLDS = np.linspace(1.01, -0.01, 103)
"""The thresholds of py-ssvad-metrics, for scores in 0..1."""


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
