"""What stored features say, in words and units: classes, directions, speeds, share of movement.

The last layers of the networks are linear, so that the 128 numbers that are stored and compared
give the networks' answers back; momentum is such an answer already. Nothing here needs PyTorch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.classes import CLASSES
from feature_extraction.extractor_kind import ReadOut
from feature_extraction.registry import kind_of
from vadloc.config import Config
from vadloc.versions import VERSIONS, extractor_of, extractors_of

__all__ = ["CLASSES", "AttributeReader", "Attributes"]


@dataclass(frozen=True)
class Attributes:
    """What n volumes show; ``None`` for attributes that the version does not give.

    Attributes:
        class_probability: ``(n, 8)``: probability of each of ``CLASSES``; they are independent.
        direction_share: ``(n, 12)``: share of the moving pixels that move into the k-th of 12
            directions of 30 degrees, counted from right (+x) clockwise as seen; zeros where
            nothing moves.
        speed_px_per_frame: ``(n, 12)``: mean speed of the pixels that move into a direction, in
            pixels of the video; zero where none do.
        moving_share: ``(n,)``: share of pixels that move.
    """

    class_probability: NDArray[np.float32] | None = None
    direction_share: NDArray[np.float32] | None = None
    speed_px_per_frame: NDArray[np.float32] | None = None
    moving_share: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class AttributeReader:
    """Reads the attributes of one version's features.

    Attributes:
        version: The version.
        read_outs: One for each extractor whose features say something.
    """

    version: str
    read_outs: Sequence[ReadOut] = ()

    @classmethod
    def of(cls, config: Config, version: str) -> "AttributeReader":
        """The reader for the extractors of a version, with the weights that a config names.

        Raises:
            VadlocError: Weights are missing or damaged.
        """
        makers = [kind_of(extractor).read_out for extractor in extractors_of(version)]
        made = [make(config) for make in makers if make is not None]
        return cls(version, [read_out for read_out in made if read_out is not None])

    def __call__(
        self, values: NDArray[np.float32], descriptors: Mapping[str, NDArray[np.float32]]
    ) -> Attributes:
        """Attributes of some volumes.

        Args:
            values: ``(n, dimension)`` features, not scaled; columns beyond the version's
                components are left aside.
            descriptors: Name to ``(n, k)``, as stored beside them.
        """
        names = VERSIONS[self.version].components
        widths = [kind_of(extractor_of(name)).width for name in names]
        parts = np.split(values, np.cumsum(widths), axis=1)
        components = dict(zip(names, parts, strict=False))
        found: dict[str, NDArray[np.float32]] = {}
        for read in self.read_outs:
            found.update(read(components, descriptors))
        return Attributes(**found)
