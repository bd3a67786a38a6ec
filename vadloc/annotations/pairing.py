"""Match annotations to sequences, and report every one of either that has no partner."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vadloc.annotations import (
    annotated,
    annotation_of,
    format_module,
    key_of,
)
from vadloc.annotations.context import (
    Context,
    FrameNames,
)
from vadloc.errors import VadlocError, some_of
from vadloc.video.numbering import one_spelling

if TYPE_CHECKING:
    from vadloc.video.frames import Sequence as FrameSequence


def left_out(
    folder: Path,
    gt_format: str,
    sequences: Collection[str],
    *,
    what: str,
    unread: Sequence[str] = (),
) -> Iterator[str]:
    """Yield a message that names annotated sequences that will not be evaluated, if there are any.

    Args:
        folder: Folder of the ground truth.
        gt_format: Format of the ground truth.
        sequences: Names of the sequences to be evaluated.
        what: What is evaluated, such as ``prediction`` or ``test video``, for the message.
        unread: Names of files beside the predictions or videos that are not read.

    Raises:
        VadlocError: A file that lists the annotated sequences is unusable.
    """
    truths = annotated(gt_format, folder)
    keys = {key_of(gt_format, name) for name in sequences}
    left = [key for key in truths if key not in keys]
    if left:
        instead = f"; not read, since of no known kind: {some_of(unread)}" if unread else ""
        yield (
            f"{folder}: ground truth of {some_of(left)} ({len(left)} of {len(truths)} sequences) "
            f"has no {what}{instead}; to evaluate some sequences only, name them (--sequences) or "
            "take the annotation of the others away"
        )


def unannotated(
    folder: Path, gt_format: str, sequences: Collection[str], *, what: str
) -> Iterator[str]:
    """Yield a message that names sequences without annotation, if there are any."""
    bare = list(_unannotated(folder, gt_format, sequences))
    if bare:
        yield (
            f"{what} of {some_of([name for name, _ in bare])} ({len(bare)} of {len(sequences)} "
            f"sequences) has no ground truth: {bare[0][1]}"
        )


def _unannotated(
    folder: Path, gt_format: str, sequences: Collection[str]
) -> Iterator[tuple[str, VadlocError]]:
    for name in sequences:
        try:
            annotation_of(gt_format, folder, name)
        except VadlocError as error:
            yield name, error


def check_pairs(
    folder: Path,
    gt_format: str,
    sequences: Collection[str],
    *,
    what: str,
    unread: Sequence[str] = (),
    is_part: bool = False,
) -> None:
    """Check that every sequence is annotated and every annotated sequence is evaluated.

    Args:
        folder: Folder of the ground truth.
        gt_format: Format of the ground truth.
        sequences: Names of the sequences to be evaluated.
        what: What is evaluated, as in `left_out`.
        unread: Names of files that are not read, as in `left_out`.
        is_part: True if the user chose the sequences by name; others may then be annotated too.

    Raises:
        VadlocError: A sequence has no annotation, or an annotation no sequence.
    """
    findings = (
        [] if is_part else [*left_out(folder, gt_format, sequences, what=what, unread=unread)]
    )
    findings += unannotated(folder, gt_format, sequences, what=what)
    if findings:
        raise VadlocError(". ".join(findings))


def frame_names_of(sequence: "FrameSequence") -> FrameNames | None:
    """The files of a sequence's frames; ``None`` for a video, whose frames have no names."""
    from vadloc.video.frames import list_frame_files

    if sequence.is_video:
        return None
    return FrameNames(tuple(file.name for file in list_frame_files(sequence.path)))


def context_of(
    sequence: "FrameSequence | None",
    *,
    counts: Mapping[str, int] | None = None,
    mask_threshold: float | None = None,
) -> Context:
    """The context that a reader gets besides the size of a sequence.

    Args:
        sequence: The frames of the sequence; ``None`` if there are only scores.
        counts: Number of frames of each sequence, from `counts_if_needed`.
        mask_threshold: Lowest level that is anomalous in masks, as in `Context`.
    """
    return Context(
        frame_names=None if sequence is None else frame_names_of(sequence),
        frame_counts=counts,
        counted_by="" if sequence is None else str(sequence.path),
        mask_threshold=mask_threshold,
    )


def counts_if_needed(
    gt_format: str, folder: Path, names: Sequence[str], count: Callable[[str], int]
) -> dict[str, int] | None:
    """Number of frames of each sequence if one array has the labels of all, otherwise ``None``.

    Args:
        gt_format: Format of the ground truth.
        folder: Folder of the ground truth.
        names: Names of all sequences in natural order.
        count: Returns the number of frames of a sequence.
    """
    shared_array = getattr(format_module(gt_format), "shared_array", None)
    if shared_array is None or shared_array(folder) is None:
        return None
    return {one_spelling(name): count(name) for name in names}
