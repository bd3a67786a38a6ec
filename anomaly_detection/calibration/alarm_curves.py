"""Alarms as a function of the threshold: components of a score map in space and time.

Their number is not monotone in the threshold, since components join as it falls.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from anomaly_detection.explanation.detections import neighbour_structure


@dataclass(frozen=True)
class AlarmCurve:
    """Number of alarms at every threshold.

    Attributes:
        scores: ``(k,)`` float32, falling: the scores at which the number changes.
        alarms: ``(k,)`` int64: components of {score >= scores[i]}; the number stays so down to, but
            without, ``scores[i + 1]``.
    """

    scores: NDArray[np.float32]
    alarms: NDArray[np.int64]


def alarm_curve(scores: NDArray[np.float32], *, connectivity: int) -> AlarmCurve:
    """Components of {score >= t} in space and time, for every t.

    Cells enter from the highest score to the lowest. Each is one component more, and one less for
    each other component that it touches (union-find).

    Args:
        scores: ``(frames, cell rows, cell columns)``.
        connectivity: 8 or 4 within a frame; see ``scores_to_detections``.
    """
    structure = neighbour_structure(connectivity)
    padded = np.pad(scores, 1, constant_values=-np.inf)
    steps = np.argwhere(structure) - 1
    strides = np.array(padded.strides) // padded.itemsize
    inside = np.flatnonzero(padded.ravel() > -np.inf)
    order = inside[np.argsort(-padded.ravel()[inside], kind="stable")]
    change = np.ones(len(order), np.int64)
    _component_changes(order, steps @ strides, np.full(padded.size, -1), change)
    values = padded.ravel()[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    alarms = np.cumsum(change)[last]
    new = np.append(True, np.diff(alarms) != 0)
    return AlarmCurve(values[last][new], alarms[new])


@njit(cache=True)
def _component_changes(
    order: NDArray[np.int64],
    steps: NDArray[np.int64],
    parent: NDArray[np.int64],
    change: NDArray[np.int64],
) -> None:
    """Write the change of the number of components with each cell that enters.

    Args:
        order: ``(n,)`` cells of a flat array with a border that never enters.
        steps: From a cell to itself and its neighbours.
        parent: ``(size of the array,)`` -1.
        change: ``(n,)`` 1; gets the changes.
    """
    for i, cell in enumerate(order):
        parent[cell] = root_of_cell = cell
        for step in steps:
            root = cell + step
            if parent[root] < 0:
                continue
            while parent[root] != root:
                parent[root] = parent[parent[root]]
                root = parent[root]
            if root != root_of_cell:
                change[i] -= 1
                parent[root_of_cell] = root
                root_of_cell = root


def curves_to_threshold(curves: list[AlarmCurve], *, allowed: int) -> tuple[float, int]:
    """The smallest threshold from which on there are never more alarms than allowed.

    Args:
        curves: The curves of several sequences.
        allowed: Alarms in all of them together.

    Returns:
        The threshold, a float32 number, and the number of alarms at it.
    """
    total = sum_of_curves(curves)
    above = np.flatnonzero(total.alarms > allowed)
    if not len(above):
        return 0.0, int(total.alarms[-1])  # no distance is lower
    first = above[0]
    alarms = int(total.alarms[first - 1]) if first else 0
    return float(np.nextafter(total.scores[first], np.float32(np.inf))), alarms


def sum_of_curves(curves: list[AlarmCurve]) -> AlarmCurve:
    """Alarms of several sequences together."""
    scores = np.concatenate([curve.scores for curve in curves])
    changes = np.concatenate([np.diff(curve.alarms, prepend=0) for curve in curves])
    values, index = np.unique(-scores, return_inverse=True)
    change = np.zeros(len(values), np.int64)
    np.add.at(change, index, changes)
    return AlarmCurve(-values, np.cumsum(change))
