"""Extractors of features, and versions of the method: which components a distance adds up.

A new extractor needs one entry in ``EXTRACTORS`` and the module that the entry names; see
``feature_extraction.extractor``. Selection, scoring and evaluation take any list of components.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from vadloc.config_table import ConfigTable
from vadloc.feature_settings import AppearanceFeatures, MomentumFeatures, MotionFeatures

if TYPE_CHECKING:
    from numpy.typing import NDArray

BACKGROUND_FROM: Final = 0.5
"""Probability from which a volume counts as one of background, in which nothing moves."""


@dataclass(frozen=True)
class Movement:
    """How the features of an extractor say whether anything moves in a volume.

    Attributes:
        descriptor: Name of the descriptor that says it.
        moves: From its values ``(..., width)`` to bool ``(..., 1)``: whether something moves.
    """

    descriptor: str
    moves: "Callable[[NDArray[Any]], Any]"


@dataclass(frozen=True)
class ExtractorEntry:
    """What the shared code has to know of an extractor; the rest stands in its module.

    Attributes:
        module: The module, imported when the extractor is first used. Its ``EXTRACTOR`` is a
            ``feature_extraction.extractor_kind.ExtractorKind``.
        components: The components that the extractor makes, in the order of their columns.
        settings: The model of its table ``[features.<extractor>]``; every key has a default.
        movement: How it says that something moves, if its components say how something moves
            and not what it is. Such components follow the rule ``[distance] stationary``.
    """

    module: str
    components: tuple[str, ...]
    settings: type[ConfigTable]
    movement: Movement | None = None


EXTRACTORS: Final[dict[str, ExtractorEntry]] = {
    "momentum": ExtractorEntry(
        "feature_extraction.momentum",
        ("momentum",),
        MomentumFeatures,
        Movement("moving_share", lambda share: (share > 0).any(axis=-1, keepdims=True)),
    ),
    "appearance": ExtractorEntry(
        "feature_extraction.appearance.extractor", ("appearance",), AppearanceFeatures
    ),
    "motion": ExtractorEntry(
        "feature_extraction.motion.extractor",
        ("angle", "speed", "background"),
        MotionFeatures,
        Movement("background", lambda probability: probability <= BACKGROUND_FROM),
    ),
}
"""Extractor to what the shared code knows of it."""

VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    "momentum": ("momentum",),
    "appearance": ("appearance",),
    "motion": ("angle", "speed", "background"),
    "appearance_motion": ("appearance", "angle", "speed", "background"),
    "appearance_momentum": ("appearance", "momentum"),
}
"""Version to its components, in the order of their columns; ``appearance_motion`` is EVAL."""

WEIGHTS: Final[dict[str, dict[str, float]]] = {"appearance_momentum": {"appearance": 0.25}}
"""w_k of a version's components where it is not 1; chosen as benchmarks/DECISIONS.md says."""


def all_components() -> tuple[str, ...]:
    """The components of all extractors."""
    return tuple(component for entry in EXTRACTORS.values() for component in entry.components)


def extractor_of(component: str) -> str:
    """The extractor that makes a component."""
    return next(name for name, entry in EXTRACTORS.items() if component in entry.components)


def is_motion(component: str) -> bool:
    """Whether a component says how something moves, not what it is."""
    return any(component in e.components for e in EXTRACTORS.values() if e.movement)


def extractors_of(version: str) -> tuple[str, ...]:
    """Extractors that a version needs, each once, in the order of its components."""
    return tuple(dict.fromkeys(extractor_of(component) for component in VERSIONS[version]))
