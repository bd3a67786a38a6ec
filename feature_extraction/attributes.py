"""What stored features show: classes, directions, speeds and the share of moving pixels.

The last layers of the networks are linear, so that the outputs of the networks can be computed from
the 128 numbers that are stored and compared. Momentum needs no such step. Nothing here needs
PyTorch.
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
        class_probability: ``(n, 8)``: probability of each of ``CLASSES``. They need not add up
            to 1, since a volume may show several classes.
        direction_share: ``(n, 12)``: share of the moving pixels that move into direction k, one of
            12 of 30 degrees each, clockwise in the picture from right (+x); 0 if nothing moves.
        speed_px_per_frame: ``(n, 12)``: mean speed of the pixels that move into direction k, in
            pixels of the video; 0 if no pixel does.
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
        version: Name of the version.
        read_outs: A function for each extractor whose features give attributes.
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
            values: ``(n, dimension)`` features, not scaled; columns after those of the version's
                components are ignored.
            descriptors: Name to ``(n, k)``, as stored beside the features.
        """
        names = VERSIONS[self.version].components
        widths = [kind_of(extractor_of(name)).width for name in names]
        parts = np.split(values, np.cumsum(widths), axis=1)
        components = dict(zip(names, parts, strict=False))
        found: dict[str, NDArray[np.float32]] = {}
        for read in self.read_outs:
            found.update(read(components, descriptors))
        return Attributes(**found)
