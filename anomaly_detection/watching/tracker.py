"""Alarms as they come: connected parts of the score map, found frame by frame.

The alarms are those of `scores_to_detections` for the whole map. But it is not known of two parts
whether they will join later. Where they do, the elder alarm goes on and takes over the younger one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.explanation.detections import Detection, neighbour_structure
from vadloc.regions import RegionGrid

Labels = NDArray[np.int64]
"""The number of the alarm of each cell of a frame, 0 for none, ``(cell rows, cell columns)``."""


@dataclass
class Alarm:
    """A connected part of the score map so far.

    Attributes:
        number: Its number; later ones have higher numbers.
        first_frame: Its first frame, 0-based in the source.
        last_frame: Its last frame so far.
        score: Its highest score so far.
        peak: Frame, cell row and cell column of that score; the first one if several have it.
        box_xyxy_px: The box around its cells in the frame of the peak; x1 and y1 are exclusive.
    """

    number: int
    first_frame: int
    last_frame: int
    score: float
    peak: tuple[int, int, int]
    box_xyxy_px: tuple[int, int, int, int]

    def extend(self, other: "Alarm") -> None:
        """Take in what another one covers."""
        self.first_frame = min(self.first_frame, other.first_frame)
        self.last_frame = max(self.last_frame, other.last_frame)
        if (-other.score, other.peak) < (-self.score, self.peak):
            self.score, self.peak, self.box_xyxy_px = other.score, other.peak, other.box_xyxy_px

    def detection(self, threshold: float, *, offset: int) -> Detection:
        """As explanations need it: only the box of the peak is known.

        Args:
            threshold: Least score of an alarm.
            offset: Number of the frame of the source that counts as the first one.
        """
        frame, row, column = self.peak
        return Detection(
            score=self.score,
            threshold=threshold,
            peak=(frame - offset, row, column),
            first_frame=frame - offset,
            box_xyxy_px=np.array([self.box_xyxy_px], np.int64),
        )


@dataclass(frozen=True)
class Changes:
    """What a frame has changed.

    Attributes:
        begun: New alarms.
        ended: Alarms that do not go on; the last frame before this one was their last.
        joined: Younger alarms that have been taken over by an elder one, with that one.
    """

    begun: list[Alarm]
    ended: list[Alarm]
    joined: list[tuple[Alarm, Alarm]]


class AlarmTracker:
    """Follows the connected parts of {score >= threshold} from frame to frame.

    Args:
        grid: Regions and cells of the frames.
        threshold: Least score of an alarm.
        connectivity: 8 or 4: number of neighbours within a frame.

    Attributes:
        open: The alarms that may go on, by number, the eldest first.
        labels: The alarm of each cell of the last frame.
    """

    def __init__(self, grid: RegionGrid, *, threshold: float, connectivity: int) -> None:
        self.grid, self.threshold = grid, threshold
        self._structure = neighbour_structure(connectivity)
        self.open: dict[int, Alarm] = {}
        self.labels: Labels = np.zeros(grid.cells, np.int64)
        self._count = 0

    def push(self, scores: NDArray[np.float32], frame: int) -> Changes:
        """Take the scores ``(cell rows, cell columns)`` of the next frame."""
        above = scores >= self.threshold
        if not self.open and not above.any():
            return Changes([], [], [])
        changes = Changes([], [], [])
        labels = np.zeros_like(self.labels)
        for cells, numbers in self._parts(above):
            alarm = self._alarm_of(numbers, changes)
            part = _alarm_in_frame(scores, cells, frame, self.grid)
            if alarm is None:
                alarm = self._begin(part, changes)
            else:
                alarm.extend(part)
            labels[cells] = alarm.number
        for number in self.open.keys() - set(np.unique(labels).tolist()):
            changes.ended.append(self.open.pop(number))
        changes.ended.sort(key=lambda alarm: alarm.number)
        self.labels = labels
        return changes

    def end(self) -> list[Alarm]:
        """No frame follows the last one: the alarms that were open."""
        ended = [*self.open.values()]
        self.open, self.labels = {}, np.zeros_like(self.labels)
        return ended

    def _parts(self, above: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], list[int]]]:
        """Parts of this frame that belong together, with the alarms that they touch."""
        from scipy import ndimage

        before = self.labels > 0
        joint, _ = ndimage.label(np.stack((before, above)), self._structure)
        groups: list[tuple[set[int], set[int]]] = []  # labels of this frame, numbers of alarms
        for label in np.unique(joint[1][above]).tolist():
            numbers = set(np.unique(self.labels[before & (joint[0] == label)]).tolist())
            found = {label}
            for group in [g for g in groups if g[1] & numbers]:
                groups.remove(group)
                found |= group[0]
                numbers |= group[1]
            groups.append((found, numbers))
        for found, numbers in sorted(groups, key=lambda group: min(group[0])):
            yield above & np.isin(joint[1], [*found]), sorted(numbers)

    def _alarm_of(self, numbers: list[int], changes: Changes) -> Alarm | None:
        """The eldest of some alarms, which takes over the others."""
        if not numbers:
            return None
        elder = self.open[numbers[0]]
        for number in numbers[1:]:
            younger = self.open.pop(number)
            elder.extend(younger)
            changes.joined.append((younger, elder))
        return elder

    def _begin(self, alarm: Alarm, changes: Changes) -> Alarm:
        self._count += 1
        alarm.number = self._count
        self.open[alarm.number] = alarm
        changes.begun.append(alarm)
        return alarm


def _alarm_in_frame(
    scores: NDArray[np.float32],
    cells: NDArray[np.bool_],
    frame: int,
    grid: RegionGrid,
) -> Alarm:
    """Some cells of one frame as an alarm, still without a number."""
    inside = np.where(cells, scores, -np.inf)
    row, column = (int(at) for at in np.unravel_index(int(inside.argmax()), inside.shape))
    return Alarm(
        0, frame, frame, float(inside.max()), (frame, row, column), cells_to_box(cells, grid)
    )


def cells_to_box(cells: NDArray[np.bool_], grid: RegionGrid) -> tuple[int, int, int, int]:
    """The box around some cells of a frame, cut at its edge: x0, y0, x1, y1, exclusive."""
    rows, columns = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    side = grid.stride_px
    return (
        int(columns[0]) * side,
        int(rows[0]) * side,
        min((int(columns[-1]) + 1) * side, grid.width_px),
        min((int(rows[-1]) + 1) * side, grid.height_px),
    )
