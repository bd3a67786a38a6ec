"""The picture of a region's exemplars: where each comes from, how frequent it is, what it shows."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from exemplar_selection import phrases
from vadloc.regions import RegionGrid
from vadloc.video import drawing
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    PLATE_COLOUR,
    TEXT_COLOUR,
    TRUTH_COLOUR,
    RgbImage,
)

TILE_PX = 160
"""Side of the picture of an exemplar: its region, and half a region around it."""
COLUMNS = 6
TEXT_LINES = 5
MARGIN_PX = 12
SCENE_HEIGHT_PX = 320


@dataclass(frozen=True)
class Tile:
    """What the picture says about one exemplar.

    Attributes:
        sequence: Name of the training sequence that it comes from.
        first_frame: 0-based first frame of the exemplar in that sequence.
        last_frame: Its last frame, inclusive.
        volumes: Number of volumes that it stands for.
        words: What it shows, in words.
    """

    sequence: str
    first_frame: int
    last_frame: int
    volumes: int
    words: str


@dataclass(frozen=True)
class Gallery:
    """The exemplars of a region.

    Attributes:
        region: Number of the region.
        grid: Regions of the frames.
        words: What is normal in the region, in words.
        exemplars: Number of exemplars.
        volumes: Number of volumes that they stand for.
        tiles: The exemplars that are shown, the most common first.
    """

    region: int
    grid: RegionGrid
    words: str
    exemplars: int
    volumes: int
    tiles: list[Tile]


def draw_gallery(gallery: Gallery, frames: dict[tuple[str, int], RgbImage]) -> RgbImage:
    """The scene with the region, what is normal there, and a tile for each exemplar.

    Args:
        gallery: What to show.
        frames: The middle frame of each exemplar, by its sequence and first frame.
    """
    pictures = [frames[tile.sequence, tile.first_frame] for tile in gallery.tiles]
    tiles = [draw_tile(*pair, gallery) for pair in zip(gallery.tiles, pictures, strict=True)]
    height, width = tiles[0].shape[:2]
    head = _draw_head(gallery, pictures[0], COLUMNS * width)
    page = _plate(len(head) + math.ceil(len(tiles) / COLUMNS) * height, head.shape[1])
    page[: len(head)] = head
    for index, tile in enumerate(tiles):
        row, column = divmod(index, COLUMNS)
        y, x = len(head) + row * height, column * width
        page[y : y + height, x : x + width] = tile
    return page


def draw_tile(tile: Tile, picture: RgbImage, gallery: Gallery) -> RgbImage:
    """An exemplar's region with its surroundings, and its count, origin and content as text."""
    image = _plate(
        MARGIN_PX + TILE_PX + TEXT_LINES * drawing.text_size("0")[1], TILE_PX + 2 * MARGIN_PX
    )
    image[MARGIN_PX : MARGIN_PX + TILE_PX, MARGIN_PX:-MARGIN_PX] = _crop(picture, gallery)
    when = phrases.frames(tile.first_frame, tile.last_frame)
    texts = [phrases.volumes(tile.volumes), f"{tile.sequence}, {when}"]
    texts += drawing.wrap(tile.words, TILE_PX + MARGIN_PX)
    return _draw_lines(image, texts[:TEXT_LINES], (MARGIN_PX // 2, MARGIN_PX + TILE_PX))


def _crop(picture: RgbImage, gallery: Gallery) -> RgbImage:
    """A window of twice the region's side around it, with the region outlined."""
    size = gallery.grid.size_px
    x, y = gallery.grid.box_xyxy_px(gallery.region)[:2]
    around = np.pad(picture, ((size, size), (size, size), (0, 0)), mode="edge")
    half = size - size // 2  # the window begins half a region before the region
    window = around[y + half : y + half + 2 * size, x + half : x + half + 2 * size]
    large = cv2.resize(window, (TILE_PX, TILE_PX), interpolation=cv2.INTER_CUBIC)
    quarter = TILE_PX / 4
    box = np.array([[quarter, quarter, 3 * quarter, 3 * quarter]])
    return drawing.draw_boxes(np.asarray(large, np.uint8), box, colour=TRUTH_COLOUR, line_px=1)


def _draw_head(gallery: Gallery, picture: RgbImage, width: int) -> RgbImage:
    """The scene with the region outlined, and beside it what is normal there."""
    scale = SCENE_HEIGHT_PX / len(picture)
    size = round(picture.shape[1] * scale), SCENE_HEIGHT_PX
    scene = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    box = np.array([gallery.grid.box_xyxy_px(gallery.region)]) * scale
    scene = drawing.draw_boxes(scene, box, colour=TRUTH_COLOUR)
    left = MARGIN_PX + size[0]
    room = max(width - left - MARGIN_PX, 2 * TILE_PX)
    image = _plate(SCENE_HEIGHT_PX + MARGIN_PX, max(width, left + room))
    image[MARGIN_PX:, MARGIN_PX:left] = scene
    stand = (
        "1 exemplar stands" if gallery.exemplars == 1 else f"{gallery.exemplars} exemplars stand"
    )
    stand += f" for {phrases.volumes(gallery.volumes)}."
    texts = [f"Region {gallery.region}", *drawing.wrap(stand, room)]
    texts += drawing.wrap(f"Normal here: {gallery.words}.", room)
    hidden = gallery.exemplars - len(gallery.tiles)
    if hidden:
        texts += drawing.wrap(f"Shown: the {len(gallery.tiles)} most common.", room)
    return _draw_lines(image, texts, (left + MARGIN_PX // 2, MARGIN_PX))


def _draw_lines(image: RgbImage, texts: list[str], xy_px: tuple[int, int]) -> RgbImage:
    """Lines of text one below the other, the first one brighter."""
    x, y = xy_px
    for number, text in enumerate(texts):
        colour = TEXT_COLOUR if number else DETECTION_COLOUR
        image = drawing.draw_text(image, text, (x, y), colour=colour)
        y += drawing.text_size("0")[1]
    return image


def _plate(height: int, width: int) -> RgbImage:
    return np.full((height, width, 3), PLATE_COLOUR, np.uint8)
