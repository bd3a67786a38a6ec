"""Renders the frames and the ground-truth boxes of a script."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.backdrop import Backdrop
from vadloc.sample_scene.routes import Script
from vadloc.sample_scene.sensor import Exposure, Sensor
from vadloc.sample_scene.shapes import (
    Drawing,
    Layer,
    drawing_to_layer,
    drawings_to_shadow,
    in_three_channels,
)

SMALLEST_REGION_PX: Final = 20
"""Objects with fewer visible pixels are not annotated."""

_BLUR_PX: Final = 0.45


@dataclass(frozen=True)
class Region:
    """One annotated object in one frame.

    Attributes:
        track: Track id, from 0.
        box_xyxy_px: Box around the visible pixels of the object; x1 and y1 are exclusive.
    """

    track: int
    box_xyxy_px: tuple[int, int, int, int]


@dataclass(frozen=True)
class Shot:
    """One frame.

    Attributes:
        frame: Number of the frame, from 0.
        image: ``(height, width, 3)`` uint8 RGB, or ``(height, width)`` grey.
        regions: The annotated objects in the frame.
    """

    frame: int
    image: NDArray[np.uint8]
    regions: list[Region] = field(default_factory=list)


@dataclass
class _Visible:
    """The visible part of an annotated object, ``(height, width)`` in 0..1."""

    track: int
    share: NDArray[np.float32]


def shoot(
    script: Script,
    backdrop: Backdrop,
    frames: Iterable[int],
    *,
    seed: int,
    sensor: Sensor = Sensor(),  # noqa: B008 - frozen
) -> Iterator[Shot]:
    """Render frames of a script.

    Args:
        script: The actors and their routes.
        backdrop: The background, with the margin of the sensor.
        frames: Numbers of the frames, from 0.
        seed: Seed of light, shake and noise; they do not depend on the actors.
        sensor: The sensor of the camera.

    Yields:
        One shot for each of ``frames``.
    """
    exposure = Exposure(sensor, seed, script.number, script.clock.frames_per_second)
    for frame in frames:
        picture, watched = _compose(script, backdrop, frame)
        window = _Window(sensor.margin_px, *exposure.shift_px(frame))
        found = [_visible_to_region(visible, window) for visible in watched]
        regions = sorted((r for r in found if r is not None), key=lambda region: region.track)
        yield Shot(frame, exposure.expose(window.cut(picture), frame, _BLUR_PX), regions)


@dataclass(frozen=True)
class _Window:
    """The part of a picture that a shaking camera sees."""

    margin_px: int
    right_px: float
    down_px: float

    def cut(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move the picture, then cut off its margin."""
        if not self.margin_px:
            return picture
        height, width = picture.shape[:2]
        move = np.array([[1, 0, self.right_px], [0, 1, self.down_px]], np.float32)
        moved = cv2.warpAffine(picture, move, (width, height), flags=cv2.INTER_CUBIC)
        inner = slice(self.margin_px, -self.margin_px)
        return np.ascontiguousarray(moved[inner, inner], np.float32)


def _compose(
    script: Script, backdrop: Backdrop, frame: int
) -> tuple[NDArray[np.float32], list[_Visible]]:
    """Draw shadows and all actors, from far to near, over the backdrop."""
    cast: list[Drawing] = []
    layers: list[tuple[Layer, int | None]] = [(layer, None) for layer in backdrop.furniture]
    rate = script.clock.frames_per_second
    layers += [(layer, None) for tree in backdrop.trees for layer in tree.layers(frame, rate)]
    eye_m = None if backdrop.from_the_side else backdrop.camera.eye_m
    for actor in script.actors:
        pose = actor.route.pose(frame)
        if pose is None:
            continue
        pose = replace(pose, eye_m=eye_m)
        drawing = pose.place(actor.figure.shapes(pose))
        cast.append(drawing)
        layer = drawing_to_layer(drawing, float(pose.ground_m[1]), backdrop.camera)
        if layer is not None:
            layers.append((layer, actor.track if actor.is_anomalous(pose) else None))
    shadow = drawings_to_shadow(cast, backdrop.camera, backdrop.sun, backdrop.softness_px)
    picture = backdrop.ground * in_three_channels(1 - backdrop.shade * shadow)
    return picture, _lay(picture, layers)


def _lay(picture: NDArray[np.float32], layers: list[tuple[Layer, int | None]]) -> list[_Visible]:
    """Draw layers over a picture in place. Returns the visible parts of layers with a track."""
    watched: list[_Visible] = []
    for layer, track in sorted(layers, key=lambda pair: -pair[0].depth_m):
        layer.lay_over(picture)
        for visible in watched:
            visible.share[layer.place] *= 1 - layer.opacity[..., 0]
        if track is not None:
            share = np.zeros(picture.shape[:2], np.float32)
            share[layer.place] = layer.opacity[..., 0]
            watched.append(_Visible(track, share))
    return watched


def _visible_to_region(visible: _Visible, window: _Window) -> Region | None:
    """Box of the pixels of which an object covers a third or more; None if these are too few."""
    rows, columns = np.nonzero(window.cut(visible.share) >= 1 / 3)
    if len(rows) < SMALLEST_REGION_PX:
        return None
    x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return Region(visible.track, (int(x0), int(y0), int(x1), int(y1)))
