"""What is new and stands still: things left behind, people who stand, cars that are parked.

Each frame is compared with the background of the scene (``feature_extraction.background``). The
difference d of a block becomes its *evidence*, a number between -1 and 1,

    e = x / (1 + |x|),   x = d / (contrast + spread)

which is positive where the block is brighter than the background. Something stands still if e has
one sign over most of some seconds. What is left of e then is the value that 80 % of the time is
exceeded; it is 0 for whatever passes by. Before so many seconds have been seen, nothing stands
still.

The feature is the root of the mean square of this in each quarter of a region, halved, so that the
length of the feature is the root of the mean square in the region: near 1 if all of it is covered
by something new. A slow memory of the evidence is subtracted: what has stood long enough belongs to
the background, such as the sharp shadow of a later hour.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feature_extraction.background import (
    BLOCKS,
    Picture,
    difference,
    frame_to_picture,
    learn_background,
)
from feature_extraction.extractor import TimeStep
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind
from feature_extraction.frame import Frame, region_windows
from feature_extraction.training_frames import check_learnt_size
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import StillFeatures
from vadloc.regions import RegionGrid

FRAMES_PER_SECOND: Final = 5
"""So many frames of a second are looked at."""
PASSING_SHARE: Final = 0.2
"""Share of the time during which something that stands still may be hidden by what passes."""
QUARTERS: Final = 4


class Still:
    """Extractor of ``still``.

    Args:
        settings: The settings.
        grid: The regions of the frames.
        learnt: What `learn_background` returned for frames of the same size.
        frames_per_second: Frame rate of the video.
    """

    def __init__(
        self,
        settings: StillFeatures,
        grid: RegionGrid,
        learnt: Mapping[str, Any],
        *,
        frames_per_second: float,
    ) -> None:
        self._grid = grid
        self._background: Picture = learnt["log_brightness"].astype(np.float32)
        self._unit: Picture = (settings.contrast + learnt["spread"]).astype(np.float32)
        self._every = max(1, round(frames_per_second / FRAMES_PER_SECOND))
        rate = frames_per_second / self._every
        self._absorbed_at_once = 1 / (settings.absorb_seconds * rate)
        self._absorbed = np.zeros_like(self._background)
        self._evidence: deque[Picture] = deque(maxlen=max(1, round(settings.seconds * rate)))
        self._frame_count = self._step_count = 0
        self._steps: list[TimeStep] = []

    def add_frame(self, frame: Frame) -> None:
        """Look at the frame, if it is one of those that are looked at."""
        if self._frame_count % self._every == 0:
            picture = frame_to_picture(frame.grey, self._grid)
            x = difference(picture, self._background) / self._unit
            evidence = x / (1 + np.abs(x))
            self._evidence.append(evidence - self._absorbed)
            most = self._absorbed_at_once
            self._absorbed += np.clip(evidence - self._absorbed, -most, most)
        self._frame_count += 1

    def add_volumes(self, frames: Sequence[Frame]) -> None:  # noqa: ARG002  the evidence is enough
        """Describe what stands still at the end of the volumes."""
        rows = evidence_to_features(self._still(), self._grid)
        self._steps.append(TimeStep.of_all_volumes(self._step_count, {"still": rows}))
        self._step_count += 1

    def take(self) -> list[TimeStep]:
        """The time steps since the last call."""
        steps, self._steps = self._steps, []
        return steps

    def flush(self) -> None:
        """Nothing is computed later."""

    def _still(self) -> Picture:
        if len(self._evidence) < (self._evidence.maxlen or 0):
            return np.zeros_like(self._background)
        return lasting(np.stack(self._evidence))


def lasting(evidence: NDArray[np.float32]) -> Picture:
    """What is left of evidence that has one sign most of the time.

    Args:
        evidence: ``(n, block rows, block columns)``, of equally spaced times.

    Returns:
        For each block, if ``1 - PASSING_SHARE`` of the numbers have one sign, the one nearest to 0
        of these without the ``PASSING_SHARE`` that are smaller still; else 0.
    """
    last = len(evidence) - 1
    low = int(PASSING_SHARE * last)
    ordered = np.partition(evidence, (low, last - low), axis=0)
    return np.asarray(np.maximum(ordered[low], 0) + np.minimum(ordered[last - low], 0))


def evidence_to_features(evidence: Picture, grid: RegionGrid) -> NDArray[np.float32]:
    """Half the root of the mean square in each quarter of each region, ``(regions, 4)``."""
    side = BLOCKS * grid.cells_per_side
    beyond = [(0, max(0, side - length)) for length in evidence.shape]
    windows = region_windows(np.pad(evidence, beyond) ** 2, grid, side=side)
    halves = windows.reshape(-1, 2, side // 2, 2, side // 2)
    means = halves.mean(axis=(2, 4)).reshape(-1, QUARTERS)
    return np.asarray(np.sqrt(means / QUARTERS), np.float32)


def still_extractor(
    config: Config, grid: RegionGrid, _workers: Workers, _device: str, learnt: Mapping[str, Any]
) -> Still:
    """The extractor of one sequence.

    Raises:
        VadlocError: The background is of frames of another size.
    """
    check_learnt_size(grid, learnt)
    rate = config.dataset.frames_per_second
    return Still(config.features["still"], grid, learnt, frames_per_second=rate)


EXTRACTOR = ExtractorKind(
    make=still_extractor,
    width=QUARTERS,
    bytes_per_volume=20,
    words={"still": ComponentWords("something new that stands still", ("new_still",))},
    learn=learn_background,
)
