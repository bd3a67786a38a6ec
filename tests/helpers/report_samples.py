"""Made-up explanations of detections in films of squares, and the inputs of the report."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tiny_scene import FRAMES, HEIGHT_PX, WIDTH_PX, film, save_frames

from anomaly_detection.explanation.scene import Scene
from anomaly_detection.report.data import (
    Report,
    SequenceReport,
)
from anomaly_detection.report.scene import SceneReport
from anomaly_detection.report.writer import ReportWriter
from exemplar_selection.distance import FeatureDistance
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.volume_attributes import DIRECTIONS
from feature_extraction.attributes import CLASSES, Attributes
from vadloc.regions import RegionGrid
from vadloc.video.frames import Sequence

GRID = RegionGrid(HEIGHT_PX, WIDTH_PX, 16, 8)
VOLUME_FRAMES = 4
THRESHOLD = 0.2
HOSTILE = "<script>alert(1)</script>&'\"</script><!--"
"""Malicious HTML in a sentence; it has slashes, which names of sequences may not have."""
TEST_NAMES = ("Test000", "<script>boom<", "Test & 'quoted'")
TRAIN_NAMES = ("Train000", "<b>Train")
OF_DOGS = {
    "volumes": 40,
    "moving_volumes": 30,
    "speed": [0.8, 1.5],
    "directions": {"left": 0.9, "up": 0.1},
}
"""What is normal of dogs."""


@dataclass
class Loaded:
    """An artifact with content in memory."""

    content: Any
    stamp: str = "0123456789abcdef"

    def load(self) -> Any:
        return self.content


@dataclass
class FakeArtifacts:
    """The part of ``Artifacts`` that the report writer uses."""

    folder: Path
    explained: list[dict[str, Any]]
    config: Any = None

    def __post_init__(self) -> None:
        self.config = SimpleNamespace(dataset=SimpleNamespace(name="made-up"))

    def sequence(self, split: str, name: str) -> Sequence:
        names = TEST_NAMES if split == "test" else TRAIN_NAMES
        return Sequence(name, self.folder / split / f"{names.index(name)}")

    def scores(self, name: str) -> Loaded:
        content = next(e for e in self.explained if e["sequence"] == name)
        frames = np.array(content["frame_scores"], np.float32)
        return Loaded(np.repeat(frames, GRID.cells[0] * GRID.cells[1]).reshape(-1, *GRID.cells))

    def report_page(self) -> Loaded:
        return Loaded(None)


def attributes(random: np.random.Generator, *, classes: bool) -> dict[str, Any]:
    """Attributes of one volume, with or without classes."""
    shares = random.dirichlet(np.full(12, 0.3)).round(4)
    probability = random.random(len(CLASSES)).round(4).tolist()
    return {
        "classes": dict(zip(CLASSES, probability, strict=True)) if classes else None,
        "direction_share": shares.tolist(),
        "speed_px_per_frame": random.random(12).round(4).tolist(),
        "moving_share": float(random.random().__round__(3)),
        "speed": float(random.uniform(0.8, 6).__round__(3)),
        "direction": str(random.choice(DIRECTIONS)),
        "class": CLASSES[number_of_most(probability)] if classes else None,
    }


def number_of_most(probability: list[float]) -> int:
    return max(range(len(CLASSES)), key=lambda k: probability[k])


def detection(random: np.random.Generator, number: int, *, classes: bool) -> dict[str, Any]:
    """One detection at a random position in a film."""
    first, last = sorted(random.integers(0, FRAMES, 2).tolist())
    peak = int(random.integers(first, last + 1))
    region = int(random.integers(GRID.region_count))
    box = list(GRID.box_xyxy_px(region))
    start = min(max(0, peak - 2), FRAMES - VOLUME_FRAMES)
    volume = {"region": region, "box_xyxy_px": box}
    known = int(random.integers(FRAMES - VOLUME_FRAMES))
    share = float(random.random().__round__(3))
    return {
        "id": number,
        "score": float(random.uniform(THRESHOLD, 1.2).__round__(4)),
        "first_frame": first,
        "last_frame": last,
        "peak_frame": peak,
        "boxes_xyxy_px": [box] * (last - first + 1),
        "place": "upper left",
        "peak": volume
        | {"first_frame": start, "last_frame": start + VOLUME_FRAMES - 1, "distance": 0.91}
        | {"shares": {"momentum": share, "appearance": round(1 - share, 3)}}
        | {"attributes": attributes(random, classes=classes)},
        "nearest": volume
        | {"sequence": TRAIN_NAMES[number % 2], "first_frame": known}
        | {"last_frame": known + VOLUME_FRAMES - 1, "count": 312}
        | {"attributes": attributes(random, classes=classes)},
        "normal": {
            "exemplars": 41,
            "volumes": 8160,
            "moving_volumes": 300,
            "speed": [0.8, 1.9],
            "moving_share": [0.0, 0.4],
            "directions": {"left": 0.6, "right": 0.4},
            "classes": dict.fromkeys(CLASSES, 0.3) if classes else None,
            "by_class": {"dog": OF_DOGS} if classes else {},
        },
        "unusual": [
            {"attribute": "speed", "value": 5.1, "low": 0.8, "high": 1.9, "unit": "px/frame"}
            | {"of": None, "component": "momentum", "share": share},
            {"attribute": "place", "value": "car", "component": "appearance", "share": 0.2},
        ],
        "sentence": f"Frames {first + 1}-{last + 1}, upper left: something that moves. {HOSTILE}",
    }


def explanation(name: str, *, detections: int, seed: int, classes: bool = True) -> dict[str, Any]:
    """The content of an explanations file."""
    random = np.random.default_rng(seed)
    return {
        "schema": 1,
        "sequence": name,
        "frame_count": FRAMES,
        "height_px": HEIGHT_PX,
        "width_px": WIDTH_PX,
        "frames_per_second": 10.0,
        "cell_px": GRID.stride_px,
        "region_px": GRID.size_px,
        "frames_per_volume": VOLUME_FRAMES,
        "version": "appearance_momentum",
        "components": ["appearance", "momentum"],
        "threshold": THRESHOLD,
        "threshold_from": {"kind": "fixed"},
        "frame_scores": random.uniform(0, 1.2, FRAMES).round(4).tolist(),
        "detections": [detection(random, i, classes=classes) for i in range(detections)],
    }


def made_up_scene() -> Scene:
    """A scene with two exemplars per region; the one feature is the exemplar's number."""
    count = 2 * GRID.region_count
    random = np.random.default_rng(0)
    model = Exemplars(
        distance=FeatureDistance((1,), (1.0,), (1.0,)),
        components=("momentum",),
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        sequences=TRAIN_NAMES,
        offsets=np.arange(0, count + 1, 2),
        features=np.arange(count, dtype=np.float32)[:, None],
        counts=random.integers(1, 400, count),
        sequence=np.arange(count) % 2,
        first_frame=random.integers(0, FRAMES - VOLUME_FRAMES, count),
        descriptors={},
    )
    shares = random.dirichlet(np.full(12, 0.3), count).astype(np.float32)
    moving = random.random(count).astype(np.float32)
    speeds = random.uniform(0.8, 4, (count, 12)).astype(np.float32)
    known = random.random((count, 8), np.float32), shares, speeds, moving

    def reader(features: NDArray[np.float32], _: object) -> Attributes:
        rows = features[:, 0].astype(int)
        return Attributes(*(values[rows] for values in known))

    tables = {
        "scoring": SimpleNamespace(neighbourhood=0),
        "regions": SimpleNamespace(frames_per_volume=VOLUME_FRAMES),
    }
    floors = np.zeros(GRID.region_count)
    return Scene(SimpleNamespace(**tables), model, GRID, reader, floors)  # type: ignore[arg-type]


def report_of(explained: list[dict[str, Any]]) -> Report:
    """The settings of the report page."""
    return Report(
        height_px=HEIGHT_PX,
        width_px=WIDTH_PX,
        cell_px=GRID.stride_px,
        cells=GRID.cells,
        clip_seconds=2.0,
        clip_frames_per_second=12.5,
        clip_side_px=480,
        top_score=max(max(content["frame_scores"]) for content in explained),
        train=TRAIN_NAMES,
    )


def save_films(folder: Path) -> None:
    """The frames of all sequences, in folders with harmless names."""
    for split, names in (("test", TEST_NAMES), ("train", TRAIN_NAMES)):
        for place in range(len(names)):
            save_frames(folder / split / str(place), film(seed=place, anomaly_column=20))


def writer_of(folder: Path, explained: list[dict[str, Any]]) -> ReportWriter:
    """The writer of a report of these explanations; ``save_films`` must have been called."""
    report = report_of(explained)
    return ReportWriter(
        artifacts=FakeArtifacts(folder, explained),  # type: ignore[arg-type]
        report=report,
        sequences=[SequenceReport(i, content, report) for i, content in enumerate(explained)],
        scene=SceneReport(made_up_scene(), report),
        bands={TEST_NAMES[0]: [[8, 15]], TEST_NAMES[1]: []},
    )


def pixels(path: Path) -> NDArray[np.uint8]:
    """A picture file as an array."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)
