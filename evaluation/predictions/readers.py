"""What other people's detectors leave behind, as the criteria take it.

A folder holds one prediction a sequence, named after it:

* ``<sequence>.json``: the JSON of py-ssvad-metrics,
* ``<sequence>.npy``, ``(frames, rows, columns)``: score maps, at full resolution or on cells,
* ``<sequence>.npy``, ``(frames,)``: a score for each frame,
* ``<sequence>/``: a ``.npy``, ``.tif`` or ``.tiff`` map for each frame, called as the frame is or
  numbered without gaps,
* ``<sequence>.csv``: rows ``frame,x_min,y_min,x_max,y_max,score``, frames 0-based, boxes half-open.

What ``.npy`` and ``.csv`` do not say, a ``<sequence>.json`` beside them may (see `Details`).
Scores are any finite numbers, except in the JSON of py-ssvad-metrics: there they are in [0, 1].
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vadloc.annotations.arrays import map_numbers
from vadloc.annotations.context import (
    ONE_EACH,
    FrameNames,
)
from vadloc.annotations.files import (
    is_document,
    read_text,
    visible_entries,
)
from vadloc.annotations.frame_files import in_order_of_frames
from vadloc.annotations.regions import (
    SequenceSize,
    boxes_in_frame,
    check_frame,
)
from vadloc.annotations.rows import (
    Row,
    read_rows,
)
from vadloc.annotations.score_maps import TIFF_SUFFIXES
from vadloc.annotations.ssvad_json import (
    Prediction,
    read_prediction,
)
from vadloc.errors import VadlocError, one_line, some_of
from vadloc.scores import (
    BoxScores,
    ScoreMap,
)
from vadloc.video.decoding import MAX_FRAME_PX
from vadloc.video.frames import natural_key
from vadloc.video.numbering import one_spelling

LAYOUT = "frame,x_min,y_min,x_max,y_max,score"
MAP_SUFFIXES = (".npy", *TIFF_SUFFIXES)
TIFF_MODES = ("F", "L", "1", "I;16", "I")
DTYPES = ("float16", "float32", "float64", "bool", "uint8", "uint16", "int32", "int64")
KINDS = "<sequence>.json, <sequence>.npy, <sequence>.csv, or folders of .npy or .tiff maps"
MAX_FRAMES = 10_000_000
"""Four days at 30 frames a second; a count beyond this is a slip."""
_Pixels = Annotated[int, Field(gt=0, le=MAX_FRAME_PX)]


class KnownSize(NamedTuple):
    """What is known of a sequence's size; ``None`` for what is not.

    Attributes:
        frame_count: Number of frames.
        height_px: Frame height.
        width_px: Frame width.
        counted_by: What the number of frames was taken from, for messages.
    """

    frame_count: int | None = None
    height_px: int | None = None
    width_px: int | None = None
    counted_by: str = ""

    def agreeing(self, other: "KnownSize", *, where: str) -> "KnownSize":
        """What is known from both.

        Args:
            other: What ``where`` says.
            where: File or folder, for the message.

        Raises:
            VadlocError: The two contradict each other.
        """
        fields = ("frame_count", "height_px", "width_px")
        for name, mine, others in zip(fields, self[:3], other[:3], strict=True):
            if None not in (mine, others) and mine != others:
                source = self.counted_by if name == "frame_count" else ""
                remedy = ONE_EACH if name == "frame_count" else "both must be of the same frames"
                raise VadlocError(
                    f"{where}: {name} is {others}, but {mine} is expected from "
                    f"{source or 'the frames, the ground truth or the options'}; {remedy}"
                )
        counted_by = self.counted_by if self.frame_count is not None else where
        return KnownSize(
            self.frame_count or other.frame_count,
            self.height_px or other.height_px,
            self.width_px or other.width_px,
            counted_by,
        )

    def complete(self, *, where: str) -> SequenceSize:
        """All of it.

        Raises:
            VadlocError: A part is unknown.
        """
        if None in self:
            missing = ", ".join(name for name, value in self._asdict().items() if value is None)
            raise VadlocError(
                f"{where}: {missing} unknown; give the folder of the frames (--frames), the size "
                "(--size), or a .json beside the predictions"
            )
        return SequenceSize(*cast("SequenceSize", self[:3]))


class Details(BaseModel):
    """What a ``.json`` beside a ``.npy`` or ``.csv`` may say; other keys are ignored.

    Attributes:
        cell_height_px: Height of a cell of the map; without it a cell is a pixel.
        cell_width_px: Width of a cell.
        frame_height_px: Height of the frames.
        frame_width_px: Width of the frames.
        frame_count: Number of frames.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    cell_height_px: _Pixels = 1
    cell_width_px: _Pixels = 1
    frame_height_px: _Pixels | None = None
    frame_width_px: _Pixels | None = None
    frame_count: Annotated[int, Field(gt=0, le=MAX_FRAMES)] | None = None

    @property
    def size(self) -> KnownSize:
        """What it says of the sequence."""
        return KnownSize(self.frame_count, self.frame_height_px, self.frame_width_px)


class Listing(NamedTuple):
    """What a folder of predictions holds.

    Attributes:
        predictions: The prediction of each sequence, in natural order of the names, which are in
            Unicode form NFC.
        unread: Names of what is no prediction of a known kind, and no readme.
    """

    predictions: dict[str, Path]
    unread: list[str]


def list_folder(folder: Path, *, suffix: str = "") -> Listing:
    """The prediction of each sequence, and what is not read.

    A ``.json`` beside a ``.npy`` or ``.csv`` of the same name is part of that prediction. Folders
    are predictions only where there is no file: otherwise they hold what the files name.

    Args:
        folder: Folder of the predictions.
        suffix: End of all names (before ``.json`` and the like) that is not part of the sequence's.

    Raises:
        VadlocError: The folder is missing or has no prediction, or a sequence has two.
    """
    entries = _entries(folder)
    files = [e for e in entries if e.suffix.lower() in (".npy", ".csv") and e.is_file()]
    stems = {file.stem for file in files}
    documents = [e for e in entries if e.suffix.lower() == ".json" and e.is_file()]
    files += [e for e in documents if e.stem not in stems]
    found = files or [e for e in entries if e.is_dir() and _map_files(e)]
    found = [path for path in found if _name(path).endswith(suffix)]
    read = {*found, *(e for e in documents if e.stem in stems)}
    others = (e for e in entries if e not in read and not _is_aside(e))
    if documents:  # which may name maps in folders
        others = (entry for entry in others if not entry.is_dir())
    unread = [entry.name + "/" * entry.is_dir() for entry in others]
    if not found:
        there = f"; there is {some_of(unread)}" if unread else ""
        raise VadlocError(f"{folder}: no predictions *{suffix}{there}; expected {KINDS}")
    return Listing(_by_sequence(found, suffix), unread)


def _by_sequence(found: list[Path], suffix: str) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: (natural_key(_name(path)), path.suffix)):
        sequence = one_spelling(_name(path)).removesuffix(suffix)
        if sequence in named:
            raise VadlocError(
                f"{path}: {named[sequence].name} is a prediction of {sequence} already; keep one"
            )
        named[sequence] = path
    return named


def _is_aside(path: Path) -> bool:
    """Whether nobody takes it for a prediction."""
    return is_document(path) or path.suffix.lower() in (".md", ".log", ".toml", ".yaml", ".yml")


def _name(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise VadlocError(f"{folder}: no such folder; expected {KINDS} in it")
    return list(visible_entries(folder))


def open_prediction(
    path: Path, sequence: str, known: KnownSize, frame_names: FrameNames | None = None
) -> Prediction:
    """What a detector says of one sequence; maps are read when their frame is asked for.

    Args:
        path: As from `list_folder`.
        sequence: Name of the sequence.
        known: What is known of its size; the prediction must agree.
        frame_names: The files of the frames, by which files of one map a frame are placed.

    Raises:
        VadlocError: The file is malformed or disagrees, or a size that it needs is unknown.
    """
    if path.is_dir():
        prediction = _open_folder(path, sequence, frame_names)
    elif path.suffix.lower() == ".json":
        prediction = read_prediction(path, sequence=sequence)
    else:
        details = _read_details(path)
        known = known.agreeing(details.size, where=str(path.with_suffix(".json")))
        reader = _open_array if path.suffix.lower() == ".npy" else _read_boxes
        prediction = reader(path, sequence, known, details)
    known.agreeing(size_of(prediction), where=str(path))
    return prediction


def size_of(prediction: Prediction) -> KnownSize:
    """What a prediction says of the sequence's size."""
    if prediction.scores is None:
        return KnownSize(prediction.frame_count)
    return KnownSize(
        prediction.frame_count, prediction.scores.height_px, prediction.scores.width_px
    )


def _read_details(path: Path) -> Details:
    """The details beside a file, the defaults if there are none."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return Details()
    try:
        return Details.model_validate_json(read_text(beside, expected="JSON"))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(step) for step in problem["loc"]) or "the file"
        raise VadlocError(f"{beside}: {key}: {problem['msg']}") from None


def _open_array(path: Path, sequence: str, known: KnownSize, details: Details) -> Prediction:
    """Maps ``(frames, rows, columns)`` or frame scores ``(frames,)``."""
    array = map_numbers(path, dtypes=DTYPES)
    if array.ndim == 1:
        scores = array.astype(np.float64)
        if not np.isfinite(scores).all():
            bad = int(np.argmin(np.isfinite(scores)))
            raise VadlocError(f"{path}: the score of frame {bad} (0-based) is not a finite number")
        return Prediction(sequence, len(scores), None, scores)
    if array.ndim != 3 or not array.size:
        raise VadlocError(
            f"{path}: an array of shape {array.shape}, expected (frames, rows, columns) for maps "
            "or (frames,) for frame scores"
        )
    height_px, width_px = array.shape[1:]
    if (details.cell_height_px, details.cell_width_px) != (1, 1):
        _, height_px, width_px = known._replace(frame_count=len(array)).complete(where=str(path))
    cells = details.cell_height_px, details.cell_width_px
    score_map = ScoreMap(sequence, array, *cells, height_px=height_px, width_px=width_px)
    return Prediction(sequence, len(array), score_map, None)


def _read_boxes(path: Path, sequence: str, known: KnownSize, _details: Details) -> Prediction:
    """Rows of boxes; a first row of the columns' names is a header."""
    size = known.complete(where=str(path))
    rows = list(read_rows(path, layout=LAYOUT))
    names = LAYOUT.split(",")
    values = [[row.number(column, names[column]) for column in range(1, 6)] for row in rows]
    table = np.array(values, np.float64).reshape(-1, 5)
    inside, cut = boxes_in_frame(table[:, :4], [row.where for row in rows], size)
    boxes = BoxScores(
        sequence=sequence,
        frame=np.array([_frame(row, known) for row in rows], np.int64),
        box_xyxy_px=inside,
        score=table[:, 4],
        frame_count=size.frame_count,
        height_px=size.height_px,
        width_px=size.width_px,
    )
    return Prediction(sequence, size.frame_count, boxes, None, cut)


def _frame(row: Row, known: KnownSize) -> int:
    number, count = row.whole(0, "the frame"), known.frame_count or 0
    return check_frame(number, count, where=row.where, first=0, counted_by=known.counted_by)


def _map_files(folder: Path) -> list[Path]:
    """The maps of a folder in natural order."""
    entries = visible_entries(folder)
    files = [f for f in entries if f.suffix.lower() in MAP_SUFFIXES and f.is_file()]
    return sorted(files, key=lambda file: natural_key(file.name))


def _open_folder(folder: Path, sequence: str, frame_names: FrameNames | None) -> Prediction:
    """A folder of one map a frame; the first map gives the size of all."""
    files = _map_files(folder)
    files = in_order_of_frames(folder, files, frame_names, what="maps", remedy=ONE_EACH)
    height_px, width_px = _read_map(files[0]).shape
    maps = MapFiles(files, height_px=height_px, width_px=width_px)
    grid = cast("NDArray[np.float32]", maps)  # shape and [frame] are all that ScoreMap needs
    score_map = ScoreMap(sequence, grid, 1, 1, height_px=height_px, width_px=width_px)
    return Prediction(sequence, len(files), score_map, None)


class MapFiles:
    """Maps of a sequence, one file a frame, read when asked for.

    Attributes:
        shape: ``(frames, height, width)``.
    """

    def __init__(self, files: Sequence[Path], *, height_px: int, width_px: int) -> None:
        self._files = tuple(files)
        self.shape = (len(self._files), height_px, width_px)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> NDArray[Any]:
        scores = _read_map(self._files[frame])
        if scores.shape != self.shape[1:]:
            raise VadlocError(
                f"{self._files[frame]}: a map of shape {scores.shape}, but the first one of the "
                f"folder has {self.shape[1:]}; all maps of a sequence must have one size"
            )
        return scores


def _read_map(path: Path) -> NDArray[Any]:
    is_tiff = path.suffix.lower() in TIFF_SUFFIXES
    scores = _read_tiff(path) if is_tiff else map_numbers(path, dtypes=DTYPES)
    if scores.ndim != 2 or not scores.size:
        raise VadlocError(f"{path}: an array of shape {scores.shape}, expected (height, width)")
    return scores


def _read_tiff(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("TIFF",)) as picture:
                if picture.width * picture.height > MAX_FRAME_PX:
                    raise ValueError(f"{picture.width} x {picture.height} px")
                mode, scores = picture.mode, np.asarray(picture)
    except Exception as error:  # decoders fail with nearly any exception on hostile bytes
        detail = one_line(error)
        raise VadlocError(f"{path}: not a readable TIFF picture ({detail})") from None
    if mode not in TIFF_MODES:
        raise VadlocError(f"{path}: pixels of mode {mode}, expected one of {', '.join(TIFF_MODES)}")
    return scores
