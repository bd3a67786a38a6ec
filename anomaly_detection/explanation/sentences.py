"""The sentence of a detection: a template filled from the numbers of its record."""

from typing import Any

from anomaly_detection.explanation.unusual import AS_FAST, NEW_STILL
from exemplar_selection.phrases import (
    PLURALS,
    direction_words,
    frames,
    normal_to_words,
    number,
    percent,
    span,
    volume_to_words,
    volumes,
)
from feature_extraction.registry import words_of
from vadloc.regions import RegionGrid
from vadloc.video.times import Clock

PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "centre", "right"),
    ("lower left", "bottom", "lower right"),
)
"""Names of the thirds of the picture."""
LABELS = {
    "speed": "speed",
    "moving_share": "share of moving pixels",
    "direction": "direction",
    "class": "class",
    "place": "place",
    "standing": "standing still",
    "looks": "appearance",
    NEW_STILL: "standing still",
}
"""Words for attributes in sentences."""
UNLIKE = frozenset({"looks", "standing", NEW_STILL})
"""Attributes that have no value if what is seen is unlike all that was seen before."""
NEVER_SEEN = 0.005
"""A class was never seen if it was seen in a smaller share of the normal volumes."""
MOVEMENT = frozenset({"speed", "moving_share", "direction"})
"""Attributes that ``volume_to_words`` already gives."""
NAMED_SHARE = 0.1
"""What is unusual is named if at least this share of the distance belongs to it."""


def box_to_place(box_xyxy_px: list[int], grid: RegionGrid) -> str:
    """The name of the part of the picture in which the middle of a box lies; see ``PLACES``."""
    x0, y0, x1, y1 = box_xyxy_px
    row = min(2, 3 * (y0 + y1) // (2 * grid.height_px))
    column = min(2, 3 * (x0 + x1) // (2 * grid.width_px))
    return PLACES[row][column]


def detection_to_sentence(record: dict[str, Any], words: str, *, clock: Clock) -> str:
    """When and where something was detected, and why.

    Args:
        record: The record of the detection, as ``explain_anomalies`` writes it.
        words: Why it was detected, without the full stop at the end.
        clock: The times of the frames of the sequence.
    """
    start_s, end_s = (clock.seconds(record["first_frame"]), clock.seconds(record["last_frame"] + 1))
    return timed_sentence(record, words, start_s=start_s, end_s=end_s)


def timed_sentence(record: dict[str, Any], words: str, *, start_s: float, end_s: float) -> str:
    """The same, where the times are known and not the times of all frames.

    Args:
        record: At least ``first_frame``, ``last_frame`` and ``place``.
        words: Why it was detected, without the full stop at the end.
        start_s: When the first frame begins.
        end_s: When the last frame ends.
    """
    when = f"{frames(record['first_frame'], record['last_frame'])} ({start_s:.1f}-{end_s:.1f} s)"
    return f"{when[0].upper()}{when[1:]}, {record['place']}: {words}."


def score_to_words(score: float, threshold: float) -> str:
    """The score and the threshold in words, as the reason where there is no other."""
    if threshold <= 0:
        return f"score {score:.3f}, where the threshold is {threshold:.3f}"
    times = f"{score / threshold:.1f}"
    more = "just above" if times == "1.0" else f"{times} times"
    return f"score {score:.3f}, {more} the threshold of {threshold:.3f}"


def comparison_to_words(record: dict[str, Any], *, floor_px_per_frame: float) -> str:
    """What a volume shows, what is normal in its region, and what is unusual.

    Args:
        record: The entries ``peak``, ``nearest``, ``normal`` and ``unusual`` of a detection, as
            ``explain_anomalies`` writes them.
        floor_px_per_frame: Slower movement was not measured; 0 for no such limit.
    """
    near = record["nearest"]
    mined = f"mined in round {near['mined_round']}, " if near.get("mined_round") else ""
    source = (
        f"nearest: {near['sequence']}, {frames(near['first_frame'], near['last_frame'])}, "
        f"{mined}stands for {volumes(near['count'])}"
    )
    floor = floor_px_per_frame
    shown = volume_to_words(
        record["peak"]["attributes"],
        floor_px_per_frame=floor,
        is_unlike=any(_is_unlike(entry) for entry in record["unusual"]),
    )
    normal = normal_to_words(record["normal"], floor_px_per_frame=floor)
    unusual = unusual_to_words(record, floor) or _together(record, floor)
    return f"{shown}. Here normally: {normal} ({source}). Unusual: {unusual}"


def _is_unlike(entry: dict[str, Any]) -> bool:
    """Whether what is seen is unlike all that was seen before."""
    return entry["attribute"] in UNLIKE and entry["value"] is None


def unusual_to_words(record: dict[str, Any], floor_px_per_frame: float) -> str:
    """What is unusual, the most important first, and its share of the distance.

    Empty if nothing is that has a large enough share.
    """
    unusual = [entry for entry in record["unusual"] if entry["share"] >= NAMED_SHARE]
    words = []
    for component in dict.fromkeys(entry["component"] for entry in unusual):
        causes = [entry for entry in unusual if entry["component"] == component]
        words += _causes_to_words(causes, floor_px_per_frame, record["peak"])
    return ", then ".join(words)


def _causes_to_words(
    entries: list[dict[str, Any]], floor_px_per_frame: float, peak: dict[str, Any]
) -> list[str]:
    """What is unusual in one component, with its share if there are others."""
    causes = [_cause(entry, floor_px_per_frame, peak["attributes"]["speed"]) for entry in entries]
    if len(peak["shares"]) > 1:
        together = "together " if len(causes) > 1 else ""
        causes[-1][1].append(f"{together}{percent(entries[0]['share'])} of the distance")
    return [f"{name} ({'; '.join(more)})" if more else name for name, more in causes]


def _together(record: dict[str, Any], floor_px_per_frame: float) -> str:
    """What is unusual if each attribute alone is in its normal range."""
    nearest, peak = record["nearest"]["attributes"], record["peak"]["attributes"]
    shares: dict[str, float] = record["peak"]["shares"]
    most = max(shares, key=lambda name: shares[name])
    part = f"; {words_of(most).label} makes up {percent(shares[most])} of the distance"
    why = part if len(shares) > 1 else ""
    if not MOVEMENT.intersection(words_of(most).attributes):
        return f"no attribute that has a name, but it looks unlike all exemplars{why}"
    words = volume_to_words(nearest, floor_px_per_frame=floor_px_per_frame)
    if peak["moving_share"] is not None:
        parts = percent(nearest["moving_share"]), percent(peak["moving_share"])
        words += f" ({parts[0]} of the pixels move; here {parts[1]})"
    return f"no attribute alone, but all together; the nearest exemplar: {words}{why}"


def _cause(
    entry: dict[str, Any], floor_px_per_frame: float, speed: float | None
) -> tuple[str, list[str]]:
    """The words for an unusual attribute, and the details that the sentence does not give yet."""
    attribute, value, low, high = (entry[key] for key in ("attribute", "value", "low", "high"))
    details = []
    if attribute == NEW_STILL:
        details.append("new here for seconds, and nothing like it in training video")
    if attribute in ("class", "place", "standing", "looks"):
        details.append(_unseen(entry, floor_px_per_frame))
    if attribute == "direction" and entry["of"]:
        fast = entry["of"] == AS_FAST
        those = "what is as fast here moves" if fast else f"{PLURALS[entry['of']]} here move"
        details.append(f"{those} {direction_words(entry['normally'])}")
    if attribute == "moving_share":
        normally = span((100 * low, 100 * high), digits=0)
        normally = "none" if normally == "0" else f"{normally} %"
        details.append(f"{percent(value)}, normally {normally}")
    if attribute == "speed":
        if value != speed:
            details.append(f"its fast pixels move at {number(value)} px/frame")
        details.append(times_words(value, low, high, of=entry["of"]))
    return LABELS[attribute], details


def _unseen(entry: dict[str, Any], floor: float) -> str:
    """What was not seen in training video."""
    attribute, value, like = entry["attribute"], entry["value"], entry["of"]
    if _is_unlike(entry):
        return "unlike all that was seen here" + (f", most like a {like}" if like else "")
    if value is None and entry["high"]:
        return f"at most {percent(entry['high'])} of it ever moved here in training video"
    if value is None:
        faster = f" faster than {number(floor)} px/frame" if floor else ""
        return f"nothing has ever moved{faster} here in training video"
    never = entry["normal_share"] < NEVER_SEEN
    whom = f"no {value} was ever" if never else f"hardly any {value} was"
    how = {"class": "seen in training video", "standing": "seen standing here"}
    return f"{whom} {how.get(attribute, 'seen here in training video')}"


def times_words(value: float, low: float, high: float, *, of: str | None = None) -> str:
    """Words for how far a number is outside its range."""
    side, bound, name = ("above", high, "highest") if value > high else ("below", low, "lowest")
    whose = f" of {PLURALS[of]}" if of else ""
    if bound <= 0 or f"{value / bound:.1f}" == "1.0":
        return f"just {side} the {name} normal one{whose}"
    return f"{value / bound:.1f} times the {name} normal one{whose}"
