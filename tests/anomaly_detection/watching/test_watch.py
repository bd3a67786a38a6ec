"""A watched file has the scores, alarms and sentences that the stages have for it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scene import CONFIG, command, film, make_scene, one_line, run, save_frames, save_video

import vadloc.run
from anomaly_detection.watch_camera import parser
from anomaly_detection.watching import session, sources, watcher
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.session import watch
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.versions import VERSIONS, Version
from vadloc.video.frames import read_frames_as
from vadloc.video.view import View

NETWORKS = pytest.mark.skipif(not find_spec("openvino"), reason="networks need OpenVINO")
MEASURED = "momentum", "relative_momentum", "still"
WITHOUT_TRAINING = [
    pytest.param(name, marks=() if name in MEASURED else NETWORKS)
    for name, version in VERSIONS.items()
    if version.detector in ("exemplars", "fusion")
]
"""The versions without trained networks; `test_networks` has the streams of the others."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny scene, with two of the test sequences, one of them a video, and a threshold."""
    made = make_scene(tmp_path_factory.mktemp("watched"))
    save_video(made / "Test" / "Test2.mkv", film(seed=12, anomaly_column=30))
    (made / "tiny.toml").write_text(
        CONFIG.replace('ground_truth = "Test"\n', "") + "\n[alarms]\nthreshold = 0.1\n"
    )
    return made


def results(folder: Path, version: str) -> Artifacts:
    """The results of all stages but the report; what is done is not done again."""
    config = load_config(folder / "tiny.toml")
    artifacts = Artifacts(config, folder / "results", folder, version=version)
    for stage in vadloc.run.stages(artifacts)[:-1]:
        for unit in stage.units(artifacts):
            stage.run(artifacts, unit)
    return artifacts


def options(folder: Path, source: Path | str, out: Path, version: str, *more: object) -> list[str]:
    """Options of the command; the sequences of the scene have different backgrounds."""
    words = ["--config", folder / "tiny.toml", "--datasets", folder, "--model", folder / "results"]
    words += ["--version", version, "--source", source, "--out", out]
    return [str(word) for word in [*words, "--no-page", "--no-view-check", *more]]


def watched(*words: Any) -> tuple[list[dict[str, Any]], list[Scored]]:
    """The records and scored frames of a watch with these options."""
    scored: list[Scored] = []
    args = parser().parse_args(options(*words))
    watch(args, on_scored=scored.append)
    lines = (args.out / "alarms.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines], scored


def joined(scored: list[Scored]) -> np.ndarray:
    return np.stack([one.scores for one in scored])


@pytest.mark.parametrize("version", WITHOUT_TRAINING)
def test_scores_and_alarms_are_those_of_the_stages(
    folder: Path, tmp_path: Path, version: str
) -> None:
    artifacts = results(folder, version)
    for sequence in artifacts.sequences("test"):
        out = tmp_path / sequence.name
        records, scored = watched(folder, sequence.path, out, version, "--alarm-after", "100")
        assert joined(scored).tobytes() == artifacts.scores(sequence.name).load().tobytes()
        stored = artifacts.explanations(sequence.name).load()["detections"]
        expected = {
            (d["first_frame"], d["last_frame"], d["peak_frame"], d["score"], d["sentence"])
            for d in stored
        }
        found = {
            (r["first_frame"], r["last_frame"], r["peak_frame"], r["score"], r["sentence"])
            for r in records
        }
        assert found == expected
        assert {r["peak_frame"]: r["region"] for r in records} == {
            d["peak_frame"]: d["peak"]["region"] for d in stored
        }


def test_a_combined_version_has_the_scores_of_the_stages(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        VERSIONS, "pair", Version(detector="combined", members=("momentum", "still"))
    )
    artifacts = results(folder, "pair")
    monkeypatch.setattr(session, "artifacts_of", lambda _args: artifacts)
    _, scored = watched(folder, folder / "Test" / "Test0", tmp_path, "momentum")
    assert joined(scored).tobytes() == artifacts.scores("Test0").load().tobytes()


def test_the_record_of_an_alarm(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    words = options(folder, folder / "Test" / "Test0", tmp_path / "out", "momentum")
    done = run("anomaly_detection.watch_camera", *words, "--name", "door")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "out" / "alarms.jsonl").read_text()
    record = json.loads(done.stdout.splitlines()[0])
    assert record["id"].startswith("door-")
    assert record["id"].endswith("-1")
    fixed = {"schema": 1, "kind": "anomaly", "state": "ended", "source": "door", "threshold": 0.1}
    assert fixed.items() <= record.items()
    assert (record["dataset"], record["version"]) == ("tiny", "momentum")
    assert (tmp_path / "out" / "clips" / record["clip"]).is_file()
    x0, y0, x1, y1 = record["box"]
    assert 0 <= x0 < x1 <= 64
    assert 0 <= y0 < y1 <= 48


def is_in(record: dict[str, Any], loop: int) -> bool:
    return bool(record["first_frame"] // 24 == loop and record["state"] == "ended")


def test_a_file_that_is_read_again_has_the_same_scores_again(folder: Path, tmp_path: Path) -> None:
    artifacts = results(folder, "momentum")
    source = folder / "Test" / "Test2.mkv"
    records, scored = watched(folder, source, tmp_path, "momentum", "--loop", "3")
    stored = artifacts.scores("Test2").load()
    assert joined(scored).tobytes() == np.concatenate([stored] * 3).tobytes()
    assert [one.picture.number for one in scored] == list(range(72))
    keys = "first_frame", "last_frame", "peak_frame"
    found = [
        {(r["score"], *(r[key] - 24 * loop for key in keys)) for r in records if is_in(r, loop)}
        for loop in range(3)
    ]
    assert found[0]
    assert found[1] == found[2] == found[0]


def test_alarms_that_last_are_reported_before_they_end(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    words = folder, folder / "Test" / "Test0", tmp_path, "momentum", "--alarm-after", "0.2"
    records, _ = watched(*words, "--threshold", "0.03")
    begun = [record for record in records if record["state"] == "begun"]
    ended = [record for record in records if record["state"] == "ended"]
    assert begun
    assert {r["id"] for r in begun} <= {r["id"] for r in ended}
    assert all(r["ended"] is None and r["last_frame"] is None for r in begun)


def test_frames_are_dropped_in_blocks_if_scoring_is_too_slow(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(folder, "momentum")
    real = watcher.Watcher._see

    def slow(of: watcher.Watcher, picture: Any) -> None:
        time.sleep(0.03)
        real(of, picture)

    def paced(*words: Any) -> Iterator[Any]:
        for pictures in read_frames_as(*words):
            time.sleep(0.01)
            yield pictures

    monkeypatch.setattr(watcher.Watcher, "_see", slow)
    monkeypatch.setattr(sources, "read_frames_as", paced)
    save_frames(tmp_path / "source", np.concatenate([film(seed=10)] * 12))
    _, scored = watched(folder, tmp_path / "source", tmp_path / "out", "momentum", "--drop")
    numbers = [one.picture.number for one in scored]
    assert len(numbers) < 12 * 24
    assert numbers == sorted(set(numbers))
    gaps = np.flatnonzero(np.diff(numbers) > 1)
    assert len(gaps)
    runs = np.diff([-1, *gaps, len(numbers) - 1])
    assert runs[:-1].min() >= 20  # two seconds: what is scored has its neighbours


def test_black_pictures_are_one_alarm_and_have_no_scores(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    frames = film(seed=10)
    black = np.full_like(frames, 2)
    save_frames(tmp_path / "source", np.concatenate([frames, black, frames, frames]))
    words = folder, tmp_path / "source", tmp_path / "out", "momentum", "--threshold", "9"
    records, scored = watched(*words)
    assert [(r["kind"], r["state"]) for r in records] == [("black", "begun"), ("black", "ended")]
    assert (records[1]["first_frame"], records[1]["last_frame"]) == (24, 47)
    assert "Frames 24 to 47 (2.4-4.7 s): the picture is black" in records[1]["sentence"]
    numbers = {one.picture.number for one in scored}
    assert not numbers & set(range(24, 48))
    assert {*range(20), *range(60, 90)} <= numbers


def test_a_fault_that_goes_on_ends_with_the_watch(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    frames = film(seed=10)
    save_frames(tmp_path / "source", np.concatenate([frames, np.full_like(frames, 2)]))
    records, _ = watched(folder, tmp_path / "source", tmp_path / "out", "momentum")
    faults = [(r["state"], r["last_frame"]) for r in records if r["kind"] == "black"]
    assert faults == [("begun", None), ("ended", 47)]


def test_a_frozen_picture_is_an_alarm(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    frames = film(seed=10)
    frozen = np.repeat(frames[-1:], 30, axis=0)
    save_frames(tmp_path / "source", np.concatenate([frames, frozen, frames]))
    words = folder, tmp_path / "source", tmp_path / "out", "momentum", "--threshold", "9"
    records, _ = watched(*words, "--frozen-after", "2")
    assert [(r["kind"], r["state"]) for r in records] == [("frozen", "begun"), ("frozen", "ended")]
    assert records[0]["first_frame"] == 23


def test_a_moved_camera_is_an_alarm_and_has_no_scores(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(folder, "momentum")
    monkeypatch.setattr(session, "training_view", lambda _sequences: View(film(seed=10)[0]))
    frames, other = film(seed=10), film(seed=77)
    save_frames(tmp_path / "source", np.concatenate([frames, other, frames, frames]))
    words = options(folder, tmp_path / "source", tmp_path / "out", "momentum", "--threshold", "9")
    words.remove("--no-view-check")
    scored: list[Scored] = []
    watch(parser().parse_args(words), on_scored=scored.append)
    lines = (tmp_path / "out" / "alarms.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["kind"], r["state"]) for r in records] == [("moved", "begun"), ("moved", "ended")]
    assert records[0]["first_frame"] in (24, 25, 26)
    numbers = {one.picture.number for one in scored}
    assert not numbers & set(range(24, 48))
    assert set(range(62, 96)) <= numbers


def test_a_clock_that_jumps_changes_nothing_but_stamps(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    results(folder, "momentum")
    real, jumps = time.time, iter(range(10**6))
    monkeypatch.setattr(watcher.time, "time", lambda: real() - 3600 * (next(jumps) > 10))
    words = folder, folder / "Test" / "Test0", tmp_path / "jumping", "momentum"
    with caplog.at_level("WARNING"):
        records, _ = watched(*words)
    monkeypatch.undo()
    others, _ = watched(folder, folder / "Test" / "Test0", tmp_path / "steady", "momentum")
    assert caplog.text.count("the clock of the machine has jumped by -3600 s") == 1
    same = "sentence", "first_frame", "last_frame", "score"
    assert [[r[key] for key in same] for r in records] == [[r[key] for key in same] for r in others]
    assert len({r["id"] for r in records if r["state"] == "ended"}) == len(records)


def test_sigterm_writes_what_is_open(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    source = tmp_path / "source"
    save_frames(source, film(seed=10, anomaly_column=10)[:14])
    words = options(folder, source, tmp_path / "out", "momentum", "--loop", "100000")
    with subprocess.Popen(
        command("anomaly_detection.watch_camera", *words), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert rest == "" or rest.endswith("\n")
    records = [
        json.loads(line) for line in (tmp_path / "out" / "alarms.jsonl").read_text().splitlines()
    ]
    ended = {r["id"] for r in records if r["state"] == "ended"}
    assert {r["id"] for r in records} == ended
    clips = {path.name for path in (tmp_path / "out" / "clips").iterdir()}
    assert {r["clip"] for r in records} <= clips


def test_kill_leaves_whole_lines_and_the_next_watch_goes_on(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    words = options(
        folder, folder / "Test" / "Test0", tmp_path / "out", "momentum", "--loop", "100000"
    )
    with subprocess.Popen(
        command("anomaly_detection.watch_camera", *words), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    path = tmp_path / "out" / "alarms.jsonl"
    before = path.read_text()
    assert before.endswith("\n")
    found = [json.loads(line) for line in before.splitlines()]
    assert len(found) >= 3
    path.write_text(before + '{"torn')
    records, _ = watched(folder, folder / "Test" / "Test0", tmp_path / "out", "momentum")
    assert records[: len(found)] == found
    assert len(records) > len(found)


def test_what_is_missing_is_said_before_any_frame_is_read(folder: Path, tmp_path: Path) -> None:
    results(folder, "momentum")
    source = folder / "Test" / "Test0"

    def said(version: str, source: Path | str, *more: object) -> str:
        words = options(folder, source, tmp_path / "out", version, *more)
        done = run("anomaly_detection.watch_camera", *words)
        return one_line(done, status=2 if "source" in done.stderr else 1)

    small = tmp_path / "small"
    save_frames(small, film(seed=1)[:, :40])
    assert "frames of 64 x 40 px, those of the training video have 64 x 48" in said(
        "momentum", small
    )
    assert "no such file or folder" in said("momentum", tmp_path / "nowhere")
    assert "train_detector" in said("mlad", source)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    (tmp_path / "out").write_text("a file")
    assert "give another folder with --out" in said("momentum", source)


def test_absent_results_are_named(folder: Path, tmp_path: Path) -> None:
    words = options(folder, folder / "Test" / "Test0", tmp_path / "out", "momentum")
    words[words.index("--model") + 1] = str(tmp_path / "empty")
    line = one_line(run("anomaly_detection.watch_camera", *words), status=1)
    assert "exemplar_selection.merge_exemplars" in line
