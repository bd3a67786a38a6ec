"""Writes the whole report into a sink: the index of the page, details, and pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.explanation.scene import Scene, read_sightings
from anomaly_detection.report.data import (
    THUMBNAIL_COLUMNS,
    THUMBNAIL_PX,
    THUMBNAILS_PER_SHEET,
    Report,
    SequenceReport,
    thumbnail_name,
)
from anomaly_detection.report.expectations import Expectations
from anomaly_detection.report.page import Sink
from anomaly_detection.report.pictures import (
    Image,
    Sheets,
    Strip,
    StripCutter,
    legend,
    resize,
    scores_to_levels,
    to_heat_png,
    to_jpeg,
)
from anomaly_detection.report.scene import (
    BACKGROUND_FRAMES,
    SceneReport,
    spread_evenly,
)
from exemplar_selection.exemplars import Exemplars
from vadloc.artifacts import Artifacts
from vadloc.config import Config
from vadloc.errors import VadlocError
from vadloc.features import check_scores
from vadloc.regions import RegionGrid
from vadloc.stamps import SCHEMAS
from vadloc.video.frames import read_frames
from vadloc.video.view import frames_to_background


@dataclass(frozen=True)
class ReportWriter:
    """The content of the report, without the frames, which are read while it is written.

    Attributes:
        artifacts: The results.
        report: What all sequences of the report have in common.
        sequences: The test sequences.
        scene: The exemplars of all regions; ``None`` for a detector without exemplars.
        bands: First and last frame of each anomalous stretch of each test sequence; empty without
            ground truth.
        expectations: The networks that see frames; ``None`` without any.
    """

    artifacts: Artifacts
    report: Report
    sequences: list[SequenceReport]
    scene: SceneReport | None
    bands: dict[str, list[list[int]]] = field(default_factory=dict)
    expectations: Expectations | None = None

    @classmethod
    def of(cls, config: Config, artifacts: Artifacts) -> "ReportWriter":
        """Read the content of the report from the results."""
        explained = [artifacts.explanations(s.name).load() for s in artifacts.sequences("test")]
        bands = {}
        if config.ground_truths:
            bands = artifacts.evaluation("frame_labels.json").load()["anomalous_frames"]
        model = None
        train = tuple(sequence.name for sequence in artifacts.sequences("train"))
        found = artifacts.sequences("mined") if artifacts.round else []
        mined = tuple(sequence.name for sequence in found)
        if artifacts.detector.learns_exemplars:
            model = Exemplars.from_content(artifacts.parts[0].merged().load())
            check_explained(explained, model, sources={*train, *mined})
        check_alike(explained)
        report = explained_to_report(explained, config, train=train, mined=mined)
        sequences = [SequenceReport(i, content, report) for i, content in enumerate(explained)]
        scene = None
        if model:
            scene = SceneReport(
                Scene.of(artifacts.parts[0], model, read_sightings(artifacts)), report
            )
        return cls(artifacts, report, sequences, scene, bands, Expectations.of(artifacts))

    def write(self, sink: Sink) -> None:
        """Write everything into a sink: first each test sequence, then each training sequence."""
        for sequence in self.sequences:
            self._write_sequence(sink, sequence)
        if self.scene:
            self._write_training(sink, self.scene)
            sink.add_data("scene", self.scene.content())
        sink.add_data("index", self._index())

    def _index(self) -> dict[str, Any]:
        """What the page loads first: everything but details and pictures."""
        first = self.sequences[0].explained
        rows = [row for sequence in self.sequences for row in sequence.rows()]
        keys = ("version", "components", "threshold", "threshold_from")
        return {key: first[key] for key in keys} | {
            "schema": SCHEMAS["report"],
            "dataset": self.artifacts.config.dataset.name,
            "stamp": self.artifacts.report_page().stamp,
            "height_px": self.report.height_px,
            "width_px": self.report.width_px,
            "clip": self._clip_layout(),
            "thumbnail": {
                "height": THUMBNAIL_PX[0],
                "width": THUMBNAIL_PX[1],
                "columns": THUMBNAIL_COLUMNS,
                "per_sheet": THUMBNAILS_PER_SHEET,
            },
            "top_score": self.report.top_score,
            "colours": legend(),
            "has_scene": self.scene is not None,
            "sequences": [
                s.overview(self.bands.get(s.explained["sequence"])) for s in self.sequences
            ],
            "detections": sorted(rows, key=lambda row: -row["score"]),
        }

    def _clip_layout(self) -> dict[str, Any]:
        """What the page needs to find a frame on the sheets."""
        (height, width), (rows, columns) = self.report.clip_size, self.report.cells
        cell = self.report.cell_px
        return {
            "height": height,
            "width": width,
            "columns": self.report.columns,
            "per_sheet": self.report.columns**2,
            "cells": [rows, columns],
            # The grid of cells may reach beyond the frame.
            "covers": [rows * cell / self.report.height_px, columns * cell / self.report.width_px],
        }

    def _write_sequence(self, sink: Sink, sequence: SequenceReport) -> None:
        name = sequence.explained["sequence"]
        scores = self.artifacts.scores(name).load()
        check_scores(scores, (sequence.explained["frame_count"], *self.report.cells), name)
        heat = scores_to_levels(scores[sequence.shown_frames()], self.report.top_score)
        for number, sheet in _sheets(heat, self.report.columns):
            sink.add_picture(f"heat/{sequence.key}-{number:04d}.png", to_heat_png(sheet))
        thumbnails: dict[str, Image] = {}
        for file, image in self._test_pictures(sequence):
            if file.startswith("thumbnail"):
                thumbnails[file] = image
            else:
                sink.add_picture(file, to_jpeg(image))
        ordered = [thumbnails[thumbnail_name(i)] for i in range(len(sequence.detections))]
        sheets = _sheets(ordered, THUMBNAIL_COLUMNS, capacity=THUMBNAILS_PER_SHEET)
        for number, sheet in sheets:
            sink.add_picture(f"thumbnails/{sequence.key}-{number:04d}.jpg", to_jpeg(sheet))
        labels = self._write_expectations(sink, sequence)
        roses = self.scene.roses if self.scene else None
        sink.add_data(sequence.key, sequence.details(roses, expected=labels))

    def _write_expectations(self, sink: Sink, sequence: SequenceReport) -> list[str]:
        """Write what networks expected at each alarm; what the rows of the pictures show."""
        if self.expectations is None:
            return []
        name = sequence.explained["sequence"]
        pictures = self.expectations.pictures(name, sequence.detections, sequence.frame_size)
        for number, image in enumerate(pictures):
            sink.add_picture(sequence.expected_name(number), to_jpeg(image))
        return self.expectations.labels

    def _test_pictures(self, sequence: SequenceReport) -> Iterator[tuple[str, Image]]:
        """Names and images of clip sheets, strips and thumbnails, in one pass over the frames."""
        cutter = StripCutter(sequence.strips())
        shown = set(sequence.shown_frames())
        sheets = Sheets(columns=self.report.columns, capacity=self.report.columns**2)
        file = partial("clips/{key}-{number:04d}.jpg".format, key=sequence.key)
        if not sequence.detections:
            return
        frames = self.artifacts.sequence("test", sequence.explained["sequence"])
        for index, frame in enumerate(read_frames(frames, colour="rgb")):
            yield from cutter.feed(index, frame)
            if index in shown:
                shown.remove(index)
                full = sheets.add(resize(frame, self.report.clip_size))
                yield from ((file(number=number), sheet) for number, sheet in full)
            if not shown and not cutter.frames:
                break
        yield from ((file(number=number), sheet) for number, sheet in sheets.flush())

    def _write_training(self, sink: Sink, scene: SceneReport) -> None:
        """Write the nearest exemplars, the exemplars of the scene, and the picture of the scene."""
        exemplars: dict[str, Image] = {}
        background: list[Image] = []
        for source in self.report.sources:
            name, is_mined = source
            nearest = {strip.name: strip for strip in self._nearest_strips(source)}
            cutter = StripCutter([*nearest.values(), *scene.strips(source)])
            needed = cutter.frames
            share = 0 if is_mined else -(-BACKGROUND_FRAMES // len(self.report.train))
            kept = spread_evenly(needed, share)
            sequence = self.artifacts.sequence("mined" if is_mined else "train", name)
            frames = read_frames(sequence, colour="rgb")
            for index, frame in zip(range(max(needed, default=-1) + 1), frames, strict=False):
                if index in kept:
                    background.append(frame)
                for strip, image in cutter.feed(index, frame):
                    if strip in nearest:
                        sink.add_picture(strip, to_jpeg(image))
                    else:
                        exemplars[strip] = image
        for file, image in scene.sheets(exemplars).items():
            sink.add_picture(file, to_jpeg(image))
        sink.add_picture("scene.jpg", to_jpeg(frames_to_background(background)))

    def _nearest_strips(self, source: tuple[str, bool]) -> Iterator[Strip]:
        for sequence in self.sequences:
            for detection in sequence.detections:
                nearest = detection.get("nearest")
                if not nearest:
                    continue
                if (nearest["sequence"], bool(nearest.get("mined_round"))) == source:
                    yield self.report.strip(self.report.nearest_name(nearest), nearest)


def check_alike(explained: list[dict[str, Any]]) -> None:
    """Refuse explanations of sequences whose frame sizes differ.

    Raises:
        VadlocError: The frame sizes of two sequences differ.
    """
    first = explained[0]
    for content in explained:
        if any(content[key] != first[key] for key in ("height_px", "width_px")):
            raise VadlocError(
                f"{content['sequence']}: frames of {content['width_px']} x {content['height_px']} "
                f"px, those of {first['sequence']} have {first['width_px']} x "
                f"{first['height_px']}; bring all sequences to one size"
            )


def check_explained(
    explained: list[dict[str, Any]], model: Exemplars, *, sources: set[str]
) -> None:
    """Refuse explanations that do not fit the model.

    Args:
        explained: The explanations of each test sequence.
        model: The exemplars of all regions.
        sources: Names of the sequences from which exemplars come.

    Raises:
        VadlocError: Frame size, regions or training sequences differ from those of the model.
    """
    for content in explained:
        volumes = [
            detection[name]
            for detection in content["detections"]
            for name in ("peak", "nearest")
            if detection.get(name)
        ]
        named = {volume["sequence"] for volume in volumes if "sequence" in volume}
        size = content["height_px"], content["width_px"]
        highest = max((volume["region"] for volume in volumes), default=0)
        if (
            size != (model.height_px, model.width_px)
            or highest >= model.region_count
            or not named <= sources
        ):
            raise VadlocError(
                f"{content['sequence']}: its explanations are of another model; make them again: "
                "anomaly_detection.explain_anomalies --overwrite"
            )


def explained_to_report(
    explained: list[dict[str, Any]],
    config: Config,
    *,
    train: tuple[str, ...],
    mined: tuple[str, ...] = (),
) -> Report:
    """What all sequences of the report have in common.

    Args:
        explained: Content of the explanations of each test sequence; all have one frame size.
        config: The config.
        train: Names of the training sequences.
        mined: Names of the sequences from which exemplars were mined.
    """
    sizes = (explained[0][key] for key in ("height_px", "width_px", "region_px", "cell_px"))
    grid = RegionGrid(*sizes)
    return Report(
        height_px=grid.height_px,
        width_px=grid.width_px,
        cell_px=grid.stride_px,
        cells=grid.cells,
        clip_seconds=config.report.clip_seconds,
        clip_frames_per_second=config.report.clip_frames_per_second,
        clip_side_px=config.report.clip_side_px,
        top_score=max(max(content["frame_scores"]) for content in explained),
        train=train,
        mined=mined,
    )


def _sheets(
    tiles: NDArray[np.uint8] | list[Image], columns: int, *, capacity: int | None = None
) -> Iterator[tuple[int, Image]]:
    """Number and image of each sheet of all tiles; square sheets if no capacity is given."""
    sheets = Sheets(columns=columns, capacity=capacity or columns**2)
    for image in tiles:
        yield from sheets.add(image)
    yield from sheets.flush()
