"""Find the sequences in paths given by a user: videos, folders of frames, and folders of either."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from vadloc.errors import UsageError, some_of
from vadloc.video.decoding import VIDEO_SUFFIXES
from vadloc.video.frames import (
    FRAME_SUFFIXES,
    Sequence,
    check_name_length,
    is_hidden,
    natural_key,
    what_is_read,
)


@dataclass(frozen=True)
class Given:
    """The sequences of one option.

    Attributes:
        sequences: The sequences in the order of the command line, with unique names.
        left: A line for each folder with entries that are not used.
    """

    sequences: list[Sequence]
    left: list[str]


def find_given(paths: Iterable[Path], option: str) -> Given:
    """The sequences below files and folders.

    Args:
        paths: Paths of videos, of folders of pictures (one sequence each), of folders of such
            folders, or of folders of videos.
        option: The option that gave the paths, for messages.

    Raises:
        UsageError: A path is none of these or several at once, or a sequence is given twice.
    """
    found: list[Path] = []
    left: list[str] = []
    for path in map(absolute, paths):
        taken, passed_over = _below(path, option)
        found += taken
        left += [f"{path}: not taken: {_named(passed_over)}"] if passed_over else []
    twice = [path for path, count in Counter(path.resolve() for path in found).items() if count > 1]
    if twice:
        raise UsageError(f"{option} {twice[0]}: given twice; once is enough")
    sequences = [Sequence(n, p) for n, p in zip(_names(found), found, strict=True)]
    for sequence in sequences:
        check_name_length(sequence)
    return Given(sequences, left)


def absolute(path: Path) -> Path:
    """The absolute path; a link at its end is not followed, since users name videos by links."""
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def _below(path: Path, option: str) -> tuple[list[Path], list[Path]]:
    """Videos and folders of frames at a path, and the other entries there."""
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        return [path], []
    if path.is_file():
        raise UsageError(
            f"{option} {path}: not a video ({' '.join(sorted(VIDEO_SUFFIXES))}) and no folder; "
            "of a picture, give its folder; unpack an archive; ffmpeg converts other videos"
        )
    if not path.is_dir():
        raise UsageError(f"{option} {path}: no such file or folder")
    entries = _visible(path)
    kinds = {
        "pictures": [e for e in entries if _is_frame(e)],
        "videos": [e for e in entries if e.is_file() and e.suffix.lower() in VIDEO_SUFFIXES],
        "folders of pictures": [e for e in entries if _holds_frames(e)],
    }
    present = {kind: found for kind, found in kinds.items() if found}
    if not present:
        raise UsageError(
            f"{option} {path}: {f'holds only {_named(entries)}' if entries else 'is empty'}; "
            f"{what_is_read()}. Convert other kinds, unpack archives"
        )
    if len(present) > 1:
        counts = " and ".join(f"{kind} ({len(found)})" for kind, found in present.items())
        raise UsageError(f"{option} {path}: holds {counts}; give what is meant by itself")
    (kind, taken) = present.popitem()
    rest = [entry for entry in entries if entry not in taken]
    return ([path], rest) if kind == "pictures" else (taken, rest)


def _visible(folder: Path) -> list[Path]:
    entries = (entry for entry in folder.iterdir() if not is_hidden(entry.name))
    return sorted(entries, key=lambda entry: natural_key(entry.name))


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() in FRAME_SUFFIXES and path.is_file()


def _holds_frames(path: Path) -> bool:
    """Whether a path is a folder with pictures other than masks."""
    if not path.is_dir() or path.name.endswith("_gt"):
        return False
    return any(map(_is_frame, _visible(path)))


def _named(paths: list[Path]) -> str:
    """The first names, and the number of the others."""
    return some_of([path.name + "/" * path.is_dir() for path in paths])


def _names(paths: list[Path]) -> list[str]:
    """A unique name for each path: the file name, after folder names where these are needed.

    Raises:
        UsageError: Two files in one folder differ only in their suffix.
    """
    own = [_own_name(path) for path in paths]
    counts = Counter(own)
    for depth in range(max((len(path.parts) for path in paths), default=1)):
        names = [
            "_".join([*path.parts[1:-1][::-1][:depth][::-1], name]) if counts[name] > 1 else name
            for path, name in zip(paths, own, strict=True)
        ]
        if len(set(names)) == len(names):
            return names
    first, second = next((a, b) for a, b in combinations(paths, 2) if _own_path(a) == _own_path(b))
    raise UsageError(f"{first} and {second.name}: two videos of one name; rename one of them")


def _own_path(path: Path) -> Path:
    return path.with_name(_own_name(path))


def _own_name(path: Path) -> str:
    """Name of a sequence, changed if it is hidden or ends in ``_gt``, since such are not read."""
    name = path.stem if path.is_file() else path.name
    return (name.lstrip(".") or "video") + "_frames" * (path.is_dir() and name.endswith("_gt"))
