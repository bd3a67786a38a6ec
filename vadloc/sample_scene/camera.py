"""The fixed camera of a rendered scene, in metres.

World points are ``(x, depth, height)`` in metres: ``x`` to the right of the camera, ``depth`` away
from it along the ground, ``height`` above the ground. The camera is a pinhole above
``x = depth = 0``. It looks along ``depth`` and may be tilted down.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Sun = tuple[float, float]
"""Shadow of a point one metre above the ground: metres to the right and away from the camera."""

NEAREST_M = 0.5
"""Shapes nearer to the camera than this are not drawn."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        width_px: Width of the pictures.
        height_px: Height of the pictures.
        focal_px: Focal length.
        height_m: Height above the ground.
        centre_px: x and y of the point straight ahead, which may lie outside the picture.
        tilt: Radians by which it is tilted down; with 0 vertical lines stay parallel.
    """

    width_px: int
    height_px: int
    focal_px: float
    height_m: float
    centre_px: tuple[float, float]
    tilt: float = 0.0

    @property
    def eye_m(self) -> tuple[float, float, float]:
        """World point of the pinhole."""
        return 0.0, 0.0, self.height_m

    @cached_property
    def _turn(self) -> tuple[float, float]:
        return math.cos(self.tilt), math.sin(self.tilt)

    def distance_m(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance ``(n,)`` of world points ``(n, 3)`` along the line of sight."""
        cos, sin = self._turn
        return np.asarray(points_m[:, 1] * cos + (self.height_m - points_m[:, 2]) * sin)

    def px_per_m(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels per metre ``(n,)`` at world points ``(n, 3)``."""
        return np.asarray(self.focal_px / np.maximum(self.distance_m(points_m), NEAREST_M))

    def half_width_m(self, depth_m: float) -> float:
        """Half the width in metres of the ground that the picture shows at a depth."""
        ground = np.array([[0.0, depth_m, 0.0]])
        return self.width_px / 2 / float(self.px_per_m(ground)[0])

    def project(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project world points ``(n, 3)`` to picture points ``(n, 2)``: x, y in pixels."""
        cos, sin = self._turn
        scale = self.px_per_m(points_m)
        down_m = (self.height_m - points_m[:, 2]) * cos - points_m[:, 1] * sin
        x_px = self.centre_px[0] + points_m[:, 0] * scale
        return np.stack([x_px, self.centre_px[1] + down_m * scale], axis=1)

    def ground_m(
        self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """X and depth of the ground at picture points; very far away above the horizon."""
        cos, sin = self._turn
        down = (y_px - self.centre_px[1]) / self.focal_px
        depth_m = self.height_m * (cos - down * sin) / np.maximum(sin + down * cos, 1e-3)
        away = depth_m * cos + self.height_m * sin
        return (x_px - self.centre_px[0]) / self.focal_px * away, depth_m

    def px_per_ground_m(self, depth_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels per metre across the picture, on the ground at depths of any shape."""
        cos, sin = self._turn
        return np.asarray(self.focal_px / (depth_m * cos + self.height_m * sin))

    def resized(self, width_px: int, height_px: int) -> "Camera":
        """The same camera with pictures of another size, cut if the aspect ratio differs."""
        scale = max(width_px / self.width_px, height_px / self.height_px)
        left = (self.width_px * scale - width_px) / 2
        top = (self.height_px * scale - height_px) / 2
        x_px, y_px = self.centre_px
        return replace(
            self,
            width_px=width_px,
            height_px=height_px,
            focal_px=self.focal_px * scale,
            centre_px=(x_px * scale - left, y_px * scale - top),
        )

    def with_margin(self, margin_px: int) -> "Camera":
        """The same camera with pictures that are wider by a margin on every side."""
        x_px, y_px = self.centre_px
        return replace(
            self,
            width_px=self.width_px + 2 * margin_px,
            height_px=self.height_px + 2 * margin_px,
            centre_px=(x_px + margin_px, y_px + margin_px),
        )


def cast_on_ground(points_m: NDArray[np.float64], sun: Sun) -> NDArray[np.float64]:
    """World points ``(n, 3)`` projected along the light onto the ground, ``(n, 3)``."""
    x_m, depth_m, height_m = points_m.T
    right, away = sun
    return np.stack([x_m + right * height_m, depth_m + away * height_m, 0 * height_m], axis=1)
