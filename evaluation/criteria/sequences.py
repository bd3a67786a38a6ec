"""Statistics of single sequences for all criteria.

Sequences can be processed in parallel; `evaluation.criteria.combination` combines them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.criterion import Observer, criterion_modules
from evaluation.criteria.curves import Events
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.sweep import (
    box_events,
    sequence_events,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.config import Criterion
from vadloc.scores import (
    BoxScores,
    Cells,
    Scores,
)


@dataclass(frozen=True)
class SequenceStatistics:
    """Statistics of one sequence for all criteria; small, and can be pickled.

    Attributes:
        sequence: Name of the sequence.
        frame_score: ``(frames,)`` highest score of each frame, ``-inf`` without any detection; the
            detector's frame score if it gives only frame scores.
        parts: Statistics for each criterion.
        places_known: False if the detector gives only frame scores, without positions.
    """

    sequence: str
    frame_score: NDArray[np.floating[Any]]
    parts: dict[Criterion, Any]
    places_known: bool = True


def sequence_statistics(
    scores: Scores,
    truth: GroundTruth,
    *,
    frame_scores: NDArray[np.float64] | None = None,
    options: CriteriaOptions | None = None,
    threads: int = 1,
) -> SequenceStatistics:
    """Compute the statistics of one sequence for all criteria.

    Args:
        scores: Map or boxes of the sequence.
        truth: Ground truth of the sequence.
        frame_scores: ``(frames,)`` the detector's frame score of each frame, used only at frame
            level; ``None`` for the highest score in the frame.
        options: Options of the criteria, ``None`` for the defaults; ``alpha``, ``rule`` and
            ``alarm_threshold`` are used only by ``combine``.
        threads: Number of frames processed in parallel; it has no effect on the result.

    Raises:
        VadlocError: Scores and ground truth do not fit together, or a score is not finite.
    """
    options = options or CriteriaOptions()
    observers = _observers(truth, options)

    def add(frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        for observer in observers.values():
            observer.add(frame, cells, order)

    if isinstance(scores, BoxScores):
        events = box_events(scores, truth, beta=options.beta)
        for frame in np.flatnonzero(truth.anomalous).tolist():
            add(frame, scores.cells(frame))
    else:
        events = sequence_events(
            scores,
            truth,
            beta=options.beta,
            connectivity=options.connectivity,
            each_frame=add,
            threads=threads,
        )
    own = events.frame_score if frame_scores is None else frame_scores
    parts = {name: observer.statistics(events, own) for name, observer in observers.items()}
    return SequenceStatistics(truth.sequence, events.frame_score, parts)


def _observers(truth: GroundTruth, options: CriteriaOptions) -> dict[Criterion, Observer]:
    modules = criterion_modules()
    return {name: module.observe(truth, options) for name, module in modules.items()}


def frame_statistics(frame_scores: NDArray[np.float64], truth: GroundTruth) -> SequenceStatistics:
    """Statistics of one sequence if the detector gives only frame scores.

    If the test set has such a sequence, only the frame level is defined.

    Args:
        frame_scores: ``(frames,)`` score of each frame.
        truth: Ground truth of the sequence.

    Raises:
        VadlocError: The number of frames differs, or a score is not finite.
    """
    no_score, no_change = np.empty(0), np.empty(0, np.int64)
    events = Events(
        sequence=truth.sequence,
        frame_score=frame_scores,
        lowest_score=float("nan"),
        track=truth.track,
        false_positive_score=no_score,
        false_positive_change=no_change,
        region_score=no_score,
        region=no_change,
        region_change=no_change,
    )
    observers = _observers(truth, CriteriaOptions())
    parts = {
        name: observer.statistics(events, frame_scores) for name, observer in observers.items()
    }
    return SequenceStatistics(truth.sequence, frame_scores, parts, places_known=False)
