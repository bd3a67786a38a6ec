"""Make pseudo-anomalies of training sequences: normal video, changed so that it is not.

    python -m feature_extraction.make_pseudo_anomalies --config configs/ped2.toml --preview

draws them as ``[pseudo_anomalies]`` of the config says, and writes for each training sequence
``pseudo_anomalies/<sequence>.joblib`` with kinds, times, masks and sizes. Pictures are not stored:
they are made again from the video and the seed. With ``--preview`` it also draws
``pseudo_anomalies/<sequence>.png``: a row for each, with the middle frame before and after, the
mask, and the optical flow before and after.

Any detector can be tested against them: ``anomaly_detection.estimate_quality`` does it.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

if TYPE_CHECKING:  # --help needs no NumPy
    from feature_extraction.pseudo_anomalies.in_video import Changed

COMMAND = "feature_extraction.make_pseudo_anomalies"
PREVIEW_SIDE_PX = 240


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The pseudo-anomalies of a training sequence."""
    return [artifacts.pseudo_anomalies(sequence)]


def reports(_artifacts: Artifacts, sequence: str) -> list[str]:
    """They are the same for all versions."""
    return [sequence]


def changes(
    artifacts: Artifacts, sequence: str, *, context: int = 0, among: range | None = None
) -> "Iterator[Changed]":
    """The pseudo-anomalies of a training sequence, made anew.

    Args:
        artifacts: The results.
        sequence: Name of the sequence.
        context: Unchanged frames before and after each.
        among: The frames among which they are made and that are read; all by default.

    Raises:
        UsageError: The inpainter needs a package that is not installed.
        VadlocError: Frames cannot be read.
    """
    from feature_extraction.pseudo_anomalies.in_video import change_video, draw_windows
    from feature_extraction.pseudo_anomalies.inpainting import inpainter
    from vadloc.sequence_input import load_frames

    settings = artifacts.config.pseudo_anomalies
    inpaint = inpainter(settings.inpainter, settings.diffusion_folder)
    frames = load_frames(artifacts, "train", sequence)
    among = range(frames.frame_count) if among is None else among
    windows = draw_windows(sequence, among, settings, context=context)
    yield from change_video(
        sequence,
        frames.steps(),
        windows,
        settings,
        region_px=artifacts.config.regions.size_px,
        inpaint=inpaint,
    )


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Draw the pseudo-anomalies of one training sequence."""
    from feature_extraction.pseudo_anomalies.in_video import to_record

    region_px = work.config.regions.size_px
    records = [to_record(changed, region_px) for changed in changes(work.artifacts, work.unit)]
    if not records:
        raise VadlocError(
            f"{work.unit}: too short for a pseudo-anomaly of "
            f"{work.config.pseudo_anomalies.frames} frames; lower [pseudo_anomalies] frames"
        )
    file = work.artifacts.pseudo_anomalies(work.unit)
    yield file, {"schema": SCHEMAS["pseudo_anomalies"], "sequence": work.unit, "made": records}
    kinds = [record["kind"] for record in records]
    redrawn = sum(record["redrawn"] for record in records)
    work.count(**{kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}, redrawn=redrawn)


def draw_preview(artifacts: Artifacts, sequence: str) -> str:
    """Draw the pseudo-anomalies of one training sequence, also if their file was made before.

    Returns:
        Path of the picture.
    """
    path = artifacts.pseudo_anomalies(sequence).path.with_suffix(".png")
    _save_preview(path, [preview_row(changed) for changed in changes(artifacts, sequence)])
    return str(path)


def preview_row(changed: "Changed") -> Any:
    """Middle frame before and after, mask, flow before and after, as one picture."""
    import cv2
    import numpy as np

    from feature_extraction.pseudo_anomalies.in_video import small_flow

    start = changed.window.first - changed.window.begin
    middle = start + changed.window.count // 2
    mask = changed.mask[changed.window.count // 2]
    tiles = [changed.clean[middle], changed.frames[middle]]
    tiles.append(np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2))
    pair = slice(max(0, middle - 1), middle + 1)
    tiles += [
        _flow_picture(small_flow(video[pair])[-1]) for video in (changed.clean, changed.frames)
    ]
    height, width = mask.shape
    scale = PREVIEW_SIDE_PX / max(height, width)
    size = round(width * scale), round(height * scale)
    return np.hstack([cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles])


def _flow_picture(flow: Any) -> Any:
    """Flow ``(2, height, width)`` as a picture: hue is the direction, 8 px/frame is brightest."""
    import cv2
    import numpy as np

    angle = np.arctan2(flow[1], flow[0]) % (2 * np.pi)
    speed = np.sqrt((flow**2).sum(axis=0))
    hsv = np.stack([angle * 90 / np.pi, np.full_like(angle, 255), np.minimum(speed / 8, 1) * 255])
    return cv2.cvtColor(np.moveaxis(hsv, 0, -1).astype(np.uint8), cv2.COLOR_HSV2RGB)


def _save_preview(path: Path, rows: list[Any]) -> None:
    import numpy as np
    from PIL import Image

    from vadloc.files.storage import replacing

    with replacing(path) as file:
        Image.fromarray(np.vstack(rows)).save(file, "PNG")


STAGE = Stage(COMMAND, outputs, compute, "train", reports=reports)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Make pseudo-anomalies of training sequences.", sequences=True)
    parser.add_argument("--preview", action="store_true", help="draw them")
    args: argparse.Namespace = parser.parse_args(argv)
    stage_main(replace(STAGE, describe=draw_preview) if args.preview else STAGE, args)


if __name__ == "__main__":
    main()
