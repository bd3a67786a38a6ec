"""Read features of snippets that others share; a file holds the snippets of a video in order.

* ``.npy``: ``(snippets, width)``, ``(snippets, crops, width)`` or ``(crops, snippets, width)``,
  float16, float32 or float64. Which of the last two it is, the number of crops tells: 5 or 10.
* ``.txt``: one snippet a line, numbers separated by blanks, as Sultani et al. share them.

Each crop may have a file of its own, ``<name>__0.npy`` and on.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import UsageError, VadlocError, one_line, some_of
from vadloc.weak_labels import CROP_NUMBER, Labelled

CROPS: Final = (5, 10)
"""Usual numbers of crops."""
SUFFIXES: Final = (".npy", ".txt")


def read_snippets(path: Path) -> NDArray[np.float32]:
    """The features of a video.

    Args:
        path: A ``.npy`` or ``.txt`` file.

    Returns:
        ``(crops, snippets, width)``; one crop if the file has none.

    Raises:
        VadlocError: The file cannot be read, has another shape, holds no snippet, or a value that
            is not finite.
    """
    array = _read_npy(path) if path.suffix == ".npy" else _read_text(path)
    if array.dtype.kind != "f":
        raise VadlocError(f"{path}: values of type {array.dtype}, expected float16, 32 or 64")
    found = _crops_first(path, array)
    if 0 in found.shape:
        raise VadlocError(f"{path}: shape {array.shape} holds no snippet")
    with np.errstate(over="ignore"):
        snippets = found.astype(np.float32)
    bad = np.argwhere(~np.isfinite(snippets))
    if len(bad):
        raise VadlocError(
            f"{path}: snippet {bad[0][1] + 1}, feature {bad[0][2] + 1} is "
            f"{snippets[tuple(bad[0])]}; expected finite numbers, extract it again"
        )
    return np.ascontiguousarray(snippets)


def _read_npy(path: Path) -> NDArray[np.floating]:
    try:
        array: NDArray[np.floating] = np.load(path, allow_pickle=False)
    except OSError as error:
        raise VadlocError(f"{path}: cannot be read ({error.strerror or one_line(error)})") from None
    except (ValueError, EOFError) as error:
        raise VadlocError(
            f"{path}: not a plain .npy array ({one_line(error, limit=120)}); arrays of objects are "
            "not read, save it with numpy.save of floats"
        ) from None
    return array


def _read_text(path: Path) -> NDArray[np.float64]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VadlocError(f"{path}: cannot be read ({one_line(error)})") from None
    rows: list[NDArray[np.float64]] = []
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        try:
            row = np.array(line.split(), np.float64)
        except ValueError as error:
            raise VadlocError(f"{path}: line {number}: {one_line(error, limit=120)}") from None
        if rows and len(row) != len(rows[0]):
            raise VadlocError(
                f"{path}: line {number} has {len(row)} numbers, the lines before {len(rows[0])}"
            )
        rows.append(row)
    return np.array(rows).reshape(len(rows), -1)


def _crops_first(path: Path, array: NDArray[np.floating]) -> NDArray[np.floating]:
    if array.ndim == 2:
        return array[None]
    if array.ndim != 3:
        raise VadlocError(
            f"{path}: shape {array.shape}, expected (snippets, width), (snippets, crops, width) or "
            "(crops, snippets, width)"
        )
    first, second = (array.shape[axis] in CROPS or array.shape[axis] == 1 for axis in (0, 1))
    if first == second:
        problem = "either of the first two" if first else "neither of the first two"
        raise VadlocError(
            f"{path}: shape {array.shape}: {problem} may be the {' or '.join(map(str, CROPS))} "
            "crops; store it as (snippets, width), with the crops averaged"
        )
    return array if first else array.transpose(1, 0, 2)


def find_files(folder: Path, videos: list[Labelled], listed: Path) -> dict[str, list[Path]]:
    """The feature files of each video: one, or one for each crop (``<name>__0.npy`` and on).

    Args:
        folder: It and the folders in it are searched.
        videos: The videos.
        listed: The list, for messages.

    Raises:
        UsageError: The folder does not exist, a video has no file, or several of one name.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; expected the folder of the feature files")
    files: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES):
        files.setdefault(CROP_NUMBER.sub("", path.stem), []).append(path)
    if absent := [v.name for v in videos if v.name not in files]:
        raise UsageError(
            f"{folder}: no features of {some_of(absent)}, which {listed} names; expected "
            f"{absent[0]}.npy or .txt"
        )
    for video in videos:
        stems = [path.stem for path in files[video.name]]
        if len(set(stems)) < len(stems):
            raise UsageError(
                f"{folder}: {some_of([str(p) for p in files[video.name]])} are all named "
                f"{video.name}; keep one of them"
            )
    return {video.name: files[video.name] for video in videos}


def read_video(paths: list[Path]) -> NDArray[np.float32]:
    """The features of a video, ``(crops, snippets, width)``, from one file or one of each crop.

    Raises:
        VadlocError: See `read_snippets`; or the crops differ in shape.
    """
    crops = [read_snippets(path) for path in paths]
    for path, crop in zip(paths, crops, strict=True):
        if crop.shape != crops[0].shape:
            raise VadlocError(
                f"{path}: shape {crop.shape}, {paths[0].name} has {crops[0].shape}; all crops of "
                "a video have the same snippets"
            )
    return np.concatenate(crops)
