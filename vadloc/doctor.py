"""Check a dataset before hours are spent on it.

    python -m vadloc.doctor --config configs/ped2.toml

reads every frame once and prints what is wrong, one line each; exit status 1 if anything is.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from vadloc.artifacts import Artifacts, Split
from vadloc.cli import add_shared_options, artifacts_of, emit, exit_status, usable_cores
from vadloc.errors import UsageError, VadlocError
from vadloc.frames import Sequence, list_frame_files, read_frames
from vadloc.regions import RegionGrid
from vadloc.versions import extractors_of

VOLUME_BYTES = {"momentum": 100, "appearance": 260, "motion": 776}
"""Of features on disk for each extractor, if every volume is computed."""

SCORE_BYTES = 4
SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass
class Examination:
    """What reading a sequence has shown.

    Attributes:
        sequence: The sequence.
        split: Whether it is for training or test.
        size_px: Height and width, ``None`` if no frame could be read.
        digests: One for each frame that could be read, in order.
        findings: What is wrong with it, one line each.
    """

    sequence: Sequence
    split: Split
    size_px: tuple[int, int] | None = None
    digests: list[bytes] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Split and name, as findings begin."""
        return f"{self.split} {self.sequence.name}"


def examine(sequence: Sequence, split: Split, *, frames_per_volume: int) -> Examination:
    """Read all frames of a sequence once."""
    found = Examination(sequence, split)
    try:
        if not sequence.is_video:
            found.findings += _gaps(found.label, list_frame_files(sequence.path))
        for frame in read_frames(sequence):
            found.size_px = (frame.shape[0], frame.shape[1])
            found.digests.append(hashlib.blake2b(frame.tobytes(), digest_size=12).digest())
    except VadlocError as error:
        found.findings.append(f"{found.label}: {error}")
        return found
    count = len(found.digests)
    if count < frames_per_volume:
        found.findings.append(
            f"{found.label}: {count} frames, a video volume has {frames_per_volume}; too short"
        )
    repeated = [i for i, (a, b) in enumerate(pairwise(found.digests), start=2) if a == b]
    if repeated:
        found.findings.append(
            f"{found.label}: {len(repeated)} of {count} frames repeat the one before, the first "
            f"is frame {repeated[0]}; motion is measured as zero there"
        )
    return found


def _gaps(label: str, files: list[Path]) -> Iterator[str]:
    """A finding if the numbers in the names of the frames leave some out."""
    numbers = [re.findall(r"[0-9]+", file.stem) for file in files]
    if not all(numbers):
        return
    last = [int(parts[-1]) for parts in numbers]
    jumps = [(a, b) for a, b in pairwise(last) if b != a + 1]
    if jumps:
        yield (
            f"{label}: the numbering of the frames jumps from {jumps[0][0]} to {jumps[0][1]}"
            f" ({len(jumps)} jumps); lost frames look like motion"
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


def check_ground_truth(artifacts: Artifacts, examinations: list[Examination]) -> Iterator[str]:
    """A finding for each test sequence whose annotation is missing or does not fit its frames."""
    from evaluation.formats import find_reader

    tests = {e.sequence.name: e for e in examinations if e.split == "test" and e.size_px}
    for source in artifacts.config.ground_truths:
        read, folder = find_reader(source.format), artifacts.truth_folder(source)
        try:
            covered = [tests[s.name] for s in artifacts.covered(source) if s.name in tests]
        except VadlocError as error:
            yield str(error)
            continue
        for test in covered:
            height, width = test.size_px or (0, 0)
            size = {"frame_count": len(test.digests), "height_px": height, "width_px": width}
            try:
                read(folder, test.sequence.name, **size)
            except VadlocError as error:
                yield f"{test.label}: {error}"


def needed_bytes(artifacts: Artifacts, examinations: list[Examination]) -> int:
    """About what features and scores will take on disk."""
    regions = artifacts.config.regions
    total = 0
    for examination in (e for e in examinations if e.size_px):
        height, width = examination.size_px or (0, 0)
        grid = RegionGrid(height, width, regions.size_px, regions.stride_px)
        frames = len(examination.digests)
        volumes = frames // regions.frame_stride * grid.region_count
        total += volumes * sum(VOLUME_BYTES[name] for name in extractors_of(artifacts.version))
        if examination.split == "test":
            total += frames * grid.cells[0] * grid.cells[1] * SCORE_BYTES
    return total


def check_space(artifacts: Artifacts, examinations: list[Examination]) -> Iterator[str]:
    """A finding if the results do not fit on their disk."""
    folder = artifacts.results.absolute()
    while not folder.exists():
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, needed_bytes(artifacts, examinations)
    if not os.access(folder, os.W_OK):
        yield f"{folder}: no permission to write; --results DIR names another folder"
    if needed > free:
        yield f"{folder}: {free / 2**20:.0f} MiB free, about {needed / 2**20:.0f} MiB needed"


def find_device(artifacts: Artifacts, choice: str) -> str:
    """Where the version runs: networks on a GPU if there is one, all else on the CPU.

    Raises:
        VadlocError: Networks are needed, and a package, the device or weights are missing.
    """
    from feature_extraction.extract_features import NETWORKS, check_networks

    extractors = extractors_of(artifacts.version)
    if NETWORKS.isdisjoint(extractors):
        return f"runs on the CPU, {usable_cores()} cores"
    for extractor in extractors:  # their stamps depend on the weights
        artifacts.features(extractor, "train", artifacts.sequences("train")[0].name)
    found = check_networks(artifacts.config, extractors, device=choice)
    return f"networks run on: {found}, all else on {usable_cores()} cores"


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
    artifacts: Artifacts, *, jobs: int, names: Collection[str] | None = None
) -> list[Examination]:
    """Read all sequences, or those of some names, several side by side."""
    from joblib import Parallel, delayed

    length = artifacts.config.regions.frames_per_volume
    work = chosen_sequences(artifacts, names)
    examined: list[Examination] = Parallel(n_jobs=min(jobs, len(work)))(
        delayed(examine)(sequence, split, frames_per_volume=length) for sequence, split in work
    )
    return examined


def diagnose(artifacts: Artifacts, examinations: list[Examination]) -> list[str]:
    """All findings, one line each."""
    return [
        *(finding for examination in examinations for finding in examination.findings),
        *compare_sizes(examinations),
        *find_overlap(examinations),
        *check_ground_truth(artifacts, examinations),
        *check_space(artifacts, examinations),
    ]


def _overview(artifacts: Artifacts, examinations: list[Examination], device: str) -> str:
    parts = []
    for split in SPLITS:
        counts = [len(e.digests) for e in examinations if e.split == split]
        every = len(artifacts.sequences(split))
        of = "" if len(counts) == every else f"of {every} "
        parts.append(f"{split} {len(counts)} {of}sequences, {sum(counts)} frames")
    needed = needed_bytes(artifacts, examinations) / 2**20
    return (
        f"{artifacts.config.dataset.name}: {'; '.join(parts)}; about {needed:.0f} MiB of results; "
        f"{device}"
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Check a dataset before hours are spent on it.")
    add_shared_options(parser)
    parser.add_argument(
        "--sequences",
        dest="names",
        nargs="+",
        metavar="NAME",
        help="only these training and test sequences; default: all",
    )
    args = parser.parse_args(argv)
    with exit_status(args.log_file):
        artifacts = artifacts_of(args)
        examinations = examine_all(artifacts, jobs=args.jobs, names=args.names)
        findings = diagnose(artifacts, examinations)
        try:
            device = find_device(artifacts, args.device)
        except VadlocError as error:
            device = "cannot run"
            findings.append(str(error))
        emit(_overview(artifacts, examinations, device))
        emit("\n".join(findings) if findings else "nothing wrong was found")
        if findings:
            sys.exit(1)


if __name__ == "__main__":
    main()
