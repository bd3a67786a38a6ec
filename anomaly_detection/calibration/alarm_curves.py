"""The number of alarms as a function of the threshold.

Alarms are the connected components of a score map in space and time. Their number is not monotone
in the threshold, since components join as it falls.
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
        alarms: ``(k,)`` int64: number of components of {score >= t} for scores[i] >= t >
            scores[i + 1].
    """

    scores: NDArray[np.float32]
    alarms: NDArray[np.int64]


def alarm_curve(scores: NDArray[np.float32], *, connectivity: int) -> AlarmCurve:
    """The number of components of {score >= t} in space and time, for every t.

    Cells are added from the highest score to the lowest. Each adds one component, and takes one
    away for each component that it joins (union-find).

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
    """Compute by how much each added cell changes the number of components.

    Args:
        order: ``(n,)``: cells in the order in which they are added, as indices of a flat array. It
            has a border, which is never added.
        steps: Index offsets from a cell to itself and to its neighbours.
        parent: ``(size of the array,)``, filled with -1; it is overwritten.
        change: ``(n,)``, filled with 1; the changes are written into it.
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
    """The smallest threshold at and above which there are never more alarms than allowed.

    Args:
        curves: The curves of several sequences.
        allowed: Largest number of alarms in all sequences together.

    Returns:
        The threshold, a float32 number, and the number of alarms at it.
    """
    total = sum_of_curves(curves)
    above = np.flatnonzero(total.alarms > allowed)
    if not len(above):
        return 0.0, int(total.alarms[-1])  # no score is lower
    first = above[0]
    alarms = int(total.alarms[first - 1]) if first else 0
    return float(np.nextafter(total.scores[first], np.float32(np.inf))), alarms


def sum_of_curves(curves: list[AlarmCurve]) -> AlarmCurve:
    """The number of alarms in several sequences together."""
    scores = np.concatenate([curve.scores for curve in curves])
    changes = np.concatenate([np.diff(curve.alarms, prepend=0) for curve in curves])
    values, index = np.unique(-scores, return_inverse=True)
    change = np.zeros(len(values), np.int64)
    np.add.at(change, index, changes)
    return AlarmCurve(-values, np.cumsum(change))
