"""Pseudo-anomalies in frames of the video itself, in colour and full size: for any detector.

Each lies in a window of consecutive frames. ``inpaint`` and ``patch`` fill a mask, ``skip`` shows
every second to fifth frame for a while. What is drawn depends on the seed, the sequence, the number
and the frames among which it is drawn, not on how many unchanged frames are read around it.
"""

import itertools
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.flow import flow_engine
from feature_extraction.pseudo_anomalies.generator import STEPS
from feature_extraction.pseudo_anomalies.inpainting import Inpaint, fill, patch
from feature_extraction.pseudo_anomalies.masks import Mask, moving_mask, random_mask
from vadloc.pseudo_settings import PseudoAnomalyVideo

Video = NDArray[np.uint8]
"""Frames ``(t, height, width, 3)``."""

FLOW_SIDE_PX = 320
DRAWS = 5
"""A mask is drawn so often, at most, until filling it changes something."""
LEAST_CHANGE = 8.0
"""Mean difference inside a mask, in grey levels, that changes something."""
SIZES = {"small": 0.5, "medium": 1.5}
"""Names of sizes and the area, in regions, below which a mask has them; others are large."""


@dataclass(frozen=True)
class Window:
    """Where a pseudo-anomaly lies in time.

    Attributes:
        number: Its number in the sequence.
        kind: What is done.
        step: Step of skipped frames; 1 for other kinds.
        first: First frame that is changed.
        count: Number of frames that are changed.
        begin: First frame that is read.
        end: The frames up to this one are read.
    """

    number: int
    kind: str
    step: int
    first: int
    count: int
    begin: int
    end: int


@dataclass(frozen=True)
class Changed:
    """A pseudo-anomaly.

    Attributes:
        window: Where it lies in time.
        clean: The frames from ``window.begin`` up to ``window.begin + len(frames)`` as they were.
        frames: The same number of frames with the pseudo-anomaly.
        mask: ``(count, height, width)`` of the changed frames; for skipped frames what moves.
        is_moving: Whether the mask is of what moves.
        redrawn: How often it was drawn anew, because the mask covered nothing that would change.
    """

    window: Window
    clean: Video
    frames: Video
    mask: Mask
    is_moving: bool
    redrawn: int = 0

    @property
    def area_px(self) -> float:
        """Mean number of pixels of the mask in a frame."""
        return float(self.mask.sum() / len(self.mask))


def draw_windows(
    sequence: str, among: range, settings: PseudoAnomalyVideo, *, context: int
) -> list[Window]:
    """The windows of a sequence, in the order of time; none if it is too short.

    Args:
        sequence: Name of the sequence.
        among: The frames that are read: all, or those of a part.
        settings: How many, of which kinds, and how long.
        context: Unchanged frames that are read before and after, where there are any.
    """
    windows = []
    for number in range(settings.per_sequence):
        rng = _source(settings, sequence, number, 0)
        kind = settings.kinds[number % len(settings.kinds)]
        step = int(rng.choice(STEPS)) if kind == "skip" else 1
        count = settings.frames
        if len(among) < step * count + 1:
            continue
        first = int(rng.integers(among.start, among.stop - step * count + 1))
        begin = max(among.start, first - context)
        end = min(among.stop, first + step * (count + context))
        windows.append(Window(number, kind, step, first, count, begin, end))
    return sorted(windows, key=lambda window: (window.end, window.number))


def _source(
    settings: PseudoAnomalyVideo, sequence: str, number: int, use: int
) -> np.random.Generator:
    name = zlib.crc32(sequence.encode())
    return np.random.default_rng((settings.seed, name, number, use))


def change_video(
    sequence: str,
    frames: Iterable[NDArray[np.uint8]],
    windows: list[Window],
    settings: PseudoAnomalyVideo,
    *,
    region_px: int,
    inpaint: Inpaint,
) -> Iterator[Changed]:
    """Read a sequence once and make the pseudo-anomalies of its windows.

    Args:
        sequence: Name of the sequence.
        frames: Its frames, RGB ``(height, width, 3)``.
        windows: The windows, in the order of their ends.
        settings: With the seed.
        region_px: Side of a region.
        inpaint: Fills masks.
    """
    if not windows:
        return
    longest = max(window.end - window.begin for window in windows)
    kept: deque[NDArray[np.uint8]] = deque(maxlen=longest)
    waiting = list(windows)
    for number, frame in enumerate(frames):
        kept.append(frame)
        while waiting and waiting[0].end == number + 1:
            window = waiting.pop(0)
            video = np.stack(list(kept)[-(window.end - window.begin) :])
            rng = _source(settings, sequence, window.number, 1)
            yield _change(rng, window, video, region_px, inpaint)
        if not waiting:
            return


def _change(
    rng: np.random.Generator, window: Window, video: Video, region_px: int, inpaint: Inpaint
) -> Changed:
    start = window.first - window.begin
    if window.kind == "skip":
        return _skip(window, video, start)
    part = slice(start, start + window.count)
    flow = small_flow(video[part])
    use = patch if window.kind == "patch" else inpaint
    for redrawn in range(DRAWS):  # noqa: B007
        moving = moving_mask(rng, flow, region_px) if rng.random() < 0.5 else None
        mask = random_mask(rng, video[part].shape[:3], region_px) if moving is None else moving
        filled = video.copy()
        filled[part] = _filled(rng, video[part], mask, region_px, use)
        difference = np.abs(filled[part].astype(np.int16) - video[part])[mask]
        if difference.mean() >= LEAST_CHANGE:
            break
    return Changed(window, video, filled, mask, moving is not None, redrawn)


def _filled(
    rng: np.random.Generator, clip: Video, mask: Mask, region_px: int, use: Inpaint
) -> Video:
    """The clip with its mask filled."""
    down, right = (int(n) for n in rng.integers(region_px, 4 * region_px, 2))
    other = np.roll(clip[::-1, :, ::-1], (down, right), axis=(1, 2))
    return fill(clip, mask, other, use, rng)


def _skip(window: Window, video: Video, start: int) -> Changed:
    """Frames are skipped from ``start`` on; afterwards the video goes on at its usual speed."""
    before = np.arange(start)
    skipped = start + window.step * np.arange(window.count)
    after = np.arange(skipped[-1] + 1, len(video))
    index = np.concatenate([before, skipped, after])
    frames = video[index]
    mask = moving_pixels(frames[start : start + window.count])
    return Changed(window, video[: len(frames)], frames, mask, is_moving=True)


def moving_pixels(video: Video) -> Mask:
    """What moves in each frame; everything where nothing does."""
    speed = np.sqrt((small_flow(video) ** 2).sum(axis=1))
    moving = speed > 1
    moving[~moving.any(axis=(1, 2))] = True
    return np.asarray(moving, np.bool_)


def small_flow(video: Video) -> NDArray[np.float32]:
    """Optical flow that leads to each frame, measured on reduced ones.

    Returns:
        ``(t, 2, height, width)`` in px/frame of the video; that of the first frame is the second's.
    """
    import cv2

    height, width = video.shape[1:3]
    scale = min(1.0, FLOW_SIDE_PX / max(height, width))
    size = max(32, round(width * scale)), max(32, round(height * scale))
    engine = flow_engine("balanced")
    greys = [cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size) for f in video]
    fields = []
    for before, after in itertools.pairwise(greys):
        field = cv2.resize(engine.calc(before, after, None), (width, height))
        fields.append(np.moveaxis(field, -1, 0) * np.float32(width / size[0]))
    fields = fields or [np.zeros((2, height, width), np.float32)]
    return np.stack([fields[0], *fields])[: len(video)].astype(np.float32)


def size_name(area_px: float, region_px: int) -> str:
    """The size of a pseudo-anomaly in words: ``small``, ``medium`` or ``large``."""
    regions = area_px / region_px**2
    return next((name for name, limit in SIZES.items() if regions < limit), "large")


def to_record(changed: Changed, region_px: int) -> dict[str, Any]:
    """What is stored of a pseudo-anomaly: its place in time, its mask as packed bits, its size."""
    window = changed.window
    return {
        "kind": window.kind,
        "step": window.step,
        "first_frame": window.first,
        "frames": window.count,
        "is_moving": changed.is_moving,
        "redrawn": changed.redrawn,
        "area_px": changed.area_px,
        "size": size_name(changed.area_px, region_px),
        "mask_shape": list(changed.mask.shape),
        "mask_bits": np.packbits(changed.mask),
    }
