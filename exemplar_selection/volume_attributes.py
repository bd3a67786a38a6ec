"""What video volumes show, in numbers and words that people can read."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.attributes import CLASSES, Attributes

DIRECTIONS = (
    "right",
    "down right",
    "down",
    "down left",
    "left",
    "up left",
    "up",
    "up right",
)
"""Names of directions in the picture, clockwise; each is 45 degrees wide."""
MOVABLE = ("person", "car", "cyclist", "dog")
"""The classes of things that move."""
STILL_SHARE = 0.02
"""A volume in which a smaller share of the pixels moves counts as still."""
COMMON_SHARE = 0.5
"""A volume has one direction if the length of its mean movement is at least this share of the sum
of the lengths."""
CLASS_PROBABILITY = 0.5
"""A class is named if its probability is at least this."""

_IS_MOVABLE = np.array([name in MOVABLE for name in CLASSES])


@dataclass(frozen=True)
class Sightings:
    """What n volumes show, in a few numbers; ``None`` for what is not known of any of them.

    Attributes:
        class_index: ``(n,)``: index in ``CLASSES`` of the class that is seen; -1 for none.
        direction: ``(n,)``: index in ``DIRECTIONS``; -1 if nothing moves or directions differ.
        speed_px_per_frame: ``(n,)``: mean over the moving pixels; NaN where nothing moves.
        moving_share: ``(n,)``: share of the pixels that move.
    """

    class_index: NDArray[np.int64] | None = None
    direction: NDArray[np.int64] | None = None
    speed_px_per_frame: NDArray[np.float64] | None = None
    moving_share: NDArray[np.float64] | None = None

    @cached_property
    def is_moving(self) -> NDArray[np.bool_] | None:
        """``(n,)``: at least ``STILL_SHARE`` of the pixels move; ``None`` if motion is unknown."""
        return None if self.moving_share is None else self.moving_share >= STILL_SHARE

    def take(self, rows: Any) -> "Sightings":
        """Some of the volumes, by a slice, indices or a mask."""
        columns = ((field.name, getattr(self, field.name)) for field in fields(self))
        return Sightings(**{name: None if v is None else v[rows] for name, v in columns})


@dataclass(frozen=True)
class VolumeAttributes:
    """What n volumes show.

    Attributes:
        attributes: The numbers that were read from their features.
    """

    attributes: Attributes

    @cached_property
    def sightings(self) -> Sightings:
        """The same in a few numbers."""
        if not self.motion_is_known:
            return Sightings(self.class_index)
        share = self.attributes.moving_share
        assert share is not None
        return Sightings(
            self.class_index, self.direction, self.speed_px_per_frame, share.astype(np.float64)
        )

    @cached_property
    def motion_is_known(self) -> bool:
        """Whether the features of the version describe motion."""
        return self.attributes.moving_share is not None

    @cached_property
    def is_moving(self) -> NDArray[np.bool_]:
        """``(n,)``: at least ``STILL_SHARE`` of the pixels move."""
        share = self.attributes.moving_share
        assert share is not None
        return share >= STILL_SHARE

    @cached_property
    def speed_px_per_frame(self) -> NDArray[np.float64]:
        """``(n,)``: mean over the moving pixels; NaN where nothing moves."""
        share, speed = self._by_direction()
        total = share.sum(axis=1)
        has_speed = self.is_moving & (total > 0)
        mean = (share * speed).sum(axis=1) / np.where(has_speed, total, 1.0)
        return np.where(has_speed, mean, np.nan)

    @cached_property
    def direction(self) -> NDArray[np.int64]:
        """``(n,)``: index in ``DIRECTIONS`` of the mean movement; -1 if the directions differ."""
        share, speed = self._by_direction()
        bins = share.shape[1]
        angle = (np.arange(bins) + 0.5) * (2 * np.pi / bins)
        movement = share * speed
        x, y = movement @ np.cos(angle), movement @ np.sin(angle)
        eighth = np.rint(np.arctan2(y, x) / (np.pi / 4)).astype(np.int64) % len(DIRECTIONS)
        common = np.hypot(x, y) >= COMMON_SHARE * movement.sum(axis=1)
        return np.where(common & np.isfinite(self.speed_px_per_frame), eighth, -1)

    @cached_property
    def class_index(self) -> NDArray[np.int64] | None:
        """``(n,)``: index in ``CLASSES`` of the class that is seen; -1 if all are improbable.

        It is the most probable class of things that move, and if these are improbable, the most
        probable one of all.
        """
        probability = self.attributes.class_probability
        if probability is None:
            return None
        movable = np.where(_IS_MOVABLE, probability, 0)
        moves = movable.max(axis=1) >= CLASS_PROBABILITY
        best = np.where(moves, movable.argmax(axis=1), probability.argmax(axis=1))
        return np.where(probability.max(axis=1) >= CLASS_PROBABILITY, best, -1)

    def _by_direction(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        share, speed = self.attributes.direction_share, self.attributes.speed_px_per_frame
        assert share is not None
        assert speed is not None
        return share.astype(np.float64), speed.astype(np.float64)

    def record(self, volume: int) -> dict[str, Any]:
        """The attributes of one volume as plain numbers and words; ``None`` for what is unknown."""
        a = self.attributes
        speed = direction = seen = None
        if self.motion_is_known:
            number, eighth = self.speed_px_per_frame[volume], self.direction[volume]
            speed = None if np.isnan(number) else round(float(number), 4)
            direction = DIRECTIONS[eighth] if eighth >= 0 else None
        if self.class_index is not None and self.class_index[volume] >= 0:
            seen = CLASSES[self.class_index[volume]]
        classes = _plain(a.class_probability, volume)
        return {
            "classes": None if classes is None else dict(zip(CLASSES, classes, strict=True)),
            "class": seen,
            "direction_share": _plain(a.direction_share, volume),
            "speed_px_per_frame": _plain(a.speed_px_per_frame, volume),
            "moving_share": _plain(a.moving_share, volume),
            "speed": speed,
            "direction": direction,
        }


def _plain(values: NDArray[np.float32] | None, volume: int) -> Any:
    """One volume's numbers as JSON holds them, to four digits after the point."""
    if values is None:
        return None
    return np.round(values[volume].astype(np.float64), 4).tolist()
