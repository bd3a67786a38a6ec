"""Match files to frames, for formats with one file per frame, such as masks and score maps."""

from itertools import pairwise
from pathlib import Path

from vadloc.annotations.context import FrameNames
from vadloc.errors import VadlocError, some_of
from vadloc.video.numbering import check_names

ONE_A_FRAME = "one is needed for every frame, called as the frame is"


def in_order_of_frames(
    folder: Path,
    files: list[Path],
    frames: FrameNames | None,
    *,
    what: str,
    remedy: str = ONE_A_FRAME,
) -> list[Path]:
    """Sort files by frame: a file belongs to the frame whose file has the same name.

    Args:
        folder: Folder of the files, for messages.
        files: The files in natural order of their names.
        frames: The files of the frames. Without them (a video, only scores) a missing file shows
            only as a gap in the numbers.
        what: What the files are, for messages.
        remedy: What the user should do, for messages.

    Raises:
        VadlocError: A file belongs to no frame, a frame has no file or two files, or the numbers
            have a gap that the numbers of the frame files do not have.
    """
    stems = [file.stem.removesuffix("_gt") + file.suffix for file in files]
    check_names(folder, stems)
    if frames is None:
        _refuse_gaps(folder, files, FrameNames(tuple(stems)).numbers, what)
        return files
    found = [frames.get(stem) for stem in stems]
    by_frame = dict(zip(found, files, strict=True))
    if None not in by_frame and len(by_frame) == len(frames.files) == len(files):
        return [by_frame[frame] for frame in range(len(files))]
    if len(files) == len(frames.files) and _same_gaps(stems, frames):
        return files
    lost = [file.name for file, frame in zip(files, found, strict=True) if frame is None]
    bare = [name for frame, name in enumerate(frames.files) if frame not in by_frame]
    parts = [f"the {what} {some_of(lost)} are of no frame"] if lost else []
    parts += [f"the frames {some_of(bare)} have none"] if bare else []
    raise VadlocError(
        f"{folder}: {len(files)} {what}, but the sequence has {len(frames.files)} frames: "
        f"{'; '.join(parts) or 'two are of one frame'}; {remedy}"
    )


def _refuse_gaps(folder: Path, files: list[Path], numbers: tuple[int, ...], what: str) -> None:
    for (before, number), (after, following) in pairwise(zip(files, numbers, strict=False)):
        if following != number + 1:
            raise VadlocError(
                f"{folder}: {before.name} is followed by {after.name}, so that frames may have "
                f"been left out; number the {what} without gaps, or give pictures of the frames, "
                f"whose names then decide (--frames)"
            )


def _same_gaps(stems: list[str], frames: FrameNames) -> bool:
    """Whether the files' numbers differ from those of the frame files by a constant."""
    numbers = FrameNames(tuple(stems)).numbers
    if not (numbers and frames.numbers):
        return True
    offsets = {own - other for own, other in zip(numbers, frames.numbers, strict=True)}
    return len(offsets) == 1
