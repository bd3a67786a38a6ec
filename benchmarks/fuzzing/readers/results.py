"""All results of a run, read as the commands read them."""

import io
import logging
import re
import shutil
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from anomaly_detection.calibration import calibrate_threshold as calibration
from anomaly_detection.views.sequences import draw_sequence
from evaluation import evaluate_scores
from fuzzing.reader import SEQUENCE, STAMP, Reader
from fuzzing.readers.artifacts import seal_artifact, seal_json
from vadloc.artifacts import Artifacts
from vadloc.config import Alarms, load_config
from vadloc.run import stages as run_stages
from vadloc.stage import RunOptions, Stage, run_units


def make_results(folder: Path) -> None:
    """All that a run leaves of a small scene of videos."""
    from tiny_scene import CONFIG, anomaly, film, save_video

    whole = folder / "whole"
    for split, count in (("Train", 2), ("Test", 1)):
        for number in range(count):
            column = 10 if split == "Test" else None
            path = whole / "data" / split / f"{SEQUENCE}{number}.mkv"
            save_video(path, film(seed=number, anomaly_column=column))
    rows = "".join(f"{f + 1:03d}.png 0 {x} {y} 10 10\n" for f, x, y in anomaly(10))
    (whole / "data" / "Test" / f"{SEQUENCE}0_gt.txt").write_text(rows)
    (whole / "data" / "a.toml").write_text(f"{CONFIG}[alarms]\nthreshold = 0.3\n")
    logging.disable(logging.INFO)
    artifacts = results_below(whole)
    for stage in all_stages(artifacts):
        run_units(stage, artifacts, stage.units(artifacts), RunOptions())
    shutil.rmtree(artifacts.folder / "reports")
    shutil.rmtree(artifacts.inputs, ignore_errors=True)  # of files this young there are none


def results_below(folder: Path) -> Artifacts:
    """The results of a small scene."""
    return Artifacts(load_config(folder / "data" / "a.toml"), folder / "results", folder / "data")


def all_stages(artifacts: Artifacts) -> list[Stage]:
    """Those of a run, with the calibration, which a fixed threshold does without."""
    stages = run_stages(artifacts)
    return [*stages[:-2], calibration.STAGE, *stages[-2:]]


def read_results(folder: Path) -> None:
    """Read each kind of file as the stage after it does, the last stage first.

    Of views a frame is drawn and of the evaluation the input is read: what follows is slow and
    looks at no file.
    """
    artifacts = results_below(folder)
    config = artifacts.config
    with redirect_stdout(io.StringIO()):
        evaluate_scores.print_summary(artifacts)
    for sequence in artifacts.sequences("test"):
        evaluate_scores.load_scores(artifacts, artifacts.ground_truths[0], sequence.name)
        next(draw_sequence(artifacts, sequence.name)[1])
    per_hour = config.model_copy(update={"alarms": Alarms(false_alarms_per_hour=5)})
    calibration.alarm_threshold(per_hour, replace(artifacts, config=per_hour))
    stages = [s for s in all_stages(artifacts)[2:] if s.command != evaluate_scores.COMMAND]
    for stage in reversed(stages):
        for unit in stage.units(artifacts):
            for file in stage.outputs(artifacts, unit):
                file.path.unlink(missing_ok=True)
            stage.run(artifacts, unit)


def seal_result(name: str, content: bytes) -> bytes:
    """JSON and binary results with the digest that fits, under their stamp; other files as is."""
    if name.endswith(".json"):
        return seal_json(name, content)
    if not name.endswith((".joblib", ".npy")):
        return content
    stamp = re.search(rb"\nvadloc stamp=([0-9a-f]{16})", content)
    sealed = seal_artifact(name, content)
    return sealed.replace(f"stamp={STAMP}".encode(), b"stamp=" + stamp[1]) if stamp else sealed


RESULTS = Reader(make_results, read_results, seal_result, below="results/")
