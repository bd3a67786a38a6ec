"""Frames and ground-truth boxes of a script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from statistics import NormalDist
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.camera import FRAMES_PER_SECOND, HEIGHT_PX, WIDTH_PX
from vadloc.sample_scene.shapes import (
    Drawing,
    Layer,
    drawing_to_layer,
    drawings_to_shadow,
    in_three_channels,
)
from vadloc.sample_scene.street import Street
from vadloc.sample_scene.traffic import Script

SMALLEST_REGION_PX: Final = 20
"""Objects with fewer visible pixels are not annotated."""

_SHADE: Final = 0.42
_NOISE: Final = 2.0


@dataclass(frozen=True)
class Region:
    """One annotated object in one frame.

    Attributes:
        track: Track id, from 0.
        box_xyxy_px: Half-open box around the visible pixels of the object.
    """

    track: int
    box_xyxy_px: tuple[int, int, int, int]


@dataclass(frozen=True)
class Shot:
    """One frame.

    Attributes:
        frame: Number of the frame, from 0.
        image: ``(height, width, 3)`` uint8 RGB.
        regions: Its anomalies.
    """

    frame: int
    image: NDArray[np.uint8]
    regions: list[Region] = field(default_factory=list)


@dataclass
class _Visible:
    """What is still to be seen of an annotated object, ``(height, width)`` in 0..1."""

    track: int
    share: NDArray[np.float32]


def shoot(script: Script, street: Street, frames: Iterable[int], *, seed: int) -> Iterator[Shot]:
    """Film a script.

    Args:
        script: Who moves where.
        street: The scene behind them.
        frames: Numbers of the frames, from 0.
        seed: Seeds light and noise; they do not depend on the actors.

    Yields:
        One shot for each of ``frames``.
    """
    light = np.random.default_rng([seed, script.number, 1]).uniform(0, 2 * np.pi, 3)
    for frame in frames:
        picture, regions = _compose(script, street, frame)
        noise = np.random.default_rng([seed, script.number, 2, frame])
        yield Shot(frame, _expose(picture, frame, light, noise), regions)


def _compose(
    script: Script, street: Street, frame: int
) -> tuple[NDArray[np.float32], list[Region]]:
    """Lay shadows and everyone, from far to near, over the street."""
    cast: list[Drawing] = []
    layers: list[tuple[Layer, int | None]] = [(layer, None) for layer in street.furniture]
    layers += [(layer, None) for tree in street.trees for layer in tree.layers(frame)]
    for actor in script.actors:
        pose = actor.route.pose(frame)
        if pose is None:
            continue
        drawing = pose.place(actor.figure.shapes(pose))
        cast.append(drawing)
        layer = drawing_to_layer(drawing, float(pose.ground_m[1]))
        if layer is not None:
            layers.append((layer, actor.track if actor.is_anomalous(pose) else None))
    picture = street.ground * in_three_channels(1 - _SHADE * drawings_to_shadow(cast))
    return picture, _lay(picture, layers)


def _lay(picture: NDArray[np.float32], layers: list[tuple[Layer, int | None]]) -> list[Region]:
    """Lay layers over a picture in place; returns the regions of those with a track."""
    watched: list[_Visible] = []
    for layer, track in sorted(layers, key=lambda pair: -pair[0].depth_m):
        layer.lay_over(picture)
        for visible in watched:
            visible.share[layer.place] *= 1 - layer.opacity[..., 0]
        if track is not None:
            share = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
            share[layer.place] = layer.opacity[..., 0]
            watched.append(_Visible(track, share))
    regions = [_visible_to_region(visible) for visible in watched]
    return sorted((r for r in regions if r is not None), key=lambda region: region.track)


def _visible_to_region(visible: _Visible) -> Region | None:
    """Box of the pixels that an object covers by a third or more; None when too little is left."""
    rows, columns = np.nonzero(visible.share >= 1 / 3)
    if len(rows) < SMALLEST_REGION_PX:
        return None
    x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return Region(visible.track, (int(x0), int(y0), int(x1), int(y1)))


def _expose(
    picture: NDArray[np.float32],
    frame: int,
    light: NDArray[np.float64],
    noise: np.random.Generator,
) -> NDArray[np.uint8]:
    """What the sensor makes of a picture: slow light, a soft lens, darker corners, noise."""
    seconds = frame / FRAMES_PER_SECOND
    sun = 1.12 + 0.03 * np.sin(seconds / 3 + light[0]) + 0.015 * np.sin(seconds / 1.7 + light[1])
    soft = cv2.GaussianBlur(picture, (0, 0), 0.45)
    exposed = soft * (np.float32(sun) * _corners())
    exposed += _noise_levels()[noise.integers(0, 256, exposed.shape, np.uint8)]
    return np.asarray(np.clip(np.round(exposed), 0, 255), np.uint8)


@cache
def _noise_levels() -> NDArray[np.float32]:
    """256 equally likely values of Gaussian noise: far faster to draw than exact ones."""
    normal = NormalDist(0, _NOISE)
    return np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32)


@cache
def _corners() -> NDArray[np.float32]:
    """Factors ``(height, width, 3)`` by which the lens darkens the picture towards its corners."""
    rows, columns = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j]
    return in_three_channels(1 - 0.09 * (rows**2 + columns**2))
