"""Feature extractors, detectors and versions; a version is a detector with its settings.

A new version is one line in ``VERSIONS``. A new detector needs one entry in ``DETECTORS`` and the
module that the entry names; see ``anomaly_detection.detectors.detector``. A new extractor needs one
entry in ``EXTRACTORS`` and the module that the entry names; see ``feature_extraction.extractor``.
Selection, scoring and evaluation take any list of components.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from vadloc.config_table import ConfigTable
from vadloc.detector_settings import Mlad, PseudoAnomalies
from vadloc.errors import UsageError
from vadloc.feature_settings import (
    AppearanceFeatures,
    MomentumFeatures,
    MotionFeatures,
    RelativeMomentumFeatures,
    StillFeatures,
)
from vadloc.weak_settings import RegionBags, SnippetBags

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKGROUND_FROM: Final = 0.5
"""Least probability of background at which nothing moves in a volume."""


@dataclass(frozen=True)
class Movement:
    """How the features of an extractor say whether anything moves in a volume.

    Attributes:
        descriptor: Name of the descriptor from which movement is read.
        moves: Computes from its values ``(..., width)`` whether something moves, bool
            ``(..., 1)``.
    """

    descriptor: str
    moves: "Callable[[NDArray[Any]], Any]"


@dataclass(frozen=True)
class Learning:
    """What an extractor learns from training video before it extracts any features.

    Attributes:
        kind: Name of the file that holds it, a key of ``vadloc.files.contents.CONTENTS``.
        settings: The keys of the extractor's table that it depends on.
    """

    kind: str
    settings: tuple[str, ...]


@dataclass(frozen=True)
class ExtractorEntry:
    """What code outside the extractor's module needs to know about it.

    Attributes:
        module: The module, imported when the extractor is first used. Its ``EXTRACTOR`` is a
            ``feature_extraction.extractor_kind.ExtractorKind``.
        components: The components that the extractor makes, in the order of their columns.
        settings: The model of its table ``[features.<extractor>]``; every key has a default.
        movement: How to read whether something moves; only for an extractor whose components
            describe motion. Such components follow the rule ``[distance] stationary``.
        learning: What it learns from training video, if it does; its features depend on that.
        scales: Z_k of components whose unit means the same in every scene; that of the others is
            measured in training video.
        uses_frame_rate: Whether its features depend on ``[dataset] frames_per_second``.
        revision: Raise it whenever the extractor's features change, so that stored ones count as
            stale.
    """

    module: str
    components: tuple[str, ...]
    settings: type[ConfigTable]
    movement: Movement | None = None
    learning: Learning | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    uses_frame_rate: bool = False
    revision: int = 1


def _any_share(share: "NDArray[Any]") -> Any:
    """Whether any of the shares ``(..., width)`` is above 0, ``(..., 1)``."""
    return (share > 0).any(axis=-1, keepdims=True)


EXTRACTORS: Final[dict[str, ExtractorEntry]] = {
    "momentum": ExtractorEntry(
        "feature_extraction.momentum",
        ("momentum",),
        MomentumFeatures,
        Movement("moving_share", _any_share),
    ),
    "relative_momentum": ExtractorEntry(
        "feature_extraction.relative_momentum",
        ("relative_momentum",),
        RelativeMomentumFeatures,
        Movement("fast_share", _any_share),
        learning=Learning(
            "speed_scale",
            ("flow_preset", "flow_side_px", "flow_region_px", "scale_pairs", "scale_shrinkage"),
        ),
        scales={"relative_momentum": 0.2},
    ),
    "still": ExtractorEntry(
        "feature_extraction.still",
        ("still",),
        StillFeatures,
        learning=Learning("background", ("background_frames",)),
        scales={"still": 1.0},
        uses_frame_rate=True,
    ),
    "appearance": ExtractorEntry(
        "feature_extraction.appearance.extractor", ("appearance",), AppearanceFeatures
    ),
    "motion": ExtractorEntry(
        "feature_extraction.motion.extractor",
        ("angle", "speed", "background"),
        MotionFeatures,
        Movement("background", lambda probability: probability <= BACKGROUND_FROM),
        revision=2,
    ),
}
"""The extractors by name."""


@dataclass(frozen=True)
class DetectorEntry:
    """What the stages need to know about a detector without importing it.

    Attributes:
        module: The module of the detector, imported when the detector is first used.
        reads: The input of the detector: the ``features`` of the version's components, the
            ``frames``, or the scores of other ``versions``.
        learns_exemplars: Whether it uses the exemplars of the training sequences. Then these are
            selected and merged before anything is scored, and scores depend on them.
        revision: Raise it whenever the detector's scores change, so that stored scores count as
            stale. It has no effect for ``exemplars``, which uses the numbers of ``SCHEMAS`` in
            ``vadloc.stamps``.
        training: The module that trains its networks before anything is scored; see
            ``anomaly_detection.training.tasks``. Without it, no networks are trained.
        settings: The model of its table ``[detectors.<name>]``; only with ``training``.
        learns_anomalies: Whether it also learns from the videos of ``[dataset] anomalous``, which
            hold an anomaly somewhere.
        learns_mined: Whether it can learn from what is mined in unlabelled video.
    """

    module: str
    reads: Literal["features", "frames", "versions"]
    learns_exemplars: bool = False
    revision: int = 1
    training: str = ""
    settings: type[ConfigTable] | None = None
    learns_anomalies: bool = False
    learns_mined: bool = False


EXEMPLARS: Final = "exemplars"
"""Name of the exemplar detector. Its results may be older than the table of detectors."""

FUSION: Final = "fusion"
"""The detector that adds the distances of several versions."""

COMBINED: Final = "combined"
"""The detector that adds the scores of several versions."""

MULTIPLE_INSTANCE: Final = "anomaly_detection.detectors.multiple_instance"

DETECTORS: Final[dict[str, DetectorEntry]] = {
    EXEMPLARS: DetectorEntry(
        "anomaly_detection.detectors.exemplars",
        reads="features",
        learns_exemplars=True,
        learns_mined=True,
    ),
    FUSION: DetectorEntry(
        "anomaly_detection.detectors.fusion",
        reads="features",
        learns_exemplars=True,
        learns_mined=True,
    ),
    "pseudo_anomalies": DetectorEntry(
        "anomaly_detection.detectors.pseudo_anomalies",
        reads="frames",
        training="anomaly_detection.training.pseudo_anomalies",
        settings=PseudoAnomalies,
        revision=3,
    ),
    "mlad": DetectorEntry(
        "anomaly_detection.detectors.mlad",
        reads="frames",
        training="anomaly_detection.training.mlad",
        settings=Mlad,
        revision=2,
        learns_mined=True,
    ),
    "snippet_bags": DetectorEntry(
        MULTIPLE_INSTANCE,
        reads="features",
        training="anomaly_detection.training.multiple_instance",
        settings=SnippetBags,
        learns_anomalies=True,
        revision=2,
    ),
    "region_bags": DetectorEntry(
        MULTIPLE_INSTANCE,
        reads="features",
        training="anomaly_detection.training.multiple_instance",
        settings=RegionBags,
        learns_anomalies=True,
        revision=2,
    ),
    COMBINED: DetectorEntry("anomaly_detection.detectors.combined", reads="versions", revision=2),
}
"""The detectors by name."""


LEAST_DIVISOR: Final = 0.05


@dataclass(frozen=True)
class Part:
    """A version that is a part of another one, with exemplars of its own.

    Attributes:
        version: Its name in ``VERSIONS``; it has no parts.
        neighbourhood: Regions up to so many rows and columns away lend their exemplars; for a part
            this stands in place of ``[scoring] neighbourhood``.
        least_divisor: The divisor D of its distance is never below this: smaller distances mean
            little. The default ``[exemplars] threshold`` drops volumes that are nearer than the
            default.
    """

    version: str
    neighbourhood: int = 0
    least_divisor: float = LEAST_DIVISOR


@dataclass(frozen=True)
class Version:
    """A detector and its settings.

    Attributes:
        components: Components of the features in the order of their columns; none for a detector
            that reads frames, and for a version of parts, which have their own.
        detector: Name in ``DETECTORS``.
        weights: w_k of the components for which it is not 1; benchmarks/DECISIONS.md says how they
            were chosen.
        parts: The versions whose distances the detector ``fusion`` adds.
        members: The versions whose scores the detector ``combined`` adds to those of the first one;
            none is itself combined.
    """

    components: tuple[str, ...] = ()
    detector: str = EXEMPLARS
    weights: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    members: tuple[str, ...] = ()


WEAK_COMPONENTS: Final = ("appearance", "angle", "speed", "relative_momentum", "still")
"""What versions that learn from labels of whole videos see."""

VERSIONS: Final[dict[str, Version]] = {
    "momentum": Version(("momentum",)),
    "relative_momentum": Version(("relative_momentum",)),
    "still": Version(("still",)),
    "appearance": Version(("appearance",)),
    "motion": Version(("angle", "speed", "background")),
    "appearance_motion": Version(("appearance", "angle", "speed", "background")),
    "appearance_momentum": Version(("appearance", "momentum"), weights={"appearance": 0.25}),
    "fused": Version(
        detector=FUSION,
        parts=(
            Part("motion"),
            Part("relative_momentum", least_divisor=1.0),
            Part("appearance", neighbourhood=1),
            Part("still", least_divisor=0.2),
        ),
    ),
    "pseudo_anomalies": Version(detector="pseudo_anomalies"),
    "mlad": Version(detector="mlad"),
    "weak_snippets": Version(WEAK_COMPONENTS, detector="snippet_bags"),
    "weak_regions": Version(WEAK_COMPONENTS, detector="region_bags"),
    "fused_weak": Version(detector=COMBINED, members=("fused", "weak_regions")),
    "fused_pseudo": Version(detector=COMBINED, members=("fused", "pseudo_anomalies")),
    "fused_mlad": Version(detector=COMBINED, members=("fused", "mlad")),
    "fused_networks": Version(detector=COMBINED, members=("fused", "pseudo_anomalies", "mlad")),
}
"""The versions by name; ``appearance_motion`` is EVAL."""


def detector_of(version: str) -> DetectorEntry:
    """The entry of a version's detector.

    Raises:
        UsageError: The detector does not exist; the message lists the detectors.
    """
    name = VERSIONS[version].detector
    if name not in DETECTORS:
        raise UsageError(
            f"version {version!r}: detector {name!r}: expected one of {sorted(DETECTORS)}"
        )
    return DETECTORS[name]


def components_of(version: str) -> tuple[str, ...]:
    """The components of a version, or of all its parts."""
    entry = VERSIONS[version]
    of_parts = (name for part in entry.parts for name in components_of(part.version))
    return (*entry.components, *of_parts)


def all_components() -> tuple[str, ...]:
    """The components of all extractors."""
    return tuple(component for entry in EXTRACTORS.values() for component in entry.components)


def extractor_of(component: str) -> str:
    """The extractor that makes a component."""
    return next(name for name, entry in EXTRACTORS.items() if component in entry.components)


def learning_of(extractor: str) -> Learning:
    """What an extractor learns from training video; only for those that learn something."""
    learning = EXTRACTORS[extractor].learning
    assert learning is not None, f"{extractor} learns nothing"
    return learning


def fixed_scales(version: str) -> dict[str, float]:
    """Z_k of the components of a version that have the same one in every scene."""
    entries = (EXTRACTORS[name] for name in extractors_of(version))
    return {name: scale for entry in entries for name, scale in entry.scales.items()}


def is_motion(component: str) -> bool:
    """Whether a component describes motion, and not appearance."""
    return any(component in e.components for e in EXTRACTORS.values() if e.movement)


def extractors_of(version: str) -> tuple[str, ...]:
    """The extractors that a version needs, each once, in the order of its components."""
    return tuple(dict.fromkeys(extractor_of(component) for component in components_of(version)))
