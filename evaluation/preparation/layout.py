"""The folder layout of all prepared datasets, and the description of a dataset.

    <dataset>/[<scene>/]Train/<sequence>/001.jpg      or  Train/<sequence>.avi
    <dataset>/[<scene>/]Test/<sequence>/001.jpg       or  Test/<sequence>.avi

The dataset's config names the folder of the ground truth. A dataset of one camera has no scene
folders.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from evaluation.preparation.download import Download
from evaluation.preparation.sources import Member, Source
from vadloc.errors import VadlocError, counted
from vadloc.video.decoding import VIDEO_SUFFIXES
from vadloc.video.frames import FRAME_SUFFIXES

SPLITS = ("Train", "Test")
FRAMES = f"(?i:{'|'.join(sorted(suffix[1:] for suffix in FRAME_SUFFIXES))})"
"""Pattern of the suffixes of frames, without the dot."""
VIDEOS = f"(?i:{'|'.join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))})"
_PLACED = re.compile(
    rf"(?:(?P<scene>[0-9]{{2}})/)?(?P<split>Train|Test)/"
    rf"(?:(?P<sequence>[^/]+)/[^/]+\.{FRAMES}|(?P<video>[^/]+)\.{VIDEOS})"
)
"""Path of a frame or a video in the layout."""

SHOWN_KINDS = 4

Offers = Sequence[tuple[Source, Member]]
"""All files of all sources, each with its source."""
Plan = dict[PurePosixPath, tuple[Source, Member]]
"""The source and member (file) for each path below the dataset's folder."""
Finish = Callable[[Path], Iterable[str]]
"""Makes further files from the placed ones, and returns one line of text about each step."""


@dataclass(frozen=True)
class Counts:
    """Published size of a split.

    Attributes:
        sequences: Number of sequences.
        frames: Numbers of frames: several if publications and releases differ, empty if none is
            published.
    """

    sequences: int
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class DatasetLayout:
    """How an official download is brought into the layout.

    Attributes:
        name: Name of the config, and of the folder below the datasets folder.
        title: Full name of the dataset.
        plan: Decides the path of each file.
        counts: Published size of each of `SPLITS`.
        downloads: Archives that ``--download`` fetches; empty if there is no direct address.
        with_scenes: True if the dataset has several cameras, each with a folder and a config.
        finish: Runs after all files are in place.
    """

    name: str
    title: str
    plan: Callable[[Offers], Plan]
    counts: Mapping[str, Counts]
    downloads: tuple[Download, ...] = ()
    with_scenes: bool = False
    finish: Finish = field(default=lambda _folder: ())


def plan_by_rules(*rules: tuple[str, str]) -> Callable[[Offers], Plan]:
    """A plan from patterns of paths.

    Args:
        rules: Pairs of a pattern for the whole path of a member and a template (of
            `re.Match.expand`) for its new path. The first matching pattern counts. Members with
            an empty template or without a matching pattern are not needed.
    """
    compiled = [(re.compile(pattern), template) for pattern, template in rules]

    def place(path: str) -> str:
        fits = ((pattern.fullmatch(path), template) for pattern, template in compiled)
        return next((match.expand(template) for match, template in fits if match), "")

    def plan(offers: Offers) -> Plan:
        placed: Plan = {}
        for source, member in offers:
            if target := place(str(member.path)):
                add_to_plan(placed, PurePosixPath(target), source, member)
        return placed

    return plan


def add_to_plan(plan: Plan, target: PurePosixPath, source: Source, member: Member) -> None:
    """Add the new path of a member to a plan.

    Raises:
        VadlocError: Another member has this path.
    """
    if target in plan:
        other_source, other = plan[target]
        raise VadlocError(
            f"{source.path}: {member.path} and {other.path} of {other_source.path} would both "
            f"become {target}; give one of them"
        )
    plan[target] = (source, member)


_ROWS = re.compile(r"(?P<split>.*Test)/(?P<sequence>[^/]+)/(?P<file>(?P=sequence)_gt\.txt)")
"""Path of annotation rows inside the folder of a sequence's frames."""


def rows_beside_videos(plan: Plan, present: Iterable[PurePosixPath]) -> Plan:
    """The plan, with the annotation rows of a video beside it instead of in a folder.

    Args:
        plan: Files that will be placed.
        present: Files that are in place already.
    """
    paths = (path for path in (*plan, *present) if path.suffix.lower() in VIDEO_SUFFIXES)
    videos = {path.with_suffix("") for path in paths}
    settled: Plan = {}
    for target, (source, member) in plan.items():
        match = _ROWS.fullmatch(str(target))
        if match and target.parent in videos:
            target = target.parent.with_name(match["file"])
        add_to_plan(settled, target, source, member)
    return settled


def check_one_form(paths: Iterable[PurePosixPath]) -> None:
    """Check that no sequence exists twice, as a video and as frames or as two videos.

    Raises:
        VadlocError: A sequence exists twice.
    """
    forms: dict[PurePosixPath, PurePosixPath] = {}
    for path in sorted(paths):
        match = _PLACED.fullmatch(str(path))
        if match is None or path.name.startswith("."):
            continue
        form = path if match["video"] else path.parent
        name = form.with_suffix("") if match["video"] else form
        if forms.setdefault(name, form) != form:
            raise VadlocError(
                f"{forms[name]} and {form} would be one sequence; give or keep one of them"
            )


def left_over(offers: Offers, plan: Plan) -> str:
    """Describe the unused files of the sources, by suffix with an example; empty if none."""
    used = {(source.path, member.path) for source, member in plan.values()}
    left: dict[str, list[PurePosixPath]] = {}
    for source, member in offers:
        if (source.path, member.path) not in used:
            left.setdefault(member.path.suffix.lower() or "other", []).append(member.path)
    ordered = sorted(left.items(), key=lambda item: -len(item[1]))
    kinds = [f"{len(paths)} {suffix} (such as {paths[0]})" for suffix, paths in ordered]
    more = f" and {len(kinds) - SHOWN_KINDS} more kinds" if len(kinds) > SHOWN_KINDS else ""
    return ", ".join(kinds[:SHOWN_KINDS]) + more


@dataclass(frozen=True)
class Census:
    """The sequences of a dataset, by split and then by scene and name.

    Attributes:
        frames: Number of frames of each sequence; ``None`` for a video, which is not opened.
    """

    frames: Mapping[str, Mapping[str, int | None]]

    @classmethod
    def of(cls, paths: Iterable[PurePosixPath]) -> "Census":
        """The census of paths below the dataset's folder."""
        found: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
        videos: set[tuple[str, str]] = set()
        for path in paths:
            match = _PLACED.fullmatch(str(path))
            name = match and (match["sequence"] or match["video"])
            if not match or not name or name.endswith("_gt") or path.name.startswith("."):
                continue
            key = f"{match['scene']}/{name}" if match["scene"] else name
            found[match["split"]][key] += 1
            if match["video"]:
                videos.add((match["split"], key))
        return cls(
            {
                split: {key: None if (split, key) in videos else n for key, n in counter.items()}
                for split, counter in found.items()
            }
        )

    def difference(self, counts: Mapping[str, Counts]) -> list[str]:
        """Differences from the published sizes, one phrase each; videos have unknown length."""
        return [
            phrase
            for split, expected in counts.items()
            for phrase in _split_difference(split, self.frames[split], expected)
        ]


def _split_difference(
    split: str, sequences: Mapping[str, int | None], expected: Counts
) -> Iterable[str]:
    if len(sequences) != expected.sequences:
        found = counted(len(sequences), "sequence")
        yield f"{split} has {found}, published are {expected.sequences}"
    elif expected.frames and None not in sequences.values():
        total = sum(count or 0 for count in sequences.values())
        if total not in expected.frames:
            published = " or ".join(str(count) for count in expected.frames)
            yield f"{split} has {counted(total, 'frame')}, published are {published}"
