"""The fixed camera of the sample scene and the street in front of it, in metres.

World points are ``(x, depth, height)`` in metres: ``x`` to the right of the camera, ``depth`` away
from it, ``height`` above the ground. The camera is a pinhole with a vertical picture plane.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

WIDTH_PX: Final = 320
HEIGHT_PX: Final = 240
FRAMES_PER_SECOND: Final = 15

FOCAL_PX: Final = 640.0
CAMERA_HEIGHT_M: Final = 16.5
HORIZON_Y_PX: Final = -136.0

# The street, by the depth at which each part begins, from the houses towards the camera.
FACADE_M: Final = 53.0
FAR_KERB_M: Final = 48.2
CENTRE_LINE_M: Final = 44.4
BIKE_LANE_M: Final = 40.4
NEAR_KERB_M: Final = 38.0
GRASS_M: Final = 31.0

# Where the shadow of a point one metre above the ground falls: metres to the right, metres away.
SHADOW_M_PER_M: Final = (0.75, 0.3)


def px_per_m(depth_m: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Pixels per metre across the picture at a depth, any shape."""
    return np.asarray(FOCAL_PX / np.asarray(depth_m, dtype=np.float64))


def half_width_m(depth_m: float) -> float:
    """Largest ``|x|`` in metres that the camera sees at a depth."""
    return float(WIDTH_PX / 2 / px_per_m(depth_m))


def project(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project world points ``(n, 3)`` to picture points ``(n, 2)``: x, y in pixels."""
    scale = px_per_m(points_m[:, 1])
    x_px = WIDTH_PX / 2 + points_m[:, 0] * scale
    y_px = HORIZON_Y_PX + (CAMERA_HEIGHT_M - points_m[:, 2]) * scale
    return np.stack([x_px, y_px], axis=1)


def cast_on_ground(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """World points ``(n, 3)`` moved along the sunlight to the ground, ``(n, 3)``."""
    x_m, depth_m, height_m = points_m.T
    right, away = SHADOW_M_PER_M
    return np.stack([x_m + right * height_m, depth_m + away * height_m, 0 * height_m], axis=1)
