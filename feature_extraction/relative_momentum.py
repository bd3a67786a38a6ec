"""Relative momentum: momentum in units of the speed scale of the place.

As ``feature_extraction.momentum``, but flow is divided by the speed scale of its cell (see
``feature_extraction.speed_scale``), and the floor is a number of such units: what counts as fast is
faster than usual there, near the camera and far from it. Two descriptors say what was measured in
px/frame: ``fast_momentum``, the momentum of the same pixels, and ``fast_share``, their share, both
by direction.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Rows
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind, ReadOut
from feature_extraction.flow import MIN_SIDE_PX
from feature_extraction.momentum import DIRECTIONS, DirectedFlow, momentum_to_movement
from feature_extraction.speed_scale import learn_speed_scale
from feature_extraction.training_frames import check_learnt_size
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.feature_settings import RelativeMomentumFeatures
from vadloc.regions import RegionGrid


class RelativeMomentum(DirectedFlow):
    """Extractor of ``relative_momentum``.

    Args:
        settings: The settings of the flow.
        grid: The regions of the frames, whose sides are both at least ``MIN_SIDE_PX``.
        scale: ``(cell rows, cell columns)``: the speed scale in px/frame, above 0.
        frames_per_volume: T; a volume has T - 1 pairs of frames.
        workers: Threads that compute the flow.
    """

    def __init__(
        self,
        settings: RelativeMomentumFeatures,
        grid: RegionGrid,
        scale: NDArray[np.float64],
        *,
        frames_per_volume: int,
        workers: Workers,
    ) -> None:
        super().__init__(settings, grid, frames_per_volume=frames_per_volume, workers=workers)
        self._scale = scale
        self._floor = (settings.flow_floor * scale).ravel()[self._flow.cell_of_pixel]

    def _pair_to_cells(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """As those of momentum, and as third the sums in units of the scale."""
        cells = super()._pair_to_cells(first, second)
        relative = cells[:, :, :1] / self._scale[:, :, None, None]
        return np.concatenate((cells, relative), axis=2)

    def _content(self, means: NDArray[np.float32]) -> tuple[Rows, Rows]:
        descriptors = {"fast_momentum": means[:, 0], "fast_share": means[:, 1]}
        return {"relative_momentum": means[:, 2]}, descriptors


def relative_momentum_extractor(
    config: Config, grid: RegionGrid, workers: Workers, _device: str, learnt: Mapping[str, Any]
) -> RelativeMomentum:
    """The extractor of one sequence.

    Raises:
        VadlocError: The speed scale is of frames of another size.
    """
    check_learnt_size(grid, learnt)
    return RelativeMomentum(
        config.features["relative_momentum"],
        grid,
        learnt["speed_scale_px_per_frame"],
        frames_per_volume=config.regions.frames_per_volume,
        workers=workers,
    )


def relative_momentum_read_out(_config: Config) -> ReadOut:
    """Reads directions, speeds and the share of fast pixels out of features."""
    return _fast_movement


def _fast_movement(
    _components: Mapping[str, NDArray[np.float32]],
    descriptors: Mapping[str, NDArray[np.float32]],
) -> dict[str, NDArray[np.float32]]:
    return momentum_to_movement(descriptors["fast_momentum"], descriptors["fast_share"])


def region_floors(
    config: Config, grid: RegionGrid, learnt: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The mean floor of each region in px/frame, ``(regions,)``."""
    scale: NDArray[np.float64] = learnt["speed_scale_px_per_frame"]
    means = grid.region_sums(scale) / grid.region_sums(np.ones(grid.cells))
    floors: NDArray[np.float64] = config.features["relative_momentum"].flow_floor * means.ravel()
    return floors


EXTRACTOR = ExtractorKind(
    make=relative_momentum_extractor,
    width=DIRECTIONS,
    bytes_per_volume=150,
    least_side_px=MIN_SIDE_PX,
    method="optical flow",
    words={
        "relative_momentum": ComponentWords(
            "momentum for this place", ("speed", "direction", "moving_share")
        )
    },
    read_out=relative_momentum_read_out,
    learn=learn_speed_scale,
    region_floors=region_floors,
)
