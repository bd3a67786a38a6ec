"""Draw score maps, ground truth and detected regions on a frame.

An image may show the frame magnified by a whole number ``zoom``; see ``vadloc.video.drawing``.
"""

import cv2
import numpy as np

from vadloc.annotations.ground_truth import GroundTruth
from vadloc.scores import Cells
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    TRUTH_COLOUR,
    ColourScale,
    RgbImage,
    cell_of_pixel,
    draw_boxes,
    draw_cells,
    draw_label,
    outline,
    whole_boxes,
)


def draw_score_map(image: RgbImage, cells: Cells, scale: ColourScale) -> RgbImage:
    """Lay the colours of a score map over the picture of the frame; see ``draw_cells``.

    Args:
        image: Picture of the frame at any magnification.
        cells: Scores of the frame.
        scale: The colour scale, the same for all frames that will be compared.
    """
    return draw_cells(image, *cells, scale)


def draw_ground_truth(
    image: RgbImage, truth: GroundTruth, frame: int, *, line_px: int = 3, zoom: int = 1
) -> RgbImage:
    """Outline the annotated regions of a frame (boxes, or contours of masks) with their track ids.

    Args:
        image: Picture of the frame, ``zoom`` times as large.
        truth: Ground truth of the sequence.
        frame: 0-based frame.
        line_px: Width of the line in pixels of the image.
        zoom: Magnification of the image.
    """
    rows = truth.regions_of(frame)
    boxes = truth.box_xyxy_px[rows]
    labels = [str(track) for track in truth.track[rows]]
    if truth.masks is None:
        return draw_boxes(
            image, boxes, labels, colour=TRUTH_COLOUR, side="above", line_px=line_px, zoom=zoom
        )
    image = image.copy()
    for box, mask, label in zip(whole_boxes(boxes, zoom), truth.masks[rows], labels, strict=True):
        magnified = mask.repeat(zoom, axis=0).repeat(zoom, axis=1)
        outline(image, (box[0], box[1]), magnified, TRUTH_COLOUR, line_px)
        image = draw_label(image, label, (box[0], box[1], box[3]), TRUTH_COLOUR, "above")
    return image


def draw_detected_regions(
    image: RgbImage, cells: Cells, threshold: float, *, line_px: int = 2
) -> RgbImage:
    """Outline the 8-connected components of {score >= threshold}, with the highest score of each.

    Args:
        image: Picture of the frame at any magnification.
        cells: Scores of the frame.
        threshold: Least score of a detected region.
        line_px: Width of the line in pixels of the image.
    """
    detected = (cells.scores >= threshold).astype(np.uint8)
    _, components, stats, _ = cv2.connectedComponentsWithStats(detected, connectivity=8)
    row = cell_of_pixel(image.shape[0], cells.row_edges_px)
    column = cell_of_pixel(image.shape[1], cells.column_edges_px)
    image = image.copy()
    labels = []
    for component, (left, top, width, height, _) in enumerate(stats[1:], start=1):
        part = slice(top, top + height), slice(left, left + width)
        inside = components[part] == component
        y0, y1 = np.searchsorted(row, [top, top + height])
        x0, x1 = np.searchsorted(column, [left, left + width])
        mask = inside[row[y0:y1, None] - top, column[x0:x1] - left]
        outline(image, (x0, y0), mask, DETECTION_COLOUR, line_px)
        labels.append((f"{cells.scores[part][inside].max():.2f}", (x0, y0, y1)))
    for text, place in labels:
        image = draw_label(image, text, place, DETECTION_COLOUR, "below")
    return image
