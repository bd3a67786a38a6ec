"""``visualize`` and ``visualize_dir`` with the arguments of py-ssvad-metrics.

They draw as `evaluation.visualize` does. The arguments for the thickness of lines, the size of
texts and the opacity of colours have no effect; a warning says so if they are given.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from evaluation.figures.view_files import Files
from evaluation.predictions.folders import PathLike
from evaluation.predictions.json_pairs import json_folders_to_pairs
from evaluation.visualize_annotations import ViewOptions, show_files
from vadloc.annotations.ssvad_document import (
    Document,
    read_document,
)
from vadloc.errors import VadlocError

FRAMES_PER_SECOND = 25.0
"""Frame rate of the video if neither the caller nor the ground truth gives it."""


class _Look(NamedTuple):
    """Arguments of both functions from ``line_thickness`` to ``overlay_alpha``."""

    line_thickness: float = 1
    text_scale: float = 1.0
    text_thickness: float = 1.0
    overlay_alpha: float = 0.4


def visualize(
    gt_path: PathLike,
    pred_path: PathLike,
    out_dir: PathLike | None = None,
    video_fps: float | None = None,
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    images_root_dir: PathLike | None = None,
    show_image: bool = True,
    line_thickness: float = 1,
    text_scale: float = 1.0,
    text_thickness: float = 1.0,
    overlay_alpha: float = 0.4,
    threshold: float = 0.0,
) -> str:
    """Draw one sequence as a video; an existing video is replaced.

    Args:
        gt_path: JSON of the ground truth.
        pred_path: JSON of the prediction.
        out_dir: Folder of the video; by default the folder of ``pred_path``.
        video_fps: Frames per second; by default the rate in the ground truth, or else 25.
        gt_score_maps_root_dir: Folder that the paths of maps in the ground truth are relative to;
            by default the folder of the file.
        pred_score_maps_root_dir: The same for the prediction.
        images_root_dir: The same for the pictures that the ground truth names.
        show_image: True to draw on the pictures, False to draw on a dark background.
        line_thickness: Has no effect.
        text_scale: Has no effect.
        text_thickness: Has no effect.
        overlay_alpha: Has no effect.
        threshold: Boxes with lower scores are left out, and parts of maps with at least this score
            are outlined; 0 shows all boxes.

    Returns:
        Path of the video.

    Raises:
        VadlocError: A file or picture is missing or unusable, or files do not fit each other.
    """
    _warn_of(_Look(line_thickness, text_scale, text_thickness, overlay_alpha))
    folder = Path(pred_path).parent if out_dir is None else Path(out_dir)
    target = folder / f"{Path(pred_path).stem}.mp4"
    document = read_document(Path(gt_path))
    pictures = _pictures(Path(gt_path), document, images_root_dir) if show_image else None
    files = Files(
        Path(pred_path).stem,
        Path(gt_path),
        Path(pred_path),
        None,
        pictures,
        _path(gt_score_maps_root_dir),
        _path(pred_score_maps_root_dir),
    )
    options = ViewOptions(
        threshold=threshold or None,
        frames_per_second=video_fps or document.frame_rate or FRAMES_PER_SECOND,
        overwrite=True,
    )
    return str(show_files(files, target, options))


def visualize_dir(
    gt_dir: PathLike,
    pred_dir: PathLike,
    out_dir: PathLike | None = None,
    video_fps: float | None = None,
    gt_name_suffix: str = "",
    pred_name_suffix: str = "",
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    images_root_dir: PathLike | None = None,
    show_image: bool = True,
    line_thickness: float = 1,
    text_scale: float = 1.0,
    text_thickness: float = 1.0,
    overlay_alpha: float = 0.4,
    threshold: float = 0.0,
    show_progress: bool = True,
) -> None:
    """Draw all sequences of two folders, each as `visualize` does.

    Args:
        gt_dir: Folder of ``<sequence><gt_name_suffix>.json``.
        pred_dir: Folder of ``<sequence><pred_name_suffix>.json``.
        out_dir: As in `visualize`.
        video_fps: As in `visualize`.
        gt_name_suffix: What follows the sequence's name in the names of ground-truth files.
        pred_name_suffix: The same for the predictions.
        gt_score_maps_root_dir: As in `visualize`.
        pred_score_maps_root_dir: As in `visualize`.
        images_root_dir: As in `visualize`.
        show_image: As in `visualize`.
        line_thickness: Has no effect.
        text_scale: Has no effect.
        text_thickness: Has no effect.
        overlay_alpha: Has no effect.
        threshold: As in `visualize`.
        show_progress: Whether to show a progress bar on stderr.

    Raises:
        VadlocError: As in `visualize`, or a sequence has only one of its two files.
    """
    _warn_of(_Look(line_thickness, text_scale, text_thickness, overlay_alpha))
    pairs = json_folders_to_pairs(gt_dir, pred_dir, (gt_name_suffix, pred_name_suffix))
    for truth, prediction in tqdm(pairs.values(), unit="sequence", disable=not show_progress):
        visualize(
            truth,
            prediction,
            out_dir,
            video_fps,
            gt_score_maps_root_dir,
            pred_score_maps_root_dir,
            images_root_dir,
            show_image=show_image,
            threshold=threshold,
        )


def _path(path: PathLike | None) -> Path | None:
    return None if path is None else Path(path)


def _warn_of(look: _Look) -> None:
    """Warn about given arguments that have no effect."""
    given = [
        name
        for name, value, default in zip(look._fields, look, _Look(), strict=True)
        if value != default
    ]
    if given:
        warnings.warn(
            f"{', '.join(given)}: without effect, this package draws in its own way", stacklevel=3
        )


def _pictures(path: Path, document: Document, root: PathLike | None) -> tuple[Path, ...]:
    """The picture of each frame.

    Raises:
        VadlocError: A frame names no picture.
    """
    folder = path.parent if root is None else Path(root)
    found = []
    for frame in document.frames:
        name = frame.frame_filepath or frame.frame_filename
        if name is None:
            raise VadlocError(
                f"{path}, frame {frame.frame_id}: no frame_filepath, which names its picture; "
                "show_image=False draws without pictures"
            )
        found.append(folder / name)
    return tuple(found)
