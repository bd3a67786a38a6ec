"""Turn a dataset with labelled test video into data with labels of whole videos, in folds.

    python -m vadloc.weak_folds --config configs/ped2.toml --folds 2

makes a dataset for each fold, ``<datasets>/<name>_fold<k>``, with a config of the same name in it.
Every k-th test sequence is the test video of fold k. The other test sequences become training
videos that hold an anomaly somewhere, or normal ones if the ground truth says so; the training
sequences stay normal. Nothing is copied: the folders hold links. Each fold is evaluated on its own.

Results of folds are not those of the dataset's usual protocol: weak labels come from its test half.
"""

import argparse
from pathlib import Path
from typing import Any

import tomli
import tomli_w

from vadloc.annotations import find_reader
from vadloc.annotations.pairing import context_of, counts_if_needed
from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.artifacts import Artifacts
from vadloc.camera_setup.linked_dataset import place
from vadloc.console import CommandParser
from vadloc.errors import UsageError
from vadloc.process import emit, exit_status
from vadloc.video.frames import Sequence, sequence_size

REPLACED = ("dataset", "ground_truth")
"""Tables of the config that are written anew."""


def split_folds(names: list[str], folds: int) -> list[list[str]]:
    """The test sequences of each fold: every ``folds``-th one.

    Raises:
        UsageError: There are fewer than two folds, or a fold would have fewer than two videos with
            anomalies to train on.
    """
    if folds < 2 or len(names) - -(-len(names) // folds) < 2:
        raise UsageError(
            f"--folds {folds}: expected 2 or more, and at least 2 of the {len(names)} test "
            "sequences to train on in each"
        )
    return [names[k::folds] for k in range(folds)]


def make_fold(artifacts: Artifacts, number: int, tested: list[str]) -> Path:
    """Write the dataset of a fold.

    Args:
        artifacts: The data that is divided.
        number: Number of the fold, from 1.
        tested: Names of its test sequences.

    Returns:
        Its config.

    Raises:
        UsageError: The folder exists already.
    """
    name = f"{artifacts.config.dataset.name}_fold{number}"
    folder = artifacts.datasets / name
    if folder.exists():
        raise UsageError(f"{folder}: exists already; remove it to make the folds anew")
    test, normal = artifacts.sequences("test"), normal_names(artifacts)
    others = [s for s in test if s.name not in tested]
    parts: dict[str, list[Sequence]] = {
        "Train": [*artifacts.sequences("train"), *(s for s in others if s.name in normal)],
        "Anomalous": [s for s in others if s.name not in normal],
        "Test": [s for s in test if s.name in tested],
    }
    for split, sequences in parts.items():
        (folder / split).mkdir(parents=True)
        for sequence in sequences:
            place(_absolute(sequence), folder / split)
    config = folder / f"{name}.toml"
    config.write_text(fold_config(artifacts, name, tested), encoding="utf-8")
    return config


def normal_names(artifacts: Artifacts) -> set[str]:
    """The test sequences in which no ground truth has an anomalous frame."""
    covered: set[str] = set()
    anomalous: set[str] = set()
    for source in artifacts.ground_truths:
        folder = artifacts.truth_folder(source)
        sizes = {s.name: sequence_size(s) for s in artifacts.covered(source)}
        frames = {name: count for name, (count, _, _) in sizes.items()}
        counts = counts_if_needed(source.format, folder, list(frames), frames.__getitem__)
        for name, (count, height, width) in sizes.items():
            truth = find_reader(source.format)(
                folder,
                name,
                frame_count=count,
                height_px=height,
                width_px=width,
                context=context_of(
                    artifacts.sequence("test", name),
                    counts=counts,
                    mask_threshold=source.mask_threshold,
                ),
            )
            covered.add(name)
            if truth.anomalous.any():
                anomalous.add(name)
    return covered - anomalous


def _absolute(sequence: Sequence) -> Sequence:
    return Sequence(sequence.name, sequence.path.resolve())


def fold_config(artifacts: Artifacts, name: str, tested: list[str]) -> str:
    """The text of the config of a fold: other tables are those of the config that is divided."""
    config = artifacts.config
    content = other_tables(tomli.loads(config.path.read_bytes().decode("utf-8-sig")))
    content["version"] = "weak_regions"
    content["dataset"] = {
        "name": name,
        "train": f"{name}/Train",
        "anomalous": f"{name}/Anomalous",
        "test": f"{name}/Test",
        "frames_per_second": config.dataset.frames_per_second,
    }
    content["ground_truth"] = [
        source.model_dump(exclude_none=True)
        | {"sequences": [n for n in tested if n in (source.sequences or tested)]}
        for source in config.ground_truths
    ]
    first = (
        f"# A fold of {config.path.name}: weak labels from its test half. Made by\n"
        "# python -m vadloc.weak_folds\n"
    )
    return first + tomli_w.dumps(content)


def other_tables(content: dict[str, Any]) -> dict[str, Any]:
    """The tables of a config but those that are written anew."""
    return {k: v for k, v in content.items() if k not in REPLACED and isinstance(v, dict)}


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Divide test video into folds with weak labels.")
    add_shared_options(parser)
    parser.add_argument("--folds", type=int, default=2, metavar="K", help="default: 2")
    args: argparse.Namespace = parser.parse_args(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        names = [sequence.name for sequence in artifacts.sequences("test")]
        for number, tested in enumerate(split_folds(names, args.folds), start=1):
            emit(f"config: {make_fold(artifacts, number, tested)}")


if __name__ == "__main__":
    main()
