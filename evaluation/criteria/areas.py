"""Areas under curves, and equal error rates.

For region and track curves, whose false positives can merge, the user chooses the rule for the
area. Curves that rank frames have the ordinary ROC area.
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
"""The 103 thresholds of py-ssvad-metrics, for scores in 0..1."""


def envelope_path(curve: RateCurve) -> RateCurve:
    """The staircase "highest rate at this false positive rate or less", by its corners.

    As the threshold falls, false positives can merge and found regions can be lost, so neither axis
    of the curve is monotone. A corner is a point with a higher rate than all other points with as
    many or fewer false positives. Its rate holds until the next corner.

    Args:
        curve: A defined curve.

    Returns:
        The corners, with both axes strictly rising. The rate of the first one is 0, unless
        something is found without any false positive. A corner has the threshold of its point.
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

    A found frame stays found as the threshold falls, except at the dual pixel level. Straight lines
    join the points; so a tie of a normal and an anomalous frame counts as half, as in the AUC of a
    ranking.

    Args:
        curve: Rate over the share of normal frames that raise an alarm.

    Returns:
        The same number of points in the same order. At the threshold of a point its rate is
        reached, with no more false positives.
    """
    rate = np.maximum.accumulate(curve.rate)
    reached = np.maximum.accumulate(np.where(curve.rate == rate, np.arange(len(rate)), 0))
    return RateCurve(curve.thresholds[reached], curve.fpr, rate, curve.lowest_score, curve.reason)


def area_to_one(fpr: FloatArray, rate: FloatArray, *, hold: bool) -> float:
    """Trapezoid area of a path over the false positive rates 0 to 1.

    Args:
        fpr: ``(k,)`` false positive rates, not decreasing.
        rate: ``(k,)`` rates.
        hold: If the path ends before 1, extend it to 1 with its last rate.

    Returns:
        The area; the segment that crosses 1 is cut there by linear interpolation.
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
    """Area of the staircase "best rate reachable at FPR <= x" for x in 0..1; vadloc's own rule.

    A point has no effect on the area if another point has at least its rate and no more false
    positives. An additional false positive never increases the area.
    """
    path = envelope_path(curve)
    edges = np.minimum(np.append(path.fpr, np.inf), 1.0)
    return float(np.sum(path.rate * np.diff(edges)))


def hold(curve: RateCurve) -> float:
    """Area under the points up to the first one with a false positive rate of 1 or more.

    The points before it are sorted by false positive rate (stable). The segment that reaches 1 is
    interpolated there. If no point reaches 1, the curve is extended to 1 with its last rate.
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
    """Area as in py-ssvad-metrics, for scores in 0..1.

    There are 103 thresholds from 1.01 down to -0.01. Points above 1 false positive per frame are
    dropped; the others are sorted (stable) and joined by straight lines. No point is added at
    either end.
    """
    state = states_at(curve.thresholds, SSVAD_THRESHOLDS)
    state = state[curve.fpr[state] <= 1]
    state = state[np.argsort(curve.fpr[state], kind="stable")]
    return float(np.trapezoid(curve.rate[state], curve.fpr[state]))


def grid100(curve: RateCurve) -> float:
    """Area on 100 thresholds from the highest to the lowest score of the test set.

    The points are sorted by false positive rate and cut at 1 by linear interpolation. If no point
    reaches 1, the point (1, 1) is added. Without any score the area is undefined.
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
    """The rule of that name; an unknown name raises an error that lists the names."""
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

    If no found frame is lost again, the area is the share of pairs of an anomalous and a normal
    frame in which the anomalous one has the higher score; a tie counts as half.

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
    """The error rate at which false positive and miss rate are equal, ``FPR = 1 - TPR``.

    Rarely a point of a ROC curve satisfies this exactly. As for the area, straight lines join the
    points; a position between two points is reached by choosing one of the two thresholds at random
    for each frame.

    Args:
        curve: Rate over the share of normal frames; the best rate so far is used.

    Returns:
        ``(rate, threshold)``: the interpolated error rate, and the highest threshold whose point is
        at or beyond it. Both are NaN with a reason if the curve is undefined or never reaches it.
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
