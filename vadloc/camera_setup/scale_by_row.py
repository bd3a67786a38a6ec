"""Height and speed of moving objects by row: how large and how fast things are at each place.

Speed is measured by optical flow from a sampled frame to the next frame of the video. The speed of
an object is the median over its moving pixels. The median speed of all other pixels is the noise of
the flow: slower movement cannot be told from stillness.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.camera_setup.moving_objects import (
    GROUPS,
    LEAST_BLOBS,
    Blobs,
    group_heights_px,
    heights_px,
    row_groups,
)

LEAST_SIDE_PX = 32
"""OpenCV's DIS flow fails on smaller frames."""
LEAST_OBJECTS = LEAST_BLOBS * GROUPS
"""Least number of objects from which perspective is computed."""
LEAST_GROWTH = 1.25
"""Perspective is clear if near objects are at least so many times as high as far ones."""
LEAST_CORRELATION = 0.7
"""Perspective is clear if the correlation of height and row is at least this."""

Quartiles = tuple[float, float, float]
"""Lower quartile, median and upper quartile; NaN if there is nothing."""


def frame_speeds(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Speed of each pixel between consecutive frames, by DIS flow (Kroeger et al., ECCV 2016).

    Args:
        first: Grey frame ``(height, width)``.
        second: The next frame.

    Returns:
        ``(height, width)``, in px/frame; ``None`` if the frames are too small for the flow.
    """
    import cv2

    if min(first.shape) < LEAST_SIDE_PX:
        return None
    engine: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(np.linalg.norm(engine.calc(first, second, None), axis=-1), np.float32)


def speeds_of_blobs(
    speeds: NDArray[np.float32], moving: NDArray[np.bool_], blobs: Blobs
) -> NDArray[np.float64]:
    """The speed of each blob, ``(n,)``: the median over the moving pixels in its box.

    Args:
        speeds: Speed of each pixel ``(height, width)``.
        moving: Which pixels move, ``(height, width)``.
        blobs: The blobs of the frame.
    """
    parts = [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1, _ in blobs.tolist()]
    return np.array([np.median(speeds[part][moving[part]]) for part in parts], np.float64)


@dataclass(frozen=True)
class Band:
    """The objects in one band of the frame's rows.

    Attributes:
        rows: First row and the row after the last, in pixels.
        count: Number of objects whose lower edge is in the band.
        heights_px: Quartiles of their heights.
        speeds_px_per_frame: Quartiles of their speeds, where these are known.
        foot_px: Median row of their lower edges; NaN without objects.
    """

    rows: tuple[int, int]
    count: int
    heights_px: Quartiles
    speeds_px_per_frame: Quartiles
    foot_px: float


def scale_by_band(
    blobs: Blobs, speeds: NDArray[np.float64], height_px: int, *, bands: int = 3
) -> list[Band]:
    """Heights and speeds in bands from the top of the frame to the bottom.

    Args:
        blobs: The objects.
        speeds: Speed of each in px/frame, ``(n,)``; NaN where it is not known.
        height_px: Frame height.
        bands: Number of bands.
    """
    edges = np.linspace(0, height_px, bands + 1).round().astype(int)
    found = []
    for top, bottom in pairwise(edges.tolist()):
        inside = (blobs[:, 3] > top) & (blobs[:, 3] <= bottom)
        heights = _quartiles(heights_px(blobs[inside]))
        foot_px = float(np.median(blobs[inside, 3])) if inside.any() else math.nan
        band = (top, bottom), int(inside.sum()), heights, _quartiles(speeds[inside]), foot_px
        found.append(Band(*band))
    return found


def _quartiles(values: NDArray[np.int64] | NDArray[np.float64]) -> Quartiles:
    known = values[~np.isnan(values)]
    if not known.size:
        return (math.nan,) * 3
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    return low, middle, high


@dataclass(frozen=True)
class Perspective:
    """Heights that change with the row: height = start_px + growth * row of the lower edge.

    Attributes:
        start_px: Height at row 0.
        growth: Pixels of height for each row.
        rows: A row with far objects, and one with near objects.
    """

    start_px: float
    growth: float
    rows: tuple[float, float]

    def height_px(self, row: float) -> float:
        """The height at a row."""
        return self.start_px + self.growth * row


def perspective_of(blobs: Blobs) -> Perspective | None:
    """The line of heights by rows (least squares); ``None`` unless they clearly grow downwards.

    It goes through the heights of objects alone: the lower quartiles of equally many objects each,
    in the order of their rows.

    Args:
        blobs: The objects.
    """
    if len(blobs) < LEAST_OBJECTS:
        return None
    feet = np.array([np.median(blobs[group, 3]) for group in row_groups(blobs)])
    heights = group_heights_px(blobs)
    if not feet.std() or not heights.std():
        return None
    growth, start_px = np.polyfit(feet, heights, 1).tolist()
    found = Perspective(start_px, growth, (float(feet[0]), float(feet[-1])))
    far, near = map(found.height_px, found.rows)
    is_clear = np.corrcoef(feet, heights)[0, 1] >= LEAST_CORRELATION
    return found if is_clear and near >= LEAST_GROWTH * max(1.0, far) else None
