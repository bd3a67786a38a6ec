"""A detector that is registered here goes through all stages, without features and exemplars."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from repository import ROOT
from tiny_scene import CONFIG, copy_scene, film, scene_options

import vadloc.run
import vadloc.status
from anomaly_detection import score_anomalies, visualize_anomalies
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.detectors.detector import Detector, Scores, score_checked
from exemplar_selection import merge_exemplars, select_exemplars
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.regions import RegionGrid
from vadloc.versions import DETECTORS, VERSIONS, DetectorEntry, Version

TOY = "frame_difference"


class FrameDifference(Detector):
    """Mean absolute difference of each cell to the frame before; 0 in the first frame."""

    def start_stream(self, grid: RegionGrid) -> "DifferenceStream":
        return DifferenceStream(grid)


class DifferenceStream:
    def __init__(self, grid: RegionGrid) -> None:
        self.grid, self.before = grid, np.zeros(0)

    def push(self, step: NDArray[np.uint8]) -> Scores:
        grey = step.mean(axis=2)
        change = abs(grey - self.before) if self.before.size else np.zeros_like(grey)
        self.before = grey
        for axis, edges in enumerate(self.grid.cell_edges_px):
            sums = np.add.reduceat(change, edges[:-1].astype(int), axis=axis)
            change = sums / np.expand_dims(np.diff(edges), 1 - axis)
        return change[None].astype(np.float32)

    def finish(self) -> Scores:
        return np.zeros((0, *self.grid.cells), np.float32)


def load(_: Artifacts) -> FrameDifference:
    return FrameDifference()


@pytest.fixture(scope="module")
def registered() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DETECTORS, TOY, DetectorEntry(__name__, reads="frames"))
        patch.setitem(VERSIONS, TOY, Version(detector=TOY))
        yield


@pytest.fixture(scope="module")
def folder(scene: Path, registered: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scene and results of a whole run, in this process."""
    folder = tmp_path_factory.mktemp("toy")
    config = copy_scene(scene, folder / "scene") / "tiny.toml"
    text = CONFIG.replace('"momentum"', f'"{TOY}"')
    config.write_text(f"{text}[alarms]\nfalse_alarms_per_hour = 1000\n")
    vadloc.run.main([*options(folder), "--jobs", "1"])
    return folder


def options(folder: Path) -> list[str]:
    return [str(word) for word in scene_options(folder / "scene", folder / "results")]


def artifacts(folder: Path) -> Artifacts:
    scene = folder / "scene"
    return Artifacts(load_config(scene / "tiny.toml"), folder / "results", scene)


def test_scores_are_those_of_the_closed_form(folder: Path) -> None:
    frames = film(seed=10, anomaly_column=10).astype(float)
    scores = artifacts(folder).scores("Test0").load()
    assert scores.shape == (24, 6, 8)
    assert not scores[0].any()
    for frame, row, column in np.ndindex(23, 6, 8):
        y, x = 8 * row, 8 * column
        now, before = (frames[f, y : y + 8, x : x + 8] for f in (frame + 1, frame))
        expected = np.abs(now - before).mean()
        assert scores[frame + 1, row, column] == pytest.approx(expected, rel=1e-6)


def test_every_stage_but_extraction_and_exemplars_has_run(folder: Path) -> None:
    made = {entry.name for entry in (folder / "results" / "tiny").iterdir()}
    assert {"scores", "calibration", "evaluation", "explanations", "report"} <= made
    assert made.isdisjoint({"features", "exemplars"})
    summary = artifacts(folder).evaluation("summary.json").load()
    assert summary["frame_roc_auc"] > 0.5


def test_explanations_have_place_time_and_score(folder: Path) -> None:
    content = artifacts(folder).explanations("Test0").load()
    assert content["version"] == TOY
    assert content["threshold_from"]["sequences"] == 3
    assert content["detections"]
    for detection in content["detections"]:
        assert "nearest" not in detection
        peak = detection["peak"]
        assert peak.keys() == {"region", "box_xyxy_px", "first_frame", "last_frame"}
        assert peak["first_frame"] <= detection["peak_frame"] <= peak["last_frame"]
        pattern = (
            r"Frames? [\d-]+ \([\d.]+-[\d.]+ s\), [a-z ]+: score [\d.]+, .* the threshold .*\."
        )
        assert re.fullmatch(pattern, detection["sentence"])


def test_the_report_shows_the_clips_and_no_exemplars(folder: Path) -> None:
    report = folder / "results" / "tiny" / "report" / TOY
    index = data(report, "index")
    assert index["has_scene"] is False
    assert index["detections"]
    assert not (report / "data" / "scene.js").exists()
    assert not (report / "normal").exists()
    for detection in data(report, "000")["detections"]:
        assert detection.keys() == {"clip", "boxes_from", "boxes", "peak"}
        assert (report / detection["peak"]["strip"]).is_file()


def data(report: Path, name: str) -> dict[str, Any]:
    text = (report / "data" / f"{name}.js").read_text()
    content: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return content


def test_the_page_has_no_empty_parts(folder: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        pytest.skip("Chromium is not installed")
    page = folder / "results" / "tiny" / "report" / TOY / "index.html"
    words = [browser, "--headless", "--no-sandbox", f"--user-data-dir={tmp_path}", "--dump-dom"]
    done = subprocess.run(
        [*words, "--virtual-time-budget=5000", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    hidden = set(re.findall(r'id="([\w-]+)"[^>]* hidden=""', done.stdout))
    expected = {"scene-button", "known-figure", "attributes", "shares", "help-exemplars"}
    assert expected | {"attributes-title", "shares-title"} <= hidden


def test_views_are_drawn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    visualize_anomalies.main([*options(folder), "--sequence", "Test0", "--jobs", "1"])
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_nothing_asks_for_features_or_exemplars(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score_anomalies.main([*options(folder), "--missing"])
    assert capsys.readouterr().out == "\n"
    vadloc.status.main(options(folder))
    status = capsys.readouterr().out
    assert "score_anomalies" in status
    assert not re.search("extract|exemplar", status)


def test_the_plan_of_a_cluster_leaves_them_out(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (ROOT / "scripts" / "submit.sh").read_text()
    [plan] = re.findall(r"python -c '\n(.*?)' --config", script, re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["submit.sh", *options(folder)])
    exec(plan, {})
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        "score", "evaluate", "calibrate", "explain", "report"
    ]  # fmt: skip


@pytest.mark.parametrize("stage", [select_exemplars, merge_exemplars])
def test_exemplars_are_refused(folder: Path, stage: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_info:
        stage.main([*options(folder), "--jobs", "1"])
    assert exit_info.value.code == 2
    assert f"detector '{TOY}' learns no exemplars" in caplog.text


def test_stamps_depend_on_the_detector_and_its_revision(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = artifacts(folder).scores("Test0").stamp
    monkeypatch.setitem(DETECTORS, TOY, DetectorEntry(__name__, reads="frames", revision=2))
    assert artifacts(folder).scores("Test0").stamp != before


def test_scores_depend_on_the_training_sequences(folder: Path, tmp_path: Path) -> None:
    before = artifacts(folder).scores("Test0").stamp
    scene = tmp_path / "scene"
    copy_scene(folder / "scene", scene)
    shutil.copy(folder / "scene" / "tiny.toml", scene)
    [picture, *_] = sorted((scene / "Train").rglob("*.png"))
    picture.unlink()
    Image.fromarray(film(seed=9)[0]).save(picture)
    assert artifacts(tmp_path).scores("Test0").stamp != before


def test_an_unknown_detector_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, TOY, Version(detector="autoencoder"))
    with pytest.raises(UsageError, match=r"'autoencoder': expected one of \[.*'exemplars', "):
        artifacts(folder)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((24, 6, 8)), r"float64 scores of shape \(24, 6, 8\), expected float32"),
        (np.zeros((23, 6, 8), np.float32), r"of shape \(23, 6, 8\), expected .*\(24, 6, 8\)"),
        (np.full((24, 6, 8), -1, np.float32), "negative or not finite"),
        (np.full((24, 6, 8), np.nan, np.float32), "negative or not finite"),
    ],
)
def test_scores_that_break_the_contract_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, scores: NDArray[Any], message: str
) -> None:
    found = artifacts(folder)
    detector = load_detector(found)
    monkeypatch.setattr(detector, "score_sequence", lambda *_: scores)
    given = load_input(found, "test", "Test0")
    with pytest.raises(VadlocError, match=f"^Test0: FrameDifference returned .*{message}"):
        score_checked(detector, given, given.grid(found.config.regions))
