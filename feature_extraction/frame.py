"""A frame of video in the forms that extractors need: at crop scale, region by region."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid
from vadloc.video.camera_motion import STILL, Shift

_Scalar = TypeVar("_Scalar", bound=np.generic)
CROP_PX: Final = 64
"""Side of a region at crop scale: the scale of the motion network and of stored training crops."""

APPEARANCE_PX: Final = 48
"""Side of a region in the input of the appearance network. Crops of 64 pixels a side would have 1.8
times as many pixels, while the regions of Ped2 have a side of 32 pixels in the video."""

BLOCK_PX: Final = 8
"""Side of the blocks at crop scale whose mean brightness shows whether a region has changed."""


@dataclass
class Frame:
    """One frame, and the forms of it that several extractors need; each is computed once.

    Attributes:
        grey: uint8 ``(height, width)``, in the place of the camera's reference.
        rgb: uint8 ``(height, width, 3)``, or ``None`` where no extractor asked for colour.
        grid: The regions.
        shift: The shift of ``rgb``, which is undone where it is used: few frames are used in
            colour.
    """

    grey: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None
    grid: RegionGrid
    shift: Shift = STILL

    @classmethod
    def seen(
        cls,
        grey: NDArray[np.uint8],
        rgb: NDArray[np.uint8] | None,
        grid: RegionGrid,
        shift: Shift,
    ) -> "Frame":
        """The frame of a camera that has moved by a shift, which is undone."""
        return cls(shift.undo(grey), rgb, grid, shift)

    @cached_property
    def grey_at_crop_scale(self) -> NDArray[np.uint8]:
        """The grey frame at crop scale, at which a region has 64 pixels a side."""
        return to_crop_scale(self.grey, self.grid)

    @cached_property
    def rgb_at_appearance_scale(self) -> NDArray[np.uint8]:
        """The frame in colour at the scale of the appearance network, 48 pixels a region."""
        return self.rgb_at_scale(APPEARANCE_PX)

    def rgb_at_scale(self, side: int) -> NDArray[np.uint8]:
        """The frame in colour, with ``side`` pixels for each region; computed at every call.

        A grey frame has its brightness in all three channels.
        """
        if self.rgb is None:
            grey = to_crop_scale(self.grey, self.grid, side=side)
            return np.repeat(grey[..., None], 3, axis=2)
        return to_crop_scale(self.shift.undo(self.rgb), self.grid, side=side)

    @cached_property
    def blocks(self) -> NDArray[np.uint8]:
        """Mean brightness of 8 x 8 blocks at crop scale, which reduces noise."""
        import cv2

        height, width = self.grey_at_crop_scale.shape
        size = (width // BLOCK_PX, height // BLOCK_PX)
        return np.asarray(
            cv2.resize(self.grey_at_crop_scale, size, interpolation=cv2.INTER_AREA), np.uint8
        )


def to_crop_scale(
    image: NDArray[np.uint8], grid: RegionGrid, *, side: int = CROP_PX
) -> NDArray[np.uint8]:
    """A frame at the scale of crops, padded to whole regions by repeating its edge.

    Args:
        image: ``(height, width)`` or ``(height, width, 3)``.
        grid: The regions of the frame; ``cells_per_side`` must divide 8.
        side: Side of a region in the result, a multiple of 8.

    Returns:
        uint8; region (r, c) is ``[s r : s r + side, s c : s c + side]`` with
        s = side / cells_per_side.
    """
    import cv2

    rows, columns = (max(n, grid.cells_per_side) for n in grid.cells)
    bottom = rows * grid.stride_px - grid.height_px
    right = columns * grid.stride_px - grid.width_px
    padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    cell = side // grid.cells_per_side
    method = cv2.INTER_LINEAR if cell >= grid.stride_px else cv2.INTER_AREA
    size = columns * cell, rows * cell
    return np.asarray(cv2.resize(padded, size, interpolation=method), np.uint8)


def region_windows(
    image: NDArray[_Scalar], grid: RegionGrid, *, side: int = CROP_PX
) -> NDArray[_Scalar]:
    """Each region's part of an image at crop scale (or of its blocks), as a view.

    Args:
        image: ``(height, width)`` or ``(height, width, channels)``.
        grid: The regions.
        side: Side of a region in the image.

    Returns:
        ``(region rows, region columns, side, side)``, with channels before the last two.
    """
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(0, 1))
    step = side // grid.cells_per_side
    return windows[::step, ::step]
