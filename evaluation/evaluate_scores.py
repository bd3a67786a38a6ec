"""Evaluate the scores of all test sequences against the ground truth.

    python -m evaluation.evaluate_scores --config configs/ped2.toml

evaluates the score maps of this pipeline. It writes ``summary.json``, tables, curves and plots to
``evaluation/<version>/`` and prints the main numbers. Without a config it evaluates any detector:

    python -m evaluation.evaluate_scores --ground-truth DIR --format NAME --predictions DIR
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation import evaluate_predictions
from evaluation.result_files import add_all_rules, emit_summary, write_tables
from vadloc.arguments import artifacts_of, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import EVALUATE, TRUTH_CLAIM, Artifacts
from vadloc.config import CRITERIA, CURVES, Criterion, GroundTruthSource
from vadloc.errors import VadlocError
from vadloc.process import emit, exit_status
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

if TYPE_CHECKING:  # NumPy is imported late, so that --help is fast
    from evaluation.each_sequence import Evaluated, Source
    from evaluation.predictions.folders import Load
    from vadloc.annotations.ground_truth import GroundTruth
    from vadloc.annotations.ssvad_prediction import Prediction
    from vadloc.scores import ScoreMap

COMMAND = EVALUATE
SUMMARY = "summary.json"
FRAME_LABELS = "frame_labels.json"
"""File with the annotation for the report."""
EPILOG = (
    "Without a config: --ground-truth DIR --format NAME --predictions DIR evaluates any detector; "
    "--predictions DIR --help lists its options."
)


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """Artifacts of the evaluation: curves and summary; the summary is written last."""
    curves = (curve for curves in CURVES.values() for curve in curves)
    names = [f"{curve}_{axis}.npy" for curve in curves for axis in ("fpr", "tpr", "thresholds")]
    first = (SUMMARY, FRAME_LABELS, TRUTH_CLAIM)
    return [artifacts.evaluation(name) for name in (*first, *names)]


def compute(work: Work, *, jobs: int = 1) -> Iterator[tuple[Artifact, Any]]:
    """Evaluate all test sequences, or the sequences to which the artifacts are limited.

    Raises:
        VadlocError: Scores are missing, or do not fit the ground truth.
    """
    from evaluation.criteria.options import CriteriaOptions
    from evaluation.each_sequence import (
        FRAME_FIRST,
        PLACES_FIRST,
        evaluate_each,
        summarize,
        truths_by_sequence,
    )

    artifacts = work.artifacts
    check_test_set(artifacts)
    _check_classes(artifacts)
    summary = artifacts.evaluation(SUMMARY)
    options = CriteriaOptions(**work.config.evaluation.model_dump())
    loads = loads_by_source([artifacts])
    yield artifacts.evaluation(TRUTH_CLAIM), {"schema": SCHEMAS["ground_truth"]}
    evaluated = [(s, evaluate_each(part, options=options, jobs=jobs)) for s, part in loads]
    content = summarize(evaluated, options=options, plots=summary.path.parent / "plots")
    content["localizes"] = all(
        artifacts.score_details(s.name).load().get("localizes", True)
        for source in artifacts.ground_truths
        for s in artifacts.covered(source)
    )
    if artifacts.is_part():
        content["part_of"] = len(artifacts.sequences("test"))
    if artifacts.mined and artifacts.round:
        content["mined"] = artifacts.mined.words
    if artifacts.classes:
        content["by_class"] = _by_class(artifacts.classes, evaluated)
    for name, curve in content.pop("curves").items():
        yield artifacts.evaluation(f"{name}.npy"), curve
    write_tables(summary.path.parent, content)
    labels = truths_to_frame_labels(
        truths_by_sequence(evaluated, FRAME_FIRST), truths_by_sequence(evaluated, PLACES_FIRST)
    )
    yield artifacts.evaluation(FRAME_LABELS), labels
    yield summary, content
    work.count(**content["counts"])


def _check_classes(artifacts: Artifacts) -> None:
    """Refuse a list of classes that lacks a test sequence, before anything is evaluated."""
    from evaluation.evaluate_snippets import listed_classes

    if artifacts.classes:
        names = [s.name for source in artifacts.ground_truths for s in artifacts.covered(source)]
        listed_classes(artifacts.classes, names)


def _by_class(
    classes: Path, evaluated: "Sequence[tuple[Source, Sequence[Evaluated]]]"
) -> dict[str, float | None]:
    """The frame AUC of each class: the sequences that show it and the normal ones."""
    from evaluation.each_sequence import FRAME_FIRST, truths_by_sequence
    from evaluation.evaluate_snippets import numbers_by_class

    truths = truths_by_sequence(evaluated, FRAME_FIRST)
    shown = {
        part.truth.sequence: (part.frame_scores, truths[part.truth.sequence].anomalous)
        for _, parts in evaluated
        for part in parts
    }
    found: dict[str, float | None] = numbers_by_class(shown, classes)["auc_by_class"]
    return found


def loads_by_source(scenes: Sequence[Artifacts]) -> list[tuple["Source", list["Load"]]]:
    """Functions that open the sequences, for each source of ground truth.

    Args:
        scenes: Results of one or more configs, evaluated as one test set. If sequences of two
            scenes have the same name, they are called ``<scene>/<sequence>``.

    Returns:
        Sources, each with the functions that open its sequences. Each criterion with ground truth
        belongs to one source. A source may combine ground truths of several scenes that are used
        for the same criteria.

    Raises:
        VadlocError: A config names no ground truth, or none that covers the evaluated sequences.
    """
    from evaluation.each_sequence import Source

    served: dict[tuple[tuple[int, int], ...], list[Criterion]] = {}
    for criterion in CRITERIA:
        served.setdefault(tuple(_serving(scenes, criterion)), []).append(criterion)
    served.pop((), None)
    if not served:
        raise VadlocError(
            f"{scenes[0].config.path}: no ground truth covers {', '.join(scenes[0].part)}; "
            "[[ground_truth]] sequences says which ones it covers"
        )
    names = Counter(s.name for artifacts in scenes for s in artifacts.sequences("test"))
    found = []
    for keys, criteria in sorted(served.items()):
        truths = [scenes[scene].ground_truths[source] for scene, source in keys]
        derived = any(truth.derived for truth in truths)
        source = Source(truths[0].path, truths[0].format, derived, tuple(criteria))
        loads = [load for scene, index in keys for load in _loads(scenes[scene], index, names)]
        found.append((source, loads))
    return found


def _serving(scenes: Sequence[Artifacts], criterion: Criterion) -> Iterator[tuple[int, int]]:
    """Indices of a scene and of its ground truth, for each pair used for a criterion."""
    for scene, artifacts in enumerate(scenes):
        for index, source in enumerate(artifacts.ground_truths):
            if criterion in source.criteria and artifacts.covered(source):
                yield scene, index


def _loads(artifacts: Artifacts, index: int, names: Mapping[str, int]) -> list["Load"]:
    """Functions that open the sequences of a ground truth; ``names`` counts names in all scenes."""
    source, scene = artifacts.ground_truths[index], artifacts.config.dataset.name
    counts = _count_frames(artifacts, source)
    pooled = {
        s.name: f"{scene}/{s.name}" if names[s.name] > 1 else s.name
        for s in artifacts.covered(source)
    }
    return [
        partial(load_pair, artifacts, source, name, frame_counts=counts, pooled_name=pooled_name)
        for name, pooled_name in pooled.items()
    ]


def truths_to_frame_labels(
    labelled: Mapping[str, "GroundTruth"], placed: Mapping[str, "GroundTruth"]
) -> dict[str, Any]:
    """The annotation of each test sequence, for reports that show it beside the detections.

    Args:
        labelled: For each sequence, the ground truth with the anomalous frames.
        placed: For each sequence, the ground truth with the regions.

    Returns:
        ``anomalous_frames``: for each sequence, the first and last 0-based frame of each anomalous
        interval; ``regions``: for each sequence, ``frame``, ``track`` and ``box_xyxy_px`` of its
        annotated regions.
    """
    from evaluation.figures.plots import runs

    stretches = {
        name: [[first, end - 1] for first, end in runs(truth.anomalous)]
        for name, truth in labelled.items()
    }
    regions = {
        name: {
            "frame": truth.frame.tolist(),
            "track": truth.track.tolist(),
            "box_xyxy_px": truth.box_xyxy_px.tolist(),
        }
        for name, truth in placed.items()
    }
    schema = SCHEMAS["evaluation"]
    return {"schema": schema, "anomalous_frames": stretches, "regions": regions}


def check_test_set(artifacts: Artifacts) -> None:
    """Check for each ground truth that test sequences and annotations belong together one to one.

    Raises:
        VadlocError: A sequence has no annotation, or an annotation no sequence.
    """
    from vadloc.annotations.pairing import check_pairs

    for source in artifacts.ground_truths:
        check_pairs(
            artifacts.truth_folder(source),
            source.format,
            [sequence.name for sequence in artifacts.covered(source)],
            what="test video",
            is_part=artifacts.evaluates_some() or bool(source.sequences),
        )


def _count_frames(artifacts: Artifacts, source: GroundTruthSource) -> dict[str, int] | None:
    """Number of frames of each sequence of a ground truth, if one file annotates all of them."""
    from vadloc.annotations.pairing import counts_if_needed

    names = source.sequences or [sequence.name for sequence in artifacts.every_sequence("test")]
    return counts_if_needed(
        source.format,
        artifacts.truth_folder(source),
        names,
        lambda name: int(artifacts.at_round(0).score_details(name).load()["frame_count"]),
    )


def load_pair(
    artifacts: Artifacts,
    source: GroundTruthSource,
    sequence: str,
    *,
    frame_counts: Mapping[str, int] | None = None,
    pooled_name: str,
) -> tuple["Prediction", "GroundTruth"]:
    """Scores and ground truth of one test sequence, for `evaluation.each_sequence.evaluate_each`.

    Args:
        artifacts: As in `load_scores`.
        source: As in `load_scores`.
        sequence: As in `load_scores`.
        frame_counts: As in `load_scores`.
        pooled_name: The name of the sequence in the evaluated test set.
    """
    import numpy as np

    from vadloc.annotations.ssvad_prediction import Prediction

    scores, truth = load_scores(artifacts, source, sequence, frame_counts=frame_counts)
    scores = replace(scores, sequence=pooled_name)
    truth = replace(truth, sequence=pooled_name)
    if not artifacts.score_details(sequence).load().get("localizes", True):
        frame_scores = np.array([scores.frame_scores(f).max() for f in range(scores.frame_count)])
        return Prediction(pooled_name, scores.frame_count, None, frame_scores), truth
    return Prediction(pooled_name, scores.frame_count, scores, None), truth


def load_scores(
    artifacts: Artifacts,
    source: GroundTruthSource,
    sequence: str,
    *,
    frame_counts: Mapping[str, int] | None = None,
) -> tuple["ScoreMap", "GroundTruth"]:
    """Score map and ground truth of one test sequence.

    Args:
        artifacts: The results.
        source: The ground truth.
        sequence: Name of the sequence.
        frame_counts: Number of frames of each test sequence, if one file annotates all of them.
    """
    from vadloc.annotations import find_reader
    from vadloc.annotations.pairing import context_of
    from vadloc.scores import ScoreMap

    details = artifacts.score_details(sequence).load()
    scores = ScoreMap(
        sequence=sequence,
        scores=artifacts.scores(sequence).load(),
        cell_height_px=details["cell_height_px"],
        cell_width_px=details["cell_width_px"],
        height_px=details["frame_height_px"],
        width_px=details["frame_width_px"],
    )
    truth = find_reader(source.format)(
        artifacts.truth_folder(source),
        sequence,
        frame_count=scores.frame_count,
        height_px=scores.height_px,
        width_px=scores.width_px,
        context=context_of(
            artifacts.sequence("test", sequence),
            counts=frame_counts,
            mask_threshold=source.mask_threshold,
        ),
    )
    return scores, truth


STAGE = Stage(COMMAND, outputs, compute)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    words = sys.argv[1:] if argv is None else argv
    if any(word.split("=")[0] in ("--predictions", "--ground-truth") for word in words):
        evaluate_predictions.main(words)
    else:
        _config_main(words)


def _config_main(words: list[str]) -> None:
    parser = stage_parser("Evaluate score maps against the ground truth.", sequences=False)
    parser.epilog = EPILOG
    parser.add_argument(
        "--sequences",
        nargs="+",
        metavar="NAME",
        help="evaluate these test sequences only, into a folder of their own; default: all",
    )
    add_all_rules(parser)
    args = parser.parse_args(words)
    stage_main(Stage(COMMAND, outputs, partial(compute, jobs=args.jobs)), args)
    if not args.missing:
        with exit_status(args.log_file, verbose=args.verbose):
            print_summary(artifacts_of(args), all_rules=args.all_rules)


def print_summary(artifacts: Artifacts, *, all_rules: bool = False) -> None:
    """Print the main numbers and, with ``all_rules``, the areas under every rule."""
    if artifacts.mined and artifacts.round:
        emit(f"{artifacts.label}: {artifacts.mined.words}")
    emit_summary(artifacts.evaluation(SUMMARY).load(), all_rules=all_rules)


if __name__ == "__main__":
    main()
