"""A frame with its scores, detections and sentences, and below it the scores over time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid
from vadloc.video import drawing
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    PLATE_COLOUR,
    TEXT_COLOUR,
    TRUTH_COLOUR,
    RgbImage,
)
from vadloc.video.times import Clock

READABLE_HEIGHT_PX = 360
"""Frames of less height are magnified to at least this height, so that texts fit."""
PANEL_PX = 380
"""Width of the sentences beside the frame."""
STRIP_PX = 96
"""Height of the timeline."""
MARGIN_PX = 8
AXIS_PX = 48
"""Width of the numbers on the left of the timeline."""
SCALE_THRESHOLDS = 3.0
"""The colours of the score map reach from 0 to this many times the threshold in every sequence."""
BAND_COLOUR = (26, 54, 70)
"""Background of the timeline where frames are anomalous in the ground truth."""
CURVE_COLOUR = (240, 170, 60)
QUIET_COLOUR = (140, 140, 140)


@dataclass(frozen=True)
class View:
    """What is shown of one sequence.

    Attributes:
        explained: The explanations, as ``explain_anomalies`` writes them.
        scores: The score map, ``(frames, cell rows, cell columns)``.
        stretches: First and last 0-based frame of each annotated anomalous stretch; ``None``
            without ground truth.
        regions: ``frame``, ``track`` and ``box_xyxy_px`` of the annotated boxes; ``None`` without
            ground truth.
    """

    explained: dict[str, Any]
    scores: NDArray[np.float32]
    stretches: list[list[int]] | None = None
    regions: dict[str, list[Any]] | None = None

    @property
    def zoom(self) -> int:
        """Whole number by which frames are magnified."""
        return max(1, -(-READABLE_HEIGHT_PX // int(self.explained["height_px"])))

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the magnified frame."""
        return self.explained["height_px"] * self.zoom, self.explained["width_px"] * self.zoom

    @property
    def scale(self) -> drawing.ColourScale:
        """Colours of the score map."""
        threshold = self.explained["threshold"]
        return drawing.ColourScale(0.0, SCALE_THRESHOLDS * threshold if threshold > 0 else 1.0)

    def active(self, frame: int) -> list[dict[str, Any]]:
        """Detections in a frame, the highest score first."""
        found = [
            detection
            for detection in self.explained["detections"]
            if detection["first_frame"] <= frame <= detection["last_frame"]
        ]
        return sorted(found, key=lambda detection: -float(detection["score"]))

    @cached_property
    def clock(self) -> Clock:
        """The times of the frames."""
        return Clock.of_record(self.explained)

    @cached_property
    def timeline(self) -> "Timeline":
        """The scores over time."""
        return Timeline(
            self.explained["frame_scores"],
            self.explained["threshold"],
            self.size_px[1] + PANEL_PX,
            self.stretches or [],
        )


def draw_views(view: View, pictures: Iterable[RgbImage]) -> Iterator[RgbImage]:
    """All frames of a sequence, one in memory at a time.

    Args:
        view: The sequence.
        pictures: RGB frames of the sequence, not magnified, in order.

    Yields:
        RGB uint8 pictures, all of one size.
    """
    shown: tuple[int, ...] | None = None
    panel: RgbImage | None = None
    for frame, picture in enumerate(pictures):
        active = view.active(frame)
        numbers = tuple(detection["id"] for detection in active)
        if panel is None or numbers != shown:
            shown, panel = numbers, draw_panel(active, view.size_px[0], view.explained["threshold"])
        image = np.hstack([draw_frame(view, frame, picture), panel])
        yield np.vstack(
            [_draw_header(view, frame), image, view.timeline.draw(frame), _draw_legend(view)]
        )


def draw_frame(view: View, frame: int, picture: RgbImage) -> RgbImage:
    """One frame with its score map, detections, each with its number, and annotated regions."""
    explained, zoom = view.explained, view.zoom
    grid = RegionGrid(
        explained["height_px"], explained["width_px"], explained["region_px"], explained["cell_px"]
    )
    image = drawing.magnify(picture, zoom)
    image = drawing.draw_cells(image, view.scores[frame], *grid.cell_edges_px, view.scale)
    if view.regions is not None:
        rows = [i for i, at in enumerate(view.regions["frame"]) if at == frame]
        annotated = _boxes([view.regions["box_xyxy_px"][i] for i in rows])
        image = drawing.draw_boxes(image, annotated, colour=TRUTH_COLOUR, line_px=3, zoom=zoom)
    active = view.active(frame)
    detected = _boxes([d["boxes_xyxy_px"][frame - d["first_frame"]] for d in active])
    labels = [str(d["id"] + 1) for d in active]
    return drawing.draw_boxes(image, detected, labels, zoom=zoom)


def _boxes(boxes_xyxy_px: list[list[float]]) -> NDArray[np.float64]:
    """Boxes as an array ``(n, 4)``, also for n = 0."""
    return np.array(boxes_xyxy_px, np.float64).reshape(-1, 4)


def draw_panel(active: list[dict[str, Any]], height_px: int, threshold: float) -> RgbImage:
    """Number, score and sentence of each detection; those that do not fit are left out."""
    image = _plate(height_px, PANEL_PX)
    if not active:
        words = f"Nothing here scores {threshold:.3f} or more."
        return drawing.draw_text(image, words, (MARGIN_PX, MARGIN_PX), colour=QUIET_COLOUR)
    line_px, y = drawing.text_size("0")[1], MARGIN_PX
    for index, detection in enumerate(active):
        lines = drawing.wrap(detection["sentence"], PANEL_PX - 2 * MARGIN_PX)
        if y + (len(lines) + 2) * line_px > height_px and index:
            more = f"and {len(active) - index} more"
            return drawing.draw_text(image, more, (MARGIN_PX, y), colour=QUIET_COLOUR)
        title = f"{detection['id'] + 1}   score {detection['score']:.2f}"
        image = drawing.draw_text(image, title, (MARGIN_PX, y), colour=DETECTION_COLOUR)
        for number, line in enumerate(lines, start=1):
            image = drawing.draw_text(image, line, (MARGIN_PX, y + number * line_px))
        y += (len(lines) + 1) * line_px + MARGIN_PX
    return image


@dataclass(frozen=True)
class Timeline:
    """The highest score of each frame over time, with the threshold.

    Attributes:
        scores: The highest score of each frame.
        threshold: Least score of a detection.
        width_px: Width of the picture.
        stretches: First and last 0-based frame of each annotated anomalous stretch.
    """

    scores: list[float]
    threshold: float
    width_px: int
    stretches: list[list[int]]

    def draw(self, frame: int) -> RgbImage:
        """The picture of the timeline, with a line at a frame."""
        image = self._base.copy()
        x = round(self.x_px(frame))
        image[MARGIN_PX : STRIP_PX - MARGIN_PX, x : x + 2] = DETECTION_COLOUR
        return image

    def x_px(self, frame: float) -> float:
        """The x coordinate of a frame."""
        length = self.width_px - AXIS_PX - 2 * MARGIN_PX
        return AXIS_PX + length * (frame + 0.5) / len(self.scores)

    @cached_property
    def _highest(self) -> float:
        """The score at the top of the timeline."""
        return max(*self.scores, 1.2 * self.threshold, 1e-9)

    def y_px(self, score: float) -> float:
        """The y coordinate of a score: 0 is at the bottom, the highest score at the top."""
        bottom = STRIP_PX - MARGIN_PX
        return bottom - (bottom - MARGIN_PX) * min(1.0, max(0.0, score / self._highest))

    @cached_property
    def _base(self) -> RgbImage:
        """The timeline without the line at the current frame."""
        image = _plate(STRIP_PX, self.width_px)
        for first, last in self.stretches:
            x0, x1 = (round(self.x_px(frame)) for frame in (first - 0.5, last + 0.5))
            image[MARGIN_PX : STRIP_PX - MARGIN_PX, x0:x1] = BAND_COLOUR
        points = [[self.x_px(f), self.y_px(s)] for f, s in enumerate(self.scores)]
        fine = np.rint(np.array(points) * 16).astype(np.int32)
        cv2.polylines(image, [fine], False, CURVE_COLOUR, 1, cv2.LINE_AA, 4)
        return self._draw_axis(image)

    def _draw_axis(self, image: RgbImage) -> RgbImage:
        """The threshold as a dashed line with its number, and the number of the highest score."""
        level = round(self.y_px(self.threshold))
        for x in range(AXIS_PX, self.width_px - 2 * MARGIN_PX, 8):
            image[level, x : x + 4] = DETECTION_COLOUR
        height = drawing.text_size("0")[1]
        places = [(self.threshold, DETECTION_COLOUR), (max(self.scores), QUIET_COLOUR)]
        taken = -height
        for score, colour in places:
            y = min(max(round(self.y_px(score)) - height // 2, 0), STRIP_PX - height)
            if abs(y - taken) >= height:
                image = drawing.draw_text(image, f"{score:.2f}", (0, y), colour=colour)
                taken = y
        return image


def _draw_header(view: View, frame: int) -> RgbImage:
    """The text above a frame: name, number, time, score, and its ground truth."""
    explained = view.explained
    words = f"{explained['sequence']}   frame {frame + 1} of {explained['frame_count']}"
    pieces = [(f"{words}   {view.clock.seconds(frame):.1f} s", TEXT_COLOUR)]
    pieces.append((f"score {explained['frame_scores'][frame]:.3f}", CURVE_COLOUR))
    if any(first <= frame <= last for first, last in view.stretches or []):
        pieces.append(("annotated as anomalous", TRUTH_COLOUR))
    return drawing.draw_line(_bar(view), pieces, (MARGIN_PX // 2, MARGIN_PX // 4))


def _draw_legend(view: View) -> RgbImage:
    """The legend of colours and lines."""
    keys = [("detected, with number", DETECTION_COLOUR), ("score over time", CURVE_COLOUR)]
    if view.stretches is not None:
        keys.append(("annotated", TRUTH_COLOUR))
    return drawing.draw_legend(
        _bar(view),
        (MARGIN_PX // 2, MARGIN_PX // 4),
        scale=view.scale,
        threshold=view.explained["threshold"],
        keys=keys,
    )


def _bar(view: View) -> RgbImage:
    return _plate(drawing.text_size("0")[1] + MARGIN_PX // 2, view.size_px[1] + PANEL_PX)


def _plate(height: int, width: int) -> RgbImage:
    return np.full((height, width, 3), PLATE_COLOUR, np.uint8)
