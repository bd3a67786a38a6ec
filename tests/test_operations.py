"""status, doctor, the log and SIGTERM."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_scene import (
    artifact_bytes,
    command,
    copy_scene,
    film,
    one_line,
    run,
    run_scene,
    save_frames,
    scene_options,
)

from vadloc.checks.examination import examine
from vadloc.video.frames import Sequence


@pytest.fixture(scope="module")
def finished(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a whole run of the tiny scene."""
    results = tmp_path_factory.mktemp("finished")
    run_scene("vadloc.run", scene, results)
    return results


def table(text: str) -> dict[str, list[int]]:
    """Done, missing, stale and damaged of each stage."""
    rows = [line.split() for line in text.splitlines() if "." in line.split()[0]]
    return {
        " ".join(word for word in row if not word[0].isdigit()).removesuffix(" -"): [
            int(word) for word in row if word.isdigit()
        ][:4]
        for row in rows
        if not row[0].startswith("/")
    }


def test_status_of_nothing_and_of_everything(scene: Path, finished: Path, tmp_path: Path) -> None:
    nothing = table(run_scene("vadloc.status", scene, tmp_path / "none"))
    assert nothing["feature_extraction.extract_features train"] == [0, 3, 0, 0]
    assert nothing["anomaly_detection.score_anomalies"] == [0, 2, 0, 0]
    everything = table(run_scene("vadloc.status", scene, finished, "--verify"))
    assert everything["feature_extraction.extract_features train"] == [3, 0, 0, 0]
    assert everything["evaluation.evaluate_scores"] == [1, 0, 0, 0]


def test_status_sees_damage_and_changed_settings(
    scene: Path, finished: Path, tmp_path: Path
) -> None:
    spoilt = copy_scene(scene, tmp_path / "scene")
    results = tmp_path / "results"
    subprocess.run(["cp", "-r", str(finished), str(results)], check=True)
    run_scene("vadloc.run", spoilt, results)
    [features] = results.glob("*/features/momentum/train/Train0.joblib")
    content = bytearray(features.read_bytes())
    content[len(content) // 2] ^= 1
    features.write_bytes(bytes(content))
    stage = "feature_extraction.extract_features train"
    assert table(run_scene("vadloc.status", spoilt, results))[stage] == [3, 0, 0, 0]
    assert table(run_scene("vadloc.status", spoilt, results, "--verify"))[stage] == [2, 0, 0, 1]
    config = spoilt / "tiny.toml"
    config.write_text(config.read_text() + "\n[scoring]\nneighbourhood = 1\n")
    stale = table(run_scene("vadloc.status", spoilt, results))
    assert stale["exemplar_selection.merge_exemplars"] == [1, 0, 0, 0]
    assert stale["anomaly_detection.score_anomalies"] == [0, 0, 2, 0]


def test_status_sees_what_is_missing_or_altered_in_the_report(
    scene: Path, finished: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    subprocess.run(["cp", "-r", str(finished), str(results)], check=True)
    stage = "anomaly_detection.write_report"
    page = results / "tiny" / "report" / "momentum"
    script = page / "data" / "index.js"
    whole = script.read_bytes()
    script.write_bytes(whole.replace(b"Test0", b"Test9"))
    assert table(run_scene("vadloc.status", scene, results))[stage] == [1, 0, 0, 0]
    assert table(run_scene("vadloc.status", scene, results, "--verify"))[stage] == [0, 0, 0, 1]
    script.unlink()
    assert table(run_scene("vadloc.status", scene, results))[stage] == [0, 0, 0, 1]
    line = one_line(run(stage, *scene_options(scene, results)), status=1)
    assert "data/index.js, which is not beside it; make it again: python -m " in line
    run_scene(stage, scene, results, "--overwrite")
    assert script.read_bytes() == whole
    assert table(run_scene("vadloc.status", scene, results, "--verify"))[stage] == [1, 0, 0, 0]


def test_doctor_finds_nothing_wrong_with_the_scene(scene: Path, tmp_path: Path) -> None:
    assert "nothing wrong" in run_scene("vadloc.doctor", scene, tmp_path)


def test_doctor_lists_everything_that_is_wrong(scene: Path, tmp_path: Path) -> None:
    sick = copy_scene(scene, tmp_path / "scene")
    (sick / "Train" / "Train0" / "005.png").unlink()
    frame = sick / "Train" / "Train1" / "003.png"
    content = frame.read_bytes()
    frame.unlink()
    frame.write_bytes(content[: len(content) // 2])
    save_frames(sick / "Train" / "Train7", film(seed=7)[:2])
    save_frames(sick / "Train" / "Train8", film(seed=8)[:, :-8])
    save_frames(sick / "Test" / "Test9", film(seed=0))
    done = run("vadloc.doctor", *scene_options(sick, tmp_path / "results"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for finding in (
        "train Train0: the numbering of the frames jumps from 4 to 6",
        "train Train1: " + str(frame),
        "train Train7: 2 frames",
        "train Train8: frames of 64 x 40 px",
        "test Test9: 23 of 24 frames are also frames of training (Train0)",
        "Test9_gt.txt",
    ):
        assert finding in done.stdout


def test_doctor_finds_repeated_frames(tmp_path: Path) -> None:
    frames = film(seed=1)
    frames[10] = frames[9]
    save_frames(tmp_path / "a", frames)
    [finding] = examine(Sequence("a", tmp_path / "a"), "test", frames_per_volume=4).findings
    assert "1 of 24 frames repeat the one before, the first is frame 11" in finding


def test_log_file_says_what_began_and_what_ended(scene: Path, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    run_scene("vadloc.run", scene, tmp_path / "results", "--log-file", log, "--jobs", 2)
    text = log.read_text()
    for unit in ("train/Train0", "test/Test1"):
        lines = [line for line in text.splitlines() if f"/{unit}: " in line]
        assert "stamp" in lines[0]
        assert "frames" in lines[1]
        assert "MiB" in lines[1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_sigterm_ends_with_143_and_the_same_command_continues(
    scene: Path, finished: Path, tmp_path: Path, jobs: int
) -> None:
    long = copy_scene(scene, tmp_path / "scene")
    noise = np.random.default_rng(0).integers(0, 256, (900, 48, 64), dtype=np.uint8)
    (long / "Train" / "Train5").mkdir()
    for number, frame in enumerate(noise, start=1):
        Image.fromarray(frame).save(long / "Train" / "Train5" / f"{number:03d}.png")
    results = tmp_path / "results"
    words = command("vadloc.run", *scene_options(long, results), "--jobs", jobs)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while not list(results.glob("*/features/*/train/*.joblib")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 143, log
    assert "Traceback" not in log
    run_scene("vadloc.run", long, results)
    assert not [path for path in artifact_bytes(results) if path.endswith(".part")]
    for path, content in artifact_bytes(results).items():
        if "features" in path and "Train5" not in path:
            assert content == artifact_bytes(finished)[path]


def test_two_writers_of_one_unit_end_in_one_right_file(
    scene: Path, finished: Path, tmp_path: Path
) -> None:
    words = command("vadloc.run", *scene_options(scene, tmp_path / "results"), "--jobs", 1)
    writers = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    logs = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], logs
    assert artifact_bytes(tmp_path / "results") == artifact_bytes(finished)
