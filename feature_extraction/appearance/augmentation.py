"""Crops as a surveillance camera would give them: small, grey, soft, noisy, compressed, cut off.

Each crop is changed by a chain of steps, each with its own probability. One ``Generator`` draws
everything, so that a batch depends on its seed alone.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from feature_extraction.frame import CROP_PX

_GREY = 0.5
_MIRROR = 0.5
_ON_CONTEXT = 0.25
_COVERED = 0.15
_SMALL = 0.5
_BLURRED = 0.3
_NOISY = 0.5
_COMPRESSED = 0.3

_LOG_SCALE = (np.log(0.6), np.log(1.6))
_SHIFT_PX = 10.0
_ROTATION_DEGREES = 8.0
_SMALL_PX = (14, 40)
_NOISE_LEVELS = (1.0, 12.0)
_JPEG_QUALITY = (25, 90)

Picture = NDArray[np.uint8]


def augment(
    crops: NDArray[np.uint8], contexts: NDArray[np.uint8], random: np.random.Generator
) -> NDArray[np.uint8]:
    """A changed copy of each crop.

    Args:
        crops: ``(n, 64, 64, 3)`` RGB.
        contexts: ``(n, 64, 64, 3)``: crops without objects, what may surround or cover them.
        random: The source of all random choices.

    Returns:
        ``(n, 64, 64, 3)``.
    """
    noise = random.standard_normal((2 * CROP_PX, 2 * CROP_PX, 3), dtype=np.float32)
    pairs = zip(crops, contexts, strict=True)
    return np.stack([_augment_one(crop, context, noise, random) for crop, context in pairs])


def _augment_one(
    crop: Picture, context: Picture, noise: NDArray[np.float32], random: np.random.Generator
) -> Picture:
    crop = _move(crop, context, random)
    if random.random() < _COVERED:
        crop = _cover(crop, context, random)
    crop = _relight(crop, random)
    if random.random() < _GREY:
        crop = grey(crop)
    if random.random() < _SMALL:
        crop = enlarged_from(crop, int(random.integers(*_SMALL_PX)), _enlargement(random))
    if random.random() < _BLURRED:
        crop = _blur(crop, random)
    if random.random() < _NOISY:
        crop = _add_noise(crop, noise, random)
    return _compress(crop, random) if random.random() < _COMPRESSED else crop


def grey(crop: Picture) -> Picture:
    """Its brightness in all three channels."""
    return _as_picture(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def enlarged_from(crop: Picture, side_px: int, enlargement: int = cv2.INTER_LINEAR) -> Picture:
    """The crop as if the object had been filmed at a smaller size and enlarged.

    Args:
        crop: ``(64, 64, 3)``.
        side_px: Side of the small picture.
        enlargement: Interpolation of OpenCV.
    """
    small = cv2.resize(crop, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return _as_picture(cv2.resize(small, (CROP_PX, CROP_PX), interpolation=enlargement))


def _enlargement(random: np.random.Generator) -> int:
    choices: tuple[int, ...] = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
    return choices[int(random.integers(len(choices)))]


def _move(crop: Picture, context: Picture, random: np.random.Generator) -> Picture:
    """Scale, turn, shift and mirror; what comes in from outside is edge or another place."""
    scale = np.exp(random.uniform(*_LOG_SCALE))
    angle = random.uniform(-_ROTATION_DEGREES, _ROTATION_DEGREES)
    centre = (CROP_PX - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((centre, centre), angle, scale), np.float64)
    matrix[:, 2] += random.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    if random.random() < _MIRROR:
        crop = np.ascontiguousarray(crop[:, ::-1])
    size = (CROP_PX, CROP_PX)
    if random.random() < _ON_CONTEXT:
        return _as_picture(
            cv2.warpAffine(crop, matrix, size, context.copy(), borderMode=cv2.BORDER_TRANSPARENT)
        )
    border = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)[random.integers(2)]
    return _as_picture(cv2.warpAffine(crop, matrix, size, borderMode=border))


def _cover(crop: Picture, context: Picture, random: np.random.Generator) -> Picture:
    """Hide up to 45 % of the crop, from one side, behind something else."""
    covered = crop.copy()
    width = int(random.uniform(0.1, 0.45) * CROP_PX)
    side = random.integers(4)
    view = covered if side < 2 else covered.swapaxes(0, 1)
    strip = slice(0, width) if side % 2 else slice(CROP_PX - width, CROP_PX)
    view[strip] = context[strip]
    return covered


def _relight(crop: Picture, random: np.random.Generator) -> Picture:
    """Change contrast, brightness, gamma and the balance of colours."""
    levels = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    gain = random.uniform(0.6, 1.2) * random.uniform(0.9, 1.1, 3)
    curve = (levels ** random.uniform(0.7, 1.3) - 0.5) * gain + 0.5 + random.uniform(-0.1, 0.1)
    table = np.clip(curve * 255, 0, 255).astype(np.uint8)[None]
    return _as_picture(cv2.LUT(crop, table))


def _blur(crop: Picture, random: np.random.Generator) -> Picture:
    """Out of focus, or moved while the shutter was open."""
    if random.random() < 0.7:
        return _as_picture(cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 2.0)))
    length = int(random.integers(3, 9))
    return _as_picture(cv2.blur(crop, (length, 1), borderType=cv2.BORDER_REPLICATE))


def _add_noise(crop: Picture, noise: NDArray[np.float32], random: np.random.Generator) -> Picture:
    """Add a random part of a field of noise, the same to all channels half of the time."""
    row, column = random.integers(0, CROP_PX, 2)
    part = noise[row : row + CROP_PX, column : column + CROP_PX]
    if random.random() < 0.5:
        part = part[..., :1]
    noisy = crop + random.uniform(*_NOISE_LEVELS) * part
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _compress(crop: Picture, random: np.random.Generator) -> Picture:
    quality = int(random.integers(*_JPEG_QUALITY))
    _, code = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _as_picture(cv2.imdecode(code, cv2.IMREAD_COLOR))


def _as_picture(array: object) -> Picture:
    return np.asarray(array, np.uint8)
