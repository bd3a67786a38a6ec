"""Evaluate the scores of several configs as one test set, and beside them what chance would give.

    python -m evaluation.evaluate_together --config fold1.toml fold2.toml --shifts 5

pools the test sequences of all configs, such as the folds of `vadloc.weak_folds`, each of which is
scored by a model that did not learn from its test sequences. With ``--shifts N`` it also says what
the criteria of place reach by chance: the map of each sequence is moved by a random number of rows
and columns, the same in all its frames; what leaves the frame comes in at the other side. Scores of
frames, sizes, forms and durations stay as they are, only the place is random. The numbers are means
over N draws.

``--classes LIST`` names the class of each test video, as ``anomaly_detection.train_on_snippets``
reads them (``Test001 Robbery``, ``Test002 normal``), and adds the frame AUC of each class.
``--plots DIR`` draws the scores of each sequence with the truth shaded, and a grid of them.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.evaluate_scores import loads_by_source
from vadloc.arguments import whole_number
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError
from vadloc.process import emit, exit_status

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evaluation.predictions.folders import Load
    from vadloc.annotations.ground_truth import GroundTruth
    from vadloc.annotations.ssvad_prediction import Prediction

    Shown = dict[str, tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]]

NUMBERS = {"frame AUC": "frame_roc_auc", "RBDC": "region_roc_auc", "TBDC": "track_roc_auc"}


def evaluate_together(
    scenes: Sequence[Artifacts],
    *,
    jobs: int = 1,
    change: "Callable[[Load], Load] | None" = None,
) -> tuple[dict[str, Any], "Shown"]:
    """The summary of the pooled test sequences, and the scores and truth of their frames.

    Args:
        scenes: Results of configs with the same ``[evaluation]``.
        jobs: Sequences side by side.
        change: Applied to what opens each sequence.

    Raises:
        UsageError: The configs differ in ``[evaluation]``.
        VadlocError: Scores are missing, or do not fit the ground truth.
    """
    from evaluation.criteria.options import CriteriaOptions
    from evaluation.each_sequence import (
        FRAME_FIRST,
        evaluate_each,
        summarize,
        truths_by_sequence,
    )

    first = scenes[0].config
    for other in scenes[1:]:
        if other.config.evaluation != first.evaluation:
            raise UsageError(
                f"{other.config.path}: its [evaluation] differs from that of {first.path}; what is "
                "evaluated together has one"
            )
    options = CriteriaOptions(**first.evaluation.model_dump())
    evaluated = [
        (s, evaluate_each([change(x) if change else x for x in loads], options=options, jobs=jobs))
        for s, loads in loads_by_source(scenes)
    ]
    scores = {part.truth.sequence: part.frame_scores for _, parts in evaluated for part in parts}
    truths = truths_by_sequence(evaluated, FRAME_FIRST)
    shown = {name: (scores[name], truth.anomalous) for name, truth in truths.items()}
    return summarize(evaluated, options=options), shown


def load_shifted(load: "Load", *, seed: int) -> tuple["Prediction", "GroundTruth"]:
    """A sequence whose score map is moved by a random number of rows and columns.

    Args:
        load: Opens the sequence.
        seed: With the name of the sequence, of the move.

    Raises:
        UsageError: The scores do not localize.
    """
    import numpy as np

    from vadloc.scores import ScoreMap

    prediction, truth = load()
    if not isinstance(prediction.scores, ScoreMap):
        raise UsageError(f"{prediction.sequence}: its scores have no place that could be moved")
    rng = np.random.default_rng([seed, *prediction.sequence.encode()])
    scores = shifted(prediction.scores.scores, rng)
    moved = replace(prediction.scores, scores=scores)
    return replace(prediction, scores=moved), truth


def move_load(load: "Load", *, seed: int) -> "Load":
    """What opens the same sequence with a moved score map; see `load_shifted`."""
    return partial(load_shifted, load, seed=seed)


def shifted(scores: "np.ndarray[Any, Any]", rng: "np.random.Generator") -> "np.ndarray[Any, Any]":
    """Score maps ``(frames, rows, columns)`` moved around, all frames alike."""
    import numpy as np

    moves = tuple(int(rng.integers(count)) for count in scores.shape[1:])
    return np.roll(scores, moves, axis=(1, 2))


def _line(label: str, summaries: Sequence[dict[str, Any]]) -> str:
    """Means of the main numbers over summaries."""
    words = [label]
    for text, name in NUMBERS.items():
        values = [s[name] for s in summaries if s.get(name) is not None]
        found = f"{sum(values) / len(values):.3f}" if values else "undefined"
        words.append(f"{text} {found}")
    return "  ".join(words)


def _show(args: argparse.Namespace, shown: "Shown", threshold: float) -> None:
    """Print the numbers by class, and draw the scores, if that is wanted."""
    if args.classes:
        from evaluation.evaluate_snippets import numbers_by_class, numbers_to_text

        emit(numbers_to_text(numbers_by_class(shown, args.classes)))
    if args.plots:
        from evaluation.figures.score_plots import draw_videos

        draw_videos(args.plots, shown, threshold=threshold)
        emit(f"plots: {args.plots}")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Evaluate the scores of several configs as one test set.")
    add = parser.add_argument
    add("--config", type=Path, nargs="+", required=True, metavar="FILE", help="TOML files")
    add("--version", default="", metavar="NAME", help="default: the configs'")
    add("--results", type=Path, default=Path("results"), metavar="DIR")
    add("--datasets", type=Path, default=Path("datasets"), metavar="DIR")
    add("--shifts", type=whole_number, default=0, metavar="N", help="draws of chance; default: 0")
    add("--classes", type=Path, metavar="LIST", help="test videos with their classes")
    add("--plots", type=Path, metavar="DIR", help="draw the scores over time into this folder")
    add("--jobs", type=whole_number, default=1, metavar="N", help="sequences side by side")
    add_verbose_option(parser)
    args: argparse.Namespace = parser.parse_args(argv)
    with exit_status(verbose=args.verbose):
        scenes = [
            Artifacts(load_config(path), args.results, args.datasets, args.version)
            for path in args.config
        ]
        pooled, shown = evaluate_together(scenes, jobs=args.jobs)
        emit(_line(f"{pooled['counts']['frames']} frames:", [pooled]))
        _show(args, shown, pooled["options"]["alarm_threshold"])
        if args.shifts:
            draws = [
                evaluate_together(
                    scenes,
                    jobs=args.jobs,
                    change=partial(move_load, seed=seed),
                )[0]
                for seed in range(args.shifts)
            ]
            emit(_line(f"by chance, mean of {args.shifts} draws:", draws))


if __name__ == "__main__":
    main()
