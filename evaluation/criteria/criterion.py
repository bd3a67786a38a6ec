"""What a criterion is: the contract of the modules ``frame``, ``pixel``, ``region`` and ``track``.

A criterion is a module of this folder that is named in `vadloc.config.CURVES`. It looks at each
sequence by an `Observer`, which may be done side by side, and makes its numbers and curves of what
the observers of all sequences return.
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
    """Collects what a criterion needs of one sequence."""

    def add(self, frame: int, cells: Cells, order: NDArray[np.int32] | None = None) -> None:
        """Take a frame in; called in any order, and from several threads at once.

        It is called for frames with annotated regions only, so that a map is read and sorted once
        for all criteria; not at all where the detector scores frames and does not say where.

        Args:
            frame: 0-based frame.
            cells: Its scores.
            order: Indices of its cells from the highest score to the lowest, if known.
        """

    def statistics(self, events: Events, frame_scores: NDArray[np.floating[Any]], /) -> Any:
        """What the sequence adds to the criterion; small, can be pickled.

        Args:
            events: Changes of detected regions; none where the detector scores frames only.
            frame_scores: ``(frames,)`` the detector's own score of each frame, or the highest
                score in it.

        Raises:
            VadlocError: The scores are unusable.
        """


class CriterionModule(Protocol):
    """A criterion.

    Attributes:
        NEEDS_PLACES: Whether it is undefined if the detector scores frames and does not say where.
        LABELS: What papers call its main numbers, each with its name in ``summary.json``. They
            stand in the printed and written tables.
        DEFINITIONS: The definitions of its numbers, for ``summary.json``.
        FIGURES: For each curve the figure that shows it, and its name in the legend.
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
            statistics: What the observer of each sequence returned, by the sequence's name; of at
                least one sequence with frames.
            options: Those that the observers had.
        """


@dataclass(frozen=True)
class CurveResult:
    """A curve and its numbers.

    Attributes:
        curve: Rate over false positive rate.
        auc: Area under it.
        eer: Error rate where FPR = 1 - TPR; ``None`` if false positives are counted per frame.
        eer_threshold: Highest threshold whose point lies on or past that; ``None`` likewise.
    """

    curve: RateCurve
    auc: Value
    eer: Value | None = None
    eer_threshold: Value | None = None

    def undefined(self, reason: str) -> "CurveResult":
        """A curve without any point, and undefined numbers."""
        nothing, nan = Value.undefined(reason), np.full(1, np.nan)
        curve = RateCurve(np.full(1, np.inf), nan, nan, reason=reason)
        none = (None if value is None else nothing for value in (self.eer, self.eer_threshold))
        return CurveResult(curve, nothing, *none)


@dataclass(frozen=True)
class CriterionResult:
    """Numbers and curves of a criterion.

    Attributes:
        curves: Its curves, those that `vadloc.config.CURVES` names.
        numbers: Further numbers, by their names in ``summary.json``; those that end as
            ``evaluation.results.NUMBER_ENDINGS`` says stand in ``summary.csv``, too.
        auc_by_sequence: Area of each sequence by itself; ``None`` if the criterion has none.
        counts: What was counted, by its name in ``summary.json``.
    """

    curves: dict[str, CurveResult]
    numbers: dict[str, Value] = field(default_factory=dict)
    auc_by_sequence: dict[str, Value] | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def undefined(self, reason: str) -> "CriterionResult":
        """A result with the same names, undefined numbers and counts of 0."""
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
