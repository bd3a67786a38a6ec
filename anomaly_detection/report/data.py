"""The data that the report's page shows, made from explanations.

As in explanations, frames are 0-based, the last frame is inclusive, and x1 and y1 of boxes are
exclusive. The texts of the page count frames from 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.report.pictures import (
    Clip,
    Strip,
    Window,
    clip_of,
    fit_size,
    merge_clips,
    sheet_columns,
    strip_frames,
    window_around,
    window_of_shape,
)
from vadloc.video.camera_summary import camera_to_words, camera_warning
from vadloc.video.times import Clock

OVERVIEW_POINTS = 600
"""Largest number of points of a timeline. A longer sequence is divided into this many pieces, of
which the timeline shows the maxima."""
STRIP_SIDE_PX = 160
"""Longest side of the tiles of a volume."""
THUMBNAIL_PX = (72, 96)
"""Height and width of the pictures in the list."""
THUMBNAIL_COLUMNS, THUMBNAILS_PER_SHEET = 8, 40


@dataclass(frozen=True)
class Report:
    """What all sequences of the report have in common.

    Attributes:
        height_px: Frame height.
        width_px: Frame width.
        cell_px: Side of a cell of the score map.
        cells: Rows and columns of the score map.
        clip_seconds: Largest length of a clip.
        clip_frames_per_second: Highest frame rate of clips; frames above it are left out.
        clip_side_px: Longest side of the frames in clips.
        top_score: The score that has the last colour; higher scores have it too.
        train: Names of the training sequences.
        mined: Names of the sequences from which exemplars were mined.
    """

    height_px: int
    width_px: int
    cell_px: int
    cells: tuple[int, int]
    clip_seconds: float
    clip_frames_per_second: float
    clip_side_px: int
    top_score: float
    train: tuple[str, ...]
    mined: tuple[str, ...] = ()

    @property
    def clip_size(self) -> tuple[int, int]:
        """Height and width of the frames in clips."""
        return fit_size(self.height_px, self.width_px, self.clip_side_px)

    @property
    def columns(self) -> int:
        """Number of columns, and of rows, of frames on one sheet of a clip."""
        return sheet_columns(*self.clip_size)

    @property
    def sources(self) -> list[tuple[str, bool]]:
        """The sequences of which exemplars are shown, each with whether it was mined."""
        return [*((name, False) for name in self.train), *((name, True) for name in self.mined)]

    def nearest_name(self, nearest: dict[str, Any]) -> str:
        """Name of the picture file of a nearest exemplar."""
        number = self.sources.index((nearest["sequence"], bool(nearest.get("mined_round"))))
        return f"normal/{number:03d}-{nearest['first_frame']:06d}-{nearest['region']:04d}.jpg"

    def window(self, box: list[int]) -> Window:
        """The window of the frame that shows a region with its surroundings."""
        x0, y0, x1, y1 = box
        return window_around((x0, y0, x1, y1), height_px=self.height_px, width_px=self.width_px)

    def strip(self, name: str, volume: dict[str, Any]) -> Strip:
        """The frames of a volume, which is given by its record ``peak`` or ``nearest``."""
        window = self.window(volume["box_xyxy_px"])
        size = fit_size(window[3] - window[1], window[2] - window[0], STRIP_SIDE_PX)
        return Strip(name, window, strip_frames(volume["first_frame"], volume["last_frame"]), size)


@dataclass(frozen=True)
class SequenceReport:
    """One test sequence in the report.

    Attributes:
        index: 0-based number of the sequence among the test sequences.
        explained: The content of its explanations.
        report: What all sequences have in common.
    """

    index: int
    explained: dict[str, Any]
    report: Report

    @property
    def key(self) -> str:
        """The sequence in file names: its number, since its name may hold any characters."""
        return f"{self.index:03d}"

    @property
    def detections(self) -> list[dict[str, Any]]:
        """The records of the detections, in the order of the explanations."""
        found: list[dict[str, Any]] = self.explained["detections"]
        return found

    @cached_property
    def clock(self) -> Clock:
        """The times of the frames."""
        return Clock.of_record(self.explained)

    @property
    def clip_frames(self) -> int:
        """Largest length of a clip in frames."""
        return max(1, round(self.report.clip_seconds * self.clock.frames_per_second))

    @property
    def clip_step(self) -> int:
        """Clips show the frames whose number is a multiple of this."""
        return max(1, round(self.clock.frames_per_second / self.report.clip_frames_per_second))

    @cached_property
    def clips(self) -> list[Clip]:
        """The frames that are shown for each detection."""
        return [
            clip_of(
                Clip(d["first_frame"], d["last_frame"]),
                Clip(d["peak"]["first_frame"], d["peak"]["last_frame"]),
                frame_count=self.explained["frame_count"],
                longest=self.clip_frames,
            )
            for d in self.detections
        ]

    @cached_property
    def shown(self) -> list[Clip]:
        """The frames of all clips as disjoint clips, counted in steps of ``clip_step`` frames."""
        step = self.clip_step
        return merge_clips(Clip(-(-c.first // step), c.last // step) for c in self.clips)

    def shown_frames(self) -> list[int]:
        """0-based frames of the pictures in ``shown``."""
        step = self.clip_step
        return [step * p for clip in self.shown for p in range(clip.first, clip.last + 1)]

    def strips(self) -> list[Strip]:
        """The strip of the peak volume, and the thumbnail, of each detection."""
        made = []
        for number, detection in enumerate(self.detections):
            peak = detection["peak"]
            made.append(self.report.strip(self.strip_name(number), peak))
            made.append(self._thumbnail(number, detection))
        return made

    def strip_name(self, number: int) -> str:
        """Name of the picture file of a detection's peak volume; ``number`` is that in the list."""
        return f"volumes/{self.key}-{number:04d}.jpg"

    def _thumbnail(self, number: int, detection: dict[str, Any]) -> Strip:
        frame = detection["peak_frame"]
        box = detection["boxes_xyxy_px"][frame - detection["first_frame"]]
        size = {"height_px": self.report.height_px, "width_px": self.report.width_px}
        window = window_of_shape(self.report.window(box), THUMBNAIL_PX, **size)
        return Strip(thumbnail_name(number), window, (frame,), THUMBNAIL_PX)

    def overview(self, bands: list[list[int]] | None) -> dict[str, Any]:
        """What the timeline shows.

        Args:
            bands: First and last frame of each anomalous stretch; ``None`` without ground truth.
        """
        scores = np.asarray(self.explained["frame_scores"])
        frames_a_point = max(1, -(-len(scores) // OVERVIEW_POINTS))
        maxima = np.maximum.reduceat(scores, np.arange(0, len(scores), frames_a_point))
        return {
            "name": self.explained["sequence"],
            "key": self.key,
            "frame_count": self.explained["frame_count"],
            "step": self.clip_step,
            **self.clock.to_record(),
            "bands": bands,
            "camera": self.camera_words(),
            "frames_a_point": frames_a_point,
            "scores": [round(float(score), 4) for score in maxima],
        }

    def camera_words(self) -> list[str]:
        """How far the camera has moved, if it has, and a warning if it looks elsewhere."""
        summary = self.explained.get("camera")
        if not summary:
            return []
        side_px = min(self.report.height_px, self.report.width_px)
        words = [camera_to_words(summary)] if summary["undone_share"] else []
        warning = camera_warning(summary, shorter_side_px=side_px)
        return [*words, warning] if warning else words

    def rows(self) -> list[dict[str, Any]]:
        """What the list shows of each detection."""
        return [
            {
                "sequence": self.index,
                "number": number,
                "id": d["id"],
                "score": d["score"],
                "first": d["first_frame"],
                "last": d["last_frame"],
                "peak": d["peak_frame"],
                "region": d["peak"]["region"],
                "place": d["place"],
                "sentence": d["sentence"],
            }
            for number, d in enumerate(self.detections)
        ]

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.report.height_px, self.report.width_px

    def expected_name(self, number: int) -> str:
        """Name of the picture file of what networks expected at a detection."""
        return f"expected/{self.key}-{number:04d}.jpg"

    def details(
        self, roses: list[list[float] | None] | None, *, expected: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What the page loads when a detection of the sequence is opened.

        Args:
            roses: The normal directions of each region (see ``exemplars_to_rose``); ``None``
                without exemplars.
            expected: What the rows of the pictures show of what networks expected; none without
                networks.
        """
        more = {"rows": list(expected)}
        return {
            "shown": [list(clip) for clip in self.shown],
            "detections": [
                self._detail(number, detection, roses)
                | ({"expected": more | {"picture": self.expected_name(number)}} if expected else {})
                for number, detection in enumerate(self.detections)
            ],
        }

    def _detail(
        self, number: int, detection: dict[str, Any], roses: list[list[float] | None] | None
    ) -> dict[str, Any]:
        clip = self.clips[number]
        first = max(clip.first, detection["first_frame"])
        start = first - detection["first_frame"]
        boxes = detection["boxes_xyxy_px"][start : start + clip.last - first + 1]
        keys = ("normal", "unusual")
        detail = {key: detection[key] for key in keys if key in detection} | {
            "clip": list(clip),
            "boxes_from": first,
            "boxes": [int(edge) for box in boxes for edge in box],
            "peak": self._volume(self.strip_name(number), detection["peak"]),
        }
        nearest = detection.get("nearest")
        if nearest:
            detail["nearest"] = self._volume(self.report.nearest_name(nearest), nearest)
        if roses:
            detail["normal_rose"] = roses[detection["peak"]["region"]]
        return detail

    def _volume(self, name: str, volume: dict[str, Any]) -> dict[str, Any]:
        strip = self.report.strip(name, volume)
        return volume | {"strip": name, "frames": strip.frames, "window": strip.window}


def thumbnail_name(number: int) -> str:
    """The name of a detection's thumbnail, which differs from those of all other strips."""
    return f"thumbnail {number}"


def exemplars_to_rose(
    direction_share: NDArray[np.floating] | None, counts: NDArray[np.int64]
) -> list[float] | None:
    """Normal directions of one region.

    Args:
        direction_share: ``(n, bins)``: share of the moving pixels of each exemplar by direction.
        counts: ``(n,)``: number of volumes that each exemplar stands for.

    Returns:
        Share of each bin, with the sum 1; ``None`` if nothing moves or motion is unknown.
    """
    if direction_share is None:
        return None
    total = counts @ direction_share.astype(np.float64)
    if total.sum() <= 0:
        return None
    return [round(float(share), 4) for share in total / total.sum()]
