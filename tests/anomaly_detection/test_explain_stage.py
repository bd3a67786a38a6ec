"""Calibration, explanations, views and gallery through their commands, on the tiny scene."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from tiny_scene import CONFIG, make_scene, one_line, run, run_scene, scene_options

from anomaly_detection.calibration.alarm_curves import alarm_curve
from anomaly_detection.detectors.exemplars import ExemplarDetector, features_to_scores
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.merge_exemplars import merge_exemplars
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.features import load_features
from vadloc.files.storage import verify

CALIBRATE = "anomaly_detection.calibration"
EXPLAIN = "anomaly_detection.explain_anomalies"
VISUALIZE = "anomaly_detection.visualize_anomalies"
GALLERY = "exemplar_selection.show_exemplars"
THRESHOLD = 0.2
"""Below the scores of the anomalies of the tiny scene."""


@pytest.fixture(scope="module")
def explained(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a whole run with a fixed threshold; not to be written to."""
    folder = tmp_path_factory.mktemp("explained")
    shutil.copytree(scene, folder / "scene")
    config = folder / "scene" / "tiny.toml"
    config.write_text(f"{CONFIG}\n[alarms]\nthreshold = {THRESHOLD}\n")
    run_scene("vadloc.run", folder / "scene", folder / "results", "--jobs", 1)
    return folder


@pytest.fixture
def copy(explained: Path, tmp_path: Path) -> Path:
    """A copy of scene and results that a test may spoil."""
    return Path(shutil.copytree(explained, tmp_path / "copy"))


def artifacts(folder: Path) -> Artifacts:
    config = load_config(folder / "scene" / "tiny.toml")
    return Artifacts(config, folder / "results", folder / "scene")


def go(module: str, folder: Path, *options: object) -> str:
    return run_scene(module, folder / "scene", folder / "results", "--jobs", 1, *options)


def explanations(folder: Path, sequence: str = "Test0") -> dict[str, Any]:
    file = folder / f"results/tiny/explanations/momentum/{sequence}.json"
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_detections_are_the_scores_above_the_threshold(explained: Path) -> None:
    for sequence in ("Test0", "Test1"):
        content = explanations(explained, sequence)
        scores = artifacts(explained).scores(sequence).load()
        assert content["threshold_from"] == {"kind": "fixed"}
        assert content["frame_scores"] == pytest.approx(scores.max(axis=(1, 2)), abs=1e-6)
        assert content["detections"]
        covered = np.zeros(len(scores), bool)
        for detection in content["detections"]:
            covered[detection["first_frame"] : detection["last_frame"] + 1] = True
            assert detection["score"] == pytest.approx(scores[detection["peak_frame"]].max(), abs=1)
            frames = detection["last_frame"] - detection["first_frame"] + 1
            assert len(detection["boxes_xyxy_px"]) == frames
        assert covered.tolist() == (scores.max(axis=(1, 2)) >= THRESHOLD).tolist()


def test_peak_and_nearest_are_those_of_the_distance(explained: Path) -> None:
    """Recomputed in the plainest way from features and model."""
    results = artifacts(explained)
    model = Exemplars.from_content(results.merged().load())
    features = load_features(results, "test", "Test0")
    scale = model.distance.scales[0]
    for detection in explanations(explained)["detections"]:
        peak, near = detection["peak"], detection["nearest"]
        step = features.first_frame.tolist().index(peak["first_frame"])
        rows = range(model.offsets[peak["region"]], model.offsets[peak["region"] + 1])
        volume = features.values[step, peak["region"]].astype(float)
        far = [float(np.linalg.norm(volume - model.features[row])) / scale for row in rows]
        best = rows[int(np.argmin(far))]
        assert peak["distance"] == pytest.approx(min(far), abs=1e-5)
        assert near["sequence"] == model.sequences[model.sequence[best]]
        assert near["first_frame"] == model.first_frame[best]
        assert near["count"] == model.counts[best]
        assert detection["normal"]["exemplars"] == len(rows)
        assert detection["normal"]["volumes"] == model.counts[list(rows)].sum()
        # What the peak is said to show gives its features back: share times speed by direction.
        seen = peak["attributes"]
        shown = np.multiply(seen["direction_share"], seen["speed_px_per_frame"])
        assert shown * seen["moving_share"] == pytest.approx(volume, abs=1e-3)


def test_sentences_go_to_stdout(explained: Path) -> None:
    stdout = go(EXPLAIN, explained, "--sequence", "Test0")
    for detection in explanations(explained)["detections"]:
        assert f"  {detection['score']:.3f}  {detection['sentence']}\n" in stdout


def test_a_threshold_that_nothing_reaches(copy: Path) -> None:
    stdout = go(EXPLAIN, copy, "--threshold", 9, "--overwrite", "--sequence", "Test1")
    assert "  nothing scores 9.000 or more\n" in stdout
    assert explanations(copy, "Test1")["detections"] == []


def test_another_threshold_stops_and_names_the_command(explained: Path) -> None:
    options = scene_options(explained / "scene", explained / "results")
    line = one_line(run(EXPLAIN, *options, "--idx", 0, "--threshold", 0.3), status=1)
    assert "made from another config" in line
    assert "--sequence Test0 --threshold 0.3" in line
    assert line.endswith("--overwrite")


@pytest.mark.parametrize(
    "options",
    [("--threshold", "high"), ("--threshold", "nan"), ("--false-alarms-per-hour", "-1")],
)
def test_unusable_options(explained: Path, options: tuple[str, str]) -> None:
    done = run(EXPLAIN, *scene_options(explained / "scene", explained / "results"), *options)
    assert done.returncode == 2
    assert f"argument {options[0]}: '{options[1]}': expected a number" in done.stderr


def test_calibration_leaves_each_training_sequence_out(copy: Path) -> None:
    """The counts are those of the others' exemplars, and the threshold is above all scores."""
    stdout = go(EXPLAIN, copy, "--false-alarms-per-hour", 5, "--overwrite")
    assert "Test1.json" in stdout
    results = artifacts(copy)
    highest = 0.0
    for out in ("Train0", "Train1", "Train2"):
        others = [
            Exemplars.from_content(results.exemplars(s.name).load())
            for s in results.sequences("train")
            if s.name != out
        ]
        model = merge_exemplars(others, threshold=results.config.exemplars.threshold)
        features = load_features(results, "train", out)
        grid = features.grid(results.config.regions)
        scores = features_to_scores(features, model, grid, config=results.config)
        curve = alarm_curve(scores, connectivity=8)
        stored = results.calibration(out).load()
        assert stored["alarms"].tolist() == curve.alarms.tolist()
        assert stored["scores"].tolist() == curve.scores.tolist()
        highest = max(highest, float(scores.max()))
    content = explanations(copy)
    assert content["threshold"] == np.nextafter(np.float32(highest), np.float32(np.inf))
    assert content["threshold_from"] == {
        "kind": "false_alarms_per_hour",
        "per_hour": 5.0,
        "sequences": 3,
        "hours": round(3 * 24 / 10 / 3600, 4),
        "alarms": 0,
        "is_resolved": False,
    }


def test_calibration_needs_no_test_data(copy: Path) -> None:
    shutil.rmtree(copy / "results" / "tiny" / "features" / "momentum" / "test")
    go(CALIBRATE, copy)
    assert len(list((copy / "results/tiny/calibration/momentum").glob("Train*.joblib"))) == 3


def test_more_alarms_allowed_give_a_lower_threshold(copy: Path) -> None:
    thresholds = []
    for per_hour in (0, 500, 5000, 100_000):  # of 7.2 seconds: 0, 1, 10, 200 alarms
        go(EXPLAIN, copy, "--false-alarms-per-hour", per_hour, "--overwrite", "--sequence", "Test0")
        thresholds.append(explanations(copy)["threshold"])
        origin = explanations(copy)["threshold_from"]
        assert origin["alarms"] <= per_hour * 7.2 / 3600
        assert origin["is_resolved"] == (per_hour >= 500)
    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[0] > thresholds[2]


def test_one_training_sequence_is_halved(tmp_path: Path) -> None:
    scene = make_scene(tmp_path)
    shutil.rmtree(scene / "Train" / "Train1")
    (scene / "Train" / "Train2.mkv").unlink()
    run_scene("vadloc.run", scene, tmp_path / "results", "--jobs", 1)
    results = Artifacts(load_config(scene / "tiny.toml"), tmp_path / "results", scene)
    features = load_features(results, "train", "Train0")
    (first, model), (second, other) = ExemplarDetector(results).leave_out(features)
    assert first.frame_count + second.frame_count <= 24
    assert model.counts.sum() == second.values.shape[0] * second.values.shape[1]
    assert other.counts.sum() == first.values.shape[0] * first.values.shape[1]


def test_video_of_a_sequence(explained: Path) -> None:
    (path,) = go(VISUALIZE, explained, "--sequence", "Test0").split()
    verify(Path(path))
    with av.open(path) as container:
        images = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(images) == 24
    assert len({image.tobytes() for image in images}) == 24  # the cursor moves
    before = Path(path).stat().st_mtime_ns
    assert go(VISUALIZE, explained, "--sequence", "Test0").split() == [path]
    assert Path(path).stat().st_mtime_ns == before


def test_pictures_of_a_sequence(explained: Path) -> None:
    stdout = go(VISUALIZE, explained, "--sequence", "Test0", "--frames-out")
    view = Path(stdout.strip())
    pictures = sorted(view.parent.glob("*.png"))
    assert [p.name for p in (pictures[0], pictures[-1])] == ["00001.png", "00024.png"]
    assert json.loads(view.read_text())["frames"] == 24
    detection = explanations(explained)["detections"][0]
    with Image.open(pictures[detection["first_frame"]]) as picture:
        image = np.asarray(picture)
    x0, y0, *_ = (8 * edge for edge in detection["boxes_xyxy_px"][0])  # 48 px become 384
    header = image.shape[0] - 384 - 96
    assert (image[header // 2 + y0, x0] == 255).all()  # the corner of its outline


def test_a_view_without_evaluation_names_the_command(copy: Path) -> None:
    shutil.rmtree(copy / "results" / "tiny" / "evaluation")
    options = scene_options(copy / "scene", copy / "results")
    line = one_line(run(VISUALIZE, *options, "--sequence", "Test1"), status=1)
    assert "frame_labels.json: missing; make it first: python -m evaluation.evaluate_scores" in line


def test_a_view_without_ground_truth(copy: Path) -> None:
    config = copy / "scene" / "tiny.toml"
    config.write_text(config.read_text().replace('ground_truth = "Test"\n', ""))
    (path,) = go(VISUALIZE, copy, "--sequence", "Test1").split()
    assert Path(path).is_file()


def test_gallery_of_the_region_at_a_pixel(explained: Path) -> None:
    (path,) = go_gallery(explained, "--at", 18, 10).split()
    assert Path(path).name == "region_1.png"  # its middle (16, 8) is nearest
    assert go_gallery(explained, "--idx", 1).split() == [path]
    with Image.open(path) as page:
        assert page.size[0] > 600


def go_gallery(folder: Path, *options: object) -> str:
    return run_scene(GALLERY, folder / "scene", folder / "results", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--at", 64, 0), "--at 64 0: not in the frame of 64 x 48 px"),
        (("--idx", 35), "--idx 35: there are regions 0-34"),
        (("--idx", -1), "--idx -1: there are regions 0-34"),
    ],
)
def test_places_that_do_not_exist(
    explained: Path, options: tuple[object, ...], message: str
) -> None:
    shared = scene_options(explained / "scene", explained / "results")
    assert one_line(run(GALLERY, *shared, *options), status=2) == message
