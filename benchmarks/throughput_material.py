"""The data of ``throughput.py``: video of any size, and features of any number of volumes."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.inputs import Split
from vadloc.sample_scene.film import shoot
from vadloc.sample_scene.scenes.street import build
from vadloc.sample_scene.scenes.street_traffic import write_scripts
from vadloc.stamps import SCHEMAS
from vadloc.video.frames import (
    Sequence,
    read_frames,
)

SPLITS: tuple[Split, ...] = ("train", "test")
NOISE_LEVELS = 2.0
JPEG_QUALITY = 90
SEED = 0
RENDERED = 200
"""Frames of a sequence of the sample scene."""

SEQUENCES = 2
"""Number of sequences of each split: the number of cores of the machine in the tables."""

WIDTHS = {"appearance": 256, "momentum": 12}
"""Columns of each extractor for a synthetic volume, 268 together."""

SIDE_REGIONS = 10
REGIONS = SIDE_REGIONS**2
SYNTHETIC_SEQUENCES = 10
SPREAD = 0.05
"""Standard deviation of volumes about their prototype; prototypes lie between 0 and 1."""

CONFIG = """
version = "{version}"
[dataset]
name = "{name}"
train = "{name}/Train"
test = "{name}/Test"
ground_truth = "{name}/Test"
frames_per_second = 15
[regions]
size_px = {region}
stride_px = {stride}
[exemplars]
threshold = {threshold}
"""


def write_config(
    folder: Path, name: str, *, region: int, version: str = "momentum", threshold: float = 0.05
) -> Path:
    """Write the config of a dataset below the folder. Returns its path."""
    path = folder / f"{name}_{region}.toml"
    settings = {"region": region, "stride": region // 2, "threshold": threshold}
    path.write_text(CONFIG.format(name=name, version=version, **settings))
    return path


def rendered_frames(number: int) -> Iterator[NDArray[np.uint8]]:
    """RGB frames of one of the five sequences of the sample scene."""
    frames = itertools.cycle(range(RENDERED))
    for shot in shoot(write_scripts(SEED)[number], build(SEED), frames, seed=SEED):
        yield shot.image


def own_frames(video: Path) -> Iterator[NDArray[np.uint8]]:
    """RGB frames of a folder or video file, repeated without end."""
    while True:
        yield from read_frames(Sequence(video.stem, video), colour="rgb")


def fit_frame(
    rgb: NDArray[np.uint8], width: int, height: int, noise: NDArray[np.int16] | None
) -> NDArray[np.uint8]:
    """A frame scaled to a size, with sensor noise if it was enlarged, as BGR for OpenCV."""
    larger = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)
    if noise is not None:
        larger = np.clip(larger + noise, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(larger, cv2.COLOR_RGB2BGR), np.uint8)


def write_video_set(
    folder: Path, name: str, *, width: int, height: int, frames: int, video: Path | None
) -> None:
    """Write two training and two test sequences as JPEG files; test has one annotated box."""
    random = np.random.default_rng(SEED)
    field = random.normal(0, NOISE_LEVELS, (height, width, 3)).round().astype(np.int16)
    for split, number in itertools.product(("Train", "Test"), range(SEQUENCES)):
        sequence = folder / name / split / f"{split}{number}"
        sequence.mkdir(parents=True)
        source = own_frames(video) if video else rendered_frames(number + 3 * (split == "Test"))
        for index, rgb in enumerate(itertools.islice(source, frames)):
            shift = random.integers(height), random.integers(width)
            noise = None if video else np.roll(field, shift, (0, 1))
            path = str(sequence / f"{index + 1:05d}.jpg")
            picture = fit_frame(rgb, width, height, noise)
            cv2.imwrite(path, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if split == "Test":
            box = f"{width // 2} {height // 2} {width // 8} {height // 4}"
            rows = [f"{index + 1:05d}.jpg 0 {box}\n" for index in range(frames // 2, frames)]
            (sequence / f"{sequence.name}_gt.txt").write_text("".join(rows))


def synthetic_artifacts(
    folder: Path, results: Path, *, volumes: int, prototypes: int
) -> tuple[Path, Artifacts]:
    """A config and results of sequences that have features but no frames.

    Stamps use only names and bytes of frame files, so one empty file per sequence is enough.
    """
    name = f"volumes_{volumes}_{prototypes}"
    version = "appearance_momentum"
    path = write_config(folder, name, region=32, version=version, threshold=0.1)
    for split, number in itertools.product(("Train", "Test"), range(SYNTHETIC_SEQUENCES)):
        sequence = folder / name / split / f"{number:02d}"
        sequence.mkdir(parents=True, exist_ok=True)
        (sequence / "1.jpg").touch()
    return path, Artifacts(load_config(path), results, folder)


def write_features(artifacts: Artifacts, *, volumes: int, prototypes: int) -> None:
    """Write features of all sequences: volumes around a fixed number of prototypes per region.

    So the number of exemplars is that of the prototypes for any number of volumes.
    """
    random = np.random.default_rng(SEED)
    steps = max(1, volumes // REGIONS // SYNTHETIC_SEQUENCES)
    centres = {
        component: random.random((REGIONS, prototypes, width), np.float32)
        for component, width in WIDTHS.items()
    }
    for split in SPLITS:
        for sequence in artifacts.sequences(split):
            chosen = random.integers(prototypes, size=(steps, REGIONS))
            for component, own in centres.items():
                rows = own[np.arange(REGIONS), chosen].reshape(steps * REGIONS, -1)
                for row in rows:  # one at a time, to avoid a copy of all features
                    row += random.random(len(row), np.float32) * np.float32(SPREAD)
                content = _features_file(sequence.name, component, rows, steps)
                artifacts.features(component, split, sequence.name).save(content)


def _features_file(
    sequence: str, component: str, rows: NDArray[np.float32], steps: int
) -> dict[str, object]:
    """The content of a feature file as extraction writes it; half precision for networks."""
    stored = rows.astype(np.float16) if component == "appearance" else rows
    shares = {"moving_share": rows} if component == "momentum" else {}
    side = 16 * (SIDE_REGIONS + 1)
    return {
        "schema": SCHEMAS["features"],
        "sequence": sequence,
        "frame_count": 5 * steps + 5,
        "height_px": side,
        "width_px": side,
        "region_count": REGIONS,
        "first_frame": 5 * np.arange(steps),
        "components": {component: stored},
        "descriptors": shares,
        "index": np.arange(steps * REGIONS, dtype=np.int32).reshape(steps, REGIONS),
    }
