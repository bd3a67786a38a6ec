"""Labels of videos as a whole, and of their frames, in the forms in which others share them.

A list names one video a line with its label: ``name 0``, ``name 1``, ``name normal``, or ``name``
and the class of its anomaly. The name may be the path of a feature file, and the label part of
it: of UCF-Crime (``Normal_Videos_...``, or the class before a number, such as ``Abuse001_x264``)
and XD-Violence (``_label_A``). Lists in which the position of a line is the label are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import UsageError, VadlocError, one_line

NORMAL: Final = "normal"
ANOMALOUS: Final = "anomalous"
SLACK_FRAMES: Final = 32
"""Frames by which labels may differ from the snippets: a last one may be cut or filled up."""
SUFFIXES: Final = (".npy", ".txt", ".mp4", ".avi")
CROP_NUMBER: Final = re.compile(r"__(\d+)$")
"""How names of files of single crops end."""
_LABELS: Final = {"0": NORMAL, "1": ANOMALOUS, "0.0": NORMAL, "1.0": ANOMALOUS, "normal": NORMAL}
_XD: Final = re.compile(r"_label_([A-Z0-9-]+)")
_UCF: Final = re.compile(r"([A-Za-z]+?)_?\d{3}_x264")


@dataclass(frozen=True)
class Labelled:
    """A video of a list.

    Attributes:
        name: Its name, without folder and suffix.
        label: ``normal``, ``anomalous``, or the class of its anomaly.
        line: Number of its line, from 1.
    """

    name: str
    label: str
    line: int

    @property
    def is_anomalous(self) -> bool:
        """Whether it holds an anomaly somewhere."""
        return self.label != NORMAL


def read_labels(path: Path) -> list[Labelled]:
    """The videos of a list, with their labels.

    Raises:
        UsageError: The list cannot be read or is empty, a line has no label, or a video is named
            twice with different labels, or twice at all.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read the list ({one_line(error)})") from None
    found: dict[str, Labelled] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        video, is_further_crop = _line_to_video(path, number, line)
        before = found.get(video.name)
        if before and not (is_further_crop and before.label == video.label):
            raise UsageError(
                f"{path}: line {number}: {video.name} was named in line {before.line} already; a "
                "video is named once"
            )
        found.setdefault(video.name, video)
    if not found:
        raise UsageError(f"{path}: names no video; expected lines such as 'Abuse001_x264 1'")
    return list(found.values())


def _line_to_video(path: Path, number: int, line: str) -> tuple[Labelled, bool]:
    """The video of a line, and whether it is a further crop of it (``..._label_A__3.npy``)."""
    place, *words = line.replace(",", " ").split()
    name = PurePosixPath(place.replace("\\", "/")).name
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    crop = CROP_NUMBER.search(name)
    name = CROP_NUMBER.sub("", name)
    label = _LABELS.get(words[0].lower(), words[0]) if words else name_to_label(name)
    if not label:
        raise UsageError(
            f"{path}: line {number}: {name} has no label, and its place in the list is not taken "
            f"for one; write '{name} 0' for a normal video, '{name} 1' for one with an anomaly"
        )
    return Labelled(name, label, number), bool(crop and int(crop[1]))


def name_to_label(name: str) -> str:
    """The label that a name of UCF-Crime or XD-Violence holds; empty for other names."""
    if xd := _XD.search(name):
        return NORMAL if xd[1] == "A" else xd[1].split("-")[0]
    if name.lower().startswith("normal"):
        return NORMAL
    ucf = _UCF.match(name)
    return ucf[1] if ucf else ""


def read_intervals(path: Path) -> dict[str, list[tuple[int, int]]]:
    """The anomalous frames of test videos, of UCF-Crime, XD-Violence or TAD.

    A line is ``name [class] first last [first last ...]``, frames counted from 1; -1 stands for no
    interval.

    Returns:
        By name, the 0-based first and the end (exclusive) of each interval.

    Raises:
        UsageError: The file cannot be read, a line is of another form, or names a video again.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot read the frame labels ({one_line(error)})") from None
    found: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(lines, start=1):
        if not (words := line.split()):
            continue
        name = words[0].removesuffix(".mp4").removesuffix(".avi")
        rest = words[1:] if len(words) > 1 and _is_number(words[1]) else words[2:]
        if not all(map(_is_number, rest)) or len(rest) % 2:
            raise UsageError(
                f"{path}: line {number}: {one_line(line, limit=80)!r}: expected 'name [class] "
                "first last [first last ...]'"
            )
        if name in found:
            raise UsageError(f"{path}: line {number}: {name} is labelled a second time")
        pairs = zip(map(int, rest[::2]), map(int, rest[1::2]), strict=True)
        found[name] = [_interval(path, number, *pair) for pair in pairs if pair != (-1, -1)]
    return found


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"-?\d+", word))


def _interval(path: Path, number: int, first: int, last: int) -> tuple[int, int]:
    if not 0 <= first <= last:
        raise UsageError(
            f"{path}: line {number}: interval {first} to {last}: expected a first frame that is "
            "not after the last one"
        )
    return max(first - 1, 0), last


def frame_truth(
    name: str, truth: Mapping[str, list[tuple[int, int]]] | Path, *, frames: int, of: Path
) -> NDArray[np.bool_]:
    """Which frames of a test video are anomalous, cut to the snippets that were scored.

    Args:
        name: The video.
        truth: Intervals by name, or a folder with ``<name>.npy``, one value for each frame.
        frames: Frames that the snippets cover.
        of: Where the truth comes from, for messages.

    Returns:
        ``(frames,)``, or fewer if the video ends within its last snippet.

    Raises:
        UsageError: The video has no labels, or labels of far fewer frames than its snippets cover.
    """
    if isinstance(truth, Path):
        return _array_truth(truth / f"{name}.npy", frames=frames)
    if name not in truth:
        raise UsageError(f"{of}: has no labels of {name}; expected a line for each test video")
    found = np.zeros(frames, bool)
    for first, end in truth[name]:
        if first >= frames:
            raise UsageError(
                f"{of}: {name}: an anomaly from frame {first + 1} on, its snippets cover {frames} "
                "frames; the labels are of another video or frame rate"
            )
        if end > frames + SLACK_FRAMES:
            raise UsageError(
                f"{of}: {name}: an anomaly up to frame {end}, its snippets cover {frames} frames; "
                "the labels are of another video or frame rate"
            )
        found[first:end] = True
    return found


def _array_truth(path: Path, *, frames: int) -> NDArray[np.bool_]:
    if not path.is_file():
        raise UsageError(f"{path}: does not exist; expected one file of labels a test video")
    labels = _read_array(path)
    if not np.isin(labels, (0, 1)).all():
        raise UsageError(f"{path}: has values beside 0 and 1; expected one label for each frame")
    if abs(len(labels) - frames) > SLACK_FRAMES:
        raise UsageError(
            f"{path}: labels of {len(labels)} frames, the snippets cover {frames}; they are of "
            "another video, or --snippet-frames is wrong"
        )
    return np.asarray(labels[:frames] == 1)


def _read_array(path: Path) -> NDArray[np.floating]:
    try:
        labels: NDArray[np.floating] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise VadlocError(f"{path}: not a plain .npy array ({one_line(error)})") from None
    return labels.ravel()
