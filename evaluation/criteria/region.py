"""Region level (RBDC): share of annotated regions found, over false positives per frame."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.areas import area_under
from evaluation.criteria.criterion import CriterionResult, CurveResult
from evaluation.criteria.curves import Events, detection_curve
from evaluation.criteria.options import CriteriaOptions
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Cells

NEEDS_PLACES = True
LABELS = {"RBDC": "region_roc_auc"}
DEFINITIONS = {
    "detected region": "component of {score >= t} in one frame",
    "found region": "annotated region with IoU >= beta to some detected region of its frame",
    "false positive": "detected region with IoU < beta to every annotated region of its frame",
    "region_roc_auc": "RBDC: found regions / all regions over false positives / all frames, 0 to 1",
}
FIGURES = {"region": ("detection", "regions (RBDC)")}


class EventsObserver:
    """Returns the events of detected regions as the statistics of a sequence."""

    def add(self, frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        """Do nothing, since this criterion needs only the events."""

    def statistics(self, events: Events, _frame_scores: NDArray[np.floating[Any]]) -> Events:
        """The events of detected regions."""
        return events


def observe(_truth: GroundTruth, _options: CriteriaOptions) -> EventsObserver:
    """The observer of a sequence."""
    return EventsObserver()


def combine(statistics: Mapping[str, Events], options: CriteriaOptions) -> CriterionResult:
    """Compute the curve of all sequences together, and its area by the rule of the options."""
    curve = detection_curve(list(statistics.values()), alpha=options.alpha).region
    return CriterionResult({"region": CurveResult(curve, area_under(curve, rule=options.rule))})
