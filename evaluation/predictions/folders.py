"""Make functions that open prediction and ground truth of each sequence in two folders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from evaluation.predictions.known_size import KnownSize, size_of
from evaluation.predictions.readers import open_prediction
from vadloc.annotations import find_reader, format_module, ssvad_json
from vadloc.annotations.context import Context
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.pairing import (
    context_of,
    counts_if_needed,
)
from vadloc.annotations.regions import OutsideError
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.errors import VadlocError, some_of
from vadloc.video.frames import Sequence as FrameSequence
from vadloc.video.numbering import one_spelling

PathLike: TypeAlias = str | Path
Load: TypeAlias = Callable[[], tuple[Prediction, GroundTruth]]
"""A function that opens the prediction and the ground truth of one sequence."""


class TruthFolder(NamedTuple):
    """A folder of ground truth and its format."""

    folder: Path
    gt_format: str
    mask_threshold: float | None


def folder_to_loads(
    truth: TruthFolder,
    predictions: Mapping[str, Path],
    names: Sequence[str],
    frames: Mapping[str, FrameSequence],
    size_px: tuple[int, int] | None,
) -> list[Load]:
    """Functions that open the named sequences, in their order."""
    sizes = _known_sizes(names, frames, size_px)
    counts = counts_if_needed(
        truth.gt_format,
        truth.folder,
        list(frames or predictions),
        lambda name: _frame_count(predictions.get(name), name, frames, sizes),
    )
    contexts = {
        name: context_of(frames.get(name), counts=counts, mask_threshold=truth.mask_threshold)
        for name in names
    }
    return [
        partial(_load_pair, truth, predictions[name], name, sizes[name], contexts[name])
        for name in names
    ]


def frames_of(names: Sequence[str], folder: Path) -> dict[str, FrameSequence]:
    """The frames of all sequences of a folder, by name in Unicode form NFC.

    Raises:
        VadlocError: One of ``names`` has no frames.
    """
    from vadloc.video.frames import list_sequences

    listed = {one_spelling(sequence.name): sequence for sequence in list_sequences(folder)}
    unknown = [name for name in names if name not in listed]
    if unknown:
        raise VadlocError(
            f"{folder}: no frames of {some_of(unknown)}; there are {some_of(list(listed))}"
        )
    return listed


def _known_sizes(
    names: Sequence[str],
    frames: Mapping[str, FrameSequence],
    size_px: tuple[int, int] | None,
) -> dict[str, KnownSize]:
    """Number and size of the frames of each sequence, as far as frames or options give them."""
    width_px, height_px = size_px or (None, None)
    told = KnownSize(None, height_px, width_px)
    if not frames:
        return dict.fromkeys(names, told)
    from vadloc.video.frames import sequence_size

    return {
        name: told.agreeing(KnownSize(*sequence_size(frames[name])), where=str(frames[name].path))
        for name in names
    }


def _frame_count(
    prediction: Path | None,
    name: str,
    frames: Mapping[str, FrameSequence],
    sizes: Mapping[str, KnownSize],
) -> int:
    """Number of frames of a sequence, from its frames or else from its prediction."""
    known = sizes.get(name, KnownSize())
    if known.frame_count is not None:
        return known.frame_count
    if name in frames:
        from vadloc.video.frames import sequence_size

        return sequence_size(frames[name])[0]
    if prediction is None:
        raise VadlocError(f"{name}: neither frames nor a prediction, so that nothing counts it")
    return open_prediction(prediction, name, known).frame_count


def _load_pair(
    folder: TruthFolder, path: Path, sequence: str, known: KnownSize, context: Context
) -> tuple[Prediction, GroundTruth]:
    """Open a prediction and its ground truth; either may give the frame size to the other."""
    if folder.gt_format == "json":
        source = ssvad_json.annotation_of(folder.folder, sequence)
        truth = ssvad_json.read_ground_truth(source, sequence=sequence, context=context)
        size = KnownSize(truth.frame_count, truth.height_px, truth.width_px)
        known = known.agreeing(size, where=str(source))
        return open_prediction(path, sequence, known, context.frame_names), truth
    prediction = open_prediction(path, sequence, known, context.frame_names)
    is_told = known.height_px is not None
    known = known.agreeing(size_of(prediction), where=str(path))
    if getattr(format_module(folder.gt_format), "SIZELESS", False):
        known = known._replace(height_px=known.height_px or 1, width_px=known.width_px or 1)
    size_needed = known.complete(where=str(path))
    context = replace(context, counted_by=known.counted_by)
    try:
        truth = find_reader(folder.gt_format)(
            folder.folder, sequence, **size_needed._asdict(), context=context
        )
    except OutsideError as error:
        if is_told:
            raise
        raise VadlocError(
            f"{error}. This size is that of {path}, read as (frames, height, width) = "
            f"{tuple(size_needed)}; if that is wrong, mend the array (np.transpose)"
        ) from None
    return prediction, truth
