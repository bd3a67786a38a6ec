"""Frame level: all frames are ranked by one score each."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.criterion import CriterionResult
from evaluation.criteria.curves import Events, Value
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.ranking import (
    RankedFrames,
    average_precision,
    false_alarm_rate,
    join_frames,
    rank_frames,
    roc_result,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Cells

NEEDS_PLACES = False
LABELS = {
    "frame AUC (micro)": "frame_roc_auc",
    "frame AUC (macro)": "frame_macro_roc_auc",
    "frame EER": "frame_eer",
}
DEFINITIONS = {
    "frame_roc_auc": "micro: all frames of all sequences ranked together by their highest score",
    "eer": "the point of the curve where FPR = 1 - TPR",
}
FIGURES = {"frame": ("roc_frame", "frame level")}


class FrameObserver:
    """Ranks the frames of a sequence."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth

    def add(self, frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        """Do nothing, since this criterion needs only frame scores."""

    def statistics(self, _events: Events, frame_scores: NDArray[np.floating[Any]]) -> RankedFrames:
        """The ranking of the frames.

        Raises:
            VadlocError: The number of frames differs, or a score is not finite.
        """
        return rank_frames(frame_scores, self._truth)


def observe(truth: GroundTruth, _options: CriteriaOptions) -> FrameObserver:
    """The observer of a sequence."""
    return FrameObserver(truth)


def combine(statistics: Mapping[str, RankedFrames], options: CriteriaOptions) -> CriterionResult:
    """Rank all frames together (micro), and average over sequences with both classes (macro)."""
    frames = join_frames(statistics.values())
    by_sequence = {name: roc_result(ranked) for name, ranked in statistics.items()}
    normal = [ranked for ranked in statistics.values() if not ranked.anomalous_count]
    return CriterionResult(
        curves={"frame": roc_result(frames)},
        numbers={
            "frame_macro_roc_auc": _mean(roc.auc for roc in by_sequence.values()),
            "frame_macro_eer": _mean(roc.eer for roc in by_sequence.values()),
            "frame_average_precision": average_precision(frames),
            "false_alarm_rate": false_alarm_rate(frames, threshold=options.alarm_threshold),
            "normal_video_false_alarm_rate": _of_normal(normal, options),
        },
        auc_by_sequence={name: roc.auc for name, roc in by_sequence.items()},
        counts={
            "normal_frames": len(frames.normal_score),
            "anomalous_frames": frames.anomalous_count,
        },
    )


def _of_normal(sequences: list[RankedFrames], options: CriteriaOptions) -> Value:
    """Share of the frames of sequences without any anomaly that score at least the threshold."""
    if not sequences:
        return Value.undefined("no sequence is without anomalies")
    return false_alarm_rate(join_frames(sequences), threshold=options.alarm_threshold)


def _mean(values: Iterable[Value | None]) -> Value:
    """Mean of the defined values."""
    defined = [value.value for value in values if value is not None and value.reason is None]
    if not defined:
        return Value.undefined("no sequence has both normal and anomalous frames")
    return Value(float(np.mean(defined)))
