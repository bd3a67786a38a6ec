"""The reason of a detection of networks: shares of the indicators, expected and seen motion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.detectors.normal_motion import (
    LEAST_PX_PER_FRAME,
    NormalMotion,
    directions_of,
    motion_of,
)
from anomaly_detection.explanation.detections import Detection
from exemplar_selection.volume_attributes import DIRECTIONS as NAMES
from vadloc.regions import RegionGrid

DIRECTIONS = (
    *("right", "down and right", "down", "down and left"),
    *("left", "up and left", "up", "up and right"),
)
WORDS = {
    **{"appearance": "appearance", "motion": "motion", "semantic": "content"},
    **{"frame": "appearance", "flow": "motion"},
}
"""What the indicators show."""


def peak_to_reason(
    detection: Detection,
    grid: RegionGrid,
    *,
    indicators: dict[str, float],
    motion: NDArray[np.float32],
    frames_per_volume: int,
    frame_count: int,
    normal: Mapping[str, Any] | None = None,
) -> Reason:
    """The reason of a detection.

    Args:
        detection: A connected part of the score map.
        grid: Regions and cells of the frames.
        indicators: Weighted value of each indicator at the peak.
        motion: Seen to the right and down, expected to the right and down, at the peak, in
            px/frame.
        frames_per_volume: T.
        frame_count: Number of frames of the sequence.
        normal: What moves in training video, as ``measure_motion`` gives it; ``None`` if the
            networks were trained before it was measured.
    """
    frame, row, column = detection.peak
    total = sum(indicators.values()) or 1.0
    shares = {name: round(value / total, 4) for name, value in indicators.items()}
    right, down, expected_right, expected_down = motion.tolist()
    regions = grid.regions_over(row, column)
    length = min(frames_per_volume, frame_count)
    first = min(max(0, frame - length // 2), frame_count - length)
    words = (
        f"{shares_to_words(shares)}; the network that knows normal motion here expects "
        f"{motion_to_words(expected_right, expected_down)}, seen: {motion_to_words(right, down)}"
    )
    region = regions[len(regions) // 2]
    peak: dict[str, Any] = {"shares": shares}
    if normal:
        known = motion_of(normal, region)
        unusual = known.unusual(right, down)
        words += f". Here normally: {known.words()}"
        words += f". Unusual: {', then '.join(unusual)}" if unusual else ""
        peak["motion"] = motion_to_record(right, down, known, unusual)
    return Reason(region, first, words, peak=peak)


def motion_to_record(
    right_px: float, down_px: float, known: NormalMotion, unusual: list[str]
) -> dict[str, Any]:
    """What moves at the peak, and what normally moves in its region.

    Args:
        right_px: What is seen to the right, in px/frame.
        down_px: The same down.
        known: What is normal.
        unusual: What is unusual, in words.
    """
    speed = float(np.hypot(right_px, down_px))
    direction = None
    if speed >= LEAST_PX_PER_FRAME:
        direction = NAMES[int(directions_of(np.array([right_px, down_px])))]
    shown = {"speed": round(speed, 4), "direction": direction}
    ends = None if known.speed is None else list(known.speed)
    shares = {name: round(share, 4) for name, share in known.directions.items()}
    return {**shown, "normal": {"speed": ends, "directions": shares}, "unusual": unusual}


def shares_to_words(shares: dict[str, float]) -> str:
    """Which indicators were unusual: "unusual motion (81 %) and appearance (19 %)"."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    named = [f"{_name_to_words(n)} ({share:.0%})".replace("%)", " %)") for n, share in ordered]
    *first, last = named
    return "unusual " + " and ".join([", ".join(first), last] if first else [last])


def _name_to_words(indicator: str) -> str:
    """What an indicator shows; those of further levels end with the number of the level."""
    name, _, level = indicator.partition("_")
    return f"{WORDS[name]} in codes of level {level}" if level else WORDS[name]


def motion_to_words(right_px: float, down_px: float) -> str:
    """Speed and direction of a flow in px/frame: "2.4 px/frame to the left"."""
    speed = float(np.hypot(right_px, down_px))
    if speed < LEAST_PX_PER_FRAME:
        return "no motion"
    direction = DIRECTIONS[int(directions_of(np.array([right_px, down_px])))]
    where = f"to the {direction}" if direction in ("right", "left") else direction
    return f"{speed:.1f} px/frame {where}"
