"""Make functions that open pairs of JSON files of py-ssvad-metrics (ground truth, prediction)."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

from evaluation.predictions.folders import Load, PathLike
from evaluation.predictions.known_size import KnownSize, size_of
from vadloc.annotations import ssvad_json, ssvad_prediction
from vadloc.annotations.files import visible_entries
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.video.frames import natural_key
from vadloc.video.numbering import one_spelling


class _MapFolders(NamedTuple):
    """Folders that the paths of maps are relative to; ``None`` for the folder of the JSON."""

    truth: Path | None
    prediction: Path | None

    @classmethod
    def of(cls, truth: PathLike | None, prediction: PathLike | None) -> "_MapFolders":
        return cls(
            None if truth is None else Path(truth),
            None if prediction is None else Path(prediction),
        )


def json_to_load(
    gt_path: PathLike,
    pred_path: PathLike,
    gt_maps: PathLike | None = None,
    pred_maps: PathLike | None = None,
) -> Load:
    """A function that opens a pair of JSON files; arguments are the first four of `evaluate`."""
    maps = _MapFolders.of(gt_maps, pred_maps)
    return partial(_load_json, Path(gt_path), Path(pred_path), Path(pred_path).stem, maps)


def json_folders_to_loads(
    gt_dir: PathLike,
    pred_dir: PathLike,
    suffixes: tuple[str, str] = ("", ""),
    maps: tuple[PathLike | None, PathLike | None] = (None, None),
) -> list[Load]:
    """Functions that open the pairs of JSON files in two folders.

    Args:
        gt_dir: As in `accumulated_evaluate`.
        pred_dir: As in `accumulated_evaluate`.
        suffixes: What follows the sequence's name in the names of ground truth and prediction.
        maps: Folders that the paths of maps in ground truth and prediction are relative to;
            ``None`` for the folder of the JSON.

    Raises:
        VadlocError: A folder has no such file, or a sequence has only one of its two files.
    """
    pairs = json_folders_to_pairs(gt_dir, pred_dir, suffixes)
    folders = _MapFolders.of(*maps)
    return [partial(_load_json, *pair, name, folders) for name, pair in pairs.items()]


def json_folders_to_pairs(
    gt_dir: PathLike, pred_dir: PathLike, suffixes: tuple[str, str]
) -> dict[str, tuple[Path, Path]]:
    """Ground truth and prediction of each sequence of two folders, in natural order.

    The arguments are those of `json_folders_to_loads`.

    Raises:
        VadlocError: A folder has no such file, or a sequence has only one of its two files.
    """
    truths = _list_json(Path(gt_dir), suffixes[0])
    predictions = _list_json(Path(pred_dir), suffixes[1])
    _check_complete(truths, predictions, Path(gt_dir), Path(pred_dir))
    return {name: (truth, predictions[name]) for name, truth in truths.items()}


def _load_json(
    truth: Path, prediction: Path, sequence: str, maps: _MapFolders
) -> tuple[ssvad_prediction.Prediction, GroundTruth]:
    """Open a pair of JSON files."""
    annotation = ssvad_json.read_ground_truth(truth, sequence=sequence, maps=maps.truth)
    detected = ssvad_prediction.read_prediction(prediction, sequence=sequence, maps=maps.prediction)
    size = KnownSize(annotation.frame_count, annotation.height_px, annotation.width_px)
    size._replace(counted_by=str(truth)).agreeing(size_of(detected), where=str(prediction))
    return detected, annotation


def _list_json(folder: Path, suffix: str) -> dict[str, Path]:
    """The JSON files of a folder by sequence, in natural order."""
    if not folder.is_dir():
        raise VadlocError(f"{folder}: no such folder; expected <sequence>{suffix}.json in it")
    documents = (f for f in visible_entries(folder) if f.suffix.lower() == ".json")
    files = [file for file in documents if one_spelling(file.stem).endswith(suffix)]
    if not files:
        raise VadlocError(f"{folder}: no file *{suffix}.json; check the folder and the name suffix")
    files.sort(key=lambda file: natural_key(file.name))
    found = {one_spelling(file.stem).removesuffix(suffix): file for file in files}
    if len(found) < len(files):
        twice = next(file for file in files if file not in found.values())
        raise VadlocError(f"{folder}: {twice.name!a} and another file are spellings of one name")
    return found


def _check_complete(
    truths: Collection[str], predictions: Collection[str], gt_dir: Path, pred_dir: Path
) -> None:
    """Raise unless both folders have the same sequences."""
    for folder, names, others in (
        (pred_dir, predictions, truths),
        (gt_dir, truths, predictions),
    ):
        missing = [name for name in others if name not in names]
        if missing:
            raise VadlocError(
                f"{folder}: {len(missing)} of {len(others)} sequences missing: "
                f"{', '.join(missing[:5])}; every sequence needs ground truth and a prediction "
                "(do the name suffixes fit?)"
            )
