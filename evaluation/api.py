"""Python functions that evaluate predictions in files against ground truth in files.

    from evaluation import accumulated_evaluate

    result = accumulated_evaluate("ground_truth", "predictions", gt_name_suffix="_gt")
    result["region_roc_auc"], result["track_roc_auc"], result["frame_roc_auc"]

All functions return one dict with the content of ``summary.json``: the eight numbers of
py-ssvad-metrics, those of vadloc, counts, and under ``undefined`` the reason for every number that
is ``None``. Under ``curves`` it has the arrays of `evaluation.results.result_to_curves`.
"""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from evaluation.criteria.options import CriteriaOptions
from evaluation.each_sequence import Boxes, Source, evaluate_each, summarize
from evaluation.predictions.folders import Load, PathLike, TruthFolder, folder_to_loads, frames_of
from evaluation.predictions.json_pairs import json_folders_to_loads, json_to_load
from evaluation.predictions.readers import list_folder
from vadloc.annotations import find_reader
from vadloc.annotations.pairing import check_pairs
from vadloc.errors import VadlocError, some_of
from vadloc.video.frames import natural_key
from vadloc.video.numbering import one_spelling

logger = logging.getLogger(__name__)


def evaluate(
    gt_path: PathLike,
    pred_path: PathLike,
    *,
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    alpha: float = CriteriaOptions.alpha,
    beta: float = CriteriaOptions.beta,
    connectivity: int = CriteriaOptions.connectivity,
    pixel_share: float = CriteriaOptions.pixel_share,
    dual_share: float = CriteriaOptions.dual_share,
    rule: str = CriteriaOptions.rule,
    alarm_threshold: float = CriteriaOptions.alarm_threshold,
    boxes: Boxes = "regions",
) -> dict[str, Any]:
    """Evaluate one sequence, given as JSON files of py-ssvad-metrics.

    Args:
        gt_path: JSON of the ground truth.
        pred_path: JSON of the prediction.
        gt_score_maps_root_dir: Folder that the paths of maps in the ground truth are relative to;
            by default the folder of the file.
        pred_score_maps_root_dir: The same for the prediction.
        alpha: Least share of a track's regions that must be found.
        beta: Least intersection over union of a match.
        connectivity: 8 or 4, the neighbourhood by which pixels form detected regions.
        pixel_share: Least share of a frame's anomalous pixels that must be detected.
        dual_share: Least share of the detected pixels that must be anomalous (dual pixel level).
        rule: Area rule for region and track curves: ``envelope``, ``ssvad`` (the numbers of
            py-ssvad-metrics), ``grid100`` or ``hold``.
        alarm_threshold: Least score at which a frame raises an alarm, for the false alarm rate.
        boxes: With ``regions``, each predicted box is a detected region. With ``map``, boxes are
            first painted to a map; where boxes overlap, the map has the mean of their scores.

    Returns:
        Numbers by name, ``counts``, ``options``, ``undefined`` and ``curves``.

    Raises:
        VadlocError: A file or an option is unusable; the message says which and why.
    """
    options = _options(alpha, beta, connectivity, pixel_share, dual_share, rule, alarm_threshold)
    load = json_to_load(gt_path, pred_path, gt_score_maps_root_dir, pred_score_maps_root_dir)
    source = Source(str(gt_path), "json")
    return evaluate_sequences([load], options=options, boxes=boxes, source=source)


def accumulated_evaluate(
    gt_dir: PathLike,
    pred_dir: PathLike,
    *,
    gt_name_suffix: str = "",
    pred_name_suffix: str = "",
    gt_score_maps_root_dir: PathLike | None = None,
    pred_score_maps_root_dir: PathLike | None = None,
    alpha: float = CriteriaOptions.alpha,
    beta: float = CriteriaOptions.beta,
    connectivity: int = CriteriaOptions.connectivity,
    pixel_share: float = CriteriaOptions.pixel_share,
    dual_share: float = CriteriaOptions.dual_share,
    rule: str = CriteriaOptions.rule,
    alarm_threshold: float = CriteriaOptions.alarm_threshold,
    boxes: Boxes = "regions",
    jobs: int = 1,
    show_progress: bool = True,
) -> dict[str, Any]:
    """Evaluate all sequences of a test set together, given as JSON files of py-ssvad-metrics.

    The ground truth of a sequence is ``<sequence><gt_name_suffix>.json``, its prediction
    ``<sequence><pred_name_suffix>.json``.

    Args:
        gt_dir: Folder of the ground truth.
        pred_dir: Folder of the predictions.
        gt_name_suffix: End of the names of ground-truth files after the sequence, such as ``_gt``.
        pred_name_suffix: The same for the predictions.
        gt_score_maps_root_dir: As in `evaluate`.
        pred_score_maps_root_dir: As in `evaluate`.
        alpha: As in `evaluate`.
        beta: As in `evaluate`.
        connectivity: As in `evaluate`.
        pixel_share: As in `evaluate`.
        dual_share: As in `evaluate`.
        rule: As in `evaluate`.
        alarm_threshold: As in `evaluate`.
        boxes: As in `evaluate`.
        jobs: Number of processes that evaluate sequences; it has no effect on the result.
        show_progress: Whether to show a progress bar on stderr.

    Returns:
        A dict as from `evaluate`.

    Raises:
        VadlocError: A file or an option is unusable, or a sequence has only one of its two files.
    """
    options = _options(alpha, beta, connectivity, pixel_share, dual_share, rule, alarm_threshold)
    suffixes = gt_name_suffix, pred_name_suffix
    maps = gt_score_maps_root_dir, pred_score_maps_root_dir
    loads = json_folders_to_loads(gt_dir, pred_dir, suffixes, maps)
    return evaluate_sequences(
        loads,
        options=options,
        boxes=boxes,
        jobs=jobs,
        show_progress=show_progress,
        source=Source(str(gt_dir), "json"),
    )


def evaluate_folder(
    gt_dir: PathLike,
    pred_dir: PathLike,
    *,
    gt_format: str,
    frames: PathLike | None = None,
    size_px: tuple[int, int] | None = None,
    sequences: Collection[str] | None = None,
    pred_name_suffix: str = "",
    options: CriteriaOptions | None = None,
    boxes: Boxes = "regions",
    jobs: int = 1,
    show_progress: bool = False,
    plots: Path | None = None,
    mask_threshold: float | None = None,
) -> dict[str, Any]:
    """Evaluate predictions in any supported format against ground truth in any supported format.

    Args:
        gt_dir: Folder of the ground truth.
        pred_dir: Folder of the predictions.
        gt_format: Format of the ground truth, a key of `vadloc.annotations.READERS`.
        frames: Folder of the sequences' frames or videos, needed if predictions and ground truth do
            not give the number or size of the frames. If they do, it must agree with them.
        size_px: Width and height of all frames, instead of ``frames``.
        sequences: Names of the sequences to evaluate; by default all, and then a sequence of the
            ground truth without a prediction is an error.
        pred_name_suffix: What follows the sequence's name in the names of predictions.
        options: Options of the criteria; ``None`` for the defaults.
        boxes: As in `evaluate`.
        jobs: As in `accumulated_evaluate`.
        show_progress: As in `accumulated_evaluate`.
        plots: Folder for figures of curves and scores; ``None`` for no figures.
        mask_threshold: Lowest level that is anomalous in masks; ``None`` accepts only masks of two
            levels.

    Returns:
        A dict as from `evaluate`.

    Raises:
        VadlocError: A file or an option is unusable, or a sequence has only one of its two parts.
    """
    find_reader(gt_format)
    folder, is_part = Path(pred_dir), sequences is not None
    predictions, unread = list_folder(folder, suffix=pred_name_suffix)
    names = _chosen(predictions, sequences, folder)
    truth = TruthFolder(Path(gt_dir), gt_format, mask_threshold)
    check_pairs(*truth[:2], names, what="prediction", unread=unread, is_part=is_part)
    if unread and not is_part:
        logger.warning("%s: not read, since of no known kind: %s", folder, some_of(unread))
    frame_files = {} if frames is None else frames_of(names, Path(frames))
    return evaluate_sequences(
        folder_to_loads(truth, predictions, names, frame_files, size_px),
        options=options or CriteriaOptions(),
        boxes=boxes,
        jobs=jobs,
        show_progress=show_progress,
        plots=plots,
        source=Source(str(gt_dir), gt_format),
    )


def _chosen(
    predictions: Collection[str], sequences: Collection[str] | None, folder: Path
) -> list[str]:
    """The names of the sequences to evaluate: the requested ones, or else all."""
    if sequences is None:
        return list(predictions)
    names = sorted({one_spelling(name) for name in sequences}, key=natural_key)
    missing = [name for name in names if name not in predictions]
    if missing:
        raise VadlocError(
            f"{folder}: no prediction of {missing[0]}; there are {', '.join(predictions)}"
        )
    return names


def evaluate_sequences(
    loads: Sequence[Load],
    *,
    options: CriteriaOptions,
    boxes: Boxes = "regions",
    jobs: int = 1,
    show_progress: bool = False,
    plots: Path | None = None,
    source: Source | None = None,
) -> dict[str, Any]:
    """Evaluate sequences that are opened by functions.

    The frames of a sequence are also processed in parallel, by as many threads as `thread_count`
    allows.

    Args:
        loads: A function for each sequence that opens it; it can be pickled if ``jobs`` is above 1.
        options: Options of the criteria.
        boxes: As in `evaluate`.
        jobs: As in `accumulated_evaluate`.
        show_progress: As in `accumulated_evaluate`.
        plots: As in `evaluate_folder`.
        source: Description of the ground truth, for the summary.

    Returns:
        A dict as from `evaluate`.

    Raises:
        VadlocError: The error of the first sequence that cannot be evaluated.
    """
    parts = evaluate_each(
        loads, options=options, boxes=boxes, jobs=jobs, show_progress=show_progress
    )
    return summarize([(source or Source(), parts)], options=options, plots=plots)


def _options(
    alpha: float,
    beta: float,
    connectivity: int,
    pixel_share: float,
    dual_share: float,
    rule: str,
    alarm_threshold: float,
) -> CriteriaOptions:
    """Options from the arguments of the public functions."""
    return CriteriaOptions(
        alpha=alpha,
        beta=beta,
        connectivity=connectivity,
        pixel_share=pixel_share,
        dual_share=dual_share,
        rule=rule,
        alarm_threshold=alarm_threshold,
    )
