"""Make a dataset from your own video: links to the video, a config, and a check of both.

    python -m vadloc.new_dataset gate --train monday.mp4 tuesday.mp4 --test wednesday.mp4

makes ``datasets/gate`` and ``configs/gate.toml`` and prints the next command. Nothing is copied or
overwritten. Video is given as files, as folders of frames, or as folders of either.
"""

import argparse
import logging
import math
import os
import re
import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from vadloc import doctor
from vadloc.artifacts import Artifacts
from vadloc.camera_setup.given_video import (
    absolute,
    find_given,
)
from vadloc.camera_setup.linked_dataset import (
    held_back,
    link,
    place,
)
from vadloc.camera_setup.new_config import (
    NewConfig,
    to_toml,
)
from vadloc.config import GroundTruthFormat, load_config
from vadloc.console import CommandParser
from vadloc.errors import UsageError
from vadloc.files.storage import (
    replacing,
    replacing_folder,
)
from vadloc.process import emit, exit_status, usable_cores
from vadloc.propose_regions import Findings, describe, draw, examine
from vadloc.video.decoding import (
    frame_times_s,
    video_info,
)
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
    read_picture,
)
from vadloc.video.times import (
    FASTEST,
    SLOWEST,
    Clock,
)

logger = logging.getLogger(__name__)
SAME_RATE = 0.01
"""Rates whose relative difference is smaller count as equal, such as 29.97 and 30."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Source:
    """The video and options that a user gives.

    Attributes:
        name: Name of the dataset.
        train: The training sequences.
        test: The test sequences; empty if a share of the training video is held back.
        hold_back: The share of the training video that is held back for testing.
        frames_per_second: The frame rate that the user gives; ``None`` for none.
        ground_truth: File or folder with annotation.
        ground_truth_format: Format of the annotation.
    """

    name: str
    train: list[Sequence]
    test: list[Sequence]
    hold_back: float | None = None
    frames_per_second: float | None = None
    ground_truth: Path | None = None
    ground_truth_format: str | None = None


@dataclass(frozen=True)
class Made:
    """A new dataset.

    Attributes:
        data: Folder of the dataset.
        config: File of its config.
        findings: The moving objects of its training video, and the proposed regions.
    """

    data: Path
    config: Path
    findings: Findings


def run(source: Source, *, datasets: Path, configs: Path, origin: str = "") -> Made:
    """Make the folder and the config of a dataset; after an error there is neither.

    Args:
        source: The video and options.
        datasets: Folder for the data.
        configs: Folder for the config.
        origin: The command line, for a comment in the config.

    Raises:
        UsageError: The name or an option is unusable, or the dataset exists.
        VadlocError: A video is unreadable, or the videos do not fit together.
    """
    data, config = datasets / source.name, configs / f"{source.name}.toml"
    _check_free(source.name, data, config)
    _check_apart(source)
    _check_sizes([*source.train, *source.test])
    rate, rate_from = frame_rate([*source.train, *source.test], source.frames_per_second)
    findings = examine(source.train, rate)
    text = to_toml(
        NewConfig(
            source.name, origin, rate, rate_from, findings.proposal, source.ground_truth_format
        )
    )
    with replacing_folder(data) as folder:
        _fill(folder, source)
        with replacing(config) as file:
            file.write(text.encode())
    load_config(config)
    return Made(data, config, findings)


def _check_free(name: str, data: Path, config: Path) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r}: a name has letters A to Z, digits, - and _, no other signs")
    for path in (data, config):
        if os.path.lexists(path):
            raise UsageError(
                f"{path}: exists, and nothing is overwritten; take another name, or remove it"
            )


def _check_apart(source: Source) -> None:
    train = {sequence.path.resolve() for sequence in source.train}
    for sequence in source.test:
        if sequence.path.resolve() in train:
            raise UsageError(
                f"{sequence.path}: given for training and for test; test video must be new"
            )


def _check_sizes(sequences: list[Sequence]) -> None:
    """Refuse sequences whose frame sizes differ; headers and first pictures are compared."""
    first = _size(sequences[0])
    for sequence in sequences[1:]:
        size = _size(sequence)
        if size != first:
            raise UsageError(
                f"{sequence.path}: frames of {size[1]} x {size[0]} px, those of "
                f"{sequences[0].path} have {first[1]} x {first[0]}; a dataset is one camera, all "
                "its frames have one size"
            )


def _size(sequence: Sequence) -> tuple[int, int]:
    """Height and width in pixels."""
    if sequence.is_video:
        info = video_info(sequence.path)
        return info.height_px, info.width_px
    height, width = read_picture(list_frame_files(sequence.path)[0], colour="grey").shape
    return height, width


def frame_rate(sequences: list[Sequence], given: float | None) -> tuple[float, str]:
    """Frames per second of all sequences, and words that say where the number comes from.

    Raises:
        UsageError: No rate is given, and no sequence is a video that has one.
    """
    rates = {s.name: _video_rate(s.path) for s in sequences if s.is_video}
    known = {name: round(rate, 3) for name, rate in rates.items() if rate}
    rate = given or max(Counter(known.values()).items(), key=lambda pair: pair[1], default=(0,))[0]
    if not rate:
        what = "videos" if rates else "pictures"
        raise UsageError(f"{what} do not say their rate; give it, as in --frames-per-second 10")
    others = {name: r for name, r in known.items() if not math.isclose(r, rate, rel_tol=SAME_RATE)}
    if others:
        name, other = next(iter(others.items()))
        logger.warning(
            "%d of %d videos have another rate than %g frames per second, such as %s with %g; a "
            "config has one rate: speeds and times of the others will be wrong",
            *(len(others), len(known), rate, name, other),
        )
    return rate, "as given" if given else "as the videos say"


def _video_rate(path: Path) -> float | None:
    """The frame rate in the header, or that of the times of the frames if the two differ.

    The header gives an average, which is lower if frames are missing.
    """
    said, clock = video_info(path).frames_per_second, Clock.of_stream(frame_times_s(path))
    if clock is None or (said and math.isclose(said, clock.frames_per_second, rel_tol=SAME_RATE)):
        return said
    return clock.frames_per_second


def _fill(folder: Path, source: Source) -> None:
    """Make the links to the video and annotation, as the config names them."""
    train, test = folder / "Train", folder / "Test"
    train.mkdir()
    test.mkdir()
    if source.hold_back:
        held_back(source.train, train, test, share=source.hold_back)
    else:
        for split, sequences in ((train, source.train), (test, source.test)):
            for sequence in sequences:
                place(sequence, split)
    truth = source.ground_truth
    if truth is not None and truth.is_dir():
        link(truth, folder / "ground_truth")
    elif truth is not None:
        (folder / "ground_truth").mkdir()
        link(truth, folder / "ground_truth" / truth.name)


def check(made: Made, *, results: Path, datasets: Path, jobs: int) -> bool:
    """Check the new dataset as ``vadloc.doctor`` does. Returns whether there is no finding."""
    options = [f"--config={made.config}", f"--results={results}", f"--datasets={datasets}"]
    options.append(f"--jobs={jobs}")
    try:
        doctor.main(options)
    except SystemExit as status:
        return not status.code
    return True


def next_command(config: Path, *, results: Path, datasets: Path) -> str:
    """The command to type next."""
    words = ["python", "-m", "vadloc.run", "--config", str(config)]
    for option, value in (("results", results), ("datasets", datasets)):
        words += [f"--{option}", str(value)] if value != Path(option) else []
    return shlex.join(words)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    words = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(words)
    with exit_status():
        origin = shlex.join(["python", "-m", "vadloc.new_dataset", *words])
        made = run(_source_of(args), datasets=args.datasets, configs=args.configs, origin=origin)
        emit("\n".join(describe(made.findings)))
        picture = Artifacts(load_config(made.config), args.results, args.datasets).region_proposal()
        draw(made.findings, picture)
        emit(f"data: {made.data}\nconfig: {made.config}\npicture: {picture}")
        folders = {"results": args.results, "datasets": args.datasets}
        sound = check(made, **folders, jobs=args.jobs)
        when = "" if sound else ", when this is mended"
        emit(f"next{when}: {next_command(made.config, **folders)}")
        if not sound:
            sys.exit(1)


def _source_of(args: argparse.Namespace) -> Source:
    """The video and options that the command line gives.

    Raises:
        UsageError: Options contradict each other, or name a file that does not exist.
    """
    if not args.test and args.hold_back is None:
        raise UsageError(
            "no --test: give the video in which to look for what is not normal, or --hold-back 0.2 "
            "to keep the last fifth of the training video for that"
        )
    if (args.ground_truth is None) != (args.format is None):
        raise UsageError("--ground-truth and --format go together; one of them is missing")
    if args.ground_truth is not None and not args.ground_truth.exists():
        raise UsageError(f"--ground-truth {args.ground_truth}: no such file or folder")
    train, test = (find_given(getattr(args, o), f"--{o}") for o in ("train", "test"))
    for line in (*train.left, *test.left):
        logger.warning("%s", line)
    return Source(
        args.name,
        train.sequences,
        test.sequences,
        args.hold_back,
        args.frames_per_second,
        args.ground_truth and absolute(args.ground_truth),
        args.format,
    )


def _share(text: str) -> float:
    value = _above_zero(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number between 0 and 1")
    return value


def _rate(text: str) -> float:
    value = _above_zero(text)
    if not SLOWEST <= value <= FASTEST:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected {SLOWEST:g} to {FASTEST:g} frames per second"
        )
    return value


def _above_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        description="Make a dataset of your own video: links, a config, and a check of both."
    )
    add = parser.add_argument
    add("name", help="name of the dataset: letters, digits, - and _")
    add("--train", nargs="+", action="extend", type=Path, required=True, metavar="PATH",
        help="normal video: files, folders of frames, or folders of either")  # fmt: skip
    test = parser.add_mutually_exclusive_group()
    test.add_argument("--test", nargs="+", action="extend", type=Path, default=[], metavar="PATH",
        help="video in which to look for what is not normal")  # fmt: skip
    test.add_argument("--hold-back", type=_share, metavar="SHARE",
        help="instead of --test: keep this share of the training video for it, such as "
        "0.2; a single video file is cut in two, without encoding it anew")  # fmt: skip
    add("--frames-per-second", type=_rate, metavar="X",
        help="frame rate of folders of frames; videos have their own")  # fmt: skip
    add("--ground-truth", type=Path, metavar="PATH", help="annotation of the test video")
    add("--format", choices=get_args(GroundTruthFormat), help="format of the annotation")
    for folder, what in (("datasets", "links"), ("configs", "config"), ("results", "picture")):
        add(f"--{folder}", type=Path, default=Path(folder), metavar="DIR",
            help=f"folder for the {what}; default: %(default)s")  # fmt: skip
    add("--jobs", type=int, default=usable_cores(), metavar="N",
        help="sequences checked side by side; default: %(default)s")  # fmt: skip
    return parser


if __name__ == "__main__":
    main()
