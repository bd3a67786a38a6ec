"""Stored features of a sequence, with the components of a version side by side."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import Artifacts, Split
from vadloc.errors import VadlocError
from vadloc.versions import EXTRACTOR_OF, MOTION, extractors_of

MOVING = "moving"
"""Name of the column that says whether anything moves, which the rule ``gate`` adds."""


@dataclass(frozen=True)
class SequenceFeatures:
    """Features of all video volumes of a sequence.

    Attributes:
        sequence: Its name.
        frame_count: Number of frames.
        height_px: Frame height.
        width_px: Frame width.
        first_frame: ``(v,)`` int64, 0-based first frame of the volumes of each time step.
        components: Names of the components.
        widths: Columns of each component.
        values: ``(v, regions, sum of widths)`` float32.
        descriptors: Name to ``(v, regions, k)`` float32: what describes volumes without counting
            in the distance.
    """

    sequence: str
    frame_count: int
    height_px: int
    width_px: int
    first_frame: NDArray[np.int64]
    components: tuple[str, ...]
    widths: tuple[int, ...]
    values: NDArray[np.float32]
    descriptors: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def load_features(artifacts: Artifacts, split: Split, sequence: str) -> SequenceFeatures:
    """Read the features of a sequence for the version at hand.

    Volumes in which nothing moves are treated as ``[distance] stationary`` says.

    Raises:
        VadlocError: A file is missing, damaged or made from another config.
    """
    files = {
        extractor: artifacts.features(extractor, split, sequence).load()
        for extractor in extractors_of(artifacts.version)
    }
    parts = {
        name: _rows(files[EXTRACTOR_OF[name]], "components", name) for name in artifacts.components
    }
    rule = artifacts.config.distance.stationary
    moving = _moving(files)
    if rule == "zero" and moving is not None:
        for name in MOTION & parts.keys():
            parts[name] = parts[name] * moving
    if rule == "gate" and moving is not None:
        parts[MOVING] = moving
    any_file = next(iter(files.values()))
    return SequenceFeatures(
        sequence=sequence,
        frame_count=any_file["frame_count"],
        height_px=any_file["height_px"],
        width_px=any_file["width_px"],
        first_frame=any_file["first_frame"],
        components=tuple(parts),
        widths=tuple(part.shape[2] for part in parts.values()),
        values=np.concatenate(list(parts.values()), axis=2),
        descriptors={
            name: _rows(file, "descriptors", name)
            for file in files.values()
            for name in file["descriptors"]
        },
    )


def _rows(file: dict[str, Any], kind: str, name: str) -> NDArray[np.float32]:
    """A component or descriptor of every volume, ``(v, regions, width)``."""
    rows: NDArray[np.float32] = file[kind][name][file["index"]].astype(np.float32, copy=False)
    return rows


def _moving(files: dict[str, dict[str, Any]]) -> NDArray[np.float32] | None:
    """1 for each volume in which something moves, else 0, ``(v, regions, 1)``.

    The motion network says it by its background output, measured motion by pixels above the floor.
    ``None`` if the version does not look at motion.
    """
    if "motion" in files:
        background = _rows(files["motion"], "descriptors", "background")
        return (background <= BACKGROUND_FROM).astype(np.float32)
    if "momentum" in files:
        share = _rows(files["momentum"], "descriptors", "moving_share")
        return np.asarray((share > 0).any(axis=2, keepdims=True), np.float32)
    return None


BACKGROUND_FROM = 0.5
"""Probability from which a volume counts as one of background, in which nothing moves."""


def check_frame_size(features: SequenceFeatures, height_px: int, width_px: int, of: str) -> None:
    """Refuse a sequence whose frames differ in size from those it is compared with.

    Raises:
        VadlocError: They do.
    """
    if (features.height_px, features.width_px) != (height_px, width_px):
        raise VadlocError(
            f"{features.sequence}: frames of {features.width_px} x {features.height_px} px, those "
            f"of {of} have {width_px} x {height_px}; a model is of one camera view, bring all "
            "sequences to one size"
        )
