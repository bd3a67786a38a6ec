"""The maps of the motion network that regions share: what cells of 4 x 4 pixels show.

Regions overlap, so the first layers run on the frame and not on each region: contrast on all of it,
the rest on those of its tiles in which a region has changed. A region's features are then computed
from its part of the maps.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.devices import torch_function
from feature_extraction.frame import CROP_PX, Frame, region_windows
from feature_extraction.motion.architecture import CELL_PX, MAP_PX, TILE_PX
from feature_extraction.network_extractor import parts_of
from vadloc.regions import RegionGrid
from vadloc.weights import NetworkWeights

CellsOf = Callable[[NDArray[np.uint8], NDArray[np.bool_]], NDArray[np.float16]]
"""Function from the frames of a time step at crop scale ``(T, height, width)``, and for each tile
whether it is needed, to cells ``(width of a cell, height / 4, width / 4)``, or more of them. Those
of other tiles are undefined."""

TILES = 8
"""Tiles to a call of the network."""


def cells_on_cpu(weights: NetworkWeights, *, frames: int) -> CellsOf:
    """Computes cells by OpenVINO, tile by tile, in the thread that asks for them.

    Args:
        weights: Those of the motion network.
        frames: T.

    Raises:
        VadlocError: The weights are those of another network.
    """
    from feature_extraction.motion.graph import cells_graph
    from feature_extraction.motion.kernels import TilesAndCosts
    from feature_extraction.openvino_graphs import compile_graph

    network = compile_graph(cells_graph(weights, tiles=TILES, frames=frames), threads=1)
    side, kept = TILE_PX // CELL_PX, threading.local()

    def cells_of(pictures: NDArray[np.uint8], needed: NDArray[np.bool_]) -> NDArray[np.float16]:
        if getattr(kept, "shape", None) != pictures.shape:
            kept.shape, kept.prepared = pictures.shape, TilesAndCosts(pictures.shape)
        prepared: TilesAndCosts = kept.prepared
        prepared.look_at(pictures)
        tiles = np.argwhere(needed)
        maps: NDArray[np.float16] | None = None
        for start in range(0, len(tiles), TILES):
            some = tiles[start : start + TILES]
            # A batch always has the same size: the last one is filled by its own tiles, again.
            computed = network(*prepared.inputs(some[np.arange(TILES) % len(some)]))
            if maps is None:
                rows, columns = (n * side for n in needed.shape)
                maps = np.empty((computed.shape[1], rows, columns), np.float16)
            for (row, column), cells in zip((side * some).tolist(), computed, strict=False):
                maps[:, row : row + side, column : column + side] = cells
        assert maps is not None, "some tile is needed"
        return maps

    return cells_of


def cells_by_torch(network: Any, device: str) -> CellsOf:
    """Computes the cells of whole frames by PyTorch, for a GPU.

    Args:
        network: A ``MotionNetwork`` on the device.
        device: ``cpu`` or ``cuda``.
    """
    of_frame = torch_function(lambda pictures: network.cells(pictures[None] / 255)[0], device)
    return lambda pictures, _needed: of_frame(pictures)


def region_cells(
    cells_of: CellsOf, frames: Sequence[Frame], grid: RegionGrid, regions: NDArray[np.int64]
) -> Iterator[NDArray[np.float16]]:
    """The part of each region in the cells of the frames of a time step.

    Args:
        cells_of: Computes cells.
        frames: The T frames.
        grid: The grid of the frames.
        regions: Numbers of regions, at least one.

    Yields:
        ``(n, width of a cell, 16, 16)`` of at most ``CROPS`` regions at a time.
    """
    pictures = np.stack([frame.grey_at_crop_scale for frame in frames])
    place = np.stack(np.divmod(regions, grid.regions[1]))
    maps = cells_of(pictures, _tiles(pictures.shape[1:], place * (CROP_PX // grid.cells_per_side)))
    windows = region_windows(np.moveaxis(maps, 0, -1), grid, side=MAP_PX)
    for some in parts_of(regions):
        yield windows[np.divmod(some, grid.regions[1])]


def _tiles(size: tuple[int, ...], corners: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which tiles of a picture have pixels of regions, whose upper left corners ``(2, n)`` are."""
    rows, columns = (-(-side // TILE_PX) for side in size)
    needed = np.zeros((rows, columns), bool)
    for beyond_y in (0, CROP_PX - 1):
        for beyond_x in (0, CROP_PX - 1):
            y, x = corners[0] + beyond_y, corners[1] + beyond_x
            needed[y // TILE_PX, x // TILE_PX] = True
    return needed
