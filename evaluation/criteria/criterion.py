"""The interface of a criterion: what ``frame``, ``pixel``, ``region`` and ``track`` must define.

A criterion is a module of this folder whose name is in `vadloc.config.CURVES`. An `Observer`
collects its statistics of one sequence; sequences may be processed in parallel. From the statistics
of all sequences the criterion computes its numbers and curves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.curves import (
    Events,
    RateCurve,
    Value,
)
from evaluation.criteria.options import CriteriaOptions
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.config import CRITERIA, Criterion
from vadloc.scores import Cells


class Observer(Protocol):
    """Collects the statistics of one sequence for a criterion."""

    def add(self, frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        """Add a frame; called in any order and from several threads at the same time.

        It is called for each frame with annotated regions, so that a map is read and sorted once
        for all criteria. It is never called if the detector gives only frame scores.

        Args:
            frame: 0-based frame.
            cells: Scores of the frame.
            order: Indices of the cells from the highest score to the lowest, if known.
        """

    def statistics(self, events: Events, frame_scores: NDArray[np.floating[Any]], /) -> Any:
        """The statistics of the sequence; small, and can be pickled.

        Args:
            events: Changes of the detected regions; none if the detector gives only frame scores.
            frame_scores: ``(frames,)`` the detector's frame score of each frame if it gives one,
                otherwise the highest score in the frame.

        Raises:
            VadlocError: The scores are unusable.
        """


class CriterionModule(Protocol):
    """A criterion.

    Attributes:
        NEEDS_PLACES: Whether the criterion is undefined if the detector gives only frame scores.
        LABELS: The main numbers, which tables show: their names in papers, each with its name in
            ``summary.json``.
        DEFINITIONS: The definitions of the numbers, for ``summary.json``.
        FIGURES: For each curve the figure that shows it, and the name of the curve in the legend.
    """

    NEEDS_PLACES: bool
    LABELS: dict[str, str]
    DEFINITIONS: dict[str, str]
    FIGURES: dict[str, tuple[str, str]]

    def observe(self, truth: GroundTruth, options: CriteriaOptions, /) -> Observer:
        """The observer of a sequence."""

    def combine(
        self, statistics: Mapping[str, Any], options: CriteriaOptions, /
    ) -> "CriterionResult":
        """Numbers and curves of a test set.

        Args:
            statistics: The statistics of each sequence, by name; at least one sequence has frames.
            options: The options that the observers had.
        """


@dataclass(frozen=True)
class CurveResult:
    """A curve and its numbers.

    Attributes:
        curve: Rate over false positive rate.
        auc: Area under the curve.
        eer: Error rate where FPR = 1 - TPR; ``None`` if false positives are counted per frame.
        eer_threshold: Highest threshold whose point is at or beyond the equal error rate; ``None``
            if ``eer`` is.
    """

    curve: RateCurve
    auc: Value
    eer: Value | None = None
    eer_threshold: Value | None = None

    def undefined(self, reason: str) -> "CurveResult":
        """The same result with a curve without points and undefined numbers."""
        nothing, nan = Value.undefined(reason), np.full(1, np.nan)
        curve = RateCurve(np.full(1, np.inf), nan, nan, reason=reason)
        none = (None if value is None else nothing for value in (self.eer, self.eer_threshold))
        return CurveResult(curve, nothing, *none)


@dataclass(frozen=True)
class CriterionResult:
    """Numbers and curves of a criterion.

    Attributes:
        curves: The curves, by their names in `vadloc.config.CURVES`.
        numbers: Further numbers, by their names in ``summary.json``. ``summary.csv`` has those
            whose names end as in ``evaluation.results.NUMBER_ENDINGS``.
        auc_by_sequence: Area of each single sequence; ``None`` if the criterion has none.
        counts: Further counts, by their names in ``summary.json``.
    """

    curves: dict[str, CurveResult]
    numbers: dict[str, Value] = field(default_factory=dict)
    auc_by_sequence: dict[str, Value] | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def undefined(self, reason: str) -> "CriterionResult":
        """The same result with undefined numbers and counts of 0."""
        return replace(
            self,
            curves={name: curve.undefined(reason) for name, curve in self.curves.items()},
            numbers=dict.fromkeys(self.numbers, Value.undefined(reason)),
            auc_by_sequence=None if self.auc_by_sequence is None else {},
            counts=dict.fromkeys(self.counts, 0),
        )


def criterion_module(name: Criterion) -> CriterionModule:
    """The module of a criterion."""
    return cast("CriterionModule", import_module(f"evaluation.criteria.{name}"))


def criterion_modules() -> dict[Criterion, CriterionModule]:
    """The module of each criterion."""
    return {name: criterion_module(name) for name in CRITERIA}
