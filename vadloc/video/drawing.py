"""Draw on frames: colours of scores, boxes, texts and a legend, as pure functions on arrays.

Images are RGB, uint8 ``(height, width, 3)``. Every function that returns an image returns a new
one. An image may show the frame magnified by a whole number ``zoom``; boxes, masks and cells are
still in pixels of the frame.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vadloc.errors import VadlocError

RgbImage: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]
Side: TypeAlias = Literal["above", "below"]

TRUTH_COLOUR: Colour = (86, 180, 233)
DETECTION_COLOUR: Colour = (255, 255, 255)
TEXT_COLOUR: Colour = (200, 200, 200)
PLATE_COLOUR: Colour = (24, 24, 24)
LEGEND_GREY = 96
FULL_OPACITY = 0.6
"""Opacity of the colour of the highest score; colours of lower scores are less opaque."""
TEXT_PX = 14


class ColourScale(NamedTuple):
    """The scores of the first and the last colour; lower or higher scores get these colours too.

    Attributes:
        low: Score at which the colours begin; it is drawn without colour.
        high: Score of the strongest colour, above ``low``.
    """

    low: float
    high: float

    def positions(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Positions of scores on the scale: 0 at ``low`` and below, 1 at ``high`` and above."""
        return np.clip((scores.astype(np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)


def check_scale(scale: ColourScale) -> None:
    """Raise unless ``low < high`` and both are finite."""
    if not (np.isfinite(scale).all() and scale.low < scale.high):
        raise VadlocError(
            f"colour scale from {scale.low:g} to {scale.high:g}: expected two numbers, the lower "
            "one first"
        )


def magnify(image: RgbImage, zoom: int) -> RgbImage:
    """Enlarge a picture by a whole number, with smooth interpolation."""
    if zoom == 1:
        return image
    large = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def draw_cells(
    image: RgbImage,
    scores: NDArray[np.floating[Any]],
    row_edges_px: NDArray[np.float64],
    column_edges_px: NDArray[np.float64],
    scale: ColourScale,
) -> RgbImage:
    """Lay the colours of a score map over the picture of the frame.

    From ``scale.low`` to ``scale.high`` colours change from violet over red to yellow and become
    less transparent; a score at or below ``scale.low`` leaves the picture as it is. The same score
    has the same colour in every frame.

    Args:
        image: Picture of the frame at any magnification.
        scores: ``(rows, columns)`` of the frame's cells.
        row_edges_px: ``(rows + 1,)`` edges of the rows of cells, in pixels of the frame.
        column_edges_px: ``(columns + 1,)`` edges of the columns.
        scale: The colour scale, the same for all frames that will be compared.
    """
    row = cell_of_pixel(image.shape[0], row_edges_px)
    column = cell_of_pixel(image.shape[1], column_edges_px)
    return _blend(image, scale.positions(scores)[row[:, None], column])


def cell_of_pixel(length: int, edges_px: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the cell at the centre of each of ``length`` image pixels that show the frame."""
    centres = (np.arange(length) + 0.5) * (edges_px[-1] / length)
    cell: NDArray[np.intp] = np.searchsorted(edges_px, centres, side="right") - 1
    return cell


def _blend(image: RgbImage, positions: NDArray[np.float64]) -> RgbImage:
    """Mix each pixel with the colour of its position on the scale."""
    kept, added = _mixture()
    levels = np.rint(positions * 255).astype(np.uint8)
    mixed: RgbImage = np.rint(image * kept[levels] + added[levels]).astype(np.uint8)
    return mixed


@lru_cache(maxsize=1)
def _mixture() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For 256 positions: ``(256, 1)`` share of the picture that stays, ``(256, 3)`` colour added.

    Colours change from violet over red to yellow in even steps of lightness. They are a part of
    the inferno map, without its black and white ends, which pictures and lines use.
    """
    ramp = np.rint(np.linspace(0.3, 0.9, 256) * 255).astype(np.uint8)[:, None]
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    opacity = np.linspace(0, FULL_OPACITY, 256, dtype=np.float32)[:, None]
    return 1 - opacity, (opacity * colours).astype(np.float32)


def draw_boxes(
    image: RgbImage,
    boxes_xyxy_px: NDArray[np.float64],
    labels: Sequence[str] = (),
    *,
    colour: Colour = DETECTION_COLOUR,
    side: Side = "below",
    line_px: int = 2,
    zoom: int = 1,
) -> RgbImage:
    """Outline boxes on their inner side, each with a label at its left corner.

    Args:
        image: Picture of the frame, ``zoom`` times as large.
        boxes_xyxy_px: ``(n, 4)`` half-open boxes; partly covered pixels are included.
        labels: One text for each box, or empty.
        colour: Colour of outlines and texts.
        side: Side of the box for its label; the other side is used if there is no room.
        line_px: Width of the line in pixels of the image.
        zoom: Magnification of the image.
    """
    image = image.copy()
    whole = whole_boxes(boxes_xyxy_px, zoom)
    for x0, y0, x1, y1 in whole:
        outline(image, (x0, y0), np.ones((y1 - y0, x1 - x0), np.bool_), colour, line_px)
    for (x0, y0, _, y1), label in zip(whole, labels, strict=False):
        image = draw_label(image, label, (x0, y0, y1), colour, side)
    return image


def whole_boxes(boxes_xyxy_px: NDArray[np.float64], zoom: int) -> list[list[int]]:
    """Boxes in pixels of the image, rounded outwards."""
    low, high = np.floor(boxes_xyxy_px[:, :2] * zoom), np.ceil(boxes_xyxy_px[:, 2:] * zoom)
    whole: list[list[int]] = np.hstack([low, high]).astype(np.int64).tolist()
    return whole


def outline(
    image: RgbImage, corner_xy: tuple[int, int], mask: NDArray[np.bool_], colour: Colour, line: int
) -> None:
    """Colour, in place, the pixels of a mask that lie within ``line`` pixels of its edge."""
    padded = np.pad(mask, line).astype(np.uint8)
    kernel = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    inner = cv2.erode(padded, kernel)[line:-line, line:-line].astype(np.bool_)
    x, y = corner_xy
    height, width = mask.shape
    image[y : y + height, x : x + width][mask & ~inner] = colour


def draw_label(
    image: RgbImage, text: str, place: tuple[int, int, int], colour: Colour, side: Side
) -> RgbImage:
    """Write above or below a box (left, top, bottom), on the other side if there is no room."""
    left, top, bottom = place
    width, height = text_size(text)
    above = top >= height if side == "above" else bottom + height > image.shape[0]
    x = max(0, min(left, image.shape[1] - width))
    return draw_text(image, text, (x, top - height if above else bottom), colour=colour)


def draw_text(
    image: RgbImage,
    text: str,
    xy_px: tuple[int, int],
    *,
    colour: Colour = TEXT_COLOUR,
    plate: Colour = PLATE_COLOUR,
    size_px: int = TEXT_PX,
) -> RgbImage:
    """Write one line of text on a plate (a filled rectangle), cut at the edge of the image.

    Args:
        image: The image to write on.
        text: One line.
        xy_px: Top left corner of the plate, in pixels of the image.
        colour: Colour of the letters.
        plate: Colour of the rectangle behind them.
        size_px: Approximate height of the letters.
    """
    image = image.copy()
    left, top = xy_px
    target = image[max(top, 0) :, max(left, 0) :]
    ink = _ink(text, size_px)[max(-top, 0) :, max(-left, 0) :, None]
    target = target[: ink.shape[0], : ink.shape[1]]
    ink = ink[: target.shape[0], : target.shape[1]]
    target[...] = np.rint(ink * np.array(colour) + (1 - ink) * np.array(plate))
    return image


def text_size(text: str, size_px: int = TEXT_PX) -> tuple[int, int]:
    """Width and height of the plate that ``draw_text`` fills, in pixels."""
    height, width = _ink(text, size_px).shape
    return width, height


def wrap(text: str, width_px: int) -> list[str]:
    """Break a text into lines of at most a width; a longer word gets its own line.

    Args:
        text: A text of any length.
        width_px: Greatest width of a line, with the margin that ``draw_text`` adds.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or text_size(longer)[0] <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=1024)
def _ink(text: str, size_px: int) -> NDArray[np.float64]:
    """Share of each pixel that the letters cover, ``(height, width)``, with a margin."""
    font = ImageFont.load_default(size_px)
    margin = size_px // 4
    _, top, _, bottom = font.getbbox("Áy")
    size = round(font.getlength(text)) + 2 * margin, round(bottom - top) + margin
    picture = Image.new("L", size)
    ImageDraw.Draw(picture).text((margin, margin // 2 - top), text, 255, font)
    return np.asarray(picture) / 255


def draw_line(
    image: RgbImage, pieces: Sequence[tuple[str, Colour]], xy_px: tuple[int, int]
) -> RgbImage:
    """Write several texts of different colours side by side."""
    x, y = xy_px
    for text, colour in pieces:
        image = draw_text(image, text, (x, y), colour=colour)
        x += text_size(text)[0]
    return image


def draw_legend(
    image: RgbImage,
    xy_px: tuple[int, int],
    *,
    scale: ColourScale | None = None,
    threshold: float | None = None,
    keys: Sequence[tuple[str, Colour]] = (),
    bar_px: int = 120,
) -> RgbImage:
    """Draw a colour bar with its scores, then words, each in the colour that it explains.

    The bar shows the colours as they look on middle grey.

    Args:
        image: The image to draw on.
        xy_px: Top left corner of the legend, in pixels of the image.
        scale: The scale of the score map; ``None`` for no bar.
        threshold: Score that is marked on the bar.
        keys: Texts of the legend, each with its colour.
        bar_px: Width of the bar.
    """
    x, y = xy_px
    if scale is not None:
        check_scale(scale)
        before, after = f"score {scale.low:.3g}", f"{scale.high:.3g} or more"
        image = draw_line(image, [(before, TEXT_COLOUR)], (x, y))
        x += text_size(before)[0]
        image = _draw_bar(image, (x, y), bar_px, scale, threshold)
        x += bar_px
        image = draw_line(image, [(after, TEXT_COLOUR)], (x, y))
        x += text_size(after)[0]
    return draw_line(image, keys, (x, y))


def _draw_bar(
    image: RgbImage,
    xy_px: tuple[int, int],
    width: int,
    scale: ColourScale,
    threshold: float | None,
) -> RgbImage:
    """The colour bar; a line marks the threshold."""
    (x, y), height = xy_px, text_size("0")[1]
    positions = np.broadcast_to(np.linspace(0, 1, width), (height - 2, width))
    bar = _blend(np.full((height - 2, width, 3), LEGEND_GREY, np.uint8), positions)
    if threshold is not None:
        mark = round(float(scale.positions(np.array(threshold))) * (width - 2))
        bar[:, mark : mark + 2] = DETECTION_COLOUR
    image = image.copy()
    target = image[y + 1 : y + 1 + bar.shape[0], x : x + width]
    target[...] = bar[: target.shape[0], : target.shape[1]]
    return image
