"""Measure the height of moving objects, and propose a size of regions from it.

Frames of a short part of a video are compared with their median, the picture without moving
objects. The connected parts in which a frame differs from it are *blobs*. Few of them are exactly
one object: some are fragments, others several objects side by side or an object with its shadow.
Therefore the smallest blobs, which together have a fifth of the moving area, are left out, and the
lower quartile of the remaining heights is taken: it belongs to objects that stand alone.

Both are done in groups from the top of the picture to the bottom, since a person far away is no
larger than a fragment of one near the camera. All groups have the same sum of square roots of
areas: numbers would count the specks of compression and noise as much as people, and areas only
those near the camera. The height of an object is the geometric mean over the groups: that half-way
into the depth of the scene.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid

BLUR_PX = 1.0
LEAST_DIFFERENCE = 16
"""Least difference in grey levels that counts. After blurring, compression and sensor noise cause
smaller differences."""
NOISE_FACTOR = 4
"""A difference counts if it is at least this many standard deviations of the noise."""
GAP_SHARE = 0.02
"""Largest vertical gap between parts of one object, as a share of the frame's height."""
LIGHT_SHARE = 0.4
"""If a frame differs in a larger share of its area, the light has changed, and it has no blobs."""
LEAST_HEIGHT_PX = 4
FRAGMENT_SHARE = 0.2
HEIGHT_QUANTILE = 0.25
GROUPS = 8
"""Number of groups of blobs from the top to the bottom; fewer if there are few blobs."""
LEAST_BLOBS = 10
"""Least number of blobs from which a height is computed."""

SMALLEST_PX = 16
"""Smallest size of a region: optical flow compares patches of 8 px, and needs two side by side."""
MAX_REGIONS = 4000
DEFAULT_SHARE = 1 / 8
"""Size of regions where nothing has moved, as a share of the frame's shorter side."""

Blobs = NDArray[np.int64]
"""``(n, 5)``: x0, y0, x1, y1 in pixels, the last two exclusive, and the number of pixels."""


def moving_pixels(frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where frames of a short part of a video differ from their median.

    Args:
        frames: Grey frames ``(n, height, width)`` of one window; see `frame_samples`.
    """
    import cv2

    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), BLUR_PX) for frame in frames])
    difference = blurred - np.median(blurred, axis=0).astype(np.float32)
    difference -= np.median(difference, axis=(1, 2), keepdims=True)  # removes changes of exposure
    np.abs(difference, out=difference)
    noise = 1.4826 * float(np.median(difference))
    moving: NDArray[np.bool_] = difference > max(LEAST_DIFFERENCE, NOISE_FACTOR * noise)
    return moving


def moving_blobs(moving: NDArray[np.bool_]) -> Blobs:
    """Find moving objects: connected parts of a mask, without single pixels.

    Blobs at the edge of the frame are left out, since they are only parts of objects.

    Args:
        moving: ``(height, width)``: where a frame differs from the median of its window.
    """
    import cv2

    height, width = moving.shape
    if moving.mean() > LIGHT_SHARE:
        return np.empty((0, 5), np.int64)
    gap_px = 2 * round(GAP_SHARE * height / 2) + 1
    mask = cv2.morphologyEx(moving.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((max(3, gap_px), 3), np.uint8))
    x, y, w, h, area = cv2.connectedComponentsWithStats(mask)[2][1:].astype(np.int64).T
    whole = (x > 0) & (y > 0) & (x + w < width) & (y + h < height) & (h >= LEAST_HEIGHT_PX)
    blobs: Blobs = np.stack([x, y, x + w, y + h, area], axis=1)[whole]
    return blobs


def fragment_area_px(blobs: Blobs) -> int:
    """Least area of an object: the smaller blobs together have `FRAGMENT_SHARE` of all area."""
    area = np.sort(blobs[:, 4])
    share = np.cumsum(area) / max(1, area.sum())
    return int(area[np.searchsorted(share, FRAGMENT_SHARE)]) if area.size else 0


def row_groups(blobs: Blobs) -> list[NDArray[np.intp]]:
    """Groups of blobs by the row of their lower edge, from the top to the bottom.

    Returns:
        The rows of ``blobs`` in each group: ``GROUPS`` of them or fewer, one for each
        ``LEAST_BLOBS`` blobs.
    """
    order = np.argsort(blobs[:, 3], kind="stable")
    sides = np.sqrt(blobs[order, 4])
    middles = np.cumsum(sides) - sides / 2
    count = min(GROUPS, max(1, len(blobs) // LEAST_BLOBS))
    ends = np.searchsorted(middles, sides.sum() * np.arange(1, count) / count)
    return [group for group in np.split(order, ends) if group.size]


def are_objects(blobs: Blobs) -> NDArray[np.bool_]:
    """Which blobs are no fragments: not the smallest of their group, `fragment_area_px`."""
    area, found = blobs[:, 4], np.zeros(len(blobs), np.bool_)
    for group in row_groups(blobs):
        found[group] = area[group] >= fragment_area_px(blobs[group])
    return found


def group_heights_px(objects: Blobs) -> NDArray[np.float64]:
    """The height of objects that stand alone in each group, ``(groups,)``: the lower quartile."""
    heights = heights_px(objects)
    return np.array([np.quantile(heights[g], HEIGHT_QUANTILE) for g in row_groups(objects)])


def heights_px(blobs: Blobs) -> NDArray[np.int64]:
    """Height of each blob."""
    heights: NDArray[np.int64] = blobs[:, 3] - blobs[:, 1]
    return heights


@dataclass(frozen=True)
class Proposal:
    """Size and stride of regions for a scene.

    Attributes:
        size_px: Side of a region, a multiple of 4.
        object_px: Height of a moving object half-way into the depth of the scene; ``None`` if too
            little has moved to measure it.
        regions: Number of regions in a frame.
        limit: Why the regions are larger than the objects; empty if they are not.
    """

    size_px: int
    object_px: float | None
    regions: int
    limit: str = ""

    @property
    def stride_px(self) -> int:
        """Half the size: neighbouring regions overlap by half."""
        return self.size_px // 2


def propose(objects: Blobs, *, height_px: int, width_px: int) -> Proposal:
    """Regions about as high as one object.

    Args:
        objects: Blobs without fragments, in pixels of the video.
        height_px: Frame height.
        width_px: Frame width.
    """
    enough = len(objects) >= LEAST_BLOBS
    found = float(np.exp(np.log(group_heights_px(objects)).mean())) if enough else None
    wanted = min(height_px, width_px) * DEFAULT_SHARE if found is None else found
    size = round_down(min(wanted, height_px, width_px))
    limit = ""
    while _region_count(size, height_px, width_px) > MAX_REGIONS:
        limit = f"smaller regions would be more than {MAX_REGIONS}"
        size += _step_px(size)
    return Proposal(size, found, _region_count(size, height_px, width_px), limit)


def _region_count(size_px: int, height_px: int, width_px: int) -> int:
    return RegionGrid(height_px, width_px, size_px, size_px // 2).region_count


def round_down(length_px: float) -> int:
    """The largest size of a region that is at most this length.

    Sizes are multiples of 4, from 32 on in steps of about a fifth: 16, 20 ... 28, 32, 40, 48, 56,
    64, 80, 96, 112, 128, 160 ... Lengths are rounded down since blobs include shadows.
    """
    step = _step_px(length_px)
    return max(SMALLEST_PX, int(length_px // step) * step)


def _step_px(length_px: float) -> int:
    """The step from a size to the next larger one."""
    octave: int = 2 ** math.floor(math.log2(max(length_px, SMALLEST_PX)))
    return max(4, octave // 4)
