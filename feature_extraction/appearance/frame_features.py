"""Appearance features outside of the stage ``extract_features``: what trained detectors read."""

import cv2
import numpy as np
from numpy.typing import NDArray

from feature_extraction.appearance.extractor import appearance_embed, appearance_extractor
from feature_extraction.devices import BATCH, device_of
from feature_extraction.frame import Frame
from feature_extraction.time_steps import LatestFeatures
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.regions import RegionGrid


class FrameAppearance:
    """The appearance features of all regions of frames that come in the order of time.

    A region that has not changed keeps its features, as in the stage.

    Args:
        config: With the table of the extractor.
        grid: The regions.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(self, config: Config, grid: RegionGrid, *, device: str) -> None:
        self._grid = grid
        self._extractor = appearance_extractor(config, grid, Workers(1), device)
        self._latest = LatestFeatures()

    def push(self, rgb: NDArray[np.uint8]) -> NDArray[np.floating]:
        """The features ``(regions, 128)`` of a frame ``(height, width, 3)``."""
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        self._extractor.add_volumes([Frame(grey, rgb, self._grid)])
        self._extractor.flush()
        for step in self._extractor.take():
            self._latest.update(step)
        return self._latest.components["appearance"]


def embed_crops(crops: NDArray[np.uint8], config: Config, *, device: str) -> NDArray[np.float32]:
    """Appearance features of crops.

    Args:
        crops: ``(n, 48, 48, 3)``.
        config: With the table of the extractor.
        device: ``cpu`` or ``cuda``.

    Returns:
        ``(n, 128)``.
    """
    embed, size = appearance_embed(config, device), BATCH[device_of(device)]
    padded = np.concatenate([crops, np.zeros((-len(crops) % size, *crops.shape[1:]), np.uint8)])
    batches = [embed(padded[first : first + size]) for first in range(0, len(padded), size)]
    return np.concatenate(batches)[: len(crops)].astype(np.float32)
