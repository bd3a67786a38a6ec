"""Stored features of a sequence, with the components of a version side by side."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import Artifacts
from vadloc.config import Regions
from vadloc.errors import VadlocError
from vadloc.inputs import Split
from vadloc.sequence_input import SequenceInput
from vadloc.versions import EXTRACTORS, extractor_of, extractors_of, is_motion
from vadloc.video.camera_summary import camera_summary

MOVING = "moving"
"""Name of the column that the rule ``gate`` adds: 1 if anything moves in the volume, else 0."""


class VolumeFeatures(NamedTuple):
    """Features of the volumes of one time step, one in each region.

    Attributes:
        first_frame: 0-based first frame of these volumes.
        values: ``(regions, sum of widths)`` float32.
        descriptors: Name to ``(regions, k)`` float32.
    """

    first_frame: int
    values: NDArray[np.float32]
    descriptors: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class SequenceFeatures(SequenceInput):
    """Features of all video volumes of a sequence.

    Attributes:
        first_frame: ``(v,)`` int64, 0-based first frame of the volumes of each time step.
        widths: Columns of each component.
        values: ``(v, regions, sum of widths)`` float32.
        descriptors: Name to ``(v, regions, k)`` float32: values that describe the volumes but do
            not count in the distance.
    """

    first_frame: NDArray[np.int64]
    widths: tuple[int, ...]
    values: NDArray[np.float32]
    descriptors: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def steps(self) -> Iterator[VolumeFeatures]:
        """The volumes of each time step, in the order of time."""
        for step, first in enumerate(self.first_frame.tolist()):
            descriptors = {name: values[step] for name, values in self.descriptors.items()}
            yield VolumeFeatures(first, self.values[step], descriptors)

    def counts(self) -> dict[str, int]:
        """Numbers of frames and volumes."""
        steps, regions = self.values.shape[:2]
        return {"frames": self.frame_count, "volumes": steps * regions}


@dataclass(frozen=True, kw_only=True)
class FusedFeatures(SequenceInput):
    """Features of all video volumes of a sequence, for each part of a version.

    Attributes:
        parts: The features of each part, of the same volumes.
    """

    parts: tuple[SequenceFeatures, ...]

    @classmethod
    def of(cls, parts: tuple[SequenceFeatures, ...]) -> "FusedFeatures":
        """The features of one sequence.

        Args:
            parts: Those of each part.
        """
        first = parts[0]
        return cls(
            sequence=first.sequence,
            frame_count=first.frame_count,
            height_px=first.height_px,
            width_px=first.width_px,
            times_s=first.times_s,
            camera=first.camera,
            components=tuple(name for part in parts for name in part.components),
            parts=parts,
        )

    def steps(self) -> Iterator[tuple[VolumeFeatures, ...]]:
        """The volumes of each time step, in the order of time: of each part the same volumes."""
        return zip(*(part.steps() for part in self.parts), strict=True)

    def counts(self) -> dict[str, int]:
        """Frames and volumes."""
        return self.parts[0].counts()


def load_fused_features(artifacts: Artifacts, split: Split, sequence: str) -> FusedFeatures:
    """Read the features of a sequence for each part of the version at hand.

    Raises:
        VadlocError: As `load_features`.
    """
    parts = tuple(load_features(part, split, sequence) for part in artifacts.parts)
    for other in parts[1:]:
        if not np.array_equal(other.first_frame, parts[0].first_frame):
            raise VadlocError(
                f"{sequence}: the features of its parts are of other volumes; make them again "
                "with --overwrite"
            )
    return FusedFeatures.of(parts)


def load_features(artifacts: Artifacts, split: Split, sequence: str) -> SequenceFeatures:
    """Read the features of a sequence for the version of the results.

    Volumes in which nothing moves are treated according to ``[distance] stationary``.

    Raises:
        VadlocError: A file is missing, damaged or made from another config.
    """
    files = {
        extractor: artifacts.features(extractor, split, sequence).load()
        for extractor in extractors_of(artifacts.version)
    }
    _check_alike(files, sequence)
    any_file = next(iter(files.values()))
    descriptors = {
        extractor: {name: _rows(file, "descriptors", name) for name in _described(extractor, file)}
        for extractor, file in files.items()
    }
    stored = {
        name: _stored(files[extractor_of(name)], "components", name)
        for name in artifacts.components
    }
    values, widths = join_components(
        {name: rows.shape[1] for name, rows in stored.items()},
        lambda name: _rows(files[extractor_of(name)], "components", name),
        moving_volumes(descriptors),
        shape=any_file["index"].shape,
        rule=artifacts.config.distance.stationary,
    )
    features = SequenceFeatures(
        sequence=sequence,
        frame_count=any_file["frame_count"],
        height_px=any_file["height_px"],
        width_px=any_file["width_px"],
        first_frame=any_file["first_frame"],
        components=tuple(widths),
        widths=tuple(widths.values()),
        values=values,
        descriptors={name: rows for of in descriptors.values() for name, rows in of.items()},
        times_s=any_file.get("times_s"),
        camera=camera_summary(any_file),
    )
    _check_volumes(features, artifacts.config.regions)
    return features


def _described(extractor: str, file: dict[str, Any]) -> list[str]:
    """Names of the descriptors of a file, and of the descriptor from which movement is read."""
    movement = EXTRACTORS[extractor].movement
    needed = [movement.descriptor] if movement else []
    return [*dict.fromkeys([*file["descriptors"], *needed])]


def _check_alike(files: dict[str, dict[str, Any]], sequence: str) -> None:
    """Refuse files of several extractors whose volumes differ."""
    first, *others = files.values()
    for file in others:
        if file["index"].shape != first["index"].shape:
            raise VadlocError(
                f"{sequence}: its extractors' features have {file['index'].shape} and "
                f"{first['index'].shape} volumes; make them again with --overwrite"
            )


def _check_volumes(features: SequenceFeatures, regions: Regions) -> None:
    """Refuse features whose volumes do not fit their frames, since another program made them.

    Raises:
        VadlocError: The volumes do not fit.
    """
    first = features.first_frame
    grid = features.grid(regions)
    covers = first[0] == 0 and first[-1] + regions.frames_per_volume == features.frame_count
    gaps = np.diff(first)
    if not covers or (gaps < 1).any() or (gaps > regions.frames_per_volume).any():
        raise VadlocError(
            f"{features.sequence}: the volumes in its features do not cover its "
            f"{features.frame_count} frames; make them again with --overwrite"
        )
    if features.values.shape[1] != grid.region_count:
        raise VadlocError(
            f"{features.sequence}: features of {features.values.shape[1]} regions, a frame has "
            f"{grid.region_count}; make them again with --overwrite"
        )


def _rows(file: dict[str, Any], kind: str, name: str) -> NDArray[np.float32]:
    """A component or descriptor of every volume, ``(v, regions, width)``."""
    stored = _stored(file, kind, name)
    rows: NDArray[np.float32] = stored[file["index"]].astype(np.float32, copy=False)
    return rows


def _stored(file: dict[str, Any], kind: str, name: str) -> NDArray[np.floating]:
    """The rows of a component or descriptor as the file has them, ``(n, width)``."""
    if name not in file[kind]:
        raise VadlocError(
            f"{file['sequence']}: its features lack {kind} {name!r}; make them again with "
            "--overwrite"
        )
    rows: NDArray[np.floating] = file[kind][name]
    return rows


def join_components(
    widths: Mapping[str, int],
    rows_of: Callable[[str], NDArray[np.floating]],
    moving: NDArray[np.float32] | None,
    *,
    shape: tuple[int, ...],
    rule: str,
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Put the components of a version side by side, as distances need them.

    Args:
        widths: Component to its number of columns, in the order of the version.
        rows_of: Gives the rows ``(*shape, width)`` of a component. It is called for one component
            after the other, to save memory.
        moving: 1 for each volume in which something moves, else 0, ``(*shape, 1)``; ``None`` if no
            extractor of the version looks at motion.
        shape: ``(v, regions)``, or ``(regions,)`` for one time step.
        rule: The value of ``[distance] stationary``.

    Returns:
        ``(*shape, sum of widths)`` float32, and the columns of each component; the rule ``gate``
        adds one.
    """
    found = dict(widths)
    if rule == "gate" and moving is not None:
        found[MOVING] = 1
    values = np.empty((*shape, sum(found.values())), np.float32)
    first = 0
    for name, width in found.items():
        part = values[..., first : first + width]
        part[:] = moving if name == MOVING else rows_of(name)
        if rule == "zero" and moving is not None and is_motion(name):
            part *= moving
        first += width
    return values, found


def moving_volumes(
    descriptors: Mapping[str, Mapping[str, NDArray[np.floating]]],
) -> NDArray[np.float32] | None:
    """Whether something moves in each volume.

    Args:
        descriptors: Extractor to its descriptors, each name to ``(..., k)``.

    Returns:
        1 where something moves, else 0, ``(..., 1)``; ``None`` if no extractor looks at motion.
    """
    for extractor, rows in descriptors.items():
        movement = EXTRACTORS[extractor].movement
        if movement is not None:
            return np.asarray(movement.moves(rows[movement.descriptor]), np.float32)
    return None


def check_frame_size(features: SequenceFeatures, height_px: int, width_px: int, of: str) -> None:
    """Refuse a sequence whose frames differ in size from those that it is compared with.

    Raises:
        VadlocError: The frame size differs.
    """
    if (features.height_px, features.width_px) != (height_px, width_px):
        raise VadlocError(
            f"{features.sequence}: frames of {features.width_px} x {features.height_px} px, those "
            f"of {of} have {width_px} x {height_px}; a model is of one camera view, bring all "
            "sequences to one size"
        )


def check_scores(scores: NDArray[np.float32], expected: tuple[int, ...], sequence: str) -> None:
    """Refuse a score map whose shape does not fit its sequence.

    Args:
        scores: The score map, ``(frames, cell rows, cell columns)``.
        expected: The shape that it must have.
        sequence: Name of the sequence.

    Raises:
        VadlocError: The shape differs.
    """
    if scores.shape != expected:
        raise VadlocError(
            f"{sequence}: a score map of shape {scores.shape}, expected {expected}; make it again: "
            "python -m anomaly_detection.score_anomalies --overwrite"
        )
