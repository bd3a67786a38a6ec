"""A real RTSP camera on the loopback address: the same scores, and what happens when it goes."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from rtsp_camera import PASSWORD, address, free_port, missing, rtsp_camera
from tiny_scene import CONFIG, film, make_scene, run

import vadloc.run
from anomaly_detection.watch_camera import parser
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.session import watch
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.video.frames import Sequence, read_frames_as
from vadloc.video.live import read_camera
from vadloc.video.writing import write_video

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
RATE = 10


def save(path: Path, frames: np.ndarray) -> Path:
    """Frames as an H.264 file."""
    write_video(path, (np.repeat(frame[..., None], 3, axis=2) for frame in frames), RATE)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny scene with the results of ``momentum``, and ten seconds of it for the camera."""
    made = make_scene(tmp_path_factory.mktemp("watched"))
    (made / "tiny.toml").write_text(
        CONFIG.replace('ground_truth = "Test"\n', "") + "\n[alarms]\nthreshold = 9.0\n"
    )
    artifacts = Artifacts(load_config(made / "tiny.toml"), made / "results", made)
    for stage in vadloc.run.stages(artifacts)[:-1]:
        for unit in stage.units(artifacts):
            stage.run(artifacts, unit)
    save(made / "long.mp4", np.concatenate([film(seed=10)] * 4))
    return made


def options(folder: Path, source: str, out: Path, *more: object) -> list[str]:
    words = ["--config", folder / "tiny.toml", "--datasets", folder, "--model", folder / "results"]
    words += ["--source", source, "--out", out, "--no-page", "--no-view-check", "--timeout", "3"]
    return [str(word) for word in [*words, *more]]


def records_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "alarms.jsonl").read_text().splitlines()]


def watched(folder: Path, port: int, out: Path, *more: object) -> list[Scored]:
    """The scored frames of a watch of the camera."""
    scored: list[Scored] = []
    watch(parser().parse_args(options(folder, address(port), out, *more)), on_scored=scored.append)
    return scored


def test_frames_of_a_camera_are_those_of_its_file(folder: Path) -> None:
    port = free_port()
    expected = read_frames_as(Sequence("long", folder / "long.mp4"), ("grey", "rgb"))
    with rtsp_camera(folder / "long.mp4", port):
        found = list(read_camera(address(port), ("grey", "rgb")))
    for pictures, others in zip(found, expected, strict=True):
        assert all((a == b).all() for a, b in zip(pictures, others, strict=True))


def test_scores_of_a_camera_are_those_of_its_file(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with rtsp_camera(folder / "long.mp4", port):
        live = watched(folder, port, tmp_path / "live", "--duration", "5", "--no-drop")
    file: list[Scored] = []
    words = options(folder, str(folder / "long.mp4"), tmp_path / "file")
    watch(parser().parse_args(words), on_scored=file.append)
    assert len(live) > 20
    # The last frames of a watch that is ended are at the end of fewer volumes.
    for one, other in list(zip(live, file, strict=False))[: len(live) - 4]:
        assert one.scores.tobytes() == other.scores.tobytes()


def test_a_camera_that_dies_comes_back(folder: Path, tmp_path: Path) -> None:
    port = free_port()

    def lead_a_hard_life() -> None:
        with rtsp_camera(folder / "long.mp4", port):
            time.sleep(3)
        time.sleep(1.5)
        with rtsp_camera(folder / "long.mp4", port):
            time.sleep(6)

    life = threading.Thread(target=lead_a_hard_life)
    life.start()
    time.sleep(1)
    scored = watched(folder, port, tmp_path, "--duration", "8")
    life.join()
    found = records_of(tmp_path)
    assert [(r["kind"], r["state"]) for r in found[:3]] == [
        ("gone", "begun"),
        ("gone", "ended"),
        ("back", "ended"),
    ]
    assert found[0]["id"] == found[1]["id"] != found[2]["id"]
    assert "nothing was seen meanwhile" in found[1]["sentence"]
    numbers = [one.picture.number for one in scored]
    assert numbers == sorted(set(numbers))
    assert max(numbers) > found[2]["last_frame"]
    # No motion is measured across the gap: the scores are as small as those of the file.
    assert max(float(one.scores.max()) for one in scored) < 9


def test_a_black_and_a_frozen_picture(folder: Path, tmp_path: Path) -> None:
    frames = film(seed=10)
    black = np.full_like(frames, 2)[:15]
    frozen = np.repeat(frames[-1:], 35, axis=0)
    video = save(tmp_path / "faults.mp4", np.concatenate([frames, black, frames, frozen]))
    port = free_port()
    with rtsp_camera(video, port):
        watched(folder, port, tmp_path, "--duration", "12", "--frozen-after", "1.5")
    begun = [r["kind"] for r in records_of(tmp_path) if r["state"] == "begun"]
    assert begun[0] == "black"
    assert "frozen" in begun


def test_a_camera_of_another_size(folder: Path, tmp_path: Path) -> None:
    video = save(tmp_path / "small.mp4", np.concatenate([film(seed=10)] * 2)[:, :40, :48])
    port = free_port()
    with rtsp_camera(video, port):
        scored = watched(folder, port, tmp_path, "--duration", "4")
    assert scored == []
    assert records_of(tmp_path)[0]["kind"] == "resized"
    assert "48 x 40 px instead of 64 x 48 px" in records_of(tmp_path)[0]["sentence"]


def test_a_password_is_nowhere(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    wrong = "wrong-" + PASSWORD
    with rtsp_camera(folder / "long.mp4", port):
        for password in (PASSWORD, wrong):
            words = options(folder, address(port, password=password), tmp_path / "out")
            log = tmp_path / "log.txt"
            done = run(
                "anomaly_detection.watch_camera",
                *[*words, "--duration", "4", "--verbose", "--log-file", log],
            )
            assert done.returncode == 0, done.stderr
            written = [p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()]
            for text in (done.stdout, done.stderr, log.read_text(), *map(repr, written)):
                assert PASSWORD not in text
    assert "401 Unauthorized" in records_of(tmp_path / "out")[-1]["sentence"]


def test_pyav_itself_would_tell_the_password() -> None:
    """The message that is hidden is a real one."""
    nobody = address(free_port())
    with pytest.raises(av.FFmpegError, match=PASSWORD):
        av.open(nobody, timeout=5)
    with pytest.raises(VadlocError, match="Connection refused") as failure:
        next(read_camera(nobody, ("grey",), timeout_s=5))
    assert PASSWORD not in str(failure.value)
