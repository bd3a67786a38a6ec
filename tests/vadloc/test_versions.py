"""What the components of a version weigh in its distance, and what a result depends on."""

from pathlib import Path

import numpy as np
import pytest

from exemplar_selection.distance import GATE
from exemplar_selection.select_exemplars import components_to_distance
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.errors import UsageError
from vadloc.features import SequenceFeatures
from vadloc.versions import VERSIONS, all_components


def artifacts_of(scene: Path, version: str, **distance: object) -> Artifacts:
    config = load_config(scene / "tiny.toml")
    settings = config.model_dump() | {"path": config.path}
    settings["distance"].update(distance)
    return Artifacts(Config(**settings), scene / "results", scene, version=version)


def features_of(components: tuple[str, ...]) -> SequenceFeatures:
    nothing = np.zeros(0)
    return SequenceFeatures(
        sequence="a",
        frame_count=10,
        height_px=48,
        width_px=64,
        first_frame=nothing.astype(np.int64),
        components=components,
        widths=(2,) * len(components),
        values=nothing.astype(np.float32),
    )


def test_every_component_has_an_extractor_and_every_weight_a_component() -> None:
    for version in VERSIONS.values():
        assert set(version.components) <= set(all_components())
        assert set(version.weights) <= set(version.components)


def test_a_version_weighs_its_components_and_the_config_stands_above(scene: Path) -> None:
    assert artifacts_of(scene, "appearance_motion").weights == dict.fromkeys(
        ("appearance", "angle", "speed", "background"), 1.0
    )
    assert artifacts_of(scene, "appearance_momentum").weights == {
        "appearance": 0.25,
        "momentum": 1.0,
    }
    chosen = artifacts_of(scene, "appearance_momentum", weights={"momentum": 2.0, "angle": 9.0})
    assert chosen.weights == {"appearance": 0.25, "momentum": 2.0}


def test_weights_and_gate_reach_the_distance() -> None:
    weights = {"appearance": 0.25, "momentum": 1.0}
    plain = components_to_distance(
        features_of(("appearance", "momentum")), (4.0, 2.0), weights=weights
    )
    assert (plain.scales, plain.weights, plain.gated) == ((4.0, 2.0), (0.25, 1.0), ())
    gated = components_to_distance(
        features_of(("appearance", "momentum", "moving")), (4.0, 2.0, 1.0), weights=weights
    )
    assert gated.weights == (0.25, 1.0, GATE)
    assert gated.gated == (False, True, False)


def test_another_weight_is_another_model(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vadloc.stamps.weights_digest", lambda *_: "")
    version = "appearance_momentum"
    plain, same = (artifacts_of(scene, version) for _ in range(2))
    heavier = artifacts_of(scene, version, weights={"appearance": 0.5})
    gated = artifacts_of(scene, version, stationary="gate")
    stamps = [a.merged().stamp for a in (plain, heavier, gated)]
    assert len(set(stamps)) == 3
    assert same.merged().stamp == stamps[0]
    assert heavier.scales().stamp == plain.scales().stamp  # what is divided by does not change
    for other in (heavier, gated):  # features stay valid
        before = plain.features("appearance", "train", "Train0").stamp
        assert other.features("appearance", "train", "Train0").stamp == before


def test_unknown_components_and_negative_weights_are_refused(tmp_path: Path, scene: Path) -> None:
    text = (scene / "tiny.toml").read_text()
    for line, words in (("apperance = 1.0", "apperance"), ("appearance = -1.0", "greater than")):
        (tmp_path / "bad.toml").write_text(f"{text}\n[distance.weights]\n{line}\n")
        with pytest.raises(UsageError, match=words):
            load_config(tmp_path / "bad.toml")
