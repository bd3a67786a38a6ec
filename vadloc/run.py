"""Run all stages of a dataset in order, each from where it stopped.

    python -m vadloc.run --config configs/ped2.toml

does what the stages' own commands would do one after the other.
"""

import importlib
import logging

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.config import Config
from vadloc.console import CommandParser
from vadloc.process import emit, exit_status
from vadloc.stage import RunOptions, Stage, run_units
from vadloc.unread import log_unread

logger = logging.getLogger(__name__)


def stages(config: Config, *, device: str = "auto") -> list[Stage]:
    """The stages in the order of the data; without ground truth there is nothing to evaluate."""
    extract = importlib.import_module("feature_extraction.extract_features")
    modules = [
        "exemplar_selection.select_exemplars",
        "exemplar_selection.merge_exemplars",
        "anomaly_detection.score_anomalies",
    ]
    if config.ground_truths:
        modules.append("evaluation.evaluate_scores")
    if config.alarms.threshold is None:
        modules.append("anomaly_detection.calibration.calibrate_threshold")
    modules += ["anomaly_detection.explain_anomalies", "anomaly_detection.write_report"]
    later = [importlib.import_module(module).STAGE for module in modules]
    return [*(extract.stage(split, device=device) for split in ("train", "test")), *later]


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
        for stage in stages(artifacts.config, device=args.device):
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
