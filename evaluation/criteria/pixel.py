"""Pixel level and dual pixel level: a frame is found if enough of its anomalous pixels are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.criterion import CriterionResult
from evaluation.criteria.curves import Events
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.pixel_levels import PixelLevels
from evaluation.criteria.ranking import RankedFrames, join_frames, roc_result
from vadloc.annotations.ground_truth import GroundTruth

NEEDS_PLACES = True
LABELS = {"pixel AUC": "pixel_roc_auc", "dual pixel AUC": "dual_pixel_roc_auc"}
DEFINITIONS = {
    "pixel_roc_auc": "an anomalous frame is found if the pixel share of its anomaly is detected",
    "dual_pixel_roc_auc": "in addition the dual share of what is detected is anomalous",
}
FIGURES = {
    "pixel": ("roc_pixel", "pixel level"),
    "dual_pixel": ("roc_pixel", "dual pixel level"),
}


class PixelStatistics(NamedTuple):
    """Statistics of one sequence for the pixel levels.

    Attributes:
        pixel: Ranking of the frames at pixel level.
        dual_pixel: Ranking of the frames at dual pixel level.
        frames_without_pixels: Number of anomalous frames without annotated pixels. They count at
            frame level. At both pixel levels they are left out, because they are not normal and
            have nothing to find.
    """

    pixel: RankedFrames
    dual_pixel: RankedFrames
    frames_without_pixels: int


class PixelObserver(PixelLevels):
    """Collects the scores at which the anomalous frames of a sequence are found."""

    def __init__(self, truth: GroundTruth, options: CriteriaOptions) -> None:
        super().__init__(truth, pixel_share=options.pixel_share, dual_share=options.dual_share)
        self._anomalous = truth.anomalous

    def statistics(
        self, events: Events, _frame_scores: NDArray[np.floating[Any]]
    ) -> PixelStatistics:
        """The rankings; a normal frame counts by its highest score, not by its frame score."""
        normal, found = events.frame_score[~self._anomalous], self.found_score
        count = len(found)
        return PixelStatistics(
            pixel=RankedFrames(normal, found, np.ones(count, np.int64), count),
            dual_pixel=RankedFrames(normal, self.dual_score, self.dual_change, count),
            frames_without_pixels=int(np.count_nonzero(self._anomalous)) - count,
        )


def observe(truth: GroundTruth, options: CriteriaOptions) -> PixelObserver:
    """The observer of a sequence."""
    return PixelObserver(truth, options)


def combine(
    statistics: Mapping[str, PixelStatistics], _options: CriteriaOptions
) -> CriterionResult:
    """Rank all frames of all sequences together."""
    parts = statistics.values()
    return CriterionResult(
        curves={
            "pixel": roc_result(join_frames(part.pixel for part in parts)),
            "dual_pixel": roc_result(join_frames(part.dual_pixel for part in parts)),
        },
        counts={
            "anomalous_frames_without_pixels": sum(part.frames_without_pixels for part in parts)
        },
    )
