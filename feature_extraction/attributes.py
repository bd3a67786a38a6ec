"""What stored features say, in words and units: classes, directions, speeds, share of movement.

The last layers of the networks are linear, so that the 128 numbers that are stored and compared
give the networks' answers back; momentum is such an answer already. Nothing here needs PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.crops import CLASSES
from feature_extraction.frame import CROP_PX
from vadloc.config import Config
from vadloc.versions import EXTRACTOR_OF, VERSIONS
from vadloc.weights import FEATURE_WIDTH, NetworkWeights, read_out, read_weights, weights_file

__all__ = ["CLASSES", "AttributeReader", "Attributes"]

_WIDTHS: Final = {"momentum": 12}


@dataclass(frozen=True)
class Attributes:
    """What n volumes show; ``None`` for what the version does not look at.

    Attributes:
        class_probability: ``(n, 8)``: of each of ``CLASSES``, independent of one another.
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
        size_px: Side of a region: networks see speeds in pixels of their crops.
        appearance: Weights of the appearance network, where it has classes.
        motion: Weights of the motion network, where the version uses it.
    """

    version: str
    size_px: int
    appearance: NetworkWeights | None = None
    motion: NetworkWeights | None = None

    @classmethod
    def of(cls, config: Config, version: str) -> "AttributeReader":
        """The reader for the networks that a config names.

        Raises:
            VadlocError: Weights are missing or damaged.
        """
        features = config.features
        used = {EXTRACTOR_OF[component] for component in VERSIONS[version]}
        networks: dict[str, NetworkWeights] = {}
        if "appearance" in used and features.appearance.weights != "torchvision":
            path = weights_file(features.appearance.weights, "appearance")
            networks["appearance"] = read_weights(path)
        if "motion" in used:
            networks["motion"] = read_weights(weights_file(features.motion.weights, "motion"))
        return cls(version, config.regions.size_px, **networks)

    def __call__(
        self, values: NDArray[np.float32], descriptors: Mapping[str, NDArray[np.float32]]
    ) -> Attributes:
        """Attributes of some volumes.

        Args:
            values: ``(n, dimension)`` features, not scaled; columns beyond the version's
                components are left aside.
            descriptors: Name to ``(n, k)``, as stored beside them.
        """
        widths = [_WIDTHS.get(name, FEATURE_WIDTH) for name in VERSIONS[self.version]]
        parts = np.split(values, np.cumsum(widths), axis=1)
        columns = dict(zip(VERSIONS[self.version], parts, strict=False))
        classes = self._classes(columns["appearance"]) if "appearance" in columns else None
        if "momentum" in columns:
            motion = _measured(columns["momentum"], descriptors["moving_share"])
        elif "angle" in columns:
            motion = self._seen(np.hstack([columns[k] for k in ("angle", "speed", "background")]))
        else:
            return Attributes(classes)
        return Attributes(classes, *motion)

    def _classes(self, features: NDArray[np.float32]) -> NDArray[np.float32] | None:
        if self.appearance is None:
            return None
        from scipy.special import expit

        weight, bias = read_out(self.appearance, "classes")
        probability: NDArray[np.float32] = expit(features @ weight.T + bias)
        return probability

    def _seen(self, features: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Direction shares, speeds and moving share as the motion network sees them."""
        from feature_extraction.motion.read_out import motion_attributes

        assert self.motion is not None
        direction, speed, stationary, _ = motion_attributes(self.motion, features)
        # The rule `zero` leaves nothing of volumes that are still.
        moves: NDArray[np.bool_] = (features != 0).any(axis=1)
        return (
            direction * moves[:, None],
            speed * (self.size_px / CROP_PX) * moves[:, None],
            (1 - stationary) * moves,
        )


def _measured(
    momentum: NDArray[np.float32], moving_share: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Direction shares, speeds and moving share of measured motion."""
    total = moving_share.sum(axis=1, keepdims=True)
    return (
        np.divide(moving_share, total, out=np.zeros_like(moving_share), where=total > 0),
        np.divide(momentum, moving_share, out=np.zeros_like(momentum), where=moving_share > 0),
        total[:, 0],
    )
