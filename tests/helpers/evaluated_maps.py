"""All criteria of score maps that are in memory."""

from collections.abc import Iterable

from evaluation.criteria.combination import CriteriaResult, combine
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.sequences import sequence_statistics
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Scores


def evaluate_maps(
    scores: Iterable[Scores],
    truths: Iterable[GroundTruth],
    *,
    options: CriteriaOptions | None = None,
) -> CriteriaResult:
    """The result for sequences whose scores and ground truth are given in the same order."""
    pairs = zip(scores, truths, strict=True)
    statistics = [sequence_statistics(score, truth, options=options) for score, truth in pairs]
    return combine(statistics, options=options)
