"""Estimate without labels how well a version works: which pseudo-anomalies it finds.

    python -m anomaly_detection.estimate_quality --config configs/ped2.toml

puts pseudo-anomalies into the training video (``feature_extraction.make_pseudo_anomalies``) and
scores each of them, and the same frames without it, with the version as it stands. It prints how
many of which kind and size reach the alarm threshold, and how well scores with and without tell
apart (AUC), and writes ``quality/<version>/quality.json``.

The training video is normal, so that no label is needed. A version of exemplars knows the training
video, also what lies around a pseudo-anomaly; of a trained detector only held-out video is used.
The numbers are for comparing versions and thresholds on one camera. They are no estimate of the
share of real anomalies that would be found: those are of other kinds.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from anomaly_detection.calibration.calibrate_threshold import (
    alarm_threshold,
    calibrate,
    calibration_sequences,
)
from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.console import progress
from vadloc.errors import UsageError, VadlocError
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

if TYPE_CHECKING:
    from feature_extraction.pseudo_anomalies.in_video import Changed

COMMAND = "anomaly_detection.estimate_quality"
SIZES = "small", "medium", "large"


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """The estimate of the version.

    Raises:
        UsageError: The version is a combined one, which cannot score changed frames.
    """
    if artifacts.members:
        names = " or ".join(member.version for member in artifacts.members)
        raise UsageError(
            f"version {artifacts.version!r} combines stored scores and cannot score changed "
            f"frames; give --version {names}"
        )
    return [artifacts.quality()]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Score all pseudo-anomalies of the training sequences.

    Raises:
        VadlocError: Nothing was learnt yet, or no sequence is long enough.
    """
    from feature_extraction.make_pseudo_anomalies import changes

    artifacts = work.artifacts
    calibrate(artifacts, overwrite=work.overwrite)
    threshold = alarm_threshold(work.config, artifacts).value
    parts = normal_parts(artifacts)
    context = 2 * work.config.regions.frames_per_volume
    tried = []
    with progress(COMMAND, "estimate_quality", total=len(parts)) as shown:
        for name, among in parts.items():
            for changed in changes(artifacts, name, context=context, among=among):
                tried.append({"sequence": name, **_try(artifacts, changed, threshold)})
            shown.step()
    if not tried:
        raise VadlocError(
            "no training sequence is long enough for a pseudo-anomaly; lower [pseudo_anomalies] "
            "frames"
        )
    content = {
        "schema": SCHEMAS["quality"],
        "threshold": threshold,
        "tried": tried,
        "found": count_found(tried),
        "auc": separation([t["score"] for t in tried], [t["clean_score"] for t in tried]),
    }
    yield artifacts.quality(), content
    work.count(pseudo_anomalies=len(tried), found=sum(t["is_found"] for t in tried))


def normal_parts(artifacts: Artifacts) -> dict[str, range | None]:
    """The training sequences that get pseudo-anomalies, and the frames of which; ``None`` for all.

    Of a trained detector these are the frames that it was not trained on.
    """
    if not artifacts.detector.training:
        return dict.fromkeys(calibration_sequences(artifacts))
    from anomaly_detection.detectors.held_out import training_video

    held_out = training_video(artifacts).held_out
    return {part.sequence: range(part.first, part.end) for part in held_out}


def _try(artifacts: Artifacts, changed: "Changed", threshold: float) -> dict[str, Any]:
    """Score one pseudo-anomaly and the same frames without it."""
    from feature_extraction.pseudo_anomalies.in_video import size_name

    score = highest_score(artifacts, changed, changed.frames)
    return {
        "kind": changed.window.kind,
        "size": size_name(changed.area_px, artifacts.config.regions.size_px),
        "first_frame": changed.window.first,
        "score": score,
        "clean_score": highest_score(artifacts, changed, changed.clean),
        "is_found": score >= threshold,
    }


def highest_score(artifacts: Artifacts, changed: "Changed", video: Any) -> float:
    """The highest score in the cells and frames of a pseudo-anomaly.

    Args:
        artifacts: The results.
        changed: The pseudo-anomaly.
        video: Its frames, or the same ones without it.
    """
    import cv2
    import numpy as np

    from anomaly_detection.detectors.frame_stream import FrameStream

    height, width = video.shape[1:3]
    with FrameStream(artifacts, height, width) as stream:
        parts = [stream.push(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), f) for f in video]
        scores = np.concatenate([*parts, stream.finish()])
    start = changed.window.first - changed.window.begin
    part = scores[start : start + changed.window.count]
    cells = mask_to_cells(changed.mask[: len(part)], artifacts.config.regions.stride_px)
    return float(np.where(cells, part, 0).max())


def mask_to_cells(mask: Any, stride_px: int) -> Any:
    """Which cells hold a pixel of a mask.

    Args:
        mask: ``(t, height, width)`` bool.
        stride_px: Side of a cell.

    Returns:
        ``(t, cell rows, cell columns)`` bool.
    """
    import numpy as np

    _, height, width = mask.shape
    padded = np.pad(mask, [(0, 0), (0, -height % stride_px), (0, -width % stride_px)])
    rows, columns = (side // stride_px for side in padded.shape[1:])
    return padded.reshape(-1, rows, stride_px, columns, stride_px).any(axis=(2, 4))


def count_found(tried: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """For each kind and size, such as ``patch small``, how many were tried and found."""
    found: dict[str, dict[str, int]] = {}
    for one in tried:
        counts = found.setdefault(f"{one['kind']} {one['size']}", {"tried": 0, "found": 0})
        counts["tried"] += 1
        counts["found"] += int(one["is_found"])
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(name: str) -> tuple[str, int]:
    kind, size = name.split()
    return kind, SIZES.index(size)


def separation(changed: list[float], clean: list[float]) -> float | None:
    """How often a changed clip scores higher than a clean one; a tie counts half.

    Args:
        changed: Scores of clips with a pseudo-anomaly.
        clean: Scores of clips without.

    Returns:
        The area under the ROC curve, or ``None`` without scores.
    """
    import numpy as np

    if not changed or not clean:
        return None
    high, low = np.array(changed)[:, None], np.array(clean)[None]
    return float(((high > low) + 0.5 * (high == low)).mean())


def describe(artifacts: Artifacts, _dataset: str) -> str:
    """A line for each kind and size, and the AUC."""
    content = artifacts.quality().load()
    lines = [f"  {'pseudo-anomaly':<18} {'tried':>5} {'found':>5}"]
    for name, counts in content["found"].items():
        lines.append(f"  {name:<18} {counts['tried']:5d} {counts['found']:5d}")
    lines.append(
        f"  threshold {content['threshold']:.3f}; AUC with against without {content['auc']:.3f}"
    )
    return "\n".join(lines)


STAGE = Stage(COMMAND, outputs, compute, describe=describe, shows_progress=True)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Estimate quality by pseudo-anomalies, without labels.", sequences=False)
    add_alarm_options(parser)
    args: argparse.Namespace = parser.parse_args(argv)
    stage_main(STAGE, args)


if __name__ == "__main__":
    main()
