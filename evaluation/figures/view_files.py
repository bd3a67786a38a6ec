"""Find the files of each sequence, for pictures of predictions and ground truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vadloc.annotations.files import visible_entries
from vadloc.errors import UsageError, VadlocError
from vadloc.video.frames import list_sequences, natural_key
from vadloc.video.numbering import one_spelling

NOTHING = "nothing to show: give predictions, ground truth, or both"


class Files(NamedTuple):
    """The files of one sequence; nothing is shown of a file that is ``None``.

    Attributes:
        name: Name of the sequence.
        truth: JSON of the ground truth; for other formats, the folder of the ground truth.
        prediction: JSON or ``.npy`` of the prediction.
        frames: Folder of frames, or video.
        pictures: The picture of each frame, instead of ``frames``.
        truth_maps: Folder that the paths of maps in a JSON of ground truth are relative to;
            ``None`` for the folder of the JSON.
        prediction_maps: The same for the prediction.
    """

    name: str
    truth: Path | None
    prediction: Path | None
    frames: Path | None
    pictures: tuple[Path, ...] | None = None
    truth_maps: Path | None = None
    prediction_maps: Path | None = None


class JsonFolder(NamedTuple):
    """A folder of JSON files.

    Attributes:
        folder: The folder; ``None`` for no files.
        suffix: What follows the sequence's name in the names of the files.
    """

    folder: Path | None
    suffix: str

    def paths(self, other: "JsonFolder") -> dict[str, Path]:
        """The files by the name of their sequence, without those of the other kind.

        Args:
            other: The files of the other kind; they may be in the same folder and have a longer
                suffix that ends with this suffix.

        Raises:
            VadlocError: The folder is missing or has no file with the suffix.
        """
        if self.folder is None:
            return {}
        if not self.folder.is_dir():
            raise VadlocError(f"{self.folder}: no such folder; expected one JSON for each sequence")
        ending = f"{self.suffix}.json"
        found = {
            one_spelling(path.stem) + path.suffix.lower(): path
            for path in visible_entries(self.folder)
        }
        found = {name: path for name, path in found.items() if name.endswith(ending)}
        if other.folder == self.folder and len(other.suffix) > len(self.suffix):
            theirs = f"{other.suffix}.json"
            found = {name: path for name, path in found.items() if not name.endswith(theirs)}
        if not found:
            raise VadlocError(f"{self.folder}: no file in it whose name ends in {ending}")
        return {name.removesuffix(ending): map_beside(path) for name, path in found.items()}


def map_beside(path: Path) -> Path:
    """The ``.npy`` score map with the name of a JSON if there is one, otherwise the JSON."""
    scores = path.with_suffix(".npy")
    return scores if scores.is_file() else path


def files_by_sequence(
    truth: JsonFolder, prediction: JsonFolder, frames_dir: Path | None, ground_truth_format: str
) -> list[Files]:
    """The files of all sequences in natural order of their names.

    Args:
        truth: Folder of the ground truth.
        prediction: Folder of the predictions.
        frames_dir: Folder with the frame folders or videos of the sequences.
        ground_truth_format: A key of ``vadloc.annotations.READERS``.

    Raises:
        UsageError: There is nothing to show.
        VadlocError: A sequence lacks its prediction, ground truth or frames.
    """
    listed = [] if frames_dir is None else list_sequences(frames_dir)
    pictures = {one_spelling(sequence.name): sequence.path for sequence in listed}
    predictions = prediction.paths(truth)
    if ground_truth_format == "json":
        truths = truth.paths(prediction)
    else:
        truths = dict.fromkeys(predictions or pictures, truth.folder) if truth.folder else {}
    names = sorted({*predictions, *truths}, key=natural_key)
    if not names:
        raise UsageError(NOTHING + "; formats that do not name the sequences also need the frames")
    _check_all("prediction", predictions, names)
    _check_all("ground truth", truths, names)
    _check_all("frames", pictures, names)
    return [Files(n, truths.get(n), predictions.get(n), pictures.get(n)) for n in names]


def _check_all(what: str, given: dict[str, Path], names: Sequence[str]) -> None:
    """Raise unless there is a file for each name, or no file at all."""
    missing = [name for name in names if given and name not in given]
    if missing:
        raise VadlocError(
            f"no {what} for {', '.join(missing)}; there is for {', '.join(sorted(given))}. Both "
            "folders must hold the same sequences"
        )
