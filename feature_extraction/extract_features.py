"""Compute the features of every video volume of a sequence.

    python -m feature_extraction.extract_features --config configs/ped2.toml --split train

reads the frames of each sequence once and writes ``features/<extractor>/<split>/<sequence>.joblib``
for every extractor that the version needs. What an extractor learns from training video is written
first, to ``features/<extractor>/<kind>.joblib``; every process that finds none writes the same
bytes.

    python -m feature_extraction.extract_features --extractor snippets --config FILE --output DIR

writes features of snippets instead, see `feature_extraction.extract_snippets`.
"""

import argparse
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from feature_extraction import extract_snippets
from feature_extraction.frames_to_features import frames_to_features
from feature_extraction.registry import check_networks, kind_of, networks_among
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.inputs import Split
from vadloc.stage import Stage, Work, stage_main
from vadloc.versions import extractors_of
from vadloc.video.camera_summary import camera_summary, camera_to_words, camera_warning

logger = logging.getLogger(__name__)
COMMAND = "feature_extraction.extract_features"


def outputs(artifacts: Artifacts, sequence: str, *, split: Split) -> list[Artifact]:
    """The feature files of a sequence, one for each extractor of the version."""
    return [artifacts.features(e, split, sequence) for e in extractors_of(artifacts.version)]


def reported(artifacts: Artifacts, sequence: str, *, split: Split) -> list[str]:
    """The names of a sequence's reports, one for each feature file."""
    place = artifacts.place(split)
    return [f"{name}/{place}/{sequence}" for name in extractors_of(artifacts.version)]


def compute(
    work: Work, *, split: Split, device: str = "auto"
) -> Iterator[tuple[Artifact, dict[str, Any]]]:
    """Extract the missing features of one sequence; its frames are read once.

    Args:
        work: The sequence, and the files to make for it.
        split: Whether it is for training, for test or for mining.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        VadlocError: Frames are unreadable or too few.
    """
    artifacts = work.artifacts
    files = outputs(artifacts, work.unit, split=split)
    named = zip(extractors_of(artifacts.version), files, strict=True)
    todo = {name: file for name, file in named if work.lacks(file)}
    frames = artifacts.sequence(split, work.unit)
    learnt = load_learnt(artifacts, tuple(todo), overwrite=work.overwrite)
    contents = frames_to_features(work.config, frames, tuple(todo), device=device, learnt=learnt)
    artifacts.check_frames(split, work.unit)
    _log_camera(work.unit, next(iter(contents.values())))
    for name, file in todo.items():
        yield file, contents[name]
        work.counts[file.path].update(_count(contents[name]), extractors=len(todo))


def load_learnt(
    artifacts: Artifacts, extractors: tuple[str, ...], *, overwrite: bool = False
) -> dict[str, dict[str, Any]]:
    """What extractors learn from training video; it is learnt first unless it is there.

    Returns:
        Extractor to what it learnt, for those that learn.

    Raises:
        VadlocError: A training sequence is unreadable, or its frames are too small.
    """
    learnt = {}
    for name in extractors:
        learn = kind_of(name).learn
        if learn is None:
            continue
        file = artifacts.learnt(name)
        if not file.is_done(overwrite=overwrite):
            sequences = artifacts.sequences("train")
            content = learn(artifacts.config, sequences)
            for sequence in sequences:
                artifacts.check_frames("train", sequence.name)
            file.save(content)
        learnt[name] = file.load()
    return learnt


def _log_camera(sequence: str, content: dict[str, Any]) -> None:
    """Say how far the camera has moved, if it has, and warn where it looks elsewhere."""
    summary = camera_summary(content)
    if summary is None:
        return
    level = logging.INFO if summary["undone_share"] else logging.DEBUG
    logger.log(level, "%s: %s", sequence, camera_to_words(summary))
    shorter_side_px = min(content["height_px"], content["width_px"])
    if warning := camera_warning(summary, shorter_side_px=shorter_side_px):
        logger.warning("%s: %s", sequence, warning)


def _count(content: dict[str, Any]) -> dict[str, Any]:
    camera = camera_summary(content) or {}
    return {
        "frames": content["frame_count"],
        "volumes": content["index"].size,
        "volumes_computed": len(next(iter(content["components"].values()))),
        **{f"camera_{name}": number for name, number in camera.items()},
    }


def _prepare(artifacts: Artifacts, *, split: Split, device: str, overwrite: bool) -> None:
    extractors = extractors_of(artifacts.version)
    if networks_among(extractors):
        found = check_networks(artifacts.config, extractors, device=device)
        level = logging.INFO if split == "train" else logging.DEBUG  # once in a run of all stages
        logger.log(level, "networks run on: %s", found)
    load_learnt(artifacts, extractors, overwrite=overwrite)


def stage(split: Split, *, device: str = "auto") -> Stage:
    """The stage for one split."""
    return Stage(
        COMMAND,
        partial(outputs, split=split),
        partial(compute, split=split, device=device),
        split,
        prepare=partial(_prepare, split=split, device=device),
        variant=split,
        reports=partial(reported, split=split),
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    chosen = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    chosen.add_argument("--extractor")
    given, others = chosen.parse_known_args(argv)
    if given.extractor == "snippets":
        extract_snippets.main(others)
        return
    parser = stage_parser(
        "Compute the features of every video volume.", sequences=True, mining=False
    )
    parser.add_argument(
        "--split",
        metavar="NAME",
        required=True,
        help="train, anomalous, test, or a folder of further video below the datasets folder, to "
        "mine in",
    )
    parser.add_argument(
        "--extractor",
        choices=["snippets"],
        metavar="NAME",
        help="snippets: features of snippets of all videos, with options of their own, see "
        "--extractor snippets --help",
    )
    parser.set_defaults(marks=None, mine_split=None)
    args = parser.parse_args(argv)
    split = args.split
    if split not in ("train", "anomalous", "test"):
        if not (args.datasets / split).is_dir():
            parser.error(
                f"argument --split: {split!r}: expected train, anomalous, test, or a folder of "
                f"further video in {args.datasets}"
            )
        args.mine_split, split = split, "mined"
    stage_main(stage(split, device=args.device), args)


if __name__ == "__main__":
    main()
