"""What an extractor is: something that sees every frame of a sequence once and gives features.

``extract_features`` reads the frames and hands each one, and the frames of each time step's
volumes, to all extractors that a version needs. To add an extractor, write a class with these
three methods and name it in ``extract_features.EXTRACTORS``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import Frame


@dataclass(frozen=True)
class Extracted:
    """Features of all volumes of a sequence, those of equal volumes once.

    Attributes:
        components: Component to its rows ``(n, width)``.
        descriptors: What describes volumes without counting in the distance: name to rows
            ``(n, width)``.
        index: ``(time steps, regions)`` int32: the row of each volume.
    """

    components: dict[str, NDArray[np.floating]]
    descriptors: dict[str, NDArray[np.floating]]
    index: NDArray[np.int32]


class Extractor(Protocol):
    """Computes the features of a sequence as its frames pass."""

    def add_frame(self, frame: Frame) -> None:
        """See the next frame."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """See the frames of the next time step's volumes; the last is the last frame seen."""

    def finish(self) -> Extracted:
        """Features of all volumes."""
