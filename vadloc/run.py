"""Run all stages of a dataset in order; what is done already is skipped.

    python -m vadloc.run --config configs/ped2.toml

does the same as the commands of all stages one after the other.
"""

import importlib
import logging

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.artifacts import Artifacts
from vadloc.checks.unread import log_unread
from vadloc.console import CommandParser
from vadloc.member_stages import of_member
from vadloc.process import emit, exit_status
from vadloc.stage import RunOptions, Stage, run_units

logger = logging.getLogger(__name__)


def stages(artifacts: Artifacts, *, device: str = "auto") -> list[Stage]:
    """The stages of a version on a dataset, in the order of the data.

    A detector that reads frames needs no features, and a detector without exemplars needs no
    selection. Without ground truth there is no evaluation. The members of a combined version come
    first, with all stages up to their scores.
    """
    found = [
        of_member(stage, number)
        for number, member in enumerate(artifacts.members)
        for stage in _to_scores(member, device)
    ]
    found += _to_scores(artifacts, device)
    modules = []
    if artifacts.config.ground_truths:
        modules.append("evaluation.evaluate_scores")
    found += [importlib.import_module(module).STAGE for module in modules]
    if artifacts.config.alarms.threshold is None:
        found.append(_calibration())
    modules = ["anomaly_detection.explain_anomalies", "anomaly_detection.write_report"]
    return found + [importlib.import_module(module).STAGE for module in modules]


def _calibration() -> Stage:
    stage: Stage = importlib.import_module(
        "anomaly_detection.calibration.calibrate_threshold"
    ).STAGE
    return stage


def _to_scores(artifacts: Artifacts, device: str) -> list[Stage]:
    """The stages of a version up to its scores."""
    detector = artifacts.detector
    found: list[Stage] = []
    if detector.reads == "features":
        extract = importlib.import_module("feature_extraction.extract_features")
        splits = *artifacts.training_splits, "test"
        found += [extract.stage(split, device=device) for split in splits]
    modules = []
    if detector.learns_exemplars:
        modules = ["exemplar_selection.select_exemplars", "exemplar_selection.merge_exemplars"]
    if detector.training:
        train = importlib.import_module("anomaly_detection.train_detector")
        found.append(train.stage(device))
    combines = "combine_scores" if artifacts.members else "score_anomalies"
    modules.append(f"anomaly_detection.{combines}")
    return found + [importlib.import_module(module).STAGE for module in modules]


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(
        description="Run all stages of a dataset in order, each from where it stopped."
    )
    add_shared_options(parser)
    args = parser.parse_args(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        log_unread(artifacts, "train", "test")
        if artifacts.config.ground_truths:
            importlib.import_module("evaluation.evaluate_scores").check_test_set(artifacts)
        for stage in stages(artifacts, device=args.device):
            units = stage.units(artifacts)
            run_units(stage, artifacts, units, RunOptions.of(args))
        if artifacts.config.ground_truths:
            importlib.import_module("evaluation.evaluate_scores").print_summary(artifacts)
            emit(f"summary: {artifacts.evaluation('summary.json').path}")
        explain = importlib.import_module("anomaly_detection.explain_anomalies")
        emit(explain.alarms_to_text(artifacts))
        emit(f"report: {artifacts.report_page().path}")


if __name__ == "__main__":
    main()
