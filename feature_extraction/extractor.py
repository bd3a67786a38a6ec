"""The contract of a feature extractor: what it is given, what it returns, and when.

An extractor makes the features of video volumes. A volume is a square region of the frame over T
frames ([regions] frames_per_volume). A time step is the volumes of all regions over the same T
frames. An extractor serves one sequence, or one live stream, whose frames are of one size:

1. ``add_frame`` is called for every frame, in order.
2. ``add_volumes`` is called with the T frames of a time step, after ``add_frame`` of the last one.
3. ``take`` may be called after any of these calls. It returns the time steps that are finished and
   that it has not returned before, in order. It does not wait: an extractor may compute in threads
   and in batches, so that a time step may be finished several frames after its last frame.
4. ``flush`` may be called at any time. It ends a batch early and waits until all time steps so far
   are finished; ``take`` then returns those that it has not returned before. It is called after
   the last frame of a sequence, and when a caller cannot wait for a full batch.

The features of a volume must not depend on when ``take`` and ``flush`` are called, to the byte. An
extractor may give a volume the features of an earlier volume of the same region that looks alike.

An extractor keeps only what it needs for time steps that it has not returned. It opens no files and
does not change the frames. It uses only the threads of ``Workers``.

To add an extractor, write a module with a class that has these four methods, and with
``EXTRACTOR``, an ``extractor_kind.ExtractorKind``; then name the module in
``vadloc.versions.EXTRACTORS``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import Frame

Rows = Mapping[str, NDArray[np.floating]]
"""Rows ``(n, width)`` by name."""


@dataclass(frozen=True)
class TimeStep:
    """The features of the volumes of one time step.

    Rows are counted over the whole sequence: the rows of this time step follow those of all time
    steps before it.

    Attributes:
        first_row: Number of rows of all time steps before this one.
        index: ``(regions,)`` int64, regions row by row: the row of each volume. It is below
            ``first_row`` where the volume has the features of an earlier one.
        components: Component to its new rows ``(n, width)``.
        descriptors: Name to its new rows ``(n, width)``: values that describe volumes but do not
            count in the distance.
    """

    first_row: int
    index: NDArray[np.int64]
    components: Rows
    descriptors: Rows

    @classmethod
    def of_all_volumes(
        cls, number: int, components: Rows, descriptors: Rows | None = None
    ) -> "TimeStep":
        """The time step of an extractor that computes every volume.

        Args:
            number: Number of time steps before this one.
            components: Component to ``(regions, width)``.
            descriptors: Name to ``(regions, width)``.
        """
        regions = len(next(iter(components.values())))
        first = number * regions
        return cls(first, np.arange(first, first + regions), components, descriptors or {})


class Extractor(Protocol):
    """Computes features as frames pass; the docstring of the module is the contract."""

    def add_frame(self, frame: Frame) -> None:
        """Take the next frame."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """Take the T frames of the next time step; the last one is the last frame added."""

    def take(self) -> list[TimeStep]:
        """The time steps that have been finished since the last call, in order."""

    def flush(self) -> None:
        """Finish all time steps so far."""


@dataclass(frozen=True)
class Extracted:
    """Features of all volumes of a sequence; volumes may share a row.

    Attributes:
        components: Component to its rows ``(n, width)``.
        descriptors: Name to its rows ``(n, width)``: values that describe volumes but do not count
            in the distance.
        index: ``(time steps, regions)`` int32: the row of each volume.
    """

    components: dict[str, NDArray[np.floating]]
    descriptors: dict[str, NDArray[np.floating]]
    index: NDArray[np.int32]
