"""Show a test sequence with its scores, detections and their sentences, as video or pictures.

    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml
    python -m anomaly_detection.visualize_anomalies --config configs/ped2.toml --frames-out

reads frames, scores and explanations (and, if the config names ground truth, what the evaluation
knows of it), and writes ``views/<version>/<sequence>.mp4``, or numbered pictures into
``views/<version>/<sequence>/``. The colours of the score map are the same in all sequences.
"""

from functools import partial
from pathlib import Path
from typing import Literal

from vadloc.artifacts import SCHEMAS, Artifact, Artifacts
from vadloc.cli import Stage, add_alarm_options, stage_main, stage_parser
from vadloc.config import Config
from vadloc.files.storage import list_files
from vadloc.stage_reports import stage_report

COMMAND = "anomaly_detection.visualize_anomalies"
Form = Literal["video", "frames"]


def outputs(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[Artifact]:
    """The view of a sequence."""
    return [artifacts.views(sequence, form)]


def reported(artifacts: Artifacts, sequence: str, *, form: Form = "video") -> list[str]:
    """The name of its report: each form has one."""
    return [f"{artifacts.version}/{form}/{sequence}"]


def run(
    _config: Config,
    artifacts: Artifacts,
    sequence: str,
    *,
    form: Form = "video",
    overwrite: bool = False,
) -> Path:
    """Draw one test sequence.

    Returns:
        Path of the video, or of the ``view.json`` beside the pictures.

    Raises:
        VadlocError: Something to be shown is missing, or the frames do not belong to it.
    """
    file = artifacts.views(sequence, form)
    if file.is_done(overwrite=overwrite):
        return file.path
    # Imported here: what draws takes longer to import than --help may take.
    from anomaly_detection.views.sequences import draw_sequence, write_pictures

    [report] = reported(artifacts, sequence, form=form)
    with stage_report(artifacts, COMMAND, report, file.stamp) as counts:
        clock, images = draw_sequence(artifacts, sequence)
        if form == "video":
            from vadloc.video.writing import write_video

            counts["frames"] = write_video(
                file.path,
                images,
                clock.frames_per_second,
                times_s=clock.times_s,
                stamp=file.stamp,
            )
        else:
            pictures = file.path.parent
            file.path.unlink(missing_ok=True)  # what it lists is about to go
            counts["frames"] = write_pictures(pictures, images)
            listed = {"frames": counts["frames"], "files": list_files(pictures)}
            file.save({"schema": SCHEMAS["views"], **listed})
    return file.path


def stage(form: Form) -> Stage:
    """The stage for videos or pictures."""
    return Stage(
        COMMAND,
        partial(run, form=form),
        partial(outputs, form=form),
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
