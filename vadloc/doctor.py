"""Check a dataset before hours are spent on it.

    python -m vadloc.doctor --config configs/ped2.toml

reads every frame once, extracts the features of the first volumes of every sequence, and prints
what is wrong, one line each; exit status 1 if anything is.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from vadloc.arguments import add_shared_options, artifacts_of
from vadloc.artifacts import Artifacts, Split
from vadloc.config import Config, GroundTruthSource
from vadloc.console import CommandParser
from vadloc.errors import UsageError, VadlocError, about_file, counted, one_line
from vadloc.process import emit, exit_status, usable_cores
from vadloc.rate_checks import SPLITS, contradictions
from vadloc.regions import RegionGrid
from vadloc.unread import unread_lines
from vadloc.versions import extractors_of
from vadloc.video.decoding import video_streams
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
    read_frames,
    sequence_times_s,
)
from vadloc.video.numbering import naming_findings
from vadloc.video.rates import (
    Rate,
    describe_rate,
)
from vadloc.weights import weights_digest

SCORE_BYTES = 4


@dataclass
class Examination:
    """What reading a sequence has shown.

    Attributes:
        sequence: The sequence.
        split: Whether it is for training or test.
        size_px: Height and width, ``None`` if no frame could be read.
        digests: One for each frame that could be read, in order.
        findings: What is wrong with it, one line each.
        is_unreadable: Reading stopped before the end.
        rate: How the frames of a video follow each other; ``None`` for pictures.
    """

    sequence: Sequence
    split: Split
    size_px: tuple[int, int] | None = None
    digests: list[bytes] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    is_unreadable: bool = False
    rate: Rate | None = None

    @property
    def label(self) -> str:
        """Split and name, as findings begin."""
        return f"{self.split} {self.sequence.name}"


def examine(sequence: Sequence, split: Split, *, frames_per_volume: int) -> Examination:
    """Read all frames of a sequence once."""
    found = Examination(sequence, split)
    try:
        times_s = sequence_times_s(sequence)
        if times_s is not None:
            found.rate = describe_rate(times_s)
        if sequence.is_video and (count := video_streams(sequence.path)) > 1:
            found.findings.append(
                f"{found.label}: {count} video streams, of which players show one, and one is "
                "read; make a file of each that is meant (ffmpeg -i OLD -map 0:v:1 -c copy NEW)"
            )
        if not sequence.is_video:
            names = [file.name for file in list_frame_files(sequence.path)]
            found.findings += (f"{found.label}: {text}" for text in naming_findings(names))
        for frame in read_frames(sequence):
            found.size_px = (frame.shape[0], frame.shape[1])
            found.digests.append(hashlib.blake2b(frame.tobytes(), digest_size=12).digest())
    except (VadlocError, OSError) as error:
        said = about_file(error) if isinstance(error, OSError) else str(error)
        found.findings.append(f"{found.label}: {said}")
        found.is_unreadable = True
        return found
    found.findings += _frame_findings(found, frames_per_volume)
    return found


def _frame_findings(found: Examination, frames_per_volume: int) -> Iterator[str]:
    """What is wrong with the frames of a sequence that can be read."""
    count = len(found.digests)
    if count < frames_per_volume:
        yield (
            f"{found.label}: {counted(count, 'frame')}, a video volume has {frames_per_volume}; "
            "too short"
        )
    repeated = [i for i, (a, b) in enumerate(pairwise(found.digests), start=2) if a == b]
    if repeated:
        yield (
            f"{found.label}: {len(repeated)} of {count} frames repeat the one before, the first "
            f"is frame {repeated[0]}; motion is measured as zero there"
        )
    if found.rate and not found.rate.is_constant:
        yield f"{found.label}: {_uneven(found.rate)}; seconds are counted by the times of the file"


def _uneven(rate: Rate) -> str:
    """What is wrong with a rate that is not constant."""
    if rate.hole_after_frame is None:
        return "its frame rate varies, which looks like other speeds"
    return (
        f"{counted(rate.hole_count, 'hole')} between its frames, the longest of "
        f"{rate.longest_hole_s:.3g} s after frame {rate.hole_after_frame + 1}; lost frames look "
        "like motion"
    )


def compare_sizes(examinations: list[Examination]) -> Iterator[str]:
    """A finding for each sequence whose frames differ in size from the first one's."""
    sized = [e for e in examinations if e.size_px]
    for other in sized:
        if other.size_px != sized[0].size_px and other.size_px and sized[0].size_px:
            yield (
                f"{other.label}: frames of {other.size_px[1]} x {other.size_px[0]} px, those of "
                f"{sized[0].label} have {sized[0].size_px[1]} x {sized[0].size_px[0]}"
            )


def compare_rates(examinations: list[Examination], frames_per_second: float) -> Iterator[str]:
    """A finding for each rate of videos that is not the config's."""
    rates = {e.label: e.rate.frames_per_second for e in examinations if e.rate}
    return contradictions(rates, frames_per_second)


def find_overlap(examinations: list[Examination]) -> Iterator[str]:
    """A finding for each test sequence that shares frames with training."""
    seen: dict[bytes, str] = {}
    for train in (e for e in examinations if e.split == "train"):
        seen.update(dict.fromkeys(train.digests, train.sequence.name))
    for test in (e for e in examinations if e.split == "test"):
        shared = [seen[digest] for digest in test.digests if digest in seen]
        if shared:
            yield (
                f"{test.label}: {len(shared)} of {len(test.digests)} frames are also frames of "
                f"training ({shared[0]}); test video must be new"
            )


def _same_folder(artifacts: Artifacts) -> list[str]:
    """A finding if both splits are one folder, instead of one for each sequence in it."""
    train, test = (artifacts.split_folder(split) for split in SPLITS)
    if not train.samefile(test):
        return []
    return [f"{train}: both train and test of the config; test video must be new"]


def check_ground_truth(artifacts: Artifacts, examinations: list[Examination]) -> Iterator[str]:
    """A finding for each test sequence whose annotation is missing or does not fit its frames."""
    tests = {e.sequence.name: e for e in examinations if e.split == "test"}
    for source in artifacts.config.ground_truths:
        try:
            covered = [s.name for s in artifacts.covered(source) if s.name in tests]
            yield from _check_source(artifacts, source, {name: tests[name] for name in covered})
        except VadlocError as error:
            yield str(error)


def _check_source(
    artifacts: Artifacts, source: GroundTruthSource, tests: dict[str, Examination]
) -> Iterator[str]:
    """The same for one ground truth and the sequences that it covers."""
    from vadloc.annotations import find_reader
    from vadloc.annotations.pairing import (
        context_of,
        counts_if_needed,
        left_out,
    )

    read, folder = find_reader(source.format), artifacts.truth_folder(source)
    if len(tests) == len(artifacts.sequences("test")):
        yield from left_out(folder, source.format, tests, what="test video")
    counts = counts_if_needed(
        source.format, folder, list(tests), lambda name: len(tests[name].digests)
    )
    for test in (e for e in tests.values() if e.size_px):
        height, width = test.size_px or (0, 0)
        try:
            read(
                folder,
                test.sequence.name,
                frame_count=len(test.digests),
                height_px=height,
                width_px=width,
                context=context_of(
                    test.sequence, counts=counts, mask_threshold=source.mask_threshold
                ),
            )
        except VadlocError as error:
            yield f"{test.label}: {error}"


def needed_bytes(artifacts: Artifacts, examinations: list[Examination]) -> int:
    """About what features and scores will take on disk."""
    from feature_extraction.registry import kind_of

    regions = artifacts.config.regions
    bytes_per_volume = sum(kind_of(e).bytes_per_volume for e in extractors_of(artifacts.version))
    total = 0
    for examination in (e for e in examinations if e.size_px):
        height, width = examination.size_px or (0, 0)
        grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
        frames = len(examination.digests)
        volumes = frames // regions.frame_stride * grid.region_count
        total += volumes * bytes_per_volume
        if examination.split == "test":
            total += frames * grid.cells[0] * grid.cells[1] * SCORE_BYTES
    return total


def check_space(artifacts: Artifacts, examinations: list[Examination]) -> Iterator[str]:
    """A finding if the results do not fit on their disk."""
    folder = artifacts.results.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        yield f"{folder}: a file where results need a folder; --results DIR names another folder"
    free, needed = shutil.disk_usage(folder).free, needed_bytes(artifacts, examinations)
    if not os.access(folder, os.W_OK):
        yield f"{folder}: no permission to write; --results DIR names another folder"
    if needed > free:
        yield f"{folder}: {free / 2**20:.2f} MiB free, about {needed / 2**20:.2f} MiB needed"


def find_device(artifacts: Artifacts, choice: str) -> str:
    """Where the version runs: networks on a GPU if there is one, all else on the CPU.

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
        device: Where networks run.
        examination: Of the sequence; one that cannot be read or is too short is not tried.
    """
    from feature_extraction.frames_to_features import frames_to_features

    limit = config.regions.frames_per_volume + config.regions.frame_stride
    if len(examination.digests) < config.regions.frames_per_volume or examination.is_unreadable:
        return
    try:
        frames_to_features(config, examination.sequence, extractors, device=device, limit=limit)
    except Exception as error:  # whatever it is, the user is spared a traceback hours later
        kind = "" if isinstance(error, VadlocError) else f"{type(error).__name__}: "
        yield f"{examination.label}: extraction fails on its first frames: {kind}{one_line(error)}"


def chosen_sequences(
    artifacts: Artifacts, names: Collection[str] | None = None
) -> list[tuple[Sequence, Split]]:
    """The sequences of both splits, or those of some names.

    Raises:
        UsageError: There is no sequence of a name.
    """
    every = [(s, split) for split in SPLITS for s in artifacts.sequences(split)]
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
    """Read all sequences and try their extraction, several side by side.

    Args:
        artifacts: The results.
        jobs: Sequences side by side.
        device: Where networks run; ``None`` where they cannot, and nothing is tried.
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


def diagnose(artifacts: Artifacts, examinations: list[Examination]) -> list[str]:
    """All findings, one line each."""
    return [
        *unread_lines(artifacts, *SPLITS),
        *(finding for examination in examinations for finding in examination.findings),
        *compare_sizes(examinations),
        *compare_rates(examinations, artifacts.config.dataset.frames_per_second),
        *(_same_folder(artifacts) or find_overlap(examinations)),
        *check_ground_truth(artifacts, examinations),
        *check_space(artifacts, examinations),
    ]


def _overview(artifacts: Artifacts, examinations: list[Examination], device: str) -> str:
    parts = []
    for split in SPLITS:
        counts = [len(e.digests) for e in examinations if e.split == split]
        every = len(artifacts.sequences(split))
        shown = counted(len(counts), "sequence")
        if len(counts) < every:
            shown = f"{len(counts)} of {counted(every, 'sequence')}"
        parts.append(f"{split} {shown}, {counted(sum(counts), 'frame')}")
    needed = needed_bytes(artifacts, examinations) / 2**20
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
