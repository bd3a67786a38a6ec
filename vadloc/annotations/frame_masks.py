"""One ``.npy`` file per sequence: masks or labels of all frames.

``<sequence>.npy`` or ``<sequence>_gt.npy`` is an array of numbers or booleans. Its shape is
``(frames, height, width)`` for masks (pixels that are not 0 are anomalous) or ``(frames,)`` for
labels (1 for an anomalous frame, 0 for a normal one). ShanghaiTech's ``test_pixel_mask`` and
``test_frame_mask`` have this form.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vadloc.annotations.arrays import (
    check_shape,
    map_numbers,
)
from vadloc.annotations.components import masks_to_ground_truth
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.files import (
    only_file,
    stems_with,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.regions import (
    SequenceSize,
    frame_labels_to_ground_truth,
)

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "float32", "float64")


def read(
    folder: Path,
    sequence: str,
    size: SequenceSize,
    context: Context = NO_CONTEXT,
) -> GroundTruth:
    """Read ``<sequence>.npy`` or ``<sequence>_gt.npy``, masks one frame at a time.

    Args:
        folder: Folder of the files.
        sequence: Name of the sequence.
        size: Number and size of its frames.
        context: The threshold of the masks.

    Returns:
        Regions and tracks, derived as in `vadloc.annotations.components`; none if the file has
        only labels.

    Raises:
        VadlocError: The file is missing, unreadable, holds NaN, or does not fit the frames.
    """
    path = annotation_of(folder, sequence)
    array = map_numbers(path, dtypes=DTYPES)
    if len(array.shape) and array.shape[1:] in ((), size[1:]) and len(array) != size.frame_count:
        what = "labels" if array.ndim == 1 else "masks"
        raise context.miscounted(path, len(array), what, size.frame_count)
    check_shape(path, array.shape, [tuple(size), (size.frame_count,)])
    if array.ndim == 1:
        return frame_labels_to_ground_truth(array, sequence, size, source=path)
    masks = _masks(path, array)
    return masks_to_ground_truth(masks, sequence, size, source=path, context=context)


def places(sequence: str) -> tuple[str, ...]:
    """Relative paths where the annotation of a sequence may be."""
    return (f"{sequence}.npy", f"{sequence}_gt.npy")


def annotation_of(folder: Path, sequence: str) -> Path:
    """The annotation file of a sequence.

    Raises:
        VadlocError: There is no such file, or there are two.
    """
    candidates = [folder / place for place in places(sequence)]
    return only_file(candidates, what="frame masks")


def annotated(folder: Path) -> dict[str, Path]:
    """The annotation of each sequence."""
    found = stems_with(folder, ".npy")
    return {name.removesuffix("_gt"): path for name, path in found.items()}


def _masks(path: Path, array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    for frame, values in enumerate(array):
        yield f"{path}, frame {frame} (0-based)", values
