"""Draw scores and annotation on the frames of a sequence, with a header line and a legend."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluation.figures import overlay
from evaluation.figures.view_files import NOTHING, Files
from vadloc.annotations import find_reader
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.pairing import context_of
from vadloc.annotations.regions import SequenceSize
from vadloc.annotations.ssvad_document import read_document
from vadloc.annotations.ssvad_json import read_ground_truth
from vadloc.annotations.ssvad_prediction import Prediction, read_prediction
from vadloc.errors import UsageError, VadlocError
from vadloc.files.storage import (
    read_array,
    read_json,
)
from vadloc.scores import (
    BoxScores,
    ScoreMap,
)
from vadloc.video import drawing
from vadloc.video.drawing import (
    Colour,
    ColourScale,
    RgbImage,
)
from vadloc.video.frames import (
    Sequence,
    read_frames,
    read_picture,
    sequence_size,
)

READABLE_HEIGHT_PX = 360
"""Smaller frames are magnified to at least this height, so that texts fit beside objects."""
DARK_GREY = 40
"""Grey level of the background if there are no pictures."""
MARGIN_PX = 4


class Look(NamedTuple):
    """How frames are drawn.

    Attributes:
        scale: Colour scale of score maps.
        threshold: As in `ViewOptions`.
        zoom: As in `ViewOptions`.
    """

    scale: ColourScale
    threshold: float | None = None
    zoom: int | None = None


@dataclass(frozen=True)
class Annotated:
    """Ground truth and prediction of one sequence.

    Attributes:
        files: Files of the sequence.
        size: Number and size of the frames.
        truth: Ground truth; ``None`` if there is none.
        prediction: Prediction; ``None`` if there is none.
    """

    files: Files
    size: SequenceSize
    truth: GroundTruth | None
    prediction: Prediction | None


def read_score_map(path: Path, sequence: str) -> ScoreMap:
    """Read a ``.npy`` of ``anomaly_detection.score_anomalies`` and the ``.json`` beside it.

    Args:
        path: The ``.npy``.
        sequence: Name of the sequence.

    Raises:
        VadlocError: A file is missing or damaged, or the two do not fit each other.
    """
    details = path.with_suffix(".json")
    for file in (path, details):
        if not file.is_file():
            raise VadlocError(f"{file}: missing; a score map is a .npy with the .json beside it")
    content = read_json(details)
    keys = ("cell_height_px", "cell_width_px", "frame_height_px", "frame_width_px")
    numbers = [content[key] for key in keys if isinstance(content.get(key), int)]
    if len(numbers) < len(keys):
        raise VadlocError(f"{details}: expected whole numbers for {', '.join(keys)}")
    return ScoreMap(sequence, read_array(path), *numbers)


def read_annotated(
    files: Files, *, ground_truth_format: str = "json", mask_threshold: float | None = None
) -> Annotated:
    """Read prediction and ground truth of a sequence.

    Args:
        files: Files of the sequence.
        ground_truth_format: A key of ``vadloc.annotations.READERS``.
        mask_threshold: Lowest level that is anomalous in masks.

    Raises:
        VadlocError: A file is missing or unusable, or they disagree in number or size of frames.
        UsageError: There is neither prediction nor ground truth.
    """
    prediction, size, truth = None, None, None
    if files.prediction is not None:
        prediction, size = _read_prediction(files, files.prediction)
    if files.truth is not None:
        truth = _read_truth(files, files.truth, ground_truth_format, size, mask_threshold)
        size = SequenceSize(truth.frame_count, truth.height_px, truth.width_px)
    if size is None:
        raise UsageError(NOTHING)
    return Annotated(files, size, truth, prediction)


def _read_prediction(files: Files, path: Path) -> tuple[Prediction, SequenceSize]:
    if path.suffix == ".npy":
        scores = read_score_map(path, files.name)
        prediction = Prediction(files.name, scores.frame_count, scores, None)
        return prediction, SequenceSize(scores.frame_count, scores.height_px, scores.width_px)
    prediction = read_prediction(path, sequence=files.name, maps=files.prediction_maps)
    return prediction, read_document(path).size


def _read_truth(
    files: Files,
    path: Path,
    ground_truth_format: str,
    size: SequenceSize | None,
    mask_threshold: float | None,
) -> GroundTruth:
    """Read the ground truth; formats other than JSON need ``size``, or the frames."""
    if ground_truth_format == "json":
        frames = None if files.frames is None else _frame_source(files)
        return read_ground_truth(
            path,
            sequence=files.name,
            size=size,
            maps=files.truth_maps,
            context=context_of(frames),
        )
    read = find_reader(ground_truth_format)
    size = size or SequenceSize(*sequence_size(_frame_source(files)))
    frames = None if files.frames is None else _frame_source(files)
    context = context_of(frames, mask_threshold=mask_threshold)
    return read(path, files.name, **size._asdict(), context=context)


def _frame_source(files: Files) -> Sequence:
    path = files.frames
    if path is None or not path.exists():
        where = "given" if path is None else f"at {path}"
        raise VadlocError(
            f"{files.name}: no frames {where}; expected a folder of frames or a video"
        )
    return Sequence(files.name, path)


def draw_frames(annotated: Annotated, look: Look) -> Iterator[RgbImage]:
    """Draw all frames of a sequence, one in memory at a time.

    Args:
        annotated: The sequence.
        look: Colours, threshold and magnification.

    Yields:
        RGB uint8 ``(height + strips, width, 3)``, magnified.

    Raises:
        VadlocError: The pictures differ from the annotation in number or size.
    """
    zoom = look.zoom or max(1, -(-READABLE_HEIGHT_PX // annotated.size.height_px))
    for frame, picture in enumerate(_pictures(annotated)):
        yield _draw_frame(annotated, look, frame, picture, zoom)


def _pictures(annotated: Annotated) -> Iterator[RgbImage]:
    """The pictures of all frames; without pictures, a dark background for each frame."""
    files, (frame_count, height, width) = annotated.files, annotated.size
    if files.frames is None and files.pictures is None:
        dark = np.full((height, width, 3), DARK_GREY, np.uint8)
        yield from (dark for _ in range(frame_count))
        return
    count = 0
    for picture in _frames_of(files):
        if picture.shape != (height, width, 3):
            where = files.frames or (files.pictures or ())[count]
            raise VadlocError(
                f"{where}: frames of {picture.shape[1]} x {picture.shape[0]} px, but "
                f"{files.prediction or files.truth} speaks of {width} x {height} px"
            )
        count += 1
        if count <= frame_count:
            yield picture
    if count != frame_count:
        raise VadlocError(
            f"{files.frames}: {count} frames, but {files.prediction or files.truth} speaks of "
            f"{frame_count}; are they of the same sequence?"
        )


def _frames_of(files: Files) -> Iterator[RgbImage]:
    if files.pictures is None:
        return read_frames(_frame_source(files), colour="rgb")
    return (read_picture(path, colour="rgb") for path in files.pictures)


def _draw_frame(
    annotated: Annotated, look: Look, frame: int, picture: RgbImage, zoom: int
) -> RgbImage:
    """One magnified frame between the header line and the legend."""
    image, score = drawing.magnify(picture, zoom), None
    if annotated.prediction is not None:
        image, score = _draw_prediction(image, annotated.prediction, look, frame, zoom)
    if annotated.truth is not None:
        image = overlay.draw_ground_truth(image, annotated.truth, frame, zoom=zoom)
    height = drawing.text_size("0")[1] + MARGIN_PX
    strip = np.full((height, image.shape[1], 3), drawing.PLATE_COLOUR, np.uint8)
    corner = MARGIN_PX, MARGIN_PX // 2
    header = drawing.draw_line(strip, _header(annotated, look, frame, score), corner)
    return np.vstack([header, image, _draw_legend(strip, corner, annotated, look)])


def _draw_prediction(
    image: RgbImage, prediction: Prediction, look: Look, frame: int, zoom: int
) -> tuple[RgbImage, float | None]:
    """The image with the scores of a frame drawn on it, and the frame score, if there is one."""
    scores = prediction.scores
    if scores is None:
        frame_score = prediction.frame_score
        return image, None if frame_score is None else float(frame_score[frame])
    if isinstance(scores, ScoreMap):
        cells = scores.cells(frame)
        image = overlay.draw_score_map(image, cells, look.scale)
        if look.threshold is not None:
            image = overlay.draw_detected_regions(image, cells, look.threshold)
        return image, float(cells.scores.max())
    boxes, box_scores = (part[scores.frame == frame] for part in (scores.box_xyxy_px, scores.score))
    shown = box_scores >= (-np.inf if look.threshold is None else look.threshold)
    labels = [f"{score:.2f}" for score in box_scores[shown]]
    image = drawing.draw_boxes(image, boxes[shown], labels, zoom=zoom)
    return image, max(box_scores.tolist(), default=None)


def _header(
    annotated: Annotated, look: Look, frame: int, score: float | None
) -> list[tuple[str, Colour]]:
    """The header line: name of the sequence, number and score of a frame, and labels."""
    truth, count = annotated.truth, annotated.size.frame_count
    words = f"{annotated.files.name}   frame {frame + 1} of {count}"
    if annotated.prediction is not None:
        words += "   no detection" if score is None else f"   frame score {score:.3f}"
    pieces = [(words, drawing.TEXT_COLOUR)]
    if score is not None and look.threshold is not None and score >= look.threshold:
        pieces.append((f"reaches {look.threshold:g}", drawing.DETECTION_COLOUR))
    if truth is not None and truth.anomalous[frame]:
        pieces.append(("annotated as anomalous", drawing.TRUTH_COLOUR))
    return pieces


def _draw_legend(
    strip: RgbImage, corner: tuple[int, int], annotated: Annotated, look: Look
) -> RgbImage:
    """Draw the legend of the colours and lines that the sequence has."""
    scores = None if annotated.prediction is None else annotated.prediction.scores
    is_map = isinstance(scores, ScoreMap)
    keys = []
    if annotated.truth is not None and annotated.truth.region_count:
        keys.append(("annotated, with track", drawing.TRUTH_COLOUR))
    if isinstance(scores, BoxScores) or (is_map and look.threshold is not None):
        keys.append(("detected, with score", drawing.DETECTION_COLOUR))
    return drawing.draw_legend(
        strip,
        corner,
        scale=look.scale if is_map else None,
        threshold=look.threshold if is_map else None,
        keys=keys,
    )
