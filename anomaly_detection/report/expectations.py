"""Pictures of what networks expected at the peaks of alarms, beside what they saw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anomaly_detection.detectors import load_detector
from anomaly_detection.detectors.trained import NetworkDetector
from anomaly_detection.report.pictures import Image, Window, fit_size, tile, window_around
from anomaly_detection.training.tasks import Example
from vadloc.artifacts import Artifacts
from vadloc.sequence_input import load_frames

TILE_SIDE_PX = 192
"""Longest side of a tile."""
LABELS = {
    "appearance": "the frame, reconstructed",
    "motion": "the speed of the flow, reconstructed",
    "frame": "the frame, predicted from its flow",
    "flow": "the speed of the flow, predicted from the frame",
}
"""What the networks put out."""


@dataclass(frozen=True)
class Expectations:
    """The networks of a version that see frames, or of the members of a combined version.

    Attributes:
        models: The results of each version with such networks.
        detectors: Its detector.
    """

    models: tuple[Artifacts, ...]
    detectors: tuple[NetworkDetector, ...]

    @classmethod
    def of(cls, artifacts: Artifacts) -> "Expectations | None":
        """Those of a version; ``None`` if none of its networks sees frames.

        Raises:
            VadlocError: Networks are missing or damaged.
        """
        models = tuple(
            model
            for model in artifacts.members or (artifacts,)
            if model.detector.training and model.reads == "frames"
        )
        detectors = tuple(load_detector(model) for model in models)
        found = tuple(of for of in detectors if isinstance(of, NetworkDetector))
        return cls(models, found) if found else None

    @property
    def labels(self) -> list[str]:
        """What the rows of the pictures show, from above."""
        return [LABELS[name] for detector in self.detectors for name in detector.networks]

    def pictures(
        self, sequence: str, detections: Sequence[dict[str, Any]], size: tuple[int, int]
    ) -> Iterator[Image]:
        """For each detection of a sequence a picture: input, output and error of each network.

        Args:
            sequence: Name of the test sequence.
            detections: The records of its detections.
            size: Height and width of its frames.
        """
        peaks = sorted({detection["peak_frame"] for detection in detections})
        shown = [self._examples(number, sequence, peaks) for number in range(len(self.models))]
        for detection in detections:
            rows = [of[detection["peak_frame"]] for of in shown]
            yield self._picture(rows, detection, size)

    def _examples(
        self, number: int, sequence: str, peaks: list[int]
    ) -> dict[int, dict[str, Example]]:
        if not peaks:
            return {}
        model, detector = self.models[number], self.detectors[number]
        frames = load_frames(model, "test", sequence)
        return detector.pictures(frames, frames.grid(model.config.regions), peaks)

    def _picture(
        self, shown: list[dict[str, Example]], detection: dict[str, Any], size: tuple[int, int]
    ) -> Image:
        box = detection["boxes_xyxy_px"][detection["peak_frame"] - detection["first_frame"]]
        window = window_around(tuple(box), height_px=size[0], width_px=size[1])
        tiles = [
            picture
            for detector, of_version in zip(self.detectors, shown, strict=True)
            for name in detector.networks
            for picture in example_to_tiles(of_version[name], window, size)
        ]
        return tile(tiles, 3)


def example_to_tiles(example: Example, window: Window, size: tuple[int, int]) -> list[Image]:
    """Input, output and error around an alarm, in grey; the largest error of the frame is white.

    Args:
        example: Pictures of a whole, reduced frame.
        window: The window that is shown, in pixels of the frame of the video.
        size: Height and width of that frame.
    """
    brightest = float(example.error.max()) or 1.0
    pictures = example.given, example.output, example.error / brightest * 2 - 1
    return [_tile(picture, window, size) for picture in pictures]


def _tile(picture: NDArray[np.floating], window: Window, size: tuple[int, int]) -> Image:
    """The window of a reduced picture in [-1, 1], enlarged."""
    x0, y0, x1, y1 = window
    height, width = fit_size(y1 - y0, x1 - x0, TILE_SIDE_PX)
    zoom = TILE_SIDE_PX / max(height, width)
    out = max(1, round(width * zoom)), max(1, round(height * zoom))
    rows, columns = (side / full for side, full in zip(picture.shape, size, strict=True))
    to_reduced = np.array(
        [[(x1 - x0) / out[0] * columns, 0, 0], [0, (y1 - y0) / out[1] * rows, 0]], np.float64
    )
    # Middles of pixels: x of the picture = (x0 + (x + 0.5) (x1 - x0) / out) columns - 0.5
    to_reduced[:, 2] = (
        x0 * columns + to_reduced[0, 0] / 2 - 0.5,
        y0 * rows + to_reduced[1, 1] / 2 - 0.5,
    )
    levels = np.clip((np.asarray(picture, np.float32) + 1) * 127.5, 0, 255).astype(np.uint8)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(levels, to_reduced, out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)
