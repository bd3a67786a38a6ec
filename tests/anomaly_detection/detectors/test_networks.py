"""Detectors that are trained: from video to the report, and what can go wrong on the way."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_scene import CONFIG, copy_scene, film, save_frames, scene_options

pytest.importorskip("torch")
pytest.importorskip("openvino")

import vadloc.run
import vadloc.status
from anomaly_detection import (
    combine_scores,
    estimate_quality,
    explain_anomalies,
    score_left_out,
    show_expectations,
    train_detector,
    watch_camera,
)
from anomaly_detection.calibration.calibrate_threshold import calibration_sequences
from anomaly_detection.detectors import load_detector, load_input, trained
from anomaly_detection.detectors.frame_stream import FrameStream
from anomaly_detection.detectors.held_out import read_footage, training_video
from anomaly_detection.detectors.trained import NetworkDetector
from anomaly_detection.training import loop, mlad
from anomaly_detection.training.pseudo_anomalies import AutoencoderTask, ChangedData, make_tasks
from anomaly_detection.training.tasks import Example
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.session import watch
from feature_extraction import make_pseudo_anomalies
from feature_extraction.footage import Footage
from vadloc.artifacts import Artifacts
from vadloc.config import Alarms, load_config
from vadloc.detector_settings import Mlad, PseudoAnomalies
from vadloc.errors import UsageError
from vadloc.versions import VERSIONS, Version
from vadloc.weights import read_weights, write_weights

TABLES = """
[detectors.pseudo_anomalies]
channels = [4, 4, 8, 8]
steps = 60
learning_rate = 0.01
batch_size = 2
crop_px = 32
clip_frames = 8
clip_stride = 4
discriminator_clips = 24
discriminator_steps = 60
held_out = 1
checks = 3

[detectors.mlad]
channels = 4
layers = 3
discriminator_channels = 2
steps = 20
batch_size = 4
crop_px = 32
held_out = 1
checks = 2

[pseudo_anomalies]
per_sequence = 3
frames = 6
"""
NETWORKS = ["pseudo_anomalies", "mlad"]
FIXED = "[alarms]\nthreshold = 0.1\n"


@pytest.fixture(scope="module", autouse=True)
def _patched() -> Any:
    """Noise cannot be learnt in a few steps: a nearly constant output is no error here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LEAST_VARIANCE", 0.0)
        pair = Version(detector="combined", members=("momentum", "mlad"))
        patch.setitem(VERSIONS, "pair", pair)
        yield


@pytest.fixture(scope="module")
def folder(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scene and results of whole runs of all three versions."""
    folder = tmp_path_factory.mktemp("networks")
    config = copy_scene(scene, folder / "scene") / "tiny.toml"
    config.write_text(CONFIG + TABLES + FIXED)
    for version in [*NETWORKS, "pair"]:
        vadloc.run.main([*options(folder), "--version", version, "--jobs", "1"])
    return folder


def options(folder: Path) -> list[str]:
    return [str(word) for word in scene_options(folder / "scene", folder / "results")]


def artifacts(folder: Path, version: str, results: str = "results") -> Artifacts:
    scene = folder / "scene"
    return Artifacts(load_config(scene / "tiny.toml"), folder / results, scene, version)


def copied(folder: Path, target: Path, *, models: bool = True) -> Path:
    """A copy of scene, and of the results if they are wanted."""
    copy_scene(folder / "scene", target / "scene")
    shutil.copy(folder / "scene" / "tiny.toml", target / "scene")
    if models:
        shutil.copytree(folder / "results", target / "results")
    return target


@pytest.mark.parametrize("version", [*NETWORKS, "pair"])
def test_all_stages_have_run(folder: Path, version: str) -> None:
    made = folder / "results" / "tiny"
    for kind in ("scores", "evaluation", "explanations", "report"):
        assert (made / kind / version).is_dir()
    details = artifacts(folder, version).score_details("Test0").load()
    assert details["localizes"]
    expected = {
        "pseudo_anomalies": ("pseudo_anomalies", {"appearance", "motion", "semantic"}),
        "mlad": ("mlad", {"flow", "frame"}),
        "pair": ("combined", {"momentum", "mlad"}),
    }
    assert (details["detector"], set(details["indicators"])) == expected[version]


@pytest.mark.parametrize("version", NETWORKS)
def test_the_training_leaves_weights_curves_and_pictures(folder: Path, version: str) -> None:
    model = artifacts(folder, version).model()
    record = model.load()
    names = {path.name for path in model.path.parent.iterdir()}
    weights = {f"{network}.safetensors" for network in record["networks"]}
    if version == "mlad":  # rounds of mining go on with these
        weights |= {f"{network}.start.safetensors" for network in record["networks"]}
    assert set(record["files"]) == weights
    assert names == {*weights, "training.json", "training.png", "examples.png"}
    for network in record["networks"].values():
        points = [point["step"] for point in network["curve"]]
        assert points == sorted(points)
        assert points[-1] == network["steps"]
        measured = {p["step"]: p["held_out"] for p in network["curve"] if "held_out" in p}
        assert min(measured.values()) == network["held_out_loss"] == measured[network["best_step"]]


@pytest.mark.parametrize("version", NETWORKS)
def test_only_held_out_video_calibrates(folder: Path, version: str) -> None:
    found = artifacts(folder, version)
    [held_out] = found.model().load()["held_out"]
    assert calibration_sequences(found) == [held_out]
    detector = load_detector(found)
    regions = found.config.regions
    for sequence in found.sequences("train"):
        given = load_input(found, "train", sequence.name)
        parts = list(detector.score_training(given, given.grid(regions)))
        assert [len(scores) for _, scores in parts] == [24] * (sequence.name == held_out)


@pytest.mark.parametrize("version", [*NETWORKS, "pair"])
def test_only_held_out_video_is_scored_as_left_out(folder: Path, version: str) -> None:
    score_left_out.main([*options(folder), "--version", version, "--jobs", "1"])
    found = artifacts(folder, version)
    [held_out] = calibration_sequences(found)
    made = {s.name for s in found.sequences("train") if found.left_out(s.name).is_done()}
    assert made == {held_out}
    given = load_input(found, "train", held_out)
    parts = load_detector(found).score_training(given, given.grid(found.config.regions))
    expected = np.concatenate([scores for _, scores in parts])
    np.testing.assert_array_equal(found.left_out(held_out).load(), expected)


@pytest.mark.parametrize("version", NETWORKS)
def test_a_camera_gets_the_stored_scores(folder: Path, version: str) -> None:
    found = artifacts(folder, version)
    frames = film(seed=10, anomaly_column=10)
    with FrameStream(found, 48, 64) as stream:
        parts = [stream.push(f, np.repeat(f[..., None], 3, axis=2)) for f in frames]
        scores = np.concatenate([*parts, stream.finish()])
    np.testing.assert_array_equal(scores, found.scores("Test0").load())


@pytest.mark.parametrize("version", NETWORKS)
def test_a_watched_file_has_the_stored_scores_and_alarms(
    folder: Path, tmp_path: Path, version: str
) -> None:
    found = artifacts(folder, version)
    scored: list[Scored] = []
    for name in ("Test0", "Test1"):
        words = [*options(folder), "--version", version, "--no-page", "--no-view-check"]
        words += ["--source", str(folder / "scene" / "Test" / name), "--out", str(tmp_path / name)]
        args = watch_camera.parser().parse_args([*words, "--alarm-after", "100"])
        scored.clear()
        watch(args, on_scored=scored.append)
        scores = np.stack([one.scores for one in scored])
        assert scores.tobytes() == found.scores(name).load().tobytes()
        lines = (tmp_path / name / "alarms.jsonl").read_text().splitlines()
        keys = "first_frame", "last_frame", "peak_frame", "score"
        stored = found.explanations(name).load()["detections"]
        assert sorted(tuple(json.loads(line)[key] for key in keys) for line in lines) == sorted(
            tuple(detection[key] for key in keys) for detection in stored
        )


@pytest.mark.parametrize("version", NETWORKS)
def test_reasons_have_shares_and_expected_motion(folder: Path, version: str) -> None:
    content = artifacts(folder, version).explanations("Test0").load()
    assert content["detections"]
    for detection in content["detections"]:
        assert sum(detection["peak"]["shares"].values()) == pytest.approx(1, abs=1e-3)
        assert "the network that knows normal motion here expects" in detection["sentence"]
        assert ". Here normally: " in detection["sentence"]
        measured = detection["peak"]["motion"]
        assert measured["speed"] >= 0
        unusual = "".join(f". Unusual: {measured['unusual'][0]}" for _ in measured["unusual"][:1])
        assert unusual in detection["sentence"]


def test_the_weights_of_a_dataset_have_a_share_for_the_discriminator(
    folder: Path, tmp_path: Path
) -> None:
    scene = copied(folder, tmp_path)
    before = artifacts(scene, "pseudo_anomalies")
    assert load_detector(before).weights == {"appearance": 0.5, "motion": 0.5, "semantic": 0.0}
    config = scene / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace("checks = 3", 'checks = 3\nweights = "avenue"'))
    found = artifacts(scene, "pseudo_anomalies")
    assert found.model().state() == ("done", "")  # weights change scores, not networks
    detector = load_detector(found)
    assert isinstance(detector, NetworkDetector)
    assert detector.weights == {"appearance": 0.45, "motion": 0.5, "semantic": 0.05}
    given = load_input(found, "test", "Test0")
    grid = given.grid(found.config.regions)
    with_weight, _ = detector.explained_maps(given, grid)
    scores = detector.score_sequence(given, grid)
    assert scores.shape == with_weight.shape[1:]
    expected = 0.45 * with_weight[0] + 0.5 * with_weight[1] + 0.05 * with_weight[2]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert (with_weight[2] > 0).all()
    every = detector.start_indicators(grid, "published", every=True)
    maps = np.concatenate([*map(every.push, given.steps()), every.finish()], axis=1)
    assert (maps[2] == maps[2][:, :1, :1]).all()
    assert ((maps[2] > 0) & (maps[2] < 1)).all()


@pytest.mark.parametrize("version", [*NETWORKS, "pair"])
def test_the_report_shows_what_was_expected(folder: Path, version: str) -> None:
    found = artifacts(folder, version)
    page = found.report_page().path
    rows = {"pair": 2}.get(version, 2)
    for index, sequence in enumerate(found.sequences("test")):
        detections = found.explanations(sequence.name).load()["detections"]
        names = {path.name for path in (page.parent / "expected").glob(f"{index:03d}-*.jpg")}
        assert names == {f"{index:03d}-{k:04d}.jpg" for k in range(len(detections))}
        content = (page.parent / "data" / f"{index:03d}.js").read_text()
        assert content.count('"expected":{"rows":[') == len(detections)
        for name in names:
            with Image.open(page.parent / "expected" / name) as picture:
                assert picture.width % 3 == picture.height % rows == 0


@pytest.mark.parametrize("version", NETWORKS)
def test_expectations_are_drawn(folder: Path, version: str) -> None:
    words = [*options(folder), "--version", version, "--jobs", "1"]
    show_expectations.main([*words, "--sequence", "Test0"])
    found = artifacts(folder, version)
    detections = found.explanations("Test0").load()["detections"]
    assert found.expectations("Test0").load()["alarms"] == list(range(len(detections)))
    with Image.open(found.expectations("Test0").path.with_suffix(".png")) as picture:
        width, height = 3 * (128 + 4) + 4, 96 + 4  # three tiles, and a gap after each network
        assert picture.size == (2 * width, len(detections) * height)
    detector = load_detector(found)
    assert isinstance(detector, NetworkDetector)
    given = load_input(found, "test", "Test0")
    shown = detector.pictures(given, given.grid(found.config.regions), [0, 11, 23])
    assert list(shown) == [0, 11, 23]
    name = {"mlad": "frame", "pseudo_anomalies": "appearance"}[version]
    for frame, examples in shown.items():
        seen = film(seed=10, anomaly_column=10)[frame] / 127.5 - 1
        np.testing.assert_allclose(examples[name].given, seen, atol=1e-5)


def test_expectations_of_alarms_with_a_threshold_of_their_own(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = copied(folder, tmp_path)
    words = [*options(scene), "--version", "mlad", "--sequence", "Test0"]
    given = ["--threshold", "0.15"]
    explain_anomalies.main([*words, *given, "--overwrite"])
    shutil.rmtree(scene / "results" / "tiny" / "expectations", ignore_errors=True)
    with pytest.raises(SystemExit):
        show_expectations.main(words)
    assert "made from another config" in caplog.text
    show_expectations.main([*words, *given])
    config = load_config(scene / "scene" / "tiny.toml")
    alarms = Alarms(threshold=0.15)
    found = Artifacts(
        config.model_copy(update={"alarms": alarms}),
        scene / "results",
        scene / "scene",
        "mlad",
        alarm_options=("--threshold", "0.15"),
    )
    count = len(found.explanations("Test0").load()["detections"])
    assert found.expectations("Test0").load()["alarms"] == list(range(count))
    assert "--threshold 0.15" in found.expectations("Test0").command


@pytest.mark.parametrize("version", NETWORKS)
def test_the_same_bytes_again_also_after_a_stop(
    folder: Path, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = copied(folder, tmp_path, models=False)
    words = [*options(scene), "--version", version]
    with monkeypatch.context() as patch:
        save = loop.save_checkpoint

        def stop(path: Path, state: Any) -> None:
            save(path, state)
            raise KeyboardInterrupt

        patch.setattr(loop, "save_checkpoint", stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train_detector.main(words)
    train_detector.main(words)
    again, before = (artifacts(place, version).model() for place in (scene, folder))
    for name in before.load()["files"]:
        first = before.path.with_name(name).read_bytes()
        assert again.path.with_name(name).read_bytes() == first
    assert again.load()["scales"] == before.load()["scales"]


def test_other_settings_are_refused_and_begin_anew_with_overwrite(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = copied(folder, tmp_path)
    config = scene / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace("steps = 60", "steps = 40"))  # of all three
    words = [*options(scene), "--version", "pseudo_anomalies"]
    with pytest.raises(SystemExit):
        train_detector.main(words)
    assert "made from another config" in caplog.text
    train_detector.main([*words, "--overwrite"])
    networks = artifacts(scene, "pseudo_anomalies").model().load()["networks"]
    assert {network["steps"] for network in networks.values()} == {40}


def test_a_checkpoint_of_other_settings_is_kept(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = copied(folder, tmp_path, models=False)
    found = artifacts(scene, "pseudo_anomalies").model().path
    checkpoint = found.with_name("appearance.checkpoint.pt")
    loop.save_checkpoint(checkpoint, {"stamp": "another"})
    with pytest.raises(SystemExit):
        train_detector.main([*options(scene), "--version", "pseudo_anomalies"])
    assert "of a training with other settings or other video; it is kept" in caplog.text
    assert checkpoint.is_file()


@pytest.mark.parametrize("other", ["another network", "another training"])
def test_other_weights_are_refused_and_made_again(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, other: str
) -> None:
    scene = copied(folder, tmp_path)
    model = artifacts(scene, "mlad").model()
    weights = model.path.with_name("frame.safetensors")
    before = weights.read_bytes()
    if other == "another network":
        shutil.copy(weights.with_name("flow.safetensors"), weights)
    else:
        found = read_weights(weights)
        halved = {name: tensor / 2 for name, tensor in found.tensors.items()}
        write_weights(weights, halved, found.metadata)
    shutil.rmtree(scene / "results" / "tiny" / "scores")
    with pytest.raises(SystemExit):
        vadloc.run.main([*options(scene), "--version", "mlad", "--jobs", "1"])
    error = "frame.safetensors: its bytes do not fit the sha256 in training.json; make it again: "
    assert error + model.command + " --overwrite" in caplog.text
    train_detector.main([*options(scene), "--version", "mlad", "--overwrite"])
    assert weights.read_bytes() == before


def test_a_training_that_is_killed_before_its_record_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = copied(folder, tmp_path)
    config = scene / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace("steps = 20", "steps = 10"))
    words = [*options(scene), "--version", "mlad"]
    with monkeypatch.context() as patch:
        patch.setattr(trained, "measure_scales", _stop)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train_detector.main([*words, "--overwrite"])
    assert artifacts(scene, "mlad").model().state() == ("missing", "")
    train_detector.main(words)
    assert load_detector(artifacts(scene, "mlad"))


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("version", "task", "network", "part", "kept_step"),
    [
        ("pseudo_anomalies", AutoencoderTask, "appearance", "loss", 20),
        ("mlad", mlad.TranslationTask, "flow", "discriminator", 10),
    ],
)
def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_checkpoint(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: str,
    task: Any,
    network: str,
    part: str,
    kept_step: int,
) -> None:
    scene = copied(folder, tmp_path, models=False)
    advance = task.advance

    def broken(self: Any) -> dict[str, float]:
        losses = advance(self)
        return losses if self.step < kept_step + 5 else {**losses, part: float("nan")}

    monkeypatch.setattr(task, "advance", broken)
    with pytest.raises(SystemExit):
        train_detector.main([*options(scene), "--version", version])
    where = f"{network}: at step {kept_step + 5} the loss {part!r} is nan"
    assert f"{where}; the last good checkpoint" in caplog.text
    kept = artifacts(scene, version).model().path.parent / f"{network}.checkpoint.pt"
    state = loop.load_checkpoint(kept)
    assert state is not None
    assert state["task"]["step"] == kept_step


@pytest.mark.parametrize("version", NETWORKS)
def test_training_video_of_another_size_is_named(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    scene = copied(folder, tmp_path, models=False)
    shutil.rmtree(scene / "scene" / "Train" / "Train1")
    frames = np.pad(film(seed=1), ((0, 0), (0, 16), (0, 0)))
    save_frames(scene / "scene" / "Train" / "Train1", frames)
    with pytest.raises(SystemExit):
        train_detector.main([*options(scene), "--version", version])
    assert "Train1: frames of 64 x 64 px, those of Train0 have 64 x 48" in caplog.text
    assert not list((scene / "results").rglob("*.safetensors"))


def test_a_constant_output_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = copied(folder, tmp_path, models=False)
    picture = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    constant = Example(picture, np.full((8, 8), 0.1, np.float32), np.abs(picture - 0.1))
    monkeypatch.setattr(AutoencoderTask, "examples", lambda _: [constant])
    monkeypatch.setattr(loop, "LEAST_VARIANCE", 0.01)
    with pytest.raises(SystemExit):
        train_detector.main([*options(scene), "--version", "pseudo_anomalies"])
    assert "appearance: at step 60 its output is nearly constant" in caplog.text
    assert "the last good checkpoint" in caplog.text


def test_scores_of_whole_frames_do_not_localize(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = copied(folder, tmp_path)
    config = scene / "scene" / "tiny.toml"
    text = config.read_text().replace("checks = 3", 'checks = 3\nform = "published"')
    config.write_text(text)
    model = artifacts(scene, "pseudo_anomalies").model()
    assert model.state() == ("done", "")  # the form changes scores, not networks
    shutil.rmtree(scene / "results" / "tiny" / "scores" / "pseudo_anomalies")
    words = [*options(scene), "--version", "pseudo_anomalies", "--jobs", "1", "--overwrite"]
    vadloc.run.main(words)
    found = artifacts(scene, "pseudo_anomalies")
    scores = found.scores("Test0").load()
    assert (scores == scores[:, :1, :1]).all()
    assert np.ptp(scores[:, 0, 0]) > 0
    assert found.score_details("Test0").load()["localizes"] is False
    printed = capsys.readouterr().out
    assert printed.count("does not localize") == 4
    assert "frame AUC (micro)   0." in printed


def test_the_only_sequence_holds_out_its_end(folder: Path, tmp_path: Path) -> None:
    scene = copied(folder, tmp_path, models=False)
    shutil.rmtree(scene / "scene" / "Train")
    save_frames(scene / "scene" / "Train" / "Train0", film(seed=0))
    train_detector.main([*options(scene), "--version", "mlad"])
    found = artifacts(scene, "mlad")
    assert calibration_sequences(found) == ["Train0"]
    given = load_input(found, "train", "Train0")
    [(part, scores)] = load_detector(found).score_training(given, given.grid(found.config.regions))
    assert part.frame_count == len(scores) == 6
    config = scene / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace("\nframes = 6", "\nframes = 2"))
    estimate_quality.main([*options(scene), "--version", "mlad"])
    firsts = [one["first_frame"] for one in artifacts(scene, "mlad").quality().load()["tried"]]
    assert firsts
    assert min(firsts) >= 18


def test_a_combined_score_adds_to_the_first_member_what_others_see_beyond_normal(
    folder: Path,
) -> None:
    found = artifacts(folder, "pair")
    [held_out] = calibration_sequences(found)
    total = np.zeros(found.scores("Test0").load().shape)
    for number, member in enumerate(found.members):
        given = load_input(member, "train", held_out)
        grid = given.grid(found.config.regions)
        [(_, normal)] = load_detector(member).score_training(given, grid)
        divisor = np.quantile(normal, 0.999)
        scaled = member.scores("Test0").load().astype(float) / divisor
        total += (scaled if number == 0 else np.clip(scaled - 1, 0, None)) ** 2
    np.testing.assert_allclose(found.scores("Test0").load(), np.sqrt(total), rtol=1e-5)


def test_a_combined_version_cannot_score_a_camera(folder: Path) -> None:
    with pytest.raises(UsageError, match="give --version momentum or mlad"):
        FrameStream(artifacts(folder, "pair"), 48, 64)


def test_a_combined_version_cannot_score_changed_frames(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        estimate_quality.main([*options(folder), "--version", "pair"])
    assert exit_info.value.code == 2
    assert "cannot score changed frames; give --version momentum or mlad" in caplog.text


def test_only_combined_versions_are_combined(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        combine_scores.main([*options(folder), "--version", "mlad"])
    assert "version 'mlad' combines nothing; expected one of" in caplog.text


def test_status_lists_the_stages_of_members(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vadloc.status.main([*options(folder), "--version", "pair"])
    printed = capsys.readouterr().out
    names = ["extract_features", "train_detector", "score_anomalies", "combine_scores"]
    assert all(name in printed for name in names)


@pytest.mark.parametrize("version", ["momentum", "mlad"])
def test_quality_is_estimated_without_labels(
    folder: Path, tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = copied(folder, tmp_path)
    estimate_quality.main([*options(scene), "--version", version])
    content = artifacts(scene, version).quality().load()
    sequences = {"momentum": 3, "mlad": 1}[version]
    assert 0 < len(content["tried"]) <= 3 * sequences
    assert sum(counts["tried"] for counts in content["found"].values()) == len(content["tried"])
    for one in content["tried"]:
        assert one["is_found"] == (one["score"] >= content["threshold"])
    made = set()
    for name in {one["sequence"] for one in content["tried"]}:
        make_pseudo_anomalies.STAGE.run(artifacts(scene, version), name)
        file = artifacts(scene, version).pseudo_anomalies(name).load()
        made |= {(name, one["kind"], one["first_frame"]) for one in file["made"]}
    assert {(o["sequence"], o["kind"], o["first_frame"]) for o in content["tried"]} == made
    assert "AUC with against without" in capsys.readouterr().out


def test_the_frame_rate_counts_for_the_quality(folder: Path, tmp_path: Path) -> None:
    scene = copied(folder, tmp_path, models=False)
    before = artifacts(scene, "mlad").quality().stamp  # the threshold allows alarms per hour
    config = scene / "scene" / "tiny.toml"
    text = config.read_text()
    config.write_text(text.replace("frames_per_second = 10", "frames_per_second = 25"))
    assert config.read_text() != text
    assert artifacts(scene, "mlad").quality().stamp != before


def test_the_memory_for_frames_is_bounded(folder: Path) -> None:
    found = artifacts(folder, "mlad")
    parts = training_video(found).trained
    whole = list(read_footage(found, parts, most_frames=48))
    assert [len(part) for part in whole] == [24, 24]
    some = list(read_footage(found, parts, most_frames=10))
    assert 0 < sum(len(part) for part in some) <= 10
    frames = np.concatenate([part.frames for part in whole])
    for part in some:  # consecutive frames of the video
        starts = [i for i in range(48) if (frames[i] == part.frames[0]).all()]
        assert any((frames[i : i + len(part)] == part.frames).all() for i in starts)


def test_video_shorter_than_a_clip_is_named(caplog: pytest.LogCaptureFixture) -> None:
    frames, flow = np.zeros((6, 32, 32), np.uint8), np.zeros((6, 2, 32, 32), np.float16)
    part = Footage("Brief", frames, flow)
    settings = PseudoAnomalies(channels=[1, 1, 1, 1], clip_frames=8, clip_stride=8, crop_px=32)
    tasks = make_tasks(ChangedData([part], [part], 16, 1.0), settings, device="cpu")
    assert "Brief: shorter than a clip of 8 frames" in caplog.text
    assert np.isfinite(tasks[0].advance()["loss"])


def test_a_dead_discriminator_of_a_gan_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    frames, flow = np.zeros((3, 32, 32), np.uint8), np.zeros((3, 2, 32, 32), np.float16)
    part = Footage("A", frames, flow)
    settings = Mlad(channels=1, layers=3, crop_px=32)
    task = mlad.TranslationTask(
        "flow", ChangedData([part], [part], 16, 1.0), settings, device="cpu"
    )
    for loss in [1e-4] * (mlad.DEAD_STEPS - 1) + [1.0] + [1e-4] * (mlad.DEAD_STEPS - 1):
        task._warn_if_dead(loss)
    assert "teaches nothing" not in caplog.text
    for _ in range(3):
        task._warn_if_dead(1e-4)
    assert caplog.text.count("flow: the loss of the discriminator has been below 0.001") == 1


@pytest.mark.parametrize("version", NETWORKS)
def test_a_sequence_of_one_frame_can_be_trained_on(version: str) -> None:
    frames, flow = np.full((1, 32, 32), 7, np.uint8), np.zeros((1, 2, 32, 32), np.float16)
    part = Footage("A", frames, flow)
    data = ChangedData([part], [part], 16, 1.0)
    small: dict[str, Any] = {"crop_px": 32, "batch_size": 2, "steps": 2}
    tasks = (
        mlad.make_tasks(data, Mlad(channels=2, layers=3, **small), device="cpu")
        if version == "mlad"
        else make_tasks(data, PseudoAnomalies(channels=[1] * 4, **small), device="cpu")
    )
    for task in tasks:
        assert all(np.isfinite(loss) for loss in task.advance().values())
        assert np.isfinite(task.measure())


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("version", NETWORKS)
def test_whole_frames_of_any_size_are_trained_on(version: str, colour: bool) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (12, 36, 50, 3) if colour else (12, 36, 50)).astype(np.uint8)
    part = Footage("A", frames, np.zeros((12, 2, 36, 50), np.float16))
    data = ChangedData([part], [part], 16, 1.0)
    small: dict[str, Any] = {"crop_px": 0, "batch_size": 2, "steps": 2, "colour": colour}
    tasks = (
        mlad.make_tasks(data, Mlad(channels=2, layers=3, **small), device="cpu")
        if version == "mlad"
        else make_tasks(data, PseudoAnomalies(channels=[1] * 4, **small), device="cpu")
    )
    for task in tasks:
        assert all(np.isfinite(loss) for loss in task.advance().values())
        assert np.isfinite(task.measure())
        assert task.examples()[0].given.shape == {"mlad": (40, 56)}.get(version, (48, 64))


def test_explanations_name_the_member_with_the_largest_share(folder: Path) -> None:
    words = [*options(folder), "--version", "pair", "--threshold", "0.5", "--overwrite"]
    explain_anomalies.main([*words, "--jobs", "1"])
    path = folder / "results" / "tiny" / "explanations" / "pair" / "Test0.json"
    detections = json.loads(path.read_text())["detections"]
    assert detections
    for detection in detections:
        shares = detection["peak"]["shares"]
        largest = max(shares, key=shares.get)
        assert f"(version {largest}, {shares[largest]:.0%} of the score)" in detection["sentence"]
