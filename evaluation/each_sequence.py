"""Evaluate single sequences, several in parallel, and then combine all of them."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluation.criteria.combination import CriteriaResult, combine, merge
from evaluation.criteria.options import CriteriaOptions
from evaluation.criteria.sequences import (
    SequenceStatistics,
    frame_statistics,
    sequence_statistics,
)
from evaluation.predictions.folders import Load
from evaluation.predictions.painting import boxes_to_map
from evaluation.results import Basis, result_to_curves, result_to_summary
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.config import CRITERIA, Criterion
from vadloc.errors import UsageError, VadlocError
from vadloc.process import thread_count
from vadloc.scores import BoxScores
from vadloc.video.frames import natural_key

logger = logging.getLogger(__name__)
Boxes: TypeAlias = Literal["regions", "map"]
BOXES = ("regions", "map")
FRAME_FIRST: tuple[Criterion, ...] = ("frame",)
PLACES_FIRST: tuple[Criterion, ...] = ("region", "track", "pixel")


class Source(NamedTuple):
    """A ground truth of some sequences.

    Attributes:
        ground_truth: File or folder of the annotation, for the summary.
        format: A key of `vadloc.annotations.READERS`, for the summary.
        derived: True if the config says that regions or tracks were computed; the files may say so
            too.
        criteria: The criteria that are computed from this ground truth.
    """

    ground_truth: str = ""
    format: str = ""
    derived: bool = False
    criteria: tuple[Criterion, ...] = CRITERIA


class Evaluated(NamedTuple):
    """One evaluated sequence.

    Attributes:
        statistics: Statistics of the sequence for all criteria.
        frame_scores: ``(frames,)`` score of each frame, for figures.
        truth: Ground truth without masks, which take most of the memory.
        cut_boxes: Number of detected boxes that stuck out of the frame and were cut to it.
    """

    statistics: SequenceStatistics
    frame_scores: NDArray[np.floating[Any]]
    truth: GroundTruth
    cut_boxes: int = 0


def evaluate_each(
    loads: Sequence[Load],
    *,
    options: CriteriaOptions,
    boxes: Boxes = "regions",
    jobs: int = 1,
    show_progress: bool = False,
) -> list[Evaluated]:
    """Compute the statistics of each sequence, the first half of `evaluate_sequences`.

    The arguments are those of `evaluation.api.evaluate_sequences`.

    Raises:
        VadlocError: The error of the first sequence that cannot be evaluated.
    """
    if boxes not in BOXES:
        raise UsageError(f"boxes is {boxes!r}, expected one of {', '.join(BOXES)}")
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected 1 or more")
    parts: list[Evaluated] = []
    outcomes = _outcomes(loads, options, boxes, min(jobs, len(loads)))
    for outcome in _with_bar(outcomes, len(loads), shown=show_progress):
        if isinstance(outcome, VadlocError):
            raise outcome
        parts.append(outcome)
    return parts


def summarize(
    evaluated: Sequence[tuple[Source, Sequence[Evaluated]]],
    *,
    options: CriteriaOptions,
    plots: Path | None = None,
) -> dict[str, Any]:
    """Combine all sequences, the second half of `evaluation.api.evaluate_sequences`.

    Args:
        evaluated: Each ground truth with its evaluated sequences. Each criterion may be computed
            from at most one ground truth; a criterion without ground truth is undefined.
        options: Options of the criteria.
        plots: As in `evaluation.api.evaluate_folder`.

    Returns:
        A dict as from `evaluation.api.evaluate`.
    """
    results = [
        (source.criteria, combine([part.statistics for part in parts], options=options))
        for source, parts in evaluated
    ]
    result = merge(results)
    if plots is not None:
        _save_plots(plots, result, evaluated)
    bases = [(source.criteria, _basis(source, parts)) for source, parts in evaluated]
    stands_on = {criterion: basis for criteria, basis in bases for criterion in criteria}
    content = {**result_to_summary(result, stands_on), "curves": result_to_curves(result)}
    _add_adjustments(content, [part for _, parts in evaluated for part in parts])
    return content


def _add_adjustments(content: dict[str, Any], parts: Sequence[Evaluated]) -> None:
    """Add the numbers of annotated and detected regions that were cut to the frame."""
    content["counts"]["regions_cut_to_frame"] = sum(part.truth.cut_regions for part in parts)
    content["counts"]["detections_cut_to_frame"] = sum(part.cut_boxes for part in parts)


def _basis(source: Source, parts: Sequence[Evaluated]) -> Basis:
    given = (part.truth.mask_threshold for part in parts)
    thresholds = sorted({threshold for threshold in given if threshold is not None})
    for threshold in thresholds:
        logger.info("masks: pixels are anomalous from level %g on", threshold)
    return Basis(
        ground_truth=source.ground_truth,
        format=source.format,
        derived=source.derived or any(part.truth.derived for part in parts),
        frames={part.truth.sequence: part.truth.frame_count for part in parts},
        region_count=sum(part.truth.region_count for part in parts),
        track_count=sum(len(part.truth.track_ids) for part in parts),
        mask_thresholds=tuple(thresholds),
    )


def _save_plots(
    folder: Path,
    result: CriteriaResult,
    evaluated: Sequence[tuple[Source, Sequence[Evaluated]]],
) -> None:
    """Save plots of the curves, and of the frame scores with the threshold at their EER."""
    from evaluation.figures.plots import (
        save_evaluation_plots,
        save_score_plots,
    )

    save_evaluation_plots(folder, result)
    truths = truths_by_sequence(evaluated, FRAME_FIRST)
    scores = {
        part.truth.sequence: (part.frame_scores, truths[part.truth.sequence].anomalous)
        for _, parts in evaluated
        for part in parts
    }
    found = result.curves["frame"].eer_threshold
    threshold = None if found is None or not np.isfinite(found.value) else found.value
    save_score_plots(folder, scores, threshold=threshold)


def truths_by_sequence(
    evaluated: Sequence[tuple[Source, Sequence[Evaluated]]], order: Sequence[Criterion]
) -> dict[str, GroundTruth]:
    """One ground truth for each sequence, from the source of the first criterion in an order.

    Args:
        evaluated: As in `summarize`.
        order: Criteria in the order of preference; other criteria come last.
    """
    found: dict[str, GroundTruth] = {}
    for criterion in (*order, *CRITERIA):
        for source, parts in evaluated:
            if criterion in source.criteria:
                for part in parts:
                    found.setdefault(part.truth.sequence, part.truth)
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))


def _outcomes(
    loads: Sequence[Load], options: CriteriaOptions, boxes: Boxes, jobs: int
) -> Iterable[Evaluated | VadlocError]:
    """The outcome of each sequence, in the order of the sequences."""
    if jobs <= 1:
        return (_outcome(load, options, boxes) for load in loads)
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, return_as="generator")
    done: Iterable[Evaluated | VadlocError] = pool(
        delayed(_outcome)(load, options, boxes) for load in loads
    )
    return done


def _outcome(load: Load, options: CriteriaOptions, boxes: Boxes) -> Evaluated | VadlocError:
    """An evaluated sequence, or the error that prevented it."""
    try:
        prediction, truth = load()
        scores = prediction.scores
        if boxes == "map" and isinstance(scores, BoxScores):
            scores = boxes_to_map(scores)
        if scores is not None:
            own = prediction.frame_score
            statistics = sequence_statistics(
                scores, truth, frame_scores=own, options=options, threads=thread_count()
            )
        elif prediction.frame_score is not None:
            statistics = frame_statistics(prediction.frame_score, truth)
        else:
            raise VadlocError(f"{prediction.sequence}: a prediction without any score")
    except VadlocError as error:
        return error
    own = prediction.frame_score
    shown = statistics.frame_score if own is None else own
    return Evaluated(statistics, shown, replace(truth, masks=None), prediction.cut_boxes)


def _with_bar(
    outcomes: Iterable[Evaluated | VadlocError], total: int, *, shown: bool
) -> Iterable[Evaluated | VadlocError]:
    if not shown:
        return outcomes
    from tqdm import tqdm

    return tqdm(outcomes, total=total, desc="evaluation", unit="sequence")
