"""What volumes show, in words: templates filled from the records of ``normal_ranges``."""

from collections.abc import Iterable, Sequence
from typing import Any

from exemplar_selection.normal_ranges import COMMON_DIRECTION
from exemplar_selection.volume_attributes import MOVABLE, STILL_SHARE

PLURALS = {
    "person": "persons",
    "car": "cars",
    "cyclist": "cyclists",
    "dog": "dogs",
    "tree": "trees",
    "house": "houses",
    "skyscraper": "skyscrapers",
    "bridge": "bridges",
}
NAMED_CLASS = 0.1
"""A class is named as normal if it is seen in at least this share of the volumes."""
SELDOM = 0.05
"""Something "seldom" moves in a region if it moves in a smaller share of the volumes."""
MOST_DIRECTIONS = 4
"""More directions than this are called "many directions"."""
MOST_OF_ALL = 0.5
"""What is normal is told by classes alone if they are seen in this share of the moving volumes."""
NO_CLASS = "nothing of a known class"


def volume_to_words(
    record: dict[str, Any], *, floor_px_per_frame: float, is_unlike: bool = False
) -> str:
    """What one volume shows, such as "a cyclist moving left at 5.1 px/frame".

    Args:
        record: The record of a volume, see ``VolumeAttributes.record``.
        floor_px_per_frame: Slower movement was not measured; 0 for no such limit.
        is_unlike: Whether it looks so unlike all that is normal that its class is not trusted.
    """
    moving = _is_moving(record)
    if moving is None and record["classes"] is None:
        return "something without a name"
    trusted = not is_unlike and (not moving or record["class"] in MOVABLE)
    name = record["class"] if trusted else None
    subject = f"a {name}" if name else "something"
    if moving:
        direction = record["direction"] or "in several directions"
        return f"{subject} moving {direction} at {number(record['speed'])} px/frame"
    is_thing = name or is_unlike
    if moving is None:
        return subject if is_thing else NO_CLASS
    still = "hardly moves" if floor_px_per_frame else "does not move"
    return f"{subject} that {still}" if is_thing else _nothing(floor_px_per_frame)


def normal_to_words(normal: dict[str, Any], *, floor_px_per_frame: float) -> str:
    """What is normal in a region, such as "persons moving left or right at 0.8-1.9 px/frame".

    Args:
        normal: The record of a ``NormalRanges``.
        floor_px_per_frame: Slower movement was not measured; 0 for no such limit.
    """
    moving, volumes = normal["moving_volumes"], normal["volumes"]
    classes = normal["classes"]
    if moving is None and classes is None:
        return f"what its {normal['exemplars']} exemplars show"
    if moving is None:
        return _plural(classes) or NO_CLASS
    if not moving or normal["speed"] is None:
        return _nothing(floor_px_per_frame)
    words = _movement(normal)
    nothing = _nothing(floor_px_per_frame)
    return words if moving >= SELDOM * volumes else f"{nothing}, or seldom {words}"


def _movement(normal: dict[str, Any]) -> str:
    """What moves, where to and how fast; apart for each class if several are common."""
    classes = {k: v for k, v in (normal["classes"] or {}).items() if k in MOVABLE}
    named = [name for name in classes if classes[name] >= NAMED_CLASS]
    named.sort(key=lambda name: -classes[name])
    each = joined([_moving(PLURALS[name], normal["by_class"][name]) for name in named], "and")
    if sum(classes[name] for name in named) >= MOST_OF_ALL:
        return each
    things = _moving("things", normal)
    return f"{things}, among them {each}" if each else things


def _moving(subject: str, ranges: dict[str, Any]) -> str:
    direction = direction_words(
        [k for k, share in (ranges["directions"] or {}).items() if share >= COMMON_DIRECTION]
    )
    return f"{subject} moving {direction} at {span(ranges['speed'])} px/frame"


def _nothing(floor_px_per_frame: float) -> str:
    limit = f" faster than {number(floor_px_per_frame)} px/frame" if floor_px_per_frame else ""
    return f"nothing moves{limit}"


def _is_moving(record: dict[str, Any]) -> bool | None:
    share = record["moving_share"]
    return None if share is None else bool(share >= STILL_SHARE and record["speed"] is not None)


def _plural(classes: dict[str, float] | None) -> str:
    names = [name for name, share in (classes or {}).items() if share >= NAMED_CLASS]
    names.sort(key=lambda name: -(classes or {})[name])
    return joined([PLURALS[name] for name in names], "and")


def direction_words(names: Sequence[str]) -> str:
    """Directions as they stand behind "moving", such as "left or right"."""
    if len(names) > MOST_DIRECTIONS:
        return "in many directions"
    return joined(names, "or") or "in several directions"


def joined(words: Sequence[str], last: str) -> str:
    """Words as a list in a sentence: "a", "a or b", "a, b or c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def number(value: float) -> str:
    """A speed with one digit after the point."""
    return f"{value:.1f}"


def span(bounds: Iterable[float], *, digits: int = 1) -> str:
    """A range of numbers; one number if both ends read the same."""
    low, high = (f"{value:.{digits}f}" for value in bounds)
    return low if low == high else f"{low}-{high}"


def percent(share: float) -> str:
    """A share as a percentage, never rounded to nothing or to all."""
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def frames(first: int, last: int) -> str:
    """0-based frames as text, counted from 1: "frames 61-180", "frame 61"."""
    return f"frame {first + 1}" if first == last else f"frames {first + 1}-{last + 1}"


def volumes(count: int) -> str:
    """A number of volumes, such as "1 volume" or "312 volumes"."""
    return "1 volume" if count == 1 else f"{count} volumes"
