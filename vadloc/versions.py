"""Versions of the method by name: which feature components a distance adds up.

A new component needs one line in ``EXTRACTOR_OF`` (which extractor of ``feature_extraction`` makes
it) and a version that lists it; selection, scoring and evaluation take any list of components.
"""

from typing import Final

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


def extractors_of(version: str) -> tuple[str, ...]:
    """Extractors that a version needs, each once, in the order of its components."""
    return tuple(dict.fromkeys(EXTRACTOR_OF[component] for component in VERSIONS[version]))
