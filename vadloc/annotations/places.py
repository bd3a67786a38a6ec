"""The files of an annotation that its format reads, found by their names alone.

`vadloc.annotations` reads them; here is only which they are, so that stages before the evaluation
can tell whether an annotation has changed. Files of other kinds, hidden ones and those of
sequences that are not evaluated are no part of it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from vadloc.config import GroundTruthFormat
from vadloc.video.frames import is_hidden

TRACKS = tuple(
    f"{scene}{{name}}_annotations/{{name}}{end}_tracks.txt"
    for scene in ("", "{scene}/")
    for end in ("_new", "")
)
PLACES: dict[GroundTruthFormat, tuple[str, ...]] = {
    "avenue": ("{number}_label.mat",),
    "frame_labels": ("{name}.txt", "{name}.npy", "frame_labels.csv"),
    "frame_masks": ("{name}.npy", "{name}_gt.npy"),
    "json": ("{name}_gt.json", "{name}.json", "{name}/{name}_gt.json", "{name}/{name}.json"),
    "masks": ("{name}_gt",),
    "shanghaitech": ("{name}.txt",),
    "street_scene": ("{name}/{name}_gt.txt", "{name}_gt.txt"),
    "ubnormal": TRACKS,
}
"""Where each format looks for the annotation of a sequence; the first that is there is read."""

_MAP_NAME = re.compile(rb'"pixel_level_scores_map"\s*:\s*("(?:[^"\\]|\\.)*")')


def annotation_files(
    gt_format: GroundTruthFormat, folder: Path, sequences: Sequence[str]
) -> dict[str, Path]:
    """The files that are read for some sequences, as far as they are there.

    Args:
        gt_format: The format.
        folder: Folder of the annotation.
        sequences: Names of the sequences.

    Returns:
        Each file by its path relative to the folder, in the order of these.
    """
    spelled = lru_cache(maxsize=None)(_entries_by_spelling)
    found: set[Path] = set()
    for name in sequences:
        found_at = (_find(folder, place, spelled) for place in _places(gt_format, name))
        is_right = Path.is_dir if gt_format == "masks" else Path.is_file
        place = next(filter(is_right, filter(None, found_at)), None)
        if place is not None:
            found.update(_FURTHER.get(gt_format, _alone)(place))
        elif gt_format == "frame_labels":  # one array has the labels of all
            found.update(_with_suffix(folder, ".npy"))
    return {path.relative_to(folder).as_posix(): path for path in sorted(found)}


def _places(gt_format: GroundTruthFormat, name: str) -> Iterator[str]:
    number, scene = re.search(r"[0-9]{1,9}$", name), re.search(r"scene_([0-9]+)", name)
    words = {
        "name": name,
        "number": int(number[0]) if number else "",
        "scene": f"Scene{scene[1]}" if scene else "",
    }
    return (place.format(**words).lstrip("/") for place in PLACES[gt_format])


def _find(folder: Path, place: str, spelled: Callable[[Path], dict[str, Path]]) -> Path | None:
    """What is at a place, also where Unicode form or case of the suffix differ."""
    path: Path | None = folder
    for part in Path(place).parts:
        if path is not None:
            exact = path / part
            path = exact if exact.exists() else spelled(path).get(_spelling(exact))
    return path


def _entries_by_spelling(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {_spelling(entry): entry for entry in sorted(folder.iterdir(), reverse=True)}


def _spelling(path: Path) -> str:
    return normalize("NFC", path.stem) + path.suffix.lower()


def _alone(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place


def _with_suffix(folder: Path, *suffixes: str) -> Iterator[Path]:
    """Visible files of a folder with one of some suffixes."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.suffix.lower() in suffixes and not is_hidden(entry.name) and entry.is_file():
            yield entry


def _mask_pictures(masks: Path) -> Iterator[Path]:
    return _with_suffix(masks, ".png", ".bmp")


def _rows_and_pictures(rows: Path) -> Iterator[Path]:
    """Track rows and the pictures of object numbers beside them."""
    yield from _alone(rows)
    yield from (path for path in _with_suffix(rows.parent, ".png") if path.stem.endswith("_gt"))


def _with_maps(document: Path) -> Iterator[Path]:
    """A JSON and the maps that it names below its folder."""
    yield from _alone(document)
    for written in _MAP_NAME.findall(document.read_bytes() if document.is_file() else b""):
        try:
            path = (document.parent / json.loads(written)).resolve()
            yield from _alone(document.parent / path.relative_to(document.parent.resolve()))
        except (
            OSError,
            RuntimeError,
            ValueError,
        ):  # it is never read
            continue


_FURTHER: dict[GroundTruthFormat, Callable[[Path], Iterator[Path]]] = {
    "json": _with_maps,
    "masks": _mask_pictures,
    "ubnormal": _rows_and_pictures,
}
"""What is read beside, or in, the place of a format that does not read it alone."""
