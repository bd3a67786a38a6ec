"""Small shakes and slow drifts of the camera: estimates the shift of each frame and undoes it.

Each frame is compared with a reference, the running mean of the aligned frames before it. Both are
reduced, and reduced to local contrast: the logarithm of brightness without its mean around each
pixel, which does not change with the exposure. The shift is found by Gauss-Newton steps on the
squared difference at the pixels with the strongest gradients of each tile of the frame (inverse
compositional alignment: Baker and Matthews, IJCV 2004). Weights after Geman and McClure let pixels
and tiles that differ much, those of moving objects, hardly count. If little of the frame matches
then, the search is tried again from the peak of the phase correlation.

The standard error of a shift comes from how much the tiles disagree. A shift within four of them is
not undone, and neither are the shifts of a camera that has not moved by ``LEAST_PX`` in the last
``SHAKEN_FRAMES`` frames: such frames stay as they are, to the bit.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Vector = NDArray[np.float64]
"""x to the right and y downwards, ``(2,)``, in pixels of reduced frames."""

LONGEST_SIDE_PX = 320
"""Longest side of reduced frames."""
TILES = 8
"""Rows and columns of tiles, all of which have the same number of pixels that are compared."""
TILE_PIXELS = 48
CONTRAST_PX = 15
"""Side of the square over which the mean brightness around a pixel is taken."""
MARGIN_PX = 8
"""Pixels nearer to the edge of reduced frames are not compared."""
MEMORY_FRAMES = 200
"""The reference is the mean of so many frames, then an exponential mean."""
POINTS_EVERY = 8
"""After so many frames the pixels that are compared are chosen anew."""

LEAST_PX = 0.3
"""Optical flow is no more exact: shifts up to it are undone only while the camera shakes."""
SHAKEN_FRAMES = 100
"""A camera shakes for so many frames after a shift of more than ``LEAST_PX``."""
SURE_ERRORS = 4
"""Standard errors that a shift must exceed."""
LARGEST_SHARE = 0.1
"""A larger shift, as a share of the shorter side, is taken for another view."""
LEAST_UNLIKE = 0.2
"""A tile counts less if its squared difference is about so large a share of its contrast, or twice
that of a quarter of the tiles."""
NOISE_FACTOR = 4
"""All tiles have the same voice, except those whose contrast is not above so much of the noise."""
MATCHING_SHARE = 0.4
"""Share of the tiles' voices that must match the reference."""
SURE_SHARE = 0.6
"""If less of it matches, the shift is also searched from the peak of the phase correlation."""
SHARE_ERROR = 0.1
"""More must match by so much at a shift that is far from the last one."""
MATCHING_CORRELATION = 0.7
"""Least correlation of a tile that matches."""
STANDING_SHARE = 0.15
"""If more fits clearly better without the shift, objects have moved, and not the camera."""
CLEARLY = 0.8
"""Ratio of two squared differences of which the smaller one is clearly smaller."""
RENEWED_AFTER = 50
"""After so many frames without a match the reference begins anew."""

_LEVELS = 40 * np.log(np.arange(256, dtype=np.float32) + 16)
"""Logarithm of each grey level; noise in the dark would count too much without the 16."""


class Shift(NamedTuple):
    """The shift of a frame against the reference, in pixels of the video.

    Attributes:
        right_px: How far the picture has moved to the right.
        down_px: How far it has moved down.
        is_found: Whether the frame matches the reference; else the shift is 0.
        is_undone: Whether `undo` does anything; it does not if the shift may be an error.
    """

    right_px: float = 0.0
    down_px: float = 0.0
    is_found: bool = True
    is_undone: bool = False

    def undo(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame in the place of the reference, by cubic interpolation.

        Args:
            frame: ``(height, width)`` or ``(height, width, 3)``.

        Returns:
            The frame itself if nothing is undone; else a new one, of the same size, in which edge
            pixels are repeated where the frame shows nothing.
        """
        if not self.is_undone:
            return frame
        import cv2

        height, width = frame.shape[:2]
        (right, along_x), (down, along_y) = _split(self.right_px), _split(self.down_px)
        border = max(abs(right), abs(down)) + 2
        borders = border, border, border, border
        wide = cv2.copyMakeBorder(frame, *borders, cv2.BORDER_REPLICATE)
        top, left = border + down - 1, border + right - 1
        moved = wide[top : top + height + 3, left : left + width + 3]
        fine = cv2.sepFilter2D(moved, -1, along_x, along_y, anchor=(1, 1))
        return np.ascontiguousarray(fine[1:-2, 1:-2], np.uint8)


def _split(shift_px: float) -> tuple[int, Image]:
    """Whole pixels of a shift, and the cubic weights (Keys, 1981) of the four pixels around it."""
    whole = int(np.floor(shift_px))
    away = np.abs(np.arange(-1, 3) - (shift_px - whole))
    near = 1.5 * away**3 - 2.5 * away**2 + 1
    far = -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    return whole, np.where(away < 1, near, far).astype(np.float32)


STILL = Shift()


class CameraMotion:
    """Estimates the shifts of the frames of one sequence or one live camera, in order.

    A shift depends on earlier frames only. Memory does not grow.

    Args:
        undo: Whether shifts are estimated and undone; otherwise all are 0.
    """

    def __init__(self, *, undo: bool = True) -> None:
        import cv2

        cv2.setNumThreads(1)  # sums over pixels depend on the number of threads
        self._undo = undo
        self._reference: _Reference | None = None
        self._shift: Vector = np.zeros(2)
        self._missing = 0
        self._shaken = 0

    def follow(self, grey: NDArray[np.uint8]) -> Shift:
        """The shift of the next frame.

        Args:
            grey: ``(height, width)``, of one size for all frames.
        """
        height, width = grey.shape
        if not self._undo or min(_reduced_size(height, width)) < 2 * (MARGIN_PX + TILES):
            return STILL
        contrast = to_contrast(grey)
        if self._reference is None or self._missing >= RENEWED_AFTER:
            self._reference, self._missing = _Reference(contrast), 0
            self._shift, self._shaken = np.zeros(2), 0
            return STILL
        shift, error, is_found = self._search(self._reference, contrast)
        if not is_found:
            self._missing += 1
            return Shift(is_found=False)
        self._missing, self._shift = 0, shift
        self._reference.add(contrast, shift)
        scale = np.array([width, height]) / contrast.shape[::-1]
        right_px, down_px = (shift * scale).tolist()
        return Shift(right_px, down_px, is_undone=self._is_sure(shift * scale, error * scale))

    def _search(self, reference: "_Reference", contrast: Image) -> tuple[Vector, Vector, bool]:
        """The shift, its standard error, and whether the frame matches the reference."""
        largest = LARGEST_SHARE * min(contrast.shape)
        shift, error = reference.align(contrast, self._shift)
        share, there = reference.compare(contrast, shift)
        if share < SURE_SHARE:
            other, other_error = reference.align(contrast, reference.correlate(contrast))
            other_share, squares = reference.compare(contrast, other)
            if other_share > share + SHARE_ERROR:
                shift, error, share, there = other, other_error, other_share, squares
        share_here, here = reference.compare(contrast, np.zeros(2))
        if reference.share(here < CLEARLY * there, noise=there) > STANDING_SHARE:
            shift, share = np.zeros(2), share_here
        return shift, error, bool(share >= MATCHING_SHARE and np.abs(shift).max() <= largest)

    def _is_sure(self, shift_px: Vector, error_px: Vector) -> bool:
        """Whether a shift is worth undoing."""
        is_noise = bool((np.abs(shift_px) <= SURE_ERRORS * error_px).all())
        self._shaken = max(0, self._shaken - 1)
        if np.hypot(*shift_px) > LEAST_PX and not is_noise:
            self._shaken = SHAKEN_FRAMES
        return self._shaken > 0 and not is_noise


def _reduced_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of reduced frames."""
    factor = min(1, LONGEST_SIDE_PX / max(height, width))
    return round(height * factor), round(width * factor)


def to_contrast(grey: NDArray[np.uint8]) -> Image:
    """The local contrast of a frame, reduced."""
    import cv2

    size = _reduced_size(*grey.shape)
    if grey.shape != size:
        grey = np.asarray(cv2.resize(grey, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    levels = cv2.GaussianBlur(cv2.LUT(grey, _LEVELS), (5, 5), 1)
    return np.asarray(levels - cv2.blur(levels, (CONTRAST_PX, CONTRAST_PX)), np.float32)


def _quantile(values: Image, share: float) -> float:
    """The value that a share of the values is below; far faster than NumPy's."""
    place = int(share * len(values))
    return float(np.partition(values, place)[place])


def _robust(differences: NDArray[np.floating]) -> Image:
    """Weights of Geman and McClure for differences in units of their spread."""
    return np.asarray((1 + differences**2) ** -2, np.float32)


def _squares(values: Image) -> Image:
    """Mean squares of the pixels of each tile."""
    return np.asarray((values.reshape(TILES**2, -1) ** 2).mean(axis=1), np.float32)


class _Reference:
    """The mean of the aligned frames so far, and its pixels that frames are compared at."""

    def __init__(self, contrast: Image) -> None:
        import cv2

        self._mean = contrast.copy()
        self._count = 1
        window = cv2.createHanningWindow(contrast.shape[::-1], cv2.CV_32F)
        self._window = window**0.25  # steep at the edges: the middle should not count for more
        self._choose()

    def add(self, contrast: Image, shift: Vector) -> None:
        """Add a frame, aligned, to the mean."""
        import cv2

        size = contrast.shape[::-1]
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        aligned = cv2.warpAffine(contrast, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        self._count += 1
        cv2.accumulateWeighted(aligned, self._mean, 1 / min(self._count, MEMORY_FRAMES))
        if self._count <= POINTS_EVERY or self._count % POINTS_EVERY == 0:
            self._choose()

    def _choose(self) -> None:
        """Choose the pixels with the strongest gradients of each tile."""
        import cv2

        inner = slice(MARGIN_PX, -MARGIN_PX)
        slopes = [cv2.Sobel(self._mean, -1, *order, scale=1 / 8) for order in ((1, 0), (0, 1))]
        x_slope, y_slope = (slope[inner, inner] for slope in slopes)
        rows, columns = (side // TILES for side in x_slope.shape)
        strength = (x_slope**2 + y_slope**2)[: TILES * rows, : TILES * columns]
        blocks = strength.reshape(TILES, rows, TILES, columns).swapaxes(1, 2)
        tiles = blocks.reshape(TILES**2, rows * columns)
        count = min(TILE_PIXELS, tiles.shape[1])
        best = np.argpartition(tiles, -count, axis=1)[:, -count:]
        tile = np.arange(TILES**2)[:, None]
        y = (tile // TILES * rows + best // columns).ravel()
        x = (tile % TILES * columns + best % columns).ravel()
        self._x, self._y = ((place + MARGIN_PX).astype(np.float32)[:, None] for place in (x, y))
        self._slopes = np.stack([x_slope[y, x], y_slope[y, x]])
        self._products = self._slopes[[0, 0, 1]] * self._slopes[[0, 1, 1]]
        self._values = self._mean[y + MARGIN_PX, x + MARGIN_PX]
        self._energy = _squares(self._values) + np.float32(1e-6)

    def _seen(self, contrast: Image, shift: Vector) -> Image:
        """The values of a frame at the pixels, with a shift."""
        import cv2

        x, y = self._x + np.float32(shift[0]), self._y + np.float32(shift[1])
        values = cv2.remap(contrast, x, y, cv2.INTER_LINEAR)
        return np.asarray(values[:, 0], np.float32)

    def align(self, contrast: Image, shift: Vector) -> tuple[Vector, Vector]:
        """The shift at which a frame differs least, searched from some shift; and its error."""
        for _ in range(8):
            difference = self._seen(contrast, shift) - self._values
            weights = self._weights(difference)
            xx, xy, yy = (self._products * weights).sum(axis=1, dtype=np.float64)
            normal = np.array([[xx, xy], [xy, yy]])
            if np.linalg.det(normal) <= 1e-4 * np.trace(normal) ** 2:  # slopes of one direction
                return np.zeros(2), np.full(2, np.inf)
            pulls = self._slopes * (weights * difference)
            step = np.linalg.solve(normal, -pulls.sum(axis=1, dtype=np.float64))
            step *= min(1, 2 / max(np.abs(step).max(), 1e-9))
            shift = shift + step
            if np.abs(step).max() < 0.01:
                break
        of_tiles = pulls.reshape(2, TILES**2, -1).sum(axis=2, dtype=np.float64)
        inverse = np.linalg.inv(normal)
        return shift, np.sqrt(np.diag(inverse @ (of_tiles @ of_tiles.T) @ inverse))

    def _weights(self, difference: Image) -> Image:
        """Weights of the pixels: small where they, or their tile as a whole, differ much."""
        spread = 2 * 1.4826 * _quantile(np.abs(difference), 0.5) + 1e-3
        of_pixels = _robust(difference / spread).reshape(TILES**2, -1)
        squares = _squares(difference)
        unlike = squares / self._energy
        of_tiles = _robust(unlike / max(2 * _quantile(unlike, 0.25), LEAST_UNLIKE))
        voices = of_tiles / (self._energy + NOISE_FACTOR * _quantile(squares, 0.5))
        return np.asarray((of_pixels * voices[:, None]).ravel(), np.float32)

    def compare(self, contrast: Image, shift: Vector) -> tuple[float, Image]:
        """Share of the tiles that correlate with a shifted frame, and mean squared differences."""
        seen = self._seen(contrast, shift)
        squares = _squares(seen - self._values)
        products = (seen * self._values).reshape(TILES**2, -1).mean(axis=1)
        match = products > MATCHING_CORRELATION * np.sqrt(_squares(seen) * self._energy)
        return self.share(match, noise=squares), squares

    def share(self, tiles: NDArray[np.bool_], *, noise: Image) -> float:
        """The share of some tiles in the voices of all; those without texture have little voice.

        Args:
            tiles: Which tiles.
            noise: The mean squared difference of each tile.
        """
        voices = self._energy / (self._energy + NOISE_FACTOR * _quantile(noise, 0.25))
        return float((voices * tiles).sum() / voices.sum())

    def correlate(self, contrast: Image) -> Vector:
        """The shift at the peak of the phase correlation."""
        import cv2

        # OpenCV writes into pictures whose sides need no padding, such as 320 x 240 and 320 x 180
        pictures = self._mean.copy(), contrast.copy()
        peak, _ = cv2.phaseCorrelate(*pictures, self._window)
        return np.array(peak)


def best_match(background: Image, contrast: Image) -> tuple[float, Vector]:
    """The share of the tiles in which a frame matches a background, and the shift of the match.

    Args:
        background: As `to_contrast` gives it.
        contrast: The frame, of the same size.

    Returns:
        The largest share without a shift and at the shifts that are found from none and from the
        peak of the phase correlation, if they are not too large; and that shift, in pixels of
        reduced frames.
    """
    reference = _Reference(background)
    starts = np.zeros(2), reference.correlate(contrast)
    shifts = [np.zeros(2), *(reference.align(contrast, start)[0] for start in starts)]
    largest = LARGEST_SHARE * min(contrast.shape)
    near = [shift for shift in shifts if np.abs(shift).max() <= largest]
    found = [(reference.compare(contrast, shift)[0], shift) for shift in near]
    return max(found, key=lambda pair: pair[0])


def shift_rows(shifts: Iterable[Shift]) -> dict[str, NDArray[np.generic]]:
    """Shifts as they are stored with features.

    Returns:
        ``camera_shift_px`` ``(frames, 2)`` float32, to the right and down; ``camera_is_found`` and
        ``camera_is_undone`` ``(frames,)`` bool.
    """
    right, down, is_found, is_undone = zip(*shifts, strict=True)
    return {
        "camera_shift_px": np.stack([right, down], axis=1).astype(np.float32),
        "camera_is_found": np.array(is_found),
        "camera_is_undone": np.array(is_undone),
    }
