"""Evaluate the score maps of all test sequences against the ground truth.

    python -m evaluation.evaluate_scores --config configs/ped2.toml

writes ``summary.json`` and the curves to ``evaluation/<version>/`` and prints the main numbers.
"""

from pathlib import Path

from evaluation.ground_truth import GroundTruth
from evaluation.scores import ScoreMap
from vadloc.artifacts import Artifact, Artifacts
from vadloc.cli import (
    Stage,
    artifacts_of,
    emit,
    exit_status,
    stage_main,
    stage_parser,
    stage_report,
)
from vadloc.config import Config

COMMAND = "evaluation.evaluate_scores"
CURVES = ("region", "track", "frame", "pixel", "dual_pixel")


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """Summary and curves; the summary is written last."""
    names = [f"{curve}_{axis}.npy" for curve in CURVES for axis in ("fpr", "tpr", "thresholds")]
    return [artifacts.evaluation(name) for name in ("summary.json", *names)]


def run(config: Config, artifacts: Artifacts, dataset: str, *, overwrite: bool = False) -> Path:
    """Evaluate all test sequences.

    Returns:
        Path of ``summary.json``.

    Raises:
        VadlocError: Scores are missing, or do not belong to the ground truth.
    """
    from evaluation.criteria import CriteriaOptions, combine, sequence_statistics
    from evaluation.results import result_to_curves, result_to_summary

    files = outputs(artifacts, dataset)
    summary = files[0]
    if all(file.is_done(overwrite=overwrite) for file in files):
        return summary.path
    report = stage_report(artifacts, COMMAND, f"{artifacts.version}/{dataset}", summary.stamp)
    with report as counts:
        options = CriteriaOptions(**config.evaluation.model_dump())
        truths, statistics = [], []
        for sequence in artifacts.sequences("test"):
            scores, truth = load_scores(artifacts, sequence.name)
            statistics.append(sequence_statistics(scores, truth, options=options))
            truths.append(truth)
        result = combine(statistics, options=options)
        for name, curve in result_to_curves(result).items():
            artifacts.evaluation(f"{name}.npy").save(curve)
        content = result_to_summary(result, truths)
        summary.save(content)
        counts.update(content["counts"])
    return summary.path


def load_scores(artifacts: Artifacts, sequence: str) -> tuple[ScoreMap, GroundTruth]:
    """Score map and ground truth of one test sequence."""
    from evaluation.formats import find_reader

    dataset = artifacts.config.dataset
    details = artifacts.score_details(sequence).load()
    scores = ScoreMap(
        sequence=sequence,
        scores=artifacts.scores(sequence).load(),
        cell_height_px=details["cell_height_px"],
        cell_width_px=details["cell_width_px"],
        height_px=details["frame_height_px"],
        width_px=details["frame_width_px"],
    )
    read = find_reader(dataset.ground_truth_format)
    truth = read(
        artifacts.ground_truth,
        sequence,
        frame_count=scores.frame_count,
        height_px=scores.height_px,
        width_px=scores.width_px,
    )
    return scores, truth


STAGE = Stage(COMMAND, run, outputs)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Evaluate score maps against the ground truth.", sequences=False)
    args = parser.parse_args(argv)
    stage_main(STAGE, args)
    if not args.missing:
        with exit_status():
            print_summary(artifacts_of(args))


def print_summary(artifacts: Artifacts) -> None:
    """The main numbers on stdout."""
    from evaluation.results import summary_to_text

    emit(summary_to_text(artifacts.evaluation("summary.json").load()))


if __name__ == "__main__":
    main()
