"""Optical flow of frames of one size, and the cells of the region grid that its pixels lie in.

The flow of large frames is computed on reduced ones, and that of frames with small regions on
enlarged ones: DIS compares patches of 8 px, which a thing must be larger than. All speeds are in
px/frame of the video.
"""

from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.feature_settings import FlowFeatures
from vadloc.regions import RegionGrid

MIN_SIDE_PX = 32
"""OpenCV's DIS flow of smaller frames ends in an error or, if they are long, in a crash."""


def flow_engine(preset: str) -> Any:
    """OpenCV's DIS flow (Kroeger et al., ECCV 2016), for one call at a time.

    Args:
        preset: One of OpenCV's, or ``balanced``: as fine as ``medium``, but with the distance of
            patches and the number of descent steps of ``fast``.
    """
    import cv2

    name = "medium" if preset == "balanced" else preset
    engine = cv2.DISOpticalFlow.create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name.upper()}"))
    if preset == "balanced":
        engine.setPatchStride(4)
        engine.setGradientDescentIterations(16)
    return engine


def flow_size(grid: RegionGrid, *, side_px: int, region_px: int) -> tuple[int, int]:
    """Height and width of the frames that flow is computed on.

    Frames are enlarged until a region has a side of ``region_px``. The longer side is at most
    ``side_px``, unless the shorter one would fall below ``MIN_SIDE_PX``, or a cell below two
    pixels.

    Args:
        grid: The grid of the frames.
        side_px: As ``[features.momentum] flow_side_px``.
        region_px: As ``[features.momentum] flow_region_px``.
    """
    sides = grid.height_px, grid.width_px
    enough = max(1.0, region_px / grid.size_px)
    scale = max(side_px / max(sides), MIN_SIDE_PX / min(sides), 2 / grid.stride_px)
    height, width = (round(side * min(scale, enough)) for side in sides)
    return height, width


class FrameFlow:
    """Computes the flow between frames of one size.

    The number of OpenCV's threads changes the flow. So each flow is computed by one thread.
    Several threads may compute flows at a time.

    Args:
        settings: The settings of the flow.
        grid: The regions of the frames, whose sides are both at least ``MIN_SIDE_PX``.

    Attributes:
        cell_of_pixel: ``(height * width,)`` int64: the number of the cell of each pixel of the
            resized frames.
        cell_pixels: ``(cell rows, cell columns)``: the number of their pixels in each cell.
    """

    def __init__(self, settings: FlowFeatures, grid: RegionGrid) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._preset = settings.flow_preset
        self._grid = grid
        self._size = flow_size(
            grid, side_px=settings.flow_side_px, region_px=settings.flow_region_px
        )
        sides = zip((grid.height_px, grid.width_px), self._size, strict=True)
        self._video_px = tuple(video / flow for video, flow in sides)
        rows, columns = (
            ((np.arange(count) + 0.5) * px // grid.stride_px).astype(np.int64)
            for count, px in zip(self._size, self._video_px, strict=True)
        )
        self.cell_of_pixel = (rows[:, None] * grid.cells[1] + columns).ravel()
        self.cell_pixels = self.cell_sums(np.ones(len(self.cell_of_pixel))).astype(np.int64)
        self._of_thread = local()

    def resize(self, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame ``(height, width)`` in the size that the flow needs."""
        import cv2

        if grey.shape == self._size:
            return grey
        method = cv2.INTER_AREA if grey.shape > self._size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(grey, self._size[::-1], interpolation=method), np.uint8)

    def between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The flow from one resized frame to another.

        Returns:
            ``(height, width, 2)`` of the resized frames; x to the right and y downwards, px/frame
            of the video.
        """
        flow: NDArray[np.float32] = self._engine().calc(first, second, None)
        if first.shape != (self._grid.height_px, self._grid.width_px):  # frames were resized
            for axis, video_px in zip((1, 0), self._video_px, strict=True):
                flow[..., axis] *= video_px
        return flow

    def cell_sums(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sums of numbers ``(height * width,)`` of pixels, ``(cell rows, cell columns)``."""
        rows, columns = self._grid.cells
        sums: NDArray[Any] = np.bincount(
            self.cell_of_pixel, weights=values, minlength=rows * columns
        )
        return sums.astype(np.float64, copy=False).reshape(rows, columns)

    def _engine(self) -> Any:
        """The flow engine of this thread; its buffers are used for one pair after the other."""
        if not hasattr(self._of_thread, "engine"):
            self._of_thread.engine = flow_engine(self._preset)
        return self._of_thread.engine
