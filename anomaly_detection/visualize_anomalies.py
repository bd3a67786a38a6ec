"""Show a test sequence with its scores, detections and their sentences, as video or pictures.

    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml
    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml --frames-out

reads frames, scores and explanations (and, if the config names ground truth, what the evaluation
knows of it), and writes ``views/<version>/<sequence>.mp4``, or numbered pictures into
``views/<version>/<sequence>/``. The colours of the score map are the same in all sequences.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.config import Config
from vadloc.files.storage import list_files
from vadloc.stage import Stage, Work, stage_main
from vadloc.video.times import Clock

COMMAND = "anomaly_detection.visualize_anomalies"
PNG_LEVEL = 3
"""Four times as fast as the default of 6, for files 6 % larger."""
Form = Literal["video", "frames"]


def outputs(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[Artifact]:
    """The view of a sequence."""
    return [artifacts.views(sequence, form)]


def reported(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[str]:
    """The name of its report: each form has one."""
    return [f"{artifacts.version}/{form}/{sequence}"]


def compute(work: Work, *, form: Form = "video") -> Iterator[tuple[Artifact, Any]]:
    """Draw one test sequence.

    Raises:
        VadlocError: Something to be shown is missing, or the frames do not belong to it.
    """
    file = work.artifacts.views(work.unit, form)
    clock, images = draw_sequence(work.config, work.artifacts, work.unit)
    if form == "video":
        from vadloc.video.writing import write_video

        rate, times_s = clock.frames_per_second, clock.times_s
        count = write_video(file.path, images, rate, times_s=times_s, stamp=file.stamp)
    else:
        pictures = file.path.parent
        file.path.unlink(missing_ok=True)  # what it lists is about to go
        count = _write_pictures(pictures, images)
        yield file, {"schema": SCHEMAS["views"], "frames": count, "files": list_files(pictures)}
    work.count(frames=count)


def draw_sequence(
    config: Config, artifacts: Artifacts, sequence: str
) -> tuple[Clock, Iterator[Any]]:
    """All frames of a sequence, drawn one at a time.

    Returns:
        When they are, and the pictures: RGB uint8 ``(height, width, 3)``.
    """
    from anomaly_detection.views.frames import (
        View,
        draw_views,
    )
    from vadloc.features import check_scores
    from vadloc.regions import RegionGrid
    from vadloc.video.frames import read_frames

    truth: dict[str, Any] = {"anomalous_frames": {}, "regions": {}}
    if config.ground_truths:
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


def _write_pictures(folder: Path, images: Iterator[Any]) -> int:
    """``00001.png`` and so on, counted from 1 as people do; how many there are."""
    from PIL import Image

    from vadloc.files.storage import replacing

    for old in folder.glob("*.png"):
        old.unlink()
    count = 0
    for count, image in enumerate(images, start=1):
        with replacing(folder / f"{count:05d}.png") as file:
            Image.fromarray(image).save(file, "PNG", compress_level=PNG_LEVEL)
    return count


def stage(form: Form) -> Stage:
    """The stage for videos or pictures."""
    return Stage(
        COMMAND,
        partial(outputs, form=form),
        partial(compute, form=form),
        "test",
        reports=partial(reported, form=form),
    )


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Show test sequences with what is anomalous.", sequences=True)
    add_alarm_options(parser)
    parser.add_argument(
        "--frames-out", action="store_true", help="write pictures (PNG) instead of videos"
    )
    args = parser.parse_args(argv)
    stage_main(stage("frames" if args.frames_out else "video"), args)


if __name__ == "__main__":
    main()
