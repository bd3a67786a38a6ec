"""Run all stages of a dataset in order; what is done already is skipped.

    python -m vadloc.run --config configs/ped2.toml

does the same as the commands of all stages one after the other. With ``--rounds N`` the model then
learns N times from what it mines in unlabelled video, see `vadloc.mining`. The results of each
round lie beside those of the model as it was trained.
"""

import importlib
import logging
from collections.abc import Iterator
from dataclasses import replace

from vadloc.arguments import (
    add_mining_options,
    add_shared_options,
    artifacts_of,
    mined_model_of,
    whole_number,
)
from vadloc.artifacts import Artifacts
from vadloc.checks.unread import log_unread
from vadloc.console import CommandParser
from vadloc.errors import UsageError
from vadloc.member_stages import of_member
from vadloc.mining import MinedModel
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
    return [*found, *_to_scores(artifacts, device), *_from_scores(artifacts)]


def _to_scores(artifacts: Artifacts, device: str) -> list[Stage]:
    """The stages of a version up to its scores."""
    detector = artifacts.detector
    found: list[Stage] = []
    if artifacts.reads == "features":
        extract = importlib.import_module("feature_extraction.extract_features")
        splits = *artifacts.training_splits, "test"
        found += [extract.stage(split, device=device) for split in splits]
    if detector.learns_exemplars:
        found += _named(["exemplar_selection.select_exemplars"])
    if detector.training:
        train = importlib.import_module("anomaly_detection.train_detector")
        found.append(train.stage(device))
    return [*found, *_model_to_scores(artifacts)]


def _model_to_scores(artifacts: Artifacts) -> list[Stage]:
    """The stages from what was learnt of each sequence to the scores."""
    learns_exemplars = artifacts.detector.learns_exemplars
    modules = ["exemplar_selection.merge_exemplars"] if learns_exemplars else []
    combines = "combine_scores" if artifacts.members else "score_anomalies"
    return _named([*modules, f"anomaly_detection.{combines}"])


def _from_scores(artifacts: Artifacts) -> list[Stage]:
    """The stages from the scores to the report."""
    config = artifacts.config
    modules = ["evaluation.evaluate_scores"] if config.ground_truths else []
    if config.alarms.threshold is None:
        modules.append("anomaly_detection.calibration.calibrate_threshold")
    return _named(
        [*modules, "anomaly_detection.explain_anomalies", "anomaly_detection.write_report"]
    )


def _named(modules: list[str]) -> list[Stage]:
    return [importlib.import_module(module).STAGE for module in modules]


def mining_stages(
    artifacts: Artifacts, *, device: str = "auto"
) -> Iterator[tuple[Stage, Artifacts]]:
    """The stages of one round of mining, each with the results that it is run on.

    Args:
        artifacts: The results after the round.
        device: Where networks run.
    """
    before = artifacts.at_round(artifacts.round - 1)
    extracts = artifacts.reads == "features" and artifacts.place("mined") != "test"
    if extracts and artifacts.round == 1:
        extract = importlib.import_module("feature_extraction.extract_features")
        yield extract.stage("mined", device=device), before
    yield importlib.import_module("anomaly_detection.score_anomalies").MINING, before
    if artifacts.config.mining.scale == "train_quantile":
        yield from ((stage, before) for stage in _named(["anomaly_detection.score_left_out"]))
    mine = _named(["exemplar_selection.mine_normal"])
    if artifacts.detector.training:
        mine.append(importlib.import_module("anomaly_detection.train_detector").stage(device))
    later = [*mine, *_model_to_scores(artifacts), *_from_scores(artifacts)]
    yield from ((stage, artifacts) for stage in later)


def run_rounds(artifacts: Artifacts, rounds: int, options: RunOptions, *, device: str) -> None:
    """Learn from mined video, and print what each round gives beside what was before it.

    Args:
        artifacts: The results of the model as it was trained.
        rounds: Number of rounds, 1 or more.
        options: How the stages are run.
        device: Where networks run.
    """
    rest = [sequence.name for sequence in artifacts.at_round(1).sequences("test")]
    if artifacts.config.ground_truths and len(rest) < len(artifacts.sequences("test")):
        same = replace(artifacts, mined=None, part=tuple(rest))
        for stage in _named(["evaluation.evaluate_scores"]):
            run_units(stage, same, stage.units(same), options)
        emit(f"before mining, on the same {len(rest)} test sequences:")
        importlib.import_module("evaluation.evaluate_scores").print_summary(same)
    for number in range(1, rounds + 1):
        learnt = artifacts.at_round(number)
        for stage, on in mining_stages(learnt, device=device):
            run_units(stage, on, stage.units(on), options)
        emit(importlib.import_module("exemplar_selection.mine_normal").describe(learnt, ""))
        _print_results(learnt)


def _print_results(artifacts: Artifacts) -> None:
    """The evaluation, and where summary and report are."""
    if artifacts.config.ground_truths:
        importlib.import_module("evaluation.evaluate_scores").print_summary(artifacts)
        emit(f"summary: {artifacts.evaluation('summary.json').path}")
    explain = importlib.import_module("anomaly_detection.explain_anomalies")
    emit(explain.alarms_to_text(artifacts))
    emit(f"report: {artifacts.report_page().path}")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(
        description="Run all stages of a dataset in order, each from where it stopped."
    )
    add_shared_options(parser)
    add_mining_options(parser, rounds=False)
    parser.add_argument(
        "--rounds",
        type=whole_number,
        metavar="N",
        default=0,
        help="then learn N times from what is mined in unlabelled video; default: 0",
    )
    args = parser.parse_args(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        if args.rounds:
            mined = mined_model_of(args, round_=0) or MinedModel(
                marks=args.marks, changes=tuple(args.mine_set)
            )
            artifacts = replace(artifacts, mined=mined)
            _check_mining(artifacts)
        elif args.marks or args.mine_set or artifacts.mined:
            raise UsageError("--mine-from, --mine-split, --mine-set and --marks need --rounds")
        learning = [artifacts, *artifacts.members]
        splits = dict.fromkeys(split for of in learning for split in of.training_splits)
        log_unread(artifacts, *splits, "test")
        if artifacts.config.ground_truths:
            importlib.import_module("evaluation.evaluate_scores").check_test_set(artifacts)
        for stage in stages(artifacts, device=args.device):
            units = stage.units(artifacts)
            run_units(stage, artifacts, units, RunOptions.of(args))
        _print_results(artifacts)
        if args.rounds:
            run_rounds(artifacts, args.rounds, RunOptions.of(args), device=args.device)


def _check_mining(artifacts: Artifacts) -> None:
    """Find, before any work, what prevents mining.

    Raises:
        VadlocError: There is no video to mine in, or the marks cannot be read.
    """
    artifacts.sequences("mined")
    path = artifacts.mined.marks if artifacts.mined else None
    if path is not None:
        read_marks = importlib.import_module("exemplar_selection.marks").read_marks
        read_marks(path, dataset=artifacts.config.dataset.name, version=artifacts.label)


if __name__ == "__main__":
    main()
