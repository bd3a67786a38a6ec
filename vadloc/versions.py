"""Versions of the method by name: each is a detector and its settings.

A new version is one line in ``VERSIONS``. A new detector is one module of
``anomaly_detection.detectors`` and one line in ``DETECTORS``; what the module must hold stands in
``anomaly_detection.detectors.detector``. A new component of the features needs one line in
``EXTRACTOR_OF`` (which extractor of ``feature_extraction`` makes it) and a version that lists it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from vadloc.errors import UsageError

EXTRACTOR_OF: Final[dict[str, str]] = {
    "momentum": "momentum",
    "appearance": "appearance",
    "angle": "motion",
    "speed": "motion",
    "background": "motion",
}
"""Component to the extractor that computes it; an extractor may make several components."""

MOTION: Final = frozenset({"momentum", "angle", "speed", "background"})
"""Components that say how something moves, not what it is."""


@dataclass(frozen=True)
class DetectorEntry:
    """What the stages must know of a detector without importing it.

    Attributes:
        module: Path of the Python module that holds it; imported when the detector is first used.
        reads: What it is given of a sequence: the ``features`` of the version's components, or the
            ``frames`` themselves.
        learns_exemplars: Whether it compares with the exemplars of the training sequences. Then
            these are selected and merged before anything is scored, and scores depend on them.
        revision: Raise it whenever the detector's scores change, so that stored ones count as
            stale. That of ``exemplars`` is not looked at: ``SCHEMAS`` of ``vadloc.artifacts`` has
            the numbers of its files.
    """

    module: str
    reads: Literal["features", "frames"]
    learns_exemplars: bool = False
    revision: int = 1


EXEMPLARS: Final = "exemplars"
"""The first detector. Results of it are older than the table of detectors."""

DETECTORS: Final[dict[str, DetectorEntry]] = {
    EXEMPLARS: DetectorEntry(
        "anomaly_detection.detectors.exemplars", reads="features", learns_exemplars=True
    ),
}
"""Detector to what the stages must know of it."""


@dataclass(frozen=True)
class Version:
    """A detector and its settings.

    Attributes:
        components: Components of the features in the order of their columns; none for a detector
            that reads frames.
        detector: Name in ``DETECTORS``.
        weights: w_k of components where it is not 1; chosen as benchmarks/DECISIONS.md says.
    """

    components: tuple[str, ...] = ()
    detector: str = EXEMPLARS
    weights: Mapping[str, float] = field(default_factory=dict)


VERSIONS: Final[dict[str, Version]] = {
    "momentum": Version(("momentum",)),
    "appearance": Version(("appearance",)),
    "motion": Version(("angle", "speed", "background")),
    "appearance_motion": Version(("appearance", "angle", "speed", "background")),
    "appearance_momentum": Version(("appearance", "momentum"), weights={"appearance": 0.25}),
}
"""The versions by name; ``appearance_motion`` is EVAL."""


def detector_of(version: str) -> DetectorEntry:
    """What the stages must know of a version's detector.

    Raises:
        UsageError: There is no such detector; the message lists those that there are.
    """
    name = VERSIONS[version].detector
    if name not in DETECTORS:
        raise UsageError(
            f"version {version!r}: detector {name!r}: expected one of {sorted(DETECTORS)}"
        )
    return DETECTORS[name]


def extractors_of(version: str) -> tuple[str, ...]:
    """Extractors that a version needs, each once, in the order of its components."""
    components = VERSIONS[version].components
    return tuple(dict.fromkeys(EXTRACTOR_OF[component] for component in components))
