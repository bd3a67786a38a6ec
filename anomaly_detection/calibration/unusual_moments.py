"""The most unusual moments of the training video: what only one training sequence has.

Everything in the training video counts as normal. An anomaly in it therefore hides later ones that
look like it. It can be found by the scores of a training sequence that is left out of the learning:
a *moment* is a connected part of the score map in which scores are at least ``LEAST_SHARE`` of the
highest one of the sequence, unless it goes on for more than half of it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.regions import RegionGrid

LEAST_SHARE = 0.5
MOST_MOMENTS = 5
ADVICE = (
    "all training video counts as normal, so nothing like this will be an alarm at this place: "
    "look at it, and if it is not normal remove the sequence or cut the video"
)


def scores_to_moments(
    scores: NDArray[np.float32], grid: RegionGrid, *, connectivity: int, first_frame: int = 0
) -> list[dict[str, Any]]:
    """At most ``MOST_MOMENTS`` moments, the highest score first.

    Args:
        scores: ``(frames, cell rows, cell columns)`` of a part of a sequence, left out.
        grid: Regions and cells of the frames.
        connectivity: 8 or 4; see ``scores_to_detections``.
        first_frame: 0-based frame of the sequence at which the part begins.

    Returns:
        For each its ``score``, ``first_frame`` and ``last_frame`` (0-based, inclusive), and box and
        ``place`` of its cells in the frame of the highest score. None if all scores are 0.
    """
    from anomaly_detection.explanation.detections import scores_to_detections
    from anomaly_detection.explanation.sentences import box_to_place

    highest = float(scores.max())
    if highest <= 0:
        return []
    found = scores_to_detections(
        scores, grid, threshold=LEAST_SHARE * highest, connectivity=connectivity
    )
    short = [d for d in found if d.last_frame - d.first_frame < len(scores) / 2]
    moments = []
    for detection in sorted(short, key=lambda d: -d.score)[:MOST_MOMENTS]:
        box = detection.box_xyxy_px[detection.peak[0] - detection.first_frame].tolist()
        moment = {
            "score": detection.score,
            "first_frame": first_frame + detection.first_frame,
            "last_frame": first_frame + detection.last_frame,
            "box_xyxy_px": box,
            "place": box_to_place(box, grid),
        }
        moments.append(moment)
    return moments


def name_moments(
    contents: list[dict[str, Any]], threshold: float, *, is_resolved: bool
) -> list[dict[str, Any]]:
    """The moments of all training sequences that score at least the threshold, highest first.

    Args:
        contents: The calibration of each training sequence.
        threshold: The alarm threshold.
        is_resolved: Whether alarms are allowed in the training video. If not, the threshold lies
            just above all its scores, and the highest moments are named although they are below.

    Returns:
        At most ``MOST_MOMENTS`` moments with their ``sequence``, and ``relative_score``: the score
        divided by the threshold, ``None`` if this is 0.
    """
    moments = [
        {"sequence": content["sequence"], **moment}
        for content in contents
        for moment in content["moments"]
    ]
    moments.sort(key=lambda moment: -moment["score"])
    least = threshold if is_resolved else 0.0
    return [
        {**moment, "relative_score": moment["score"] / threshold if threshold > 0 else None}
        for moment in moments
        if moment["score"] >= least
    ][:MOST_MOMENTS]


def moment_to_line(moment: dict[str, Any]) -> str:
    """Sequence, frames, place and score of a moment in one line.

    Args:
        moment: As ``name_moments`` gives it.
    """
    from exemplar_selection.phrases import frames

    when = frames(moment["first_frame"], moment["last_frame"])
    x0, y0, x1, y1 = moment["box_xyxy_px"]
    times = moment["relative_score"]
    relative = "" if times is None else f", {times:.2f} times the threshold"
    return (
        f"unusual in the training video: {moment['sequence']}, {when}, {moment['place']} "
        f"(x {x0}-{x1}, y {y0}-{y1}): score {moment['score']:.3f}{relative}"
    )
