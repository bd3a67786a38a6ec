"""Show a test sequence with its scores, detections and their sentences, as video or pictures.

    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml
    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml --frames-out

reads frames, scores and explanations. If the config names ground truth, it also reads
``frame_labels.json``, so ``evaluation.evaluate_scores`` must have run first. It writes
``views/<version>/<sequence>.mp4``, or with ``--frames-out`` numbered pictures into
``views/<version>/<sequence>/``. The colours of the score map are the same in all sequences.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from vadloc.arguments import add_alarm_options, stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.files.storage import list_files
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

COMMAND = "anomaly_detection.visualize_anomalies"
Form = Literal["video", "frames"]


def outputs(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[Artifact]:
    """The view of a sequence."""
    return [artifacts.views(sequence, form)]


def reported(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[str]:
    """The name of the stage report: each form has a report."""
    return [f"{artifacts.label}/{form}/{sequence}"]


def compute(work: Work, *, form: Form = "video") -> Iterator[tuple[Artifact, Any]]:
    """Draw one test sequence.

    Raises:
        VadlocError: Scores, explanations or frames are missing, or the frames do not fit them.
    """
    # Imported here so that --help is fast.
    from anomaly_detection.views.sequences import draw_sequence, write_pictures

    file = work.artifacts.views(work.unit, form)
    clock, images = draw_sequence(work.artifacts, work.unit)
    if form == "video":
        from vadloc.video.writing import write_video

        rate, times_s = clock.frames_per_second, clock.times_s
        count = write_video(file.path, images, rate, times_s=times_s, stamp=file.stamp)
    else:
        pictures = file.path.parent
        file.path.unlink(missing_ok=True)  # write_pictures removes the files that it lists
        count = write_pictures(pictures, images)
        yield file, {"schema": SCHEMAS["views"], "frames": count, "files": list_files(pictures)}
    work.count(frames=count)


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
