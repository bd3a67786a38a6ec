"""The reason of a detection of networks: shares of the indicators, expected and seen motion."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from anomaly_detection.detectors.detector import Reason
from anomaly_detection.detectors.trained import Expectation, NetworkDetector, Place
from anomaly_detection.explanation.detections import Detection
from vadloc.regions import RegionGrid
from vadloc.sequence_input import SequenceInput

DIRECTIONS = (
    *("right", "down and right", "down", "down and left"),
    *("left", "up and left", "up", "up and right"),
)
LEAST_PX_PER_FRAME = 0.2
"""Slower motion has no direction."""
WORDS = {"appearance": "appearance", "motion": "motion", "frame": "appearance", "flow": "motion"}
"""What the indicators show."""


def peak_to_reason(
    detector: NetworkDetector, detection: Detection, sequence: SequenceInput, grid: RegionGrid
) -> Reason:
    """The reason of a detection.

    Args:
        detector: With its networks.
        detection: A connected part of the score map.
        sequence: The frames of the sequence.
        grid: Regions and cells of the frames.
    """
    frame, row, column = detection.peak
    at_peak = detector.maps(sequence, grid)[:, frame, row, column]
    weighted = [float(v) * detector.weights[n] for n, v in zip(detector.indicators, at_peak, strict=True)]
    total = sum(weighted) or 1.0
    shares = {n: round(w / total, 4) for n, w in zip(detector.indicators, weighted, strict=True)}
    expectation = _expectation(detector, detection, sequence, grid)
    regions = grid.regions_over(row, column)
    length = min(detector.artifacts.config.regions.frames_per_volume, sequence.frame_count)
    first = min(max(0, frame - length // 2), sequence.frame_count - length)
    region = regions[len(regions) // 2]
    words = f"{shares_to_words(shares)}; {expectation_to_words(expectation)}"
    return Reason(region, first, words, peak={"shares": shares})


def _expectation(
    detector: NetworkDetector, detection: Detection, sequence: SequenceInput, grid: RegionGrid
) -> Expectation:
    """What the network of motion expected at the peak."""
    frame, row, column = detection.peak
    around = detector.context_frames
    first = min(max(0, frame - around // 2), max(0, sequence.frame_count - around))
    frames = list(islice(sequence.steps(), first, first + around))
    rows, columns = grid.cell_edges_px
    box = columns[column], rows[row], columns[column + 1], rows[row + 1]
    x0, y0, x1, y1 = (int(edge) for edge in box)
    return detector.expectation(frames, Place(frame - first, (x0, y0, x1, y1), grid))


def shares_to_words(shares: dict[str, float]) -> str:
    """Which indicators were unusual: "unusual motion (81 %) and appearance (19 %)"."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    named = [f"{WORDS[name]} ({share:.0%})".replace("%)", " %)") for name, share in ordered]
    return "unusual " + " and ".join(named)


def expectation_to_words(expectation: Expectation) -> str:
    """What was expected and what was seen."""
    expected = motion_to_words(expectation.expected_px_per_frame)
    seen = motion_to_words(expectation.seen_px_per_frame)
    return f"the network that knows normal motion here expects {expected}, seen: {seen}"


def motion_to_words(flow_px_per_frame: Sequence[float]) -> str:
    """Speed and direction of a flow to the right and down: "2.4 px/frame to the left"."""
    right, down = flow_px_per_frame
    speed = float(np.hypot(right, down))
    if speed < LEAST_PX_PER_FRAME:
        return "no motion"
    sector = round(float(np.arctan2(down, right)) / (np.pi / 4)) % 8
    direction = DIRECTIONS[sector]
    where = f"to the {direction}" if direction in ("right", "left") else direction
    return f"{speed:.1f} px/frame {where}"
