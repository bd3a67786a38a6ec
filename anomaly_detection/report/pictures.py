"""Pictures of the report: clips as sheets of small frames, heat maps, and strips of volumes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Grey ``(height, width)`` or RGB ``(height, width, 3)``."""
Window = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the frame, x1 and y1 exclusive."""

LARGEST_SHEET_PX = 2048
"""Largest side of a sheet: every phone decodes pictures of this size."""
STRIP_FRAMES = 12
"""Largest number of frames that are shown of a volume."""
JPEG_QUALITY = 75
HEAT_LEVELS = 256
LEGEND_COLOURS = 16
HEAT_RAMP = (0.3, 0.95)
"""The part of the inferno colour map that is used. It holds no black and no white, which are
frequent in pictures."""
HEAT_OPACITY = 0.8
"""Opacity of the highest score; a score of 0 is transparent."""


class Clip(NamedTuple):
    """A range of frames, ``first`` to ``last`` (0-based, inclusive)."""

    first: int
    last: int


def clip_of(detected: Clip, peak: Clip, *, frame_count: int, longest: int) -> Clip:
    """The frames that are shown of a detection: its frames, with some before and after.

    If these are too many, the frames around the peak are shown instead.

    Args:
        detected: Frames of the detection.
        peak: Frames of its peak volume; as many frames are added before and after.
        frame_count: Number of frames of the sequence.
        longest: Largest number of frames to show; but the whole peak volume is always shown.
    """
    margin = peak.last - peak.first + 1
    first = max(0, min(detected.first, peak.first) - margin)
    last = min(frame_count - 1, max(detected.last, peak.last) + margin)
    longest = max(longest, margin)
    if last - first < longest:
        return Clip(first, last)
    start = (peak.first + peak.last - longest) // 2 + 1
    start = min(max(start, first), last - longest + 1)
    return Clip(start, start + longest - 1)


def merge_clips(clips: Iterable[Clip]) -> list[Clip]:
    """The frames of all clips as disjoint clips in order; neighbouring ones are joined."""
    merged: list[Clip] = []
    for clip in sorted(clips):
        if merged and clip.first <= merged[-1].last + 1:
            merged[-1] = Clip(merged[-1].first, max(merged[-1].last, clip.last))
        else:
            merged.append(clip)
    return merged


def window_around(box: Window, *, height_px: int, width_px: int) -> Window:
    """A box with half of its sides around it, moved (not cut) to lie inside the frame."""
    x0, x1 = _stretched(box[0], box[2], 2 * (box[2] - box[0]), width_px)
    y0, y1 = _stretched(box[1], box[3], 2 * (box[3] - box[1]), height_px)
    return x0, y0, x1, y1


def window_of_shape(
    window: Window, shape: tuple[int, int], *, height_px: int, width_px: int
) -> Window:
    """A window made wider or higher to the aspect ratio of a shape, as far as the frame allows."""
    x0, y0, x1, y1 = window
    width = max(x1 - x0, round((y1 - y0) * shape[1] / shape[0]))
    height = max(y1 - y0, round((x1 - x0) * shape[0] / shape[1]))
    x0, x1 = _stretched(x0, x1, width, width_px)
    y0, y1 = _stretched(y0, y1, height, height_px)
    return x0, y0, x1, y1


def _stretched(start: int, end: int, length: int, limit: int) -> tuple[int, int]:
    """A range of another length with the same middle, moved to lie between 0 and the limit."""
    length = min(length, limit)
    first = min(max(0, (start + end - length) // 2), limit - length)
    return first, first + length


def cut(frame: Image, window: Window) -> Image:
    """The pixels of a window."""
    x0, y0, x1, y1 = window
    return frame[y0:y1, x0:x1]


def fit_size(height_px: int, width_px: int, longest_px: int) -> tuple[int, int]:
    """The height and width of an image, reduced so that its longer side is at most this long."""
    scale = min(1.0, longest_px / max(height_px, width_px))
    return max(1, round(height_px * scale)), max(1, round(width_px * scale))


def resize(image: Image, size: tuple[int, int]) -> Image:
    """The image scaled to a height and width."""
    if image.shape[:2] == size:
        return image
    smaller = size[0] < image.shape[0]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=method), np.uint8)


def letterbox(image: Image, size: tuple[int, int]) -> Image:
    """The image scaled to fit into a height and width, with mid-grey bars around it."""
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    out = np.full((*size, *image.shape[2:]), 128, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    out[top : top + height, left : left + width] = resize(image, (height, width))
    return out


def tile(images: list[Image], columns: int) -> Image:
    """Images of one size, row by row on a black sheet."""
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * height, columns * width, *images[0].shape[2:]), np.uint8)
    for index, image in enumerate(images):
        y, x = height * (index // columns), width * (index % columns)
        sheet[y : y + height, x : x + width] = image
    return sheet


def to_jpeg(image: Image) -> bytes:
    """JPEG bytes of a grey or RGB image; an RGB image without colour is stored as grey."""
    if image.ndim == 3:
        grey = image[..., 0]
        is_grey = bool((grey == image[..., 1]).all() and (grey == image[..., 2]).all())
        image = grey if is_grey else image[..., ::-1]
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done, "OpenCV encodes every uint8 image"
    return bytes(data)


@lru_cache(maxsize=1)
def heat_colours() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour ``(256, 3)`` and opacity ``(256,)`` of each level, 0 to 255 each."""
    ramp = np.rint(np.linspace(*HEAT_RAMP, HEAT_LEVELS) * 255).astype(np.uint8)[:, None]
    colours = np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO), np.uint8)[:, 0, ::-1]
    opacity = np.rint(np.linspace(0, HEAT_OPACITY, HEAT_LEVELS) * 255).astype(np.uint8)
    return np.ascontiguousarray(colours), opacity


def legend() -> list[str]:
    """Colours of the scores from 0 to the top, in the syntax of CSS."""
    colours, opacity = heat_colours()
    levels = np.linspace(0, HEAT_LEVELS - 1, LEGEND_COLOURS).astype(int)
    return [
        "rgb({} {} {} / {:.2f})".format(*colours[level], opacity[level] / 255) for level in levels
    ]


def scores_to_levels(scores: NDArray[np.floating], top: float) -> NDArray[np.uint8]:
    """Levels of scores from 0 to ``top``; scores outside this range are clipped to it."""
    shares = np.clip(scores / top, 0, 1) if top > 0 else np.zeros_like(scores)
    levels: NDArray[np.uint8] = np.rint(shares * (HEAT_LEVELS - 1)).astype(np.uint8)
    return levels


def to_heat_png(levels: NDArray[np.uint8]) -> bytes:
    """PNG of levels, with the colours and opacities of ``heat_colours`` as its palette."""
    from io import BytesIO

    from PIL import Image as Pillow

    colours, opacity = heat_colours()
    picture = Pillow.frombytes("P", levels.shape[::-1], levels.tobytes())
    picture.putpalette(colours.tobytes())
    file = BytesIO()
    picture.save(file, "PNG", transparency=opacity.tobytes())
    return file.getvalue()


class Sheets:
    """Collects tiles of one size, and yields them sheet by sheet.

    Args:
        columns: Number of tiles in a row.
        capacity: Number of tiles on a full sheet.
    """

    def __init__(self, *, columns: int, capacity: int) -> None:
        self.columns, self.capacity = columns, capacity
        self.tiles: list[Image] = []
        self.done = 0

    def add(self, image: Image) -> Iterator[tuple[int, Image]]:
        """Take a tile. Yields the number and the image of the sheet if it is full now."""
        self.tiles.append(image)
        if len(self.tiles) == self.capacity:
            yield from self.flush()

    def flush(self) -> Iterator[tuple[int, Image]]:
        """Yield the number and the image of the last sheet, if it has a tile."""
        if self.tiles:
            yield self.done, tile(self.tiles, self.columns)
            self.done += 1
            self.tiles = []


def sheet_columns(height_px: int, width_px: int) -> int:
    """Number of columns, and of rows, of tiles on a sheet: one to four."""
    return max(1, min(4, LARGEST_SHEET_PX // max(height_px, width_px)))


@dataclass(frozen=True)
class Strip:
    """One window of several frames, shown side by side as tiles of one size.

    Attributes:
        name: Unique name of the strip.
        window: The window in pixels of the frame.
        frames: 0-based, increasing.
        size: Height and width of each tile.
    """

    name: str
    window: Window
    frames: tuple[int, ...]
    size: tuple[int, int]


def strip_frames(first: int, last: int) -> tuple[int, ...]:
    """The frames of a volume that are shown: all, or ``STRIP_FRAMES`` of them in even steps."""
    count = min(last - first + 1, STRIP_FRAMES)
    return tuple(int(frame) for frame in np.linspace(first, last, count).round())


class StripCutter:
    """Cuts strips out of frames that are given once and in order."""

    def __init__(self, strips: Iterable[Strip]) -> None:
        self._wanted: dict[int, list[Strip]] = defaultdict(list)
        self._tiles: dict[str, list[Image]] = defaultdict(list)
        for strip in strips:
            for frame in strip.frames:
                self._wanted[frame].append(strip)

    @property
    def frames(self) -> list[int]:
        """The frames that are still needed, in order."""
        return sorted(self._wanted)

    def feed(self, index: int, frame: Image) -> Iterator[tuple[str, Image]]:
        """Take a frame. Yields the name and the image of each strip that it completes."""
        for strip in self._wanted.pop(index, ()):
            tiles = self._tiles[strip.name]
            tiles.append(letterbox(cut(frame, strip.window), strip.size))
            if len(tiles) == len(strip.frames):
                yield strip.name, tile(self._tiles.pop(strip.name), len(tiles))
