"""What extractors that learn from training video share: its size, and frames spread over it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError
from vadloc.regions import RegionGrid
from vadloc.video.frames import Sequence, sequence_size

_REMEDY = "a model is of one camera view, bring all sequences to one size"


def training_size(sequences: list[Sequence], *, limit: int | None) -> tuple[list[int], int, int]:
    """Number of frames of each training sequence, and the size that all frames have.

    Args:
        sequences: The training sequences.
        limit: Count so many frames of each at most; ``None`` for all.

    Returns:
        The numbers, and height and width in pixels.

    Raises:
        VadlocError: A sequence cannot be read, or frames differ in size.
    """
    sizes = [sequence_size(sequence) for sequence in sequences]
    _, height, width = sizes[0]
    for sequence, (_, other_height, other_width) in zip(sequences, sizes, strict=True):
        if (other_height, other_width) != (height, width):
            raise VadlocError(
                f"{sequence.name}: frames of {other_width} x {other_height} px, those of "
                f"{sequences[0].name} have {width} x {height}; {_REMEDY}"
            )
    counts = [count if limit is None else min(count, limit) for count, _, _ in sizes]
    return counts, height, width


def spread(counts: list[int], most: int) -> list[NDArray[np.int64]]:
    """Choose from several lists, evenly over all of them.

    Args:
        counts: Length of each list.
        most: Largest number of elements that are chosen.

    Returns:
        For each list the indices of its chosen elements, ascending.
    """
    ends = np.cumsum(counts)
    total = int(ends[-1])
    number = min(most, total)
    chosen = np.arange(number) * total // max(number, 1)
    starts = [0, *ends[:-1].tolist()]
    return [
        chosen[(chosen >= start) & (chosen < end)] - start
        for start, end in zip(starts, ends.tolist(), strict=True)
    ]


def check_learnt_size(grid: RegionGrid, learnt: Mapping[str, Any]) -> None:
    """Refuse frames of another size than those of training.

    Raises:
        VadlocError: They are.
    """
    height, width = learnt["height_px"], learnt["width_px"]
    if (grid.height_px, grid.width_px) != (height, width):
        raise VadlocError(
            f"frames of {grid.width_px} x {grid.height_px} px, those of training have {width} x "
            f"{height}; {_REMEDY}"
        )
