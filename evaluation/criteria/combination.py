"""Combine all sequences of a test set into the curves and numbers of every criterion.

The results are exact: curves have a point at every score at which a count changes, and cells count
by their area in pixels.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evaluation.criteria.criterion import (
    CriterionResult,
    CurveResult,
    criterion_modules,
)
from evaluation.criteria.curves import Value, check_frames
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.sequences import SequenceStatistics
from vadloc.config import CRITERIA, Criterion
from vadloc.errors import VadlocError

NOT_SERVED = "no ground truth of the evaluated sequences serves it"


@dataclass(frozen=True)
class CriteriaResult:
    """The results of every criterion for a test set.

    Attributes:
        options: The options of the computation.
        criteria: Numbers and curves of each criterion.
    """

    options: CriteriaOptions
    criteria: dict[Criterion, CriterionResult]

    @property
    def curves(self) -> dict[str, CurveResult]:
        """The curves of all criteria, by name."""
        return {name: c for part in self.criteria.values() for name, c in part.curves.items()}

    @property
    def numbers(self) -> dict[str, Value]:
        """The numbers of all criteria that belong to no curve, by their names in the summary."""
        return {name: v for part in self.criteria.values() for name, v in part.numbers.items()}

    @property
    def counts(self) -> dict[str, int]:
        """The counts of all criteria, by their names in ``summary.json``."""
        return {name: n for part in self.criteria.values() for name, n in part.counts.items()}


def combine(
    statistics: Sequence[SequenceStatistics], *, options: CriteriaOptions | None = None
) -> CriteriaResult:
    """Compute all criteria from the statistics of the sequences; their order has no effect.

    Args:
        statistics: Statistics of each sequence, made with the same options.
        options: ``None`` for the defaults.

    Raises:
        VadlocError: There is no frame, or two sequences have the same name.
    """
    options = options or CriteriaOptions()
    _check_names([s.sequence for s in statistics])
    check_frames(sum(len(s.frame_score) for s in statistics))
    without_places = [s.sequence for s in statistics if not s.places_known]
    criteria = {}
    for name, module in criterion_modules().items():
        result = module.combine({s.sequence: s.parts[name] for s in statistics}, options)
        if without_places and module.NEEDS_PLACES:
            reason = f"{without_places[0]} has frame scores only, which do not say where"
            result = result.undefined(reason)
        criteria[name] = result
    return CriteriaResult(options, criteria)


def merge(results: Sequence[tuple[Collection[Criterion], CriteriaResult]]) -> CriteriaResult:
    """Merge results that were computed from different ground truths.

    Args:
        results: Results with the criteria to take from each. No criterion may be taken twice, and
            all results must have the same options.

    Returns:
        The merged result; criteria that are taken from no result are undefined.
    """
    merged = {name: part.undefined(NOT_SERVED) for name, part in results[0][1].criteria.items()}
    for criteria, result in results:
        merged |= {name: result.criteria[name] for name in criteria}
    return CriteriaResult(results[0][1].options, {name: merged[name] for name in CRITERIA})


def _check_names(names: Sequence[str]) -> None:
    """Raise if two sequences have the same name."""
    for i, name in enumerate(names):
        if name in names[:i]:
            raise VadlocError(f"sequence {name!r} was given twice; give each sequence once")
