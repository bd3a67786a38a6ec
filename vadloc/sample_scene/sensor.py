"""The effects of a camera on the picture: noise, shake, exposure."""

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.sample_scene.options import Light
from vadloc.sample_scene.shapes import in_three_channels

_DRIFT_PERIODS_S: Final = (41.0, 17.0)
_JITTER_HZ: Final = 3.0
_GAIN_STEP: Final = 0.05


@dataclass(frozen=True)
class Sensor:
    """The properties of a camera's sensor.

    Attributes:
        noise: Standard deviation of the noise in grey levels.
        shake_px: Standard deviation of the jitter in pixels; the drift is four times as large.
        light: ``steady``; ``sudden`` for clouds that come and go suddenly; ``gain`` for an
            automatic gain that varies in steps.
        grey: Whether pictures are grey.
    """

    noise: float = 2.0
    shake_px: float = 0.0
    light: Light = "steady"
    grey: bool = False

    @property
    def margin_px(self) -> int:
        """Largest distance by which a picture may be moved."""
        return int(np.ceil(10 * self.shake_px)) + 1 if self.shake_px else 0


@dataclass(frozen=True)
class Exposure:
    """The recording of one sequence by a sensor.

    Attributes:
        sensor: The sensor.
        seed: Seed of light, shake and noise.
        number: Number of the sequence.
        frames_per_second: Frame rate of the sequence.
    """

    sensor: Sensor
    seed: int
    number: int
    frames_per_second: float

    def shift_px(self, frame: int) -> tuple[float, float]:
        """The shift of the picture of a frame to the right and down, in pixels."""
        if not self.sensor.shake_px:
            return 0.0, 0.0
        phases = np.random.default_rng([self.seed, self.number, 3]).uniform(0, 2 * np.pi, (2, 2))
        seconds = frame / self.frames_per_second
        jitter = _between_knots([self.seed, self.number, 4], seconds * _JITTER_HZ)
        swing = np.sin(2 * np.pi * seconds / np.array(_DRIFT_PERIODS_S) + phases).sum(axis=1)
        x_px, y_px = self.sensor.shake_px * (2 * swing + np.clip(jitter, -2.5, 2.5))
        return float(x_px), float(y_px)

    def gain(self, frame: int) -> float:
        """Factor of the light at a frame."""
        seconds = frame / self.frames_per_second
        phases = np.random.default_rng([self.seed, self.number, 1]).uniform(0, 2 * np.pi, 3)
        slow = 1.12 + 0.03 * np.sin(seconds / 3 + phases[0])
        gain = float(slow + 0.015 * np.sin(seconds / 1.7 + phases[1]))
        if self.sensor.light == "sudden":
            return gain * self._clouds(seconds)
        if self.sensor.light == "gain":
            hunting = _between_knots([self.seed, self.number, 5], seconds / 2.5)[0]
            return gain * (1 + _GAIN_STEP * float(np.round(2.5 * np.clip(hunting, -1.6, 1.6))))
        return gain

    def _clouds(self, seconds: float) -> float:
        """Factor of the light: it falls by a third, and rises again, within 0.2 s each time."""
        times = np.random.default_rng([self.seed, self.number, 6]).uniform(2.0, 6.0, 64).cumsum()
        gone = float(np.clip((seconds - times) / 0.2, 0, 1) @ np.resize([1.0, -1.0], 64))
        return 1.12 - 0.34 * gone

    def expose(self, picture: NDArray[np.float32], frame: int, blur: float) -> NDArray[np.uint8]:
        """Apply lens blur, darker corners, light and noise to a picture ``(height, width, 3)``.

        Returns:
            uint8 RGB, or ``(height, width)`` grey.
        """
        soft = cv2.GaussianBlur(picture, (0, 0), blur)
        exposed = soft * (np.float32(self.gain(frame)) * _corners(*picture.shape[:2]))
        if self.sensor.grey:
            exposed = np.asarray(cv2.cvtColor(exposed, cv2.COLOR_RGB2GRAY), np.float32)
        rng = np.random.default_rng([self.seed, self.number, 2, frame])
        exposed += _noise_levels(self.sensor.noise)[rng.integers(0, 256, exposed.shape, np.uint8)]
        return np.asarray(np.clip(np.round(exposed), 0, 255), np.uint8)


def _between_knots(seed: list[int], time: float) -> NDArray[np.float64]:
    """Smooth noise ``(2,)`` with a standard deviation of about 1.

    It has normally distributed values at whole times, and cosine interpolation between them.
    """
    first = int(np.floor(time))
    before, after = (
        np.random.default_rng([*seed, knot]).standard_normal(2) for knot in (first, first + 1)
    )
    share = (1 - np.cos(np.pi * (time - first))) / 2
    return np.asarray((1 - share) * before + share * after)


@cache
def _noise_levels(deviation: float) -> NDArray[np.float32]:
    """256 equally likely values of Gaussian noise; to draw one of them is far faster."""
    if not deviation:
        return np.zeros(256, np.float32)
    normal = NormalDist(0, deviation)
    return np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)], np.float32)


@cache
def _corners(height_px: int, width_px: int) -> NDArray[np.float32]:
    """Factors ``(height, width, 3)`` by which the lens darkens a picture towards the corners."""
    rows, columns = np.mgrid[-1 : 1 : height_px * 1j, -1 : 1 : width_px * 1j]
    return in_three_channels(1 - 0.09 * (rows**2 + columns**2))
