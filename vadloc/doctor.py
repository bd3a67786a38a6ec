"""Check a dataset before the stages spend hours on it.

    python -m vadloc.doctor --config configs/ped2.toml

reads every frame once, extracts the features of the first volumes of every sequence, and prints one
line for each finding. The exit status is 1 if there is a finding.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from functools import partial

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.artifacts import Artifacts
from vadloc.checks.annotation import check_ground_truth
from vadloc.checks.examination import (
    Examination,
    compare_rates,
    compare_sizes,
    examine,
    find_overlap,
)
from vadloc.checks.space import check_space, needed_bytes
from vadloc.checks.unread import unread_lines
from vadloc.config import Config
from vadloc.console import CommandParser
from vadloc.errors import UsageError, VadlocError, counted, one_line
from vadloc.inputs import Split
from vadloc.process import emit, exit_status, usable_cores
from vadloc.versions import extractors_of
from vadloc.video.frames import Sequence
from vadloc.weights import weights_digest


def splits_of(artifacts: Artifacts) -> tuple[Split, ...]:
    """The splits that the version reads."""
    return (*artifacts.training_splits, "test")


def _same_folder(artifacts: Artifacts) -> list[str]:
    """One finding if both splits are the same folder, instead of a finding for each sequence."""
    train, test = artifacts.split_folder("train"), artifacts.split_folder("test")
    if not train.samefile(test):
        return []
    return [f"{train}: both train and test of the config; test video must be new"]


def find_device(artifacts: Artifacts, choice: str) -> str:
    """The device on which the version runs, in words; networks use a GPU if there is one.

    Raises:
        VadlocError: Networks are needed, and a package, the device or weights are missing.
    """
    from feature_extraction.registry import check_networks, networks_among

    extractors = extractors_of(artifacts.version)
    if not (networks := networks_among(extractors)):
        return f"runs on the CPU, {usable_cores()} cores"
    for name in networks:
        weights_digest(artifacts.config.features[name].weights, name)
    found = check_networks(artifacts.config, extractors, device=choice)
    return f"networks run on: {found}, all else on {usable_cores()} cores"


def try_extraction(
    config: Config, extractors: tuple[str, ...], device: str, examination: Examination
) -> Iterator[str]:
    """A finding if the features of the first two volumes of a sequence cannot be extracted.

    Args:
        config: The config.
        extractors: Names of the version's extractors.
        device: The device on which networks run.
        examination: The result of reading the sequence. A sequence that is unreadable or too short
            is not tried.
    """
    from feature_extraction.frames_to_features import frames_to_features
    from feature_extraction.registry import learn_from

    limit = config.regions.frames_per_volume + config.regions.frame_stride
    if len(examination.digests) < config.regions.frames_per_volume or examination.is_unreadable:
        return
    try:
        learnt = learn_from(config, [examination.sequence], extractors, limit=limit)
        frames_to_features(
            config, examination.sequence, extractors, device=device, limit=limit, learnt=learnt
        )
    except Exception as error:  # any error here would end a stage hours later
        kind = "" if isinstance(error, VadlocError) else f"{type(error).__name__}: "
        yield f"{examination.label}: extraction fails on its first frames: {kind}{one_line(error)}"


def chosen_sequences(
    artifacts: Artifacts, names: Collection[str] | None = None
) -> list[tuple[Sequence, Split]]:
    """The sequences of all splits, or those with the given names.

    Raises:
        UsageError: No sequence has one of the names.
    """
    every = [(s, split) for split in splits_of(artifacts) for s in artifacts.sequences(split)]
    known = [sequence.name for sequence, _ in every]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise UsageError(f"--sequences: no sequence {unknown[0]!r}; there are {', '.join(known)}")
    return [(s, split) for s, split in every if not names or s.name in names]


def examine_all(
    artifacts: Artifacts,
    *,
    jobs: int,
    device: str | None,
    names: Collection[str] | None = None,
) -> list[Examination]:
    """Read all sequences and try their extraction, several sequences in parallel.

    Args:
        artifacts: The results.
        jobs: Number of sequences in parallel.
        device: The device on which networks run; with ``None`` extraction is not tried.
        names: Names of the sequences; ``None`` for all.
    """
    from joblib import Parallel, delayed

    work = chosen_sequences(artifacts, names)
    tried = device and partial(
        try_extraction, artifacts.config, extractors_of(artifacts.version), device
    )
    examined: list[Examination] = Parallel(n_jobs=min(jobs, len(work)))(
        delayed(_examine)(sequence, split, artifacts.config, tried) for sequence, split in work
    )
    return examined


def _examine(
    sequence: Sequence,
    split: Split,
    config: Config,
    tried: Callable[[Examination], Iterator[str]] | None,
) -> Examination:
    length = config.regions.frames_per_volume
    examination = examine(sequence, split, frames_per_volume=length)
    if tried:
        examination.findings += tried(examination)
    return examination


def bytes_of_results(artifacts: Artifacts, examinations: list[Examination]) -> int:
    """Approximate size of all results of the version on disk."""
    from feature_extraction.registry import kind_of

    per_volume = sum(kind_of(name).bytes_per_volume for name in extractors_of(artifacts.version))
    return needed_bytes(artifacts, examinations, bytes_per_volume=per_volume)


def diagnose(artifacts: Artifacts, examinations: list[Examination]) -> list[str]:
    """All findings, one line each."""
    return [
        *unread_lines(artifacts, *splits_of(artifacts)),
        *(finding for examination in examinations for finding in examination.findings),
        *compare_sizes(examinations),
        *compare_rates(examinations, artifacts.config.dataset.frames_per_second),
        *(_same_folder(artifacts) or find_overlap(examinations)),
        *check_ground_truth(artifacts, examinations),
        *check_space(artifacts, bytes_of_results(artifacts, examinations)),
    ]


def _overview(artifacts: Artifacts, examinations: list[Examination], device: str) -> str:
    parts = []
    for split in splits_of(artifacts):
        counts = [len(e.digests) for e in examinations if e.split == split]
        every = len(artifacts.sequences(split))
        shown = counted(len(counts), "sequence")
        if len(counts) < every:
            shown = f"{len(counts)} of {counted(every, 'sequence')}"
        parts.append(f"{split} {shown}, {counted(sum(counts), 'frame')}")
    needed = bytes_of_results(artifacts, examinations) / 2**20
    return (
        f"{artifacts.config.dataset.name}: {'; '.join(parts)}; about {needed:.0f} MiB of results; "
        f"{device}"
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Check a dataset before hours are spent on it.")
    add_shared_options(parser)
    parser.add_argument(
        "--sequences",
        dest="names",
        nargs="+",
        metavar="NAME",
        help="only these training and test sequences; default: all",
    )
    args = parser.parse_args(argv)
    with exit_status(args.log_file, verbose=args.verbose):
        artifacts = artifacts_of(args)
        unusable = []
        try:
            device = find_device(artifacts, args.device)
        except VadlocError as error:
            device = "cannot run"
            unusable.append(str(error))
        choice = None if unusable else args.device
        examinations = examine_all(artifacts, jobs=args.jobs, device=choice, names=args.names)
        findings = [*diagnose(artifacts, examinations), *unusable]
        emit(_overview(artifacts, examinations, device))
        emit("\n".join(findings) if findings else "nothing wrong was found")
        if findings:
            sys.exit(1)


if __name__ == "__main__":
    main()
