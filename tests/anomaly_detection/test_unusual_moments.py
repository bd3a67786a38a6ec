"""An anomaly in the training video is named; what is named is read off drawn score maps."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import ANOMALY, film, make_scene, save_frames, scene_options

from anomaly_detection.calibration import calibrate_threshold as calibration
from anomaly_detection.calibration.unusual_moments import (
    ADVICE,
    moment_to_line,
    name_moments,
    scores_to_moments,
)
from anomaly_detection.detectors.detector import Detector
from exemplar_selection import merge_exemplars, select_exemplars
from feature_extraction import extract_features
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.features import load_features
from vadloc.regions import RegionGrid

GRID = RegionGrid(48, 64, 16, 8)
COLUMN = 40
"""Left edge of the anomalous square."""


def calibrated(scene: Path) -> Artifacts:
    made = Artifacts(load_config(scene / "tiny.toml"), scene / "results", scene)
    modules = select_exemplars, merge_exemplars, calibration
    for stage in [extract_features.stage("train"), *(module.STAGE for module in modules)]:
        for unit in stage.units(made):
            stage.run(made, unit)
    return made


@pytest.mark.parametrize("is_there", [True, False])
def test_an_anomaly_in_a_training_sequence_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_there: bool
) -> None:
    """What is normal moves in the upper half of the frame, the anomaly mostly below it."""
    scene = make_scene(tmp_path)
    if is_there:
        shutil.rmtree(scene / "Train" / "Train1")
        save_frames(scene / "Train" / "Train1", film(seed=1, anomaly_column=COLUMN))
    made = calibrated(scene)
    with caplog.at_level("INFO"):
        calibration.main([str(o) for o in [*scene_options(scene, made.results), "--jobs", 1]])
    report = made.report(calibration.COMMAND, made.version).read_text()
    below = [line for line in caplog.messages if "lower" in line and "unusual in" in line]
    assert caplog.messages.count(ADVICE) == 1
    assert ADVICE in report
    assert ('"place": "lower right"' in report) == is_there
    assert len(below) == is_there
    if is_there:
        assert "Train1, frame" in below[0]
        (moment,) = [
            moment
            for moment in made.calibration("Train1").load()["moments"]
            if moment["place"] == "lower right"
        ]
        assert ANOMALY.start <= moment["first_frame"] <= moment["last_frame"] <= ANOMALY.stop
        x0, _, x1, y1 = moment["box_xyxy_px"]
        assert x0 <= COLUMN + 5 < x1
        assert y1 > 24


def drawn() -> NDArray[np.float32]:
    """Peaks of 4, 3 and 1.9: the first two are moments, the third is below half of the highest."""
    scores = np.zeros((20, 6, 8), np.float32)
    scores[2:5, 0, 0] = 2.5, 4, 1.9
    scores[10, 5, 6:8] = 3
    scores[15, 0, 7] = 1.9
    return scores


def test_moments_of_a_drawn_map() -> None:
    moments = scores_to_moments(drawn(), GRID, connectivity=8, first_frame=100)
    assert moments == [
        {
            "score": 4.0,
            "first_frame": 102,
            "last_frame": 103,
            "box_xyxy_px": [0, 0, 8, 8],
            "place": "upper left",
        },
        {
            "score": 3.0,
            "first_frame": 110,
            "last_frame": 110,
            "box_xyxy_px": [48, 40, 64, 48],
            "place": "lower right",
        },
    ]
    always = np.zeros((20, 6, 8), np.float32)
    assert scores_to_moments(always, GRID, connectivity=8) == []
    always[3:15, 2, 2] = 4
    always[7:9, 5, 5] = 3
    assert [m["score"] for m in scores_to_moments(always, GRID, connectivity=8)] == [3.0]


def contents() -> list[dict[str, Any]]:
    moments = scores_to_moments(drawn(), GRID, connectivity=8)
    return [{"sequence": name, "moments": moments} for name in ("a", "b", "c")]


def test_moments_at_or_above_the_threshold_are_named() -> None:
    named = name_moments(contents(), 3.5, is_resolved=True)
    assert [(m["sequence"], m["score"]) for m in named] == [("a", 4), ("b", 4), ("c", 4)]
    assert moment_to_line(named[0]) == (
        "unusual in the training video: a, frames 3-4, upper left (x 0-8, y 0-8): score 4.000, "
        "1.14 times the threshold"
    )
    assert [m["score"] for m in name_moments(contents(), 1.0, is_resolved=True)] == [4, 4, 4, 3, 3]
    assert name_moments(contents(), 5.0, is_resolved=True) == []


def test_the_highest_are_named_if_no_alarm_is_allowed() -> None:
    assert len(name_moments(contents(), 4.1, is_resolved=False)) == 5


def test_a_threshold_of_zero_has_no_multiples() -> None:
    named = name_moments(contents(), 0.0, is_resolved=True)
    assert named[0]["relative_score"] is None
    assert moment_to_line(named[0]).endswith(": score 4.000")


def test_moments_of_a_held_out_end_are_those_of_the_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector that yields only the last 8 frames, in whose third frame one cell has a score."""
    made = Artifacts(load_config(make_scene(tmp_path) / "tiny.toml"), tmp_path / "r", tmp_path)
    for unit in extract_features.stage("train").units(made):
        extract_features.stage("train").run(made, unit)

    class OnlyTheEnd(Detector):
        def score_training(self, sequence: Any, grid: RegionGrid) -> Any:
            scores = np.zeros((8, *grid.cells), np.float32)
            scores[2, 1, 1] = 5
            yield replace(sequence, frame_count=8), scores

    monkeypatch.setattr(calibration, "load_detector", lambda _artifacts: OnlyTheEnd())
    monkeypatch.setattr(type(made), "_learned_stamp", lambda _self: "stamp")
    calibration.STAGE.run(made, "Train0")
    content = made.calibration("Train0").load()
    [moment] = content["moments"]
    whole = load_features(made, "train", "Train0").frame_count
    assert moment["first_frame"] == moment["last_frame"] == whole - 8 + 2
    assert content["frame_count"] == 8
