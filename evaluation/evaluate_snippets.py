"""Evaluate scores of frames of videos that are labelled by class, as papers on weak labels do.

    python -m evaluation.evaluate_snippets --scores DIR --test LIST --frame-labels FILE

ranks all frames of all test videos together. It prints the area under the ROC curve, the average
precision, the share of normal frames with a score of 0.5 or more (of all normal frames, and of
those of videos without any anomaly), and the area for each class: its videos and the normal ones.
It writes ``summary.json`` and, with the truth shaded, the scores of each video to ``plots/``, all
beside the folder of scores.

``--frame-labels`` is a file of lines ``name [class] first last ...``, or a folder with
``<name>.npy``, one label for each frame.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.console import CommandParser, add_verbose_option
from vadloc.errors import UsageError, VadlocError

if TYPE_CHECKING:  # --help needs no NumPy
    import numpy as np
    from numpy.typing import NDArray

    from vadloc.weak_labels import Labelled

THRESHOLD = 0.5


@dataclass(frozen=True)
class ScoredVideo:
    """A test video.

    Attributes:
        label: ``normal``, ``anomalous`` or its class; several are joined by ``+``.
        scores: ``(frames,)``.
        anomalous: ``(frames,)`` bool.
    """

    label: str
    scores: "NDArray[np.floating]"
    anomalous: "NDArray[np.bool_]"

    @property
    def classes(self) -> list[str]:
        """The classes of its anomalies."""
        return self.label.split("+")


def read_videos(scores: Path, test: Path, frame_labels: Path) -> dict[str, ScoredVideo]:
    """The scores and the truth of all test videos.

    Raises:
        UsageError: A file is missing, or labels do not fit: of other frames, or of anomalies in a
            video that the list calls normal.
        VadlocError: Scores cannot be read.
    """
    from vadloc.weak_labels import frame_truth, read_intervals, read_labels

    truth = frame_labels if frame_labels.is_dir() else read_intervals(frame_labels)
    found = {}
    for video in read_labels(test):
        values = _read_scores(scores / f"{video.name}.npy")
        if not isinstance(truth, Path) and not video.is_anomalous:
            truth.setdefault(video.name, [])  # XD-Violence lists only videos with anomalies
        labels = frame_truth(video.name, truth, frames=len(values), of=frame_labels)
        if labels.any() != video.is_anomalous:
            has = "anomalous frames" if labels.any() else "no anomalous frame"
            raise UsageError(
                f"{frame_labels}: {video.name} has {has}, {test} calls it {video.label}"
            )
        found[video.name] = ScoredVideo(video.label, values[: len(labels)], labels)
    return found


def _read_scores(path: Path) -> "NDArray[np.floating]":
    import numpy as np

    try:
        values: NDArray[np.floating] = np.load(path, allow_pickle=False)
    except OSError:
        raise UsageError(
            f"{path}: no scores of this test video; make them with anomaly_detection."
            "train_on_snippets"
        ) from None
    except (ValueError, EOFError):
        raise VadlocError(f"{path}: not a plain .npy array of scores") from None
    if values.ndim != 1 or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise VadlocError(f"{path}: {values.dtype} of shape {values.shape}, expected finite scores")
    return values


def evaluate_videos(videos: Mapping[str, ScoredVideo]) -> dict[str, Any]:
    """The numbers of the summary; ``None`` where one is undefined.

    Args:
        videos: All test videos.
    """
    normal = {name: video for name, video in videos.items() if not video.anomalous.any()}
    classes = sorted({of for v in videos.values() if v.anomalous.any() for of in v.classes})
    by_class = {
        label: _numbers([v for n, v in videos.items() if label in v.classes or n in normal])
        for label in classes
        if label != "anomalous"
    }
    alarms = _numbers(list(normal.values()))["false_alarm_rate"] if normal else None
    return {
        "videos": len(videos),
        "normal_videos": len(normal),
        "frames": sum(len(video.scores) for video in videos.values()),
        **_numbers(list(videos.values())),
        "normal_video_false_alarm_rate": alarms,
        "auc_by_class": {label: numbers["frame_roc_auc"] for label, numbers in by_class.items()},
    }


def numbers_by_class(
    shown: "Mapping[str, tuple[NDArray[np.floating], NDArray[np.bool_]]]", classes: Path
) -> dict[str, Any]:
    """The numbers of `evaluate_videos` for sequences whose classes a list gives.

    Args:
        shown: Scores and truth of the frames of each sequence.
        classes: List of the sequences with their classes.

    Raises:
        UsageError: The list lacks a sequence, or contradicts the truth.
    """
    labels = listed_classes(classes, shown)
    videos = {}
    for name, (scores, anomalous) in shown.items():
        if labels[name].is_anomalous != anomalous.any():
            raise UsageError(
                f"{classes}: line {labels[name].line} calls {name} {labels[name].label}; the "
                f"ground truth has {int(anomalous.sum())} anomalous frames of it"
            )
        videos[name] = ScoredVideo(labels[name].label, scores, anomalous)
    return evaluate_videos(videos)


def listed_classes(classes: Path, names: Iterable[str]) -> dict[str, "Labelled"]:
    """The lines of a list of classes, by name.

    Raises:
        UsageError: The list cannot be read, or lacks one of the names.
    """
    from vadloc.weak_labels import read_labels

    labels = {video.name: video for video in read_labels(classes)}
    if lacking := [name for name in names if name not in labels]:
        raise UsageError(
            f"{classes}: does not name {lacking[0]}; expected a line for each of the sequences"
        )
    return labels


def _numbers(videos: list[ScoredVideo]) -> dict[str, float | None]:
    import numpy as np

    from evaluation.criteria.ranking import (
        RankedFrames,
        average_precision,
        false_alarm_rate,
        roc_result,
    )

    scores = np.concatenate([video.scores for video in videos])
    anomalous = np.concatenate([video.anomalous for video in videos])
    found = scores[anomalous]
    frames = RankedFrames(scores[~anomalous], found, np.ones(len(found), np.int64), len(found))
    values = {
        "frame_roc_auc": roc_result(frames).auc,
        "frame_average_precision": average_precision(frames),
        "false_alarm_rate": false_alarm_rate(frames, threshold=THRESHOLD),
    }
    return {n: None if v is None or v.reason else float(v.value) for n, v in values.items()}


def numbers_to_text(summary: Mapping[str, Any]) -> str:
    """The numbers for the terminal."""
    labels = {
        "frame_roc_auc": "frame AUC (micro)",
        "frame_average_precision": "average precision",
        "false_alarm_rate": f"false alarms, normal frames (from {THRESHOLD:g} on)",
        "normal_video_false_alarm_rate": "false alarms, frames of normal videos",
    }
    numbers = {text: summary[name] for name, text in labels.items()}
    numbers |= {f"frame AUC, {label}": v for label, v in summary["auc_by_class"].items()}
    width = max(map(len, numbers)) + 2
    return "\n".join(
        f"{text:<{width}}{'undefined' if value is None else format(value, '.4f')}"
        for text, value in numbers.items()
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = CommandParser(description="Evaluate scores of frames, as papers on weak labels do.")
    add = parser.add_argument
    add("--scores", type=Path, required=True, metavar="DIR", help="with <video>.npy of each video")
    add("--test", type=Path, required=True, metavar="LIST", help="test videos with labels")
    add("--frame-labels", type=Path, required=True, metavar="PATH", help="file or folder")
    add("--no-plots", action="store_true", help="draw no plots")
    add_verbose_option(parser)
    args = parser.parse_args(argv)
    from vadloc.process import emit, exit_status

    with exit_status(verbose=args.verbose):
        from vadloc.files.storage import replacing

        videos = read_videos(args.scores, args.test, args.frame_labels)
        summary = evaluate_videos(videos)
        path = args.scores.parent / "summary.json"
        with replacing(path) as file:
            file.write((json.dumps(summary, indent=1) + "\n").encode())
        if not args.no_plots:
            from evaluation.figures.score_plots import draw_videos

            shown = {name: (v.scores, v.anomalous) for name, v in videos.items()}
            draw_videos(args.scores.parent / "plots", shown, threshold=THRESHOLD)
        emit(f"{numbers_to_text(summary)}\nsummary: {path}")


if __name__ == "__main__":
    main()
