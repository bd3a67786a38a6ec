"""Masks of pseudo-anomalies: boxes and strokes at random, or what moves.

All masks are bool ``(frames, height, width)`` of a clip, and cover a pixel of each frame at least.
"""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

STROKE_CORNERS = 4
STILL_PX = 0.3
"""Slower pixels of the video do not move."""
LEAST_MOVING_PIXELS = 9


def random_mask(
    rng: np.random.Generator, shape: tuple[int, int, int], region_px: int, *, drift_px: float = 2.0
) -> Mask:
    """A box or a brush stroke that drifts through the clip.

    Args:
        rng: Source of randomness.
        shape: Frames, height and width of the clip.
        region_px: Side of a region; the mask is about half as large to twice as large.
        drift_px: Largest movement in px/frame along each axis.
    """
    count, height, width = shape
    draw = _box if rng.random() < 0.5 else _stroke
    picture = draw(rng, height, width, region_px)
    drift = rng.uniform(-drift_px, drift_px, 2)
    shifts = np.outer(np.arange(count) - count // 2, drift)
    masks = [_moved(picture, round(down), round(right)) for down, right in shifts.tolist()]
    return np.stack([mask if mask.any() else picture for mask in masks])


def moving_mask(
    rng: np.random.Generator, flow: NDArray[np.floating], region_px: int
) -> Mask | None:
    """What moves around a moving pixel, followed through the clip.

    Args:
        rng: Source of randomness.
        flow: ``(frames, 2, height, width)`` in px/frame.
        region_px: Side of a region; the mask is at most twice as wide.

    Returns:
        The mask; ``None`` if too little moves, so that a random mask has to do.
    """
    moving = np.sqrt((flow.astype(np.float32) ** 2).sum(axis=1)) > STILL_PX
    count, height, width = moving.shape
    rows, columns = np.nonzero(moving[count // 2])
    if len(rows) < LEAST_MOVING_PIXELS:
        return None
    chosen = rng.integers(len(rows))
    row, column = int(rows[chosen]), int(columns[chosen])
    speed = flow[count // 2, :, row, column].astype(np.float32)
    mask = np.zeros(moving.shape, np.bool_)
    for frame in range(count):
        steps = frame - count // 2
        y, x = row + round(float(steps * speed[1])), column + round(float(steps * speed[0]))
        window = _window(y, height, region_px), _window(x, width, region_px)
        mask[frame][window] = _grown(moving[frame][window])
    return mask if mask.any(axis=(1, 2)).all() else None


def _window(middle: int, length: int, half: int) -> slice:
    first = min(max(0, middle - half), max(0, length - 1))
    return slice(first, max(first + 1, min(length, middle + half)))


def _grown(mask: Mask) -> Mask:
    import cv2

    grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(grown, np.bool_)


def _box(rng: np.random.Generator, height: int, width: int, region_px: int) -> Mask:
    mask = np.zeros((height, width), np.bool_)
    sides = rng.uniform(0.5, 2, 2) * region_px
    tall, wide = (max(1, min(round(s), n)) for s, n in zip(sides, (height, width), strict=True))
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
    mask[top : top + tall, left : left + wide] = True
    return mask


def _stroke(rng: np.random.Generator, height: int, width: int, region_px: int) -> Mask:
    import cv2

    mask = np.zeros((height, width), np.uint8)
    start = rng.uniform(0, 1, 2) * (width - 1, height - 1)
    steps = rng.uniform(-0.7, 0.7, (STROKE_CORNERS, 2)) * region_px
    corners = np.concatenate([start[None], start + np.cumsum(steps, axis=0)])
    thick = max(1, round(rng.uniform(0.2, 0.6) * region_px))
    cv2.polylines(
        mask, [np.round(corners).astype(np.int32)], isClosed=False, color=1, thickness=thick
    )
    mask[round(float(start[1])), round(float(start[0]))] = 1
    return mask.astype(np.bool_)


def _moved(picture: Mask, down: int, right: int) -> Mask:
    moved = np.zeros_like(picture)
    height, width = picture.shape
    if abs(down) >= height or abs(right) >= width:
        return moved
    to = _overlap(down, height), _overlap(right, width)
    moved[to] = picture[_overlap(-down, height), _overlap(-right, width)]
    return moved


def _overlap(shift: int, length: int) -> slice:
    return slice(max(0, shift), length + min(0, shift))
