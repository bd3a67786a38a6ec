"""Drawn video of moving rectangles of one height, in place of moving objects."""

import numpy as np
from numpy.typing import NDArray

HEIGHT_PX, WIDTH_PX = 180, 320


def rectangles(
    height_px: int,
    *,
    scale: float = 1.0,
    frames: int = 24,
    objects: int = 6,
    noise: float = 3.0,
    light: float = 0.0,
    step_px: int = 37,
) -> NDArray[np.uint8]:
    """Frames of dark rectangles that move across a textured ground, each in its own row.

    Args:
        height_px: Their height; the width is half of it.
        scale: Factor for all lengths.
        frames: Number of frames.
        objects: Number of rectangles.
        noise: Standard deviation of the noise in grey levels.
        light: Change of the light in grey levels.
        step_px: How far they move from frame to frame.
    """
    random = np.random.default_rng(0)
    height, width = round(HEIGHT_PX * scale), round(WIDTH_PX * scale)
    tall, wide = round(height_px * scale), round(height_px * scale * 0.5)
    ground = np.kron(random.integers(110, 150, (height // 4, width // 4)), np.ones((4, 4)))
    film = np.repeat(ground[None], frames, axis=0)
    for index in range(objects):
        top = round((5 + (HEIGHT_PX - height_px - 10) * index / max(1, objects - 1)) * scale)
        for number in range(frames):
            left = round((number * step_px + index * 53) * scale) % (width - wide)
            film[number, top : top + tall, left : left + wide] = 40
    film += random.normal(0, noise, film.shape)
    film += light * np.sin(np.arange(frames))[:, None, None]
    return np.clip(film, 0, 255).astype(np.uint8)
