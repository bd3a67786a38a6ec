"""Pictures of a test sequence, frame by frame, with scores and detections."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from anomaly_detection.views.frames import View, draw_views
from vadloc.artifacts import Artifacts
from vadloc.features import check_scores
from vadloc.files.storage import replacing
from vadloc.regions import RegionGrid
from vadloc.video.drawing import RgbImage
from vadloc.video.frames import read_frames
from vadloc.video.times import Clock

PNG_LEVEL = 3
"""Compression level: four times as fast as the default of 6, with files 6 % larger."""


def draw_sequence(artifacts: Artifacts, sequence: str) -> tuple[Clock, Iterator[RgbImage]]:
    """All frames of a test sequence with its scores and detections, drawn one at a time.

    Returns:
        The times of the frames, and the pictures: RGB uint8 ``(height, width, 3)``.

    Raises:
        VadlocError: Scores, explanations or frames are missing, or the frames do not fit them.
    """
    truth: dict[str, Any] = {"anomalous_frames": {}, "regions": {}}
    if artifacts.config.ground_truths:
        truth = artifacts.evaluation("frame_labels.json").load()
    explained = artifacts.explanations(sequence).load()
    scores = artifacts.scores(sequence).load()
    sizes = (explained[key] for key in ("height_px", "width_px", "region_px", "cell_px"))
    check_scores(scores, (explained["frame_count"], *RegionGrid(*sizes).cells), sequence)
    view = View(
        explained=explained,
        scores=scores,
        stretches=truth["anomalous_frames"].get(sequence),
        regions=truth["regions"].get(sequence),
    )
    frames = read_frames(artifacts.sequence("test", sequence), colour="rgb")
    return view.clock, draw_views(view, frames)


def write_pictures(folder: Path, images: Iterator[RgbImage]) -> int:
    """Write ``00001.png`` and so on, counted from 1, in place of older pictures.

    Args:
        folder: The folder of the pictures; it is made if it does not exist.
        images: RGB uint8 ``(height, width, 3)``, one in memory at a time.

    Returns:
        Number of pictures.
    """
    for old in folder.glob("*.png"):
        old.unlink()
    count = 0
    for count, image in enumerate(images, start=1):
        with replacing(folder / f"{count:05d}.png") as file:
            Image.fromarray(image).save(file, "PNG", compress_level=PNG_LEVEL)
    return count
