"""When frames are: at even intervals, or as the stream says."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_scene import CONFIG, FRAMES, film, run, run_scene, save_frames, scene_options

from anomaly_detection.calibration.calibrate_threshold import alarm_threshold
from vadloc.artifacts import Artifacts
from vadloc.checks.rates import contradictions, log_contradictions
from vadloc.config import load_config
from vadloc.video.times import Clock
from vadloc.video.writing import write_video

HOLE_S = np.concatenate([np.arange(20), np.arange(20) + 35]) / 10
"""Ten frames a second, and 1.5 s without a frame after the twentieth."""


def clock_of(times_s: NDArray[np.float64] | None) -> Clock:
    return Clock.of(times_s, frames_per_second=10)


def test_pictures_follow_the_config() -> None:
    clock = clock_of(None)
    assert [clock.seconds(frame) for frame in (0, 1, 25)] == [0, 0.1, 2.5]
    assert clock.to_record() == {"frames_per_second": 10}


@pytest.mark.parametrize("rate", [25, 30, 30000 / 1001, 24000 / 1001, 12.5, 0.5])
@pytest.mark.parametrize("digits", [3, 9])
def test_even_times_give_their_rate(rate: float, digits: int) -> None:
    """Matroska keeps whole milliseconds."""
    clock = clock_of(np.round(7 + np.arange(500) / rate, digits))
    assert clock.times_s is None
    assert clock.frames_per_second == pytest.approx(rate, rel=1e-4)


def test_videos_of_another_rate_are_named_once_a_rate() -> None:
    """Up to 1 % is no other rate: 29.97 is called 30."""
    rates = {"a": 25.0, "b": 25.0, "c": 30000 / 1001, "d": 30.31, "e": 30.0, "f": None}
    lines = list(contradictions(rates, 30))
    assert [line.split(", but")[0] for line in lines] == [
        "a, b: 25 frames per second",
        "d: 30.31 frames per second",
    ]


def test_a_hole_is_kept() -> None:
    clock = clock_of(HOLE_S + 1.4)  # transport streams begin anywhere
    assert [round(clock.seconds(f), 6) for f in (0, 19, 20, 39)] == [0, 1.9, 3.5, 5.4]
    assert clock.frames_per_second == pytest.approx(10)
    assert clock.seconds(40) == pytest.approx(5.5)
    stored = json.loads(json.dumps(clock.to_record()))
    assert stored["times_s"] == HOLE_S.tolist()
    assert Clock.of_record(stored).seconds(20) == 3.5


@pytest.mark.parametrize("times", [[], [3.0], [2.0, 2.0, 2.0], [0.0, 1e-6, 2e-6], [0.0, 1e7]])
def test_times_of_no_video_are_not_believed(times: list[float]) -> None:
    assert clock_of(np.array(times)) == Clock(10)


def test_a_video_is_written_with_uneven_times(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 32, 48, 3)).astype(np.uint8)
    path = tmp_path / "v.mp4"
    clock = clock_of(HOLE_S)
    assert write_video(path, frames, clock.frames_per_second, times_s=clock.times_s) == 40
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.allclose(times, HOLE_S, atol=1e-4)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos: one for training of 20 frames a second, one for test with a hole."""
    folder = tmp_path_factory.mktemp("scene")
    save_frames(folder / "Train" / "Train0", film(seed=0))
    save_timed(folder / "Train" / "Train1.mkv", film(seed=1), np.arange(FRAMES) / 20)
    hole = np.arange(FRAMES) / 10 + 1.5 * (np.arange(FRAMES) > 11)
    save_timed(folder / "Test" / "Test0.mkv", film(seed=10, anomaly_column=30), hole)
    config = CONFIG.replace('ground_truth = "Test"\n', "") + "\n[alarms]\nthreshold = 0.05\n"
    (folder / "tiny.toml").write_text(config)
    return folder


def save_timed(path: Path, frames: NDArray[np.uint8], times_s: NDArray[np.float64]) -> None:
    """A video whose frames have these times, in whole milliseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1000)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "gray"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="gray")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_seconds_are_those_of_the_video_from_extraction_to_report(
    uneven: Path, tmp_path: Path
) -> None:
    done = run("vadloc.run", *scene_options(uneven, tmp_path), "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert "but [dataset] frames_per_second" not in done.stderr  # its ordinary steps are right
    artifacts = Artifacts(load_config(uneven / "tiny.toml"), tmp_path, uneven)
    assert "times_s" not in artifacts.features("momentum", "train", "Train0").load()
    explained = artifacts.explanations("Test0").load()
    assert explained["times_s"][11:13] == [1.1, 2.7]
    assert explained["detections"]
    for found in explained["detections"]:
        first, last = found["first_frame"], found["last_frame"] + 1
        seconds = [f / 10 + 1.5 * (f > 11) for f in (first, last)]
        assert f"({seconds[0]:.1f}-{seconds[1]:.1f} s)" in found["sentence"]
    script = next((tmp_path / "tiny/report").rglob("index.js")).read_text()
    assert '"times_s"' in script
    run_scene("anomaly_detection.visualize_anomalies", uneven, tmp_path)
    with av.open(str(tmp_path / "tiny/views/momentum/Test0.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert np.allclose(times, explained["times_s"], atol=1e-4)


def test_hours_of_training_are_those_of_its_videos(
    uneven: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """24 frames at the config's 10 and 24 at the video's 20 frames a second: 3.6 s."""
    config = uneven / "calibrated.toml"
    text = (uneven / "tiny.toml").read_text()
    config.write_text(text.replace("threshold = 0.05", "false_alarms_per_hour = 1000"))
    options = ["--config", config, "--datasets", uneven, "--results", tmp_path]
    for module, *more in (
        ("feature_extraction.extract_features", "--split", "train"),
        ("exemplar_selection.select_exemplars",),
        ("exemplar_selection.merge_exemplars",),
        ("anomaly_detection.calibration",),
    ):
        done = run(module, *options, *more)
        assert done.returncode == 0, done.stderr
    loaded = load_config(config)
    artifacts = Artifacts(loaded, tmp_path, uneven)
    origin = alarm_threshold(loaded, artifacts).origin
    log_contradictions(artifacts)
    said = "train Train1: 20 frames per second, but [dataset] frames_per_second = 10"
    assert [said in record.message for record in caplog.records] == [True]
    assert origin["hours"] == round(3.6 / 3600, 4)
    assert origin["is_resolved"]  # exactly one alarm is allowed


def test_doctor_finds_holes_and_other_rates(uneven: Path, tmp_path: Path) -> None:
    done = run("vadloc.doctor", *scene_options(uneven, tmp_path))
    assert done.returncode == 1
    said = "test Test0: 1 hole between its frames, the longest of 1.6 s after frame 12; lost"
    assert said in done.stdout
    assert "train Train1: 20 frames per second, but [dataset] frames_per_second = 10" in done.stdout
    assert "extraction fails" not in done.stdout
