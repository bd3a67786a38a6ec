"""A picture of the proposed regions: a frame with its moving objects, and the heights of all.

At the left edge stands the scale of the scene: height of an object alone (lower quartile) and
typical speed (median) at up to three rows.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.camera_setup.moving_objects import (
    Blobs,
    Proposal,
    heights_px,
)
from vadloc.camera_setup.scale_by_row import Band
from vadloc.regions import RegionGrid
from vadloc.video.drawing import (
    Colour,
    RgbImage,
    draw_boxes,
    draw_line,
    draw_text,
    text_size,
)

FRAME_SIDE_PX = 800
"""Longer side of the frame in the picture."""
PANEL_PX = 280
GRID_COLOUR: Colour = (110, 110, 110)
OBJECT_COLOUR: Colour = (86, 180, 233)
REGION_COLOUR: Colour = (240, 228, 66)
PANEL_COLOUR: Colour = (24, 24, 24)
SCALE_COLOUR: Colour = (230, 159, 0)
GRID_OPACITY = 0.5
ARROW_FRAMES = 10
"""Arrows show how far an object moves in so many frames."""


def region_picture(
    frame: NDArray[np.uint8],
    in_frame: Blobs,
    objects: Blobs,
    bands: list[Band],
    proposal: Proposal,
    size_px: tuple[int, int],
) -> RgbImage:
    """Draw a frame with its objects, the cells and one region; on the right the heights of all.

    Args:
        frame: Grey frame, at any scale.
        in_frame: Moving objects in this frame, in pixels of the video.
        objects: Moving objects in all frames, in pixels of the video.
        bands: Their heights and speeds in bands of rows.
        proposal: The proposed regions.
        size_px: Height and width of the video.
    """
    zoom = FRAME_SIDE_PX / max(size_px)
    shape = round(size_px[1] * zoom), round(size_px[0] * zoom)
    image = np.asarray(cv2.cvtColor(cv2.resize(frame, shape), cv2.COLOR_GRAY2RGB), np.uint8)
    image = _draw_grid(image, proposal.stride_px * zoom)
    image = draw_boxes(image, in_frame[:, :4].astype(np.float64) * zoom, colour=OBJECT_COLOUR)
    region = _region_over(in_frame, proposal, size_px)
    image = draw_boxes(image, region * zoom, colour=REGION_COLOUR, line_px=3)
    for number, band in enumerate(reversed(bands)):  # no bar crosses the words of another
        image = _draw_scale(image, band, zoom, 8 + 14 * number)
    panel = _heights_panel(objects, proposal, size_px[0], image.shape[0])
    return _with_legend(np.hstack([image, panel]), proposal)


def _draw_grid(image: RgbImage, cell: float) -> RgbImage:
    """Lines between cells, half transparent."""
    lines = image.copy()
    lines[np.arange(cell, image.shape[0], cell).astype(int)] = GRID_COLOUR
    lines[:, np.arange(cell, image.shape[1], cell).astype(int)] = GRID_COLOUR
    mixed = cv2.addWeighted(lines, GRID_OPACITY, image, 1 - GRID_OPACITY, 0)
    return np.asarray(mixed, np.uint8)


def _draw_scale(image: RgbImage, band: Band, zoom: float, left: int) -> RgbImage:
    """A bar as high as an object alone of the band, at its foot an arrow of its speed, numbers."""
    if not band.count:
        return image
    height, speed = band.heights_px[0], band.speeds_px_per_frame[1]
    foot, top = round(band.foot_px * zoom), round((band.foot_px - height) * zoom)
    image = image.copy()
    cv2.line(image, (left, top), (left, foot), SCALE_COLOUR, 4)
    words = f"{height:.0f} px"
    if not math.isnan(speed):
        tip = left + round(speed * ARROW_FRAMES * zoom)
        cv2.arrowedLine(image, (left, foot), (tip, foot), SCALE_COLOUR, 2, tipLength=0.2)
        words += f", {speed:.2g} px/frame"
    return draw_text(image, words, (left, foot + 6), colour=SCALE_COLOUR)


def _region_over(
    in_frame: Blobs, proposal: Proposal, size_px: tuple[int, int]
) -> NDArray[np.float64]:
    """Box ``(1, 4)`` of the region over the most typical object, or else of the middle region."""
    height, width = size_px
    grid = RegionGrid(height, width, proposal.size_px, proposal.stride_px)
    middle = np.array([width, height]) / 2
    if len(in_frame):
        typical = np.argmin(np.abs(heights_px(in_frame) - (proposal.object_px or 0)))
        middle = (in_frame[typical, :2] + in_frame[typical, 2:4]) / 2
    boxes = np.array([grid.box_xyxy_px(r) for r in range(grid.region_count)], float)
    distances = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - middle, axis=1)
    return boxes[[np.argmin(distances)]]


def _heights_panel(
    objects: Blobs, proposal: Proposal, height_px: int, panel_height: int
) -> RgbImage:
    """A dot for each object: x is its height in pixels, y is the row of its lower edge."""
    panel = np.full((panel_height, PANEL_PX, 3), PANEL_COLOUR, np.uint8)
    heights = heights_px(objects)
    most = 1.2 * max(proposal.size_px, np.quantile(heights, 0.98) if heights.size else 0)
    across, down = (PANEL_PX - 20) / most, panel_height / height_px
    for height, foot in zip(heights, objects[:, 3], strict=True):
        cv2.circle(panel, (int(height * across), int(foot * down)), 2, OBJECT_COLOUR, -1)
    column = int(proposal.size_px * across)
    panel[:, column : column + 2] = REGION_COLOUR
    left = min(column + 4, PANEL_PX - text_size(f"{proposal.size_px} px")[0])
    panel = draw_text(panel, f"{proposal.size_px} px", (left, 2), colour=REGION_COLOUR)
    return draw_text(panel, "0 px", (0, panel_height - text_size("0 px")[1]))


def _with_legend(image: RgbImage, proposal: Proposal) -> RgbImage:
    """The image with a line of text below it."""
    strip = np.full((text_size("A")[1] + 4, image.shape[1], 3), PANEL_COLOUR, np.uint8)
    pieces = [
        ("what moves; right: heights of all by row", OBJECT_COLOUR),
        (f"one region, {proposal.size_px} px", REGION_COLOUR),
        (f"cells, {proposal.stride_px} px", (170, 170, 170)),
        (f"an object alone, its way in {ARROW_FRAMES} frames", SCALE_COLOUR),
    ]
    return np.vstack([image, draw_line(strip, pieces, (0, 2))])
