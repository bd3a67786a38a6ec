"""What is unusual about a volume: its attributes that are outside of what is normal in its region.

An attribute is compared with what is normal of the same class there, if the class is known and has
been seen often enough, and else with all that has been seen there. What is unusual is ordered by
the share that its component has in the distance, the largest first; attributes of one component
(momentum has speed, direction and share of moving pixels) by how far they are outside, in widths of
the normal range.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exemplar_selection.normal_ranges import COMMON_DIRECTION, ClassRanges, NormalSightings
from exemplar_selection.volume_attributes import DIRECTIONS, MOVABLE, STILL_SHARE
from feature_extraction.registry import words_of
from vadloc.features import MOVING
from vadloc.versions import is_motion

UNITS = {"speed": "px/frame", "moving_share": "share of the pixels"}
LEAST_WIDTH = {"speed": 0.1, "moving_share": 0.5}
"""Least width of a normal range, by attribute; a narrower range counts as this wide. Flow is not
more exact, and the share of moving pixels depends on where in the region an object is."""
RARE_CLASS = 0.1
"""A class that is seen in a smaller share of the normal volumes is unusual."""
LEAST_VOLUMES = 10
"""A class has its own normal speed and directions if it moves in at least so many volumes."""
NEVER_MOVES = 0.005
"""Nothing ever moves in a region if it moves in at most this share of the normal volumes."""
GRAZED, GRAZED_FACTOR = 0.1, 3
"""Things only graze a region if at most ``GRAZED`` of its pixels move normally. Where so many times
more of them move than normally, the place is unusual."""
LOOKS_SHARE = 0.2
"""Looks are unusual, without another word for them, from this share of the distance on."""
NEW_STILL = "new_still"
"""Attribute of what is new and stands still; only ``still`` sees it."""
AS_FAST = "as fast"
"""Entry ``of`` of what is compared with all that moves about as fast."""


@dataclass(frozen=True)
class Unusual:
    """Finds what is unusual about one volume.

    Attributes:
        shown: The record of what the volume shows; see ``VolumeAttributes.record``.
        known: What is normal in its region.
        scene_classes: The classes that are normal somewhere in the scene.
        shares: Share of each component in the distance, all parts of a version together.
        others: Name of a component, speed and normal speeds, where another part than the one from
            which ``shown`` was read measures motion; the range begins at 0.
    """

    shown: dict[str, Any]
    known: NormalSightings
    scene_classes: frozenset[str]
    shares: Mapping[str, float]
    others: Sequence[tuple[str, float, tuple[float, float]]] = ()

    def entries(self) -> list[dict[str, Any]]:
        """The unusual attributes, the most important first.

        Returns:
            For each its name, value, range and unit; ``of``, the class with whose normal range it
            was compared (``None``: with all that is seen there); ``normally``, the normal
            directions; its component and the share of the distance that belongs to it; and how many
            widths of the range it lies outside (for a direction: steps of 45 degrees from the
            nearest normal one; for all else that is no number: 1).
        """
        found = [*self._nothing_moves_here()] or [
            *self._class(),
            *([*self._new_still()] or self._standing()),
            *self._speed(),
            *self._direction(),
            *self._moving_share(),
        ]
        if not {entry["attribute"] for entry in found} & {"class", "place", "standing", NEW_STILL}:
            found += [*self._looks()]
        for entry in found:
            entry["component"] = self._component(entry)
        found = self._with_others(found)
        for entry in found:
            entry["share"] = round(self._share(entry, found), 4)
        return sorted(found, key=lambda entry: (-entry["share"], -entry["excess"]))

    @cached_property
    def _moves(self) -> bool | None:
        """Whether something moves in the volume; ``None`` if motion is unknown."""
        share = self.shown["moving_share"]
        return None if share is None else bool(share >= STILL_SHARE)

    @cached_property
    def _movable(self) -> str | None:
        """The class of the volume, if it is one of things that move."""
        return self.shown["class"] if self.shown["class"] in MOVABLE else None

    @cached_property
    def _of_class(self) -> ClassRanges | None:
        """What is normal of the volume's class, if it has moved here often enough."""
        ranges = self.known.ranges.by_class.get(self._movable or "")
        enough = ranges and (ranges.moving_volumes or 0) >= LEAST_VOLUMES
        return ranges if enough else None

    def _component(self, entry: dict[str, Any]) -> str:
        """The component with the largest share among those from which an entry is read."""
        attribute = read_from(entry)
        names = [name for name in self.shares if attribute in words_of(name).attributes]
        return max(names or self.shares, key=lambda name: self.shares[name])

    def _with_others(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Also a speed that is too high according to another part, if that has a larger share."""
        for component, speed, bounds in self.others:
            known = [entry for entry in found if entry["attribute"] == "speed"]
            least = max((self.shares[entry["component"]] for entry in known), default=0.0)
            entries = [*_outside("speed", speed, bounds, None)]
            if entries and self.shares[component] > least:
                found = [entry for entry in found if entry not in known]
                found.append(entries[0] | {"component": component})
        return found

    def _share(self, entry: dict[str, Any], found: Sequence[dict[str, Any]]) -> float:
        """The share of an entry's component in the distance, with what belongs to it.

        What is unusually fast also changes how its directions look, to a network. So components of
        the same kind (motion, or looks) from which nothing unusual is read belong to the first
        component of their kind from which something is.
        """
        if read_from(entry) is None:
            return 1.0
        kind = is_of_motion(entry["component"])
        alike = [other for other in found if is_of_motion(other["component"]) == kind]
        alike.sort(key=lambda other: -self.shares[other["component"]])
        first = min(alike, key=lambda other: other["attribute"] == "moving_share")["component"]
        claimed = {other["component"] for other in alike}
        rest = (
            share
            for name, share in self.shares.items()
            if is_of_motion(name) == kind and name not in claimed
        )
        own = self.shares[entry["component"]]
        return own + sum(rest) if entry["component"] == first else own

    def _nothing_moves_here(self) -> Iterator[dict[str, Any]]:
        """Something moves where nothing ever moved."""
        normal = self.known.ranges
        if self._moves and (normal.moving_volumes or 0) <= NEVER_MOVES * normal.volumes:
            yield _entry("place", None)

    def _class(self) -> Iterator[dict[str, Any]]:
        """A class that is not seen here, or nowhere in the scene."""
        name = self.shown["class"] if self._moves is None else self._movable
        classes = self.known.ranges.classes
        if name and classes and classes[name] < RARE_CLASS and self._moves is not False:
            kind = "place" if name in self.scene_classes else "class"
            yield _entry(kind, name, normal_share=classes[name])

    def _new_still(self) -> Iterator[dict[str, Any]]:
        """Something new stands still, as a component says that sees nothing else."""
        names = [name for name in self.shares if NEW_STILL in words_of(name).attributes]
        if any(self.shares[name] >= LOOKS_SHARE for name in names):
            yield _entry(NEW_STILL, None)

    def _standing(self) -> Iterator[dict[str, Any]]:
        """Something stands still that does not stand here normally."""
        if self._moves is not False or self.shown["class"] is None:
            return
        ranges = self.known.ranges.by_class.get(self._movable or "")
        still = 0 if ranges is None else ranges.volumes - (ranges.moving_volumes or 0)
        share = still / self.known.ranges.volumes
        if self._movable and share < RARE_CLASS:
            yield _entry("standing", self._movable, normal_share=share)

    def _looks(self) -> Iterator[dict[str, Any]]:
        """Something that looks unlike all that is normal, and perhaps stands still."""
        kind = "standing" if self._moves is False else "looks"
        entry = _entry(kind, None, of=self._movable)
        component = self._component(entry)
        sees_class = "class" in words_of(component).attributes
        if sees_class and self.shares[component] >= LOOKS_SHARE:
            yield entry

    def _speed(self) -> Iterator[dict[str, Any]]:
        name = self._movable if self._of_class else None
        bounds = (self._of_class or self.known.ranges).speed
        yield from _outside("speed", self.shown["speed"], bounds, name)

    def _moving_share(self) -> Iterator[dict[str, Any]]:
        """More or less of the volume moves than normally, or much more where hardly any does."""
        share, bounds = self.shown["moving_share"], self.known.ranges.moving_share
        for entry in _outside("moving_share", share, bounds, None):
            high = entry["high"]
            grazed = high <= GRAZED and share >= GRAZED_FACTOR * high
            yield _entry("place", None, high=high) if grazed else entry

    def _direction(self) -> Iterator[dict[str, Any]]:
        """A direction that is rare among all, its class, or what moves about as fast."""
        direction, speed = self.shown["direction"], self.shown["speed"]
        if not direction:
            return
        compared: dict[str | None, dict[str, float] | None] = {None: self.known.ranges.directions}
        if self._of_class:
            compared[self._movable] = self._of_class.directions
        else:
            compared[AS_FAST] = self.known.directions_as_fast(speed)
        for of, shares in compared.items():
            common = [k for k, share in (shares or {}).items() if share >= COMMON_DIRECTION]
            if common and direction not in common:
                steps = min(_turn(direction, other) for other in common)
                yield _entry("direction", direction, steps, of=of, normally=common)
                return


def is_of_motion(component: str) -> bool:
    """Whether a component describes motion, and not looks."""
    return component == MOVING or is_motion(component)


def read_from(entry: dict[str, Any]) -> str | None:
    """The attribute of components by which an entry is explained; ``None`` if by any component."""
    attribute = entry["attribute"]
    if attribute == "place" and entry["value"] is None:
        return "moving_share" if entry["high"] else None
    return "class" if attribute in ("place", "standing", "looks") else str(attribute)


def _outside(
    name: str, value: float | None, bounds: tuple[float, float] | None, of: str | None
) -> Iterator[dict[str, Any]]:
    """A number that is outside its normal range."""
    if value is None or bounds is None:
        return
    low, high = (round(bound, 4) for bound in bounds)
    if not low <= value <= high:
        excess = max(low - value, value - high) / max(high - low, LEAST_WIDTH[name])
        yield _entry(name, value, excess, low=low, high=high, of=of)


def _turn(first: str, second: str) -> int:
    """Steps of 45 degrees between two directions, 0 to 4."""
    count = len(DIRECTIONS)
    steps = (DIRECTIONS.index(first) - DIRECTIONS.index(second)) % count
    return min(steps, count - steps)


def _entry(
    attribute: str,
    value: float | str | None,
    excess: float = 1.0,
    *,
    low: float | None = None,
    high: float | None = None,
    of: str | None = None,
    normally: list[str] | None = None,
    normal_share: float | None = None,
) -> dict[str, Any]:
    return {
        "attribute": attribute,
        "value": value,
        "low": low,
        "high": high,
        "unit": UNITS.get(attribute),
        "of": of,
        "normally": normally,
        "normal_share": None if normal_share is None else round(normal_share, 4),
        "excess": round(excess, 4),
    }
