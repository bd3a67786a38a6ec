"""What features say, by hand; and what a version makes of volumes in which nothing moves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_extraction.appearance.extractor import class_read_out
from feature_extraction.attributes import CLASSES, AttributeReader
from feature_extraction.momentum import measured_movement
from feature_extraction.motion.extractor import movement_read_out
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.errors import VadlocError
from vadloc.features import load_features
from vadloc.weights import NetworkWeights

REGION_PX = 32


def class_weights() -> NetworkWeights:
    """A read-out that sees class k in feature k alone."""
    weight = np.zeros((8, 128), np.float32)
    weight[:, :8] = np.eye(8)
    return NetworkWeights({"classes.weight": weight, "classes.bias": np.zeros(8, np.float32)}, {})


def motion_weights() -> NetworkWeights:
    """Read-outs that see output k of each head in feature k of that head alone."""
    tensors = {}
    for name, outputs in (("angle", 12), ("speed", 12), ("background", 2)):
        tensors[f"outputs.{name}.weight"] = np.eye(outputs, 128, dtype=np.float32)
        tensors[f"outputs.{name}.bias"] = np.zeros(outputs, np.float32)
    return NetworkWeights(tensors, {})


def test_momentum_is_share_times_speed() -> None:
    momentum, share = np.zeros((2, 12), np.float32), np.zeros((2, 12), np.float32)
    share[0, [0, 6]] = 0.3, 0.1
    momentum[0, [0, 6]] = 0.6, 0.5  # 2 px/frame to the right, 5 to the left
    read = AttributeReader("momentum", [measured_movement])(momentum, {"moving_share": share})
    assert read.class_probability is None
    assert read.direction_share is not None
    assert read.direction_share[0, [0, 6]] == pytest.approx([0.75, 0.25])
    assert read.speed_px_per_frame is not None
    assert read.speed_px_per_frame[0, [0, 3, 6]] == pytest.approx([2, 0, 5])
    assert read.moving_share == pytest.approx([0.4, 0])
    assert not read.direction_share[1].any()
    assert not read.speed_px_per_frame[1].any()


def test_classes_are_sigmoids_of_a_linear_layer() -> None:
    features = np.zeros((1, 128), np.float32)
    features[0, CLASSES.index("cyclist")] = 3.0
    reader = AttributeReader("appearance", [class_read_out(class_weights())])
    read = reader(features, {})
    assert read.class_probability is not None
    assert read.class_probability[0, 2] == pytest.approx(1 / (1 + np.exp(-3)))
    assert read.class_probability[0, 0] == 0.5
    assert read.moving_share is None
    assert AttributeReader("appearance")(features, {}).class_probability is None


def test_speeds_of_the_network_are_brought_to_pixels_of_the_video() -> None:
    features = np.zeros((2, 128 * 4), np.float32)
    angle, speed, background = 128, 256, 384  # after appearance
    features[0, angle + 6] = 100.0
    features[0, speed + 6] = np.log1p(8.0)
    features[0, background : background + 2] = np.log(1 / 3), -100  # a quarter is still
    read_outs = [
        class_read_out(class_weights()),
        movement_read_out(motion_weights(), size_px=REGION_PX),
    ]
    reader = AttributeReader("appearance_motion", read_outs)
    read = reader(features, {})
    assert read.direction_share is not None
    assert read.speed_px_per_frame is not None
    assert read.direction_share[0, 6] == pytest.approx(1)
    assert read.speed_px_per_frame[0, 6] == pytest.approx(4)  # 8 in a crop of 64 px
    assert read.moving_share == pytest.approx([0.75, 0])  # the second was set to zero: still
    assert not read.direction_share[1].any()


def test_a_version_with_momentum_and_classes_reads_both() -> None:
    values = np.zeros((1, 128 + 12 + 1), np.float32)  # the last says whether it moves
    values[0, 128 + 3] = 1.0
    share = np.full((1, 12), 0.0, np.float32)
    share[0, 3] = 0.5
    read_outs = [class_read_out(class_weights()), measured_movement]
    reader = AttributeReader("appearance_momentum", read_outs)
    read = reader(values, {"moving_share": share})
    assert read.class_probability is not None
    assert read.speed_px_per_frame is not None
    assert read.speed_px_per_frame[0, 3] == 2.0


def features_of(
    scene: Path, results: Path, version: str, rule: str, files: dict[str, dict[str, Any]]
) -> Any:
    """What ``load_features`` makes of stored files."""
    config = load_config(scene / "tiny.toml")
    settings = config.model_dump() | {"path": config.path}
    settings["distance"]["stationary"] = rule
    artifacts = Artifacts(Config(**settings), results, scene, version=version)
    regions = config.regions
    shape = {
        "sequence": "Train0",
        "frame_count": regions.frames_per_volume,  # one volume
        "height_px": regions.size_px,
        "width_px": regions.size_px + 2 * regions.stride_px,  # three regions
        "first_frame": np.arange(1),
    }
    for extractor, content in files.items():
        artifacts.features(extractor, "train", "Train0").save({**shape, "schema": 0, **content})
    return load_features(artifacts, "train", "Train0")


def half(*values: list[float]) -> NDArray[np.float16]:
    return np.array(values, np.float16)


MOTION = {
    "components": {"angle": half([1, 2], [3, 4]), "speed": half([5], [6]),
                   "background": half([7], [8])},
    "descriptors": {"background": half([0.9], [0.1])},
    "index": np.array([[1, 0, 1]], np.int32),
}  # fmt: skip
MOMENTUM = {
    "components": {"momentum": half([0, 0], [0, 2])},
    "descriptors": {"moving_share": half([0, 0], [0, 0.5])},
    "index": np.array([[0, 1, 1]], np.int32),
}
APPEARANCE = {
    "components": {"appearance": half([1, 1])},
    "descriptors": {},
    "index": np.zeros((1, 3), np.int32),
}


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps of networks without files of weights."""
    monkeypatch.setattr("vadloc.stamps.weights_digest", lambda _weights, network: network)


@pytest.mark.usefixtures("no_weights")
def test_zero_leaves_nothing_of_motion_where_nothing_moves(scene: Path, tmp_path: Path) -> None:
    files = {"motion": MOTION, "appearance": APPEARANCE}
    found = features_of(scene, tmp_path, "appearance_motion", "zero", files)
    assert found.components == ("appearance", "angle", "speed", "background")
    assert found.values[0].tolist() == [[1, 1, 3, 4, 6, 8], [1, 1, 0, 0, 0, 0], [1, 1, 3, 4, 6, 8]]


@pytest.mark.usefixtures("no_weights")
def test_keep_and_gate_keep_all_and_gate_says_what_moves(scene: Path, tmp_path: Path) -> None:
    found = features_of(scene, tmp_path, "motion", "keep", {"motion": MOTION})
    assert found.values[0].tolist() == [[3, 4, 6, 8], [1, 2, 5, 7], [3, 4, 6, 8]]
    found = features_of(scene, tmp_path, "motion", "gate", {"motion": MOTION})
    assert found.components == ("angle", "speed", "background", "moving")
    assert found.values[0, :, -1].tolist() == [1, 0, 1]
    assert found.values[0, 1].tolist() == [1, 2, 5, 7, 0]


@pytest.mark.usefixtures("no_weights")
def test_measured_motion_moves_where_pixels_do(scene: Path, tmp_path: Path) -> None:
    files = {"momentum": MOMENTUM, "appearance": APPEARANCE}
    found = features_of(scene, tmp_path, "appearance_momentum", "gate", files)
    assert found.values[0, :, -1].tolist() == [0, 1, 1]
    assert found.descriptors["moving_share"][0, :, 1].tolist() == [0, 0.5, 0.5]


@pytest.mark.usefixtures("no_weights")
def test_features_that_are_not_there_name_the_command(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match=r"features.appearance.train.Train0.joblib: missing"):
        features_of(scene, tmp_path, "appearance_momentum", "zero", {"momentum": MOMENTUM})
