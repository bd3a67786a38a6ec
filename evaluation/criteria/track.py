"""Track level (TBDC): share of annotated tracks found, over false positives per frame."""

from collections.abc import Mapping

from evaluation.criteria import region
from evaluation.criteria.areas import area_under
from evaluation.criteria.criterion import CriterionResult, CurveResult
from evaluation.criteria.curves import Events, detection_curve
from evaluation.criteria.options import CriteriaOptions

NEEDS_PLACES = True
LABELS = {"TBDC": "track_roc_auc"}
DEFINITIONS = {
    "found track": "track of which at least the share alpha of its regions is found",
    "track_roc_auc": "TBDC: found tracks / all tracks over false positives / all frames, 0 to 1",
}
FIGURES = {"track": ("detection", "tracks (TBDC)")}


observe = region.observe
"""The observer of a sequence."""


def combine(statistics: Mapping[str, Events], options: CriteriaOptions) -> CriterionResult:
    """Compute the curve of all sequences together, and its area by the rule of the options."""
    curve = detection_curve(list(statistics.values()), alpha=options.alpha).track
    return CriterionResult({"track": CurveResult(curve, area_under(curve, rule=options.rule))})
