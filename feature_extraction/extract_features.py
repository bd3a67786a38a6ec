"""Compute the features of every video volume of a sequence.

    python -m feature_extraction.extract_features --config configs/ped2.toml --split train

reads the frames of each sequence once and writes ``features/<extractor>/<split>/<sequence>.joblib``
for every extractor that the version needs.
"""

import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from feature_extraction.frames_to_features import frames_to_features
from feature_extraction.registry import check_networks, networks_among
from vadloc.artifacts import Artifact, Artifacts, Split
from vadloc.cli import Stage, stage_main, stage_parser
from vadloc.config import Config
from vadloc.stage_reports import stage_report
from vadloc.versions import extractors_of

logger = logging.getLogger(__name__)
COMMAND = "feature_extraction.extract_features"


def outputs(artifacts: Artifacts, sequence: str, *, split: Split) -> list[Artifact]:
    """The feature files of a sequence, one an extractor of the version."""
    return [artifacts.features(e, split, sequence) for e in extractors_of(artifacts.version)]


def reported(artifacts: Artifacts, sequence: str, *, split: Split) -> list[str]:
    """The names of a sequence's reports, one for each feature file."""
    return [f"{name}/{split}/{sequence}" for name in extractors_of(artifacts.version)]


def run(
    config: Config,
    artifacts: Artifacts,
    sequence: str,
    *,
    split: Split,
    device: str = "auto",
    overwrite: bool = False,
) -> Path:
    """Extract the features of one sequence that are not there yet, reading its frames once.

    Args:
        config: The config.
        artifacts: The results.
        sequence: Name of the sequence.
        split: Whether it is for training or test.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        overwrite: Replace what is damaged or was made otherwise.

    Returns:
        Path of the (first) feature file.

    Raises:
        VadlocError: Frames are unreadable or too few, or a file made otherwise is in the way.
    """
    files = dict(
        zip(
            extractors_of(artifacts.version), outputs(artifacts, sequence, split=split), strict=True
        )
    )
    todo = {name: f for name, f in files.items() if not f.is_done(overwrite=overwrite)}
    if todo:
        with ExitStack() as reports:  # each has the time of the one pass over the frames
            counts = {
                name: reports.enter_context(
                    stage_report(artifacts, COMMAND, f"{name}/{split}/{sequence}", file.stamp)
                )
                for name, file in todo.items()
            }
            frames = artifacts.sequence(split, sequence)
            contents = frames_to_features(config, frames, tuple(todo), device=device)
            artifacts.check_frames(split, sequence)
            for name, file in todo.items():
                file.save(contents[name])
                counts[name].update(_count(contents[name]), extractors=len(todo))
    return next(iter(files.values())).path


def _count(content: dict[str, Any]) -> dict[str, int]:
    return {
        "frames": content["frame_count"],
        "volumes": content["index"].size,
        "volumes_computed": len(next(iter(content["components"].values()))),
    }


def _prepare(
    config: Config, artifacts: Artifacts, *, split: Split, device: str, overwrite: bool
) -> None:
    del overwrite
    extractors = extractors_of(artifacts.version)
    if networks_among(extractors):
        found = check_networks(config, extractors, device=device)
        level = logging.INFO if split == "train" else logging.DEBUG  # once for a run of all stages
        logger.log(level, "networks run on: %s", found)


def stage(split: Split, *, device: str = "auto") -> Stage:
    """The stage for one split."""
    return Stage(
        COMMAND,
        partial(run, split=split, device=device),
        partial(outputs, split=split),
        split,
        prepare=partial(_prepare, split=split, device=device),
        variant=split,
        reports=partial(reported, split=split),
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Compute the features of every video volume.", sequences=True)
    parser.add_argument("--split", choices=["train", "test"], required=True)
    args = parser.parse_args(argv)
    stage_main(stage(args.split, device=args.device), args)


if __name__ == "__main__":
    main()
