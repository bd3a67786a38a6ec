"""A new extractor is a module and an entry: a toy that runs through every stage to a sentence."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import Field
from tiny_scene import copy_scene

from anomaly_detection import explain_anomalies, score_anomalies
from exemplar_selection import merge_exemplars, select_exemplars, show_exemplars
from feature_extraction import extract_features
from feature_extraction.extractor import TimeStep
from feature_extraction.extractor_kind import ExtractorKind
from feature_extraction.frame import Frame, region_windows
from feature_extraction.workers import Workers
from vadloc import doctor
from vadloc.artifacts import Artifacts
from vadloc.config import Config, load_config
from vadloc.config_table import ConfigTable
from vadloc.errors import UsageError
from vadloc.regions import RegionGrid
from vadloc.versions import EXTRACTORS, VERSIONS, ExtractorEntry, Version


class BrightnessSettings(ConfigTable):
    gain: float = Field(default=1.0, gt=0)


class Brightness:
    """The mean grey level of each region in the last frame of its volume."""

    def __init__(self, config: Config, grid: RegionGrid, _workers: Workers, _device: str) -> None:
        self.gain, self.grid = config.features["brightness"].gain, grid
        self.steps: list[TimeStep] = []
        self.count = 0

    def add_frame(self, frame: Frame) -> None:
        pass

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        windows = region_windows(frames[-1].grey_at_crop_scale, self.grid)
        means = self.gain * windows.mean(axis=(2, 3)).reshape(-1, 1)
        self.steps.append(TimeStep.of_all_volumes(self.count, {"grey": means.astype("float32")}))
        self.count += 1

    def take(self) -> list[TimeStep]:
        steps, self.steps = self.steps, []
        return steps

    def flush(self) -> None:
        pass


@pytest.fixture
def brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("toy_brightness")
    module.EXTRACTOR = ExtractorKind(  # type: ignore[attr-defined]
        make=Brightness, width=1, bytes_per_volume=8
    )
    monkeypatch.setitem(sys.modules, "toy_brightness", module)
    entry = ExtractorEntry("toy_brightness", ("grey",), BrightnessSettings)
    monkeypatch.setitem(EXTRACTORS, "brightness", entry)
    monkeypatch.setitem(VERSIONS, "brightness", Version(("grey",)))


def artifacts_of(scene: Path, folder: Path, extra: str = "") -> Artifacts:
    config = copy_scene(scene, folder) / "tiny.toml"
    config.write_text(config.read_text() + extra)
    return Artifacts(load_config(config), folder / "results", folder, version="brightness")


@pytest.mark.usefixtures("brightness")
def test_a_toy_extractor_runs_through_all_stages(scene: Path, tmp_path: Path) -> None:
    artifacts = artifacts_of(scene, tmp_path / "scene", "[alarms]\nthreshold = 0.3\n")
    for split in ("train", "test"):
        for sequence in artifacts.sequences(split):
            extract_features.stage(split).run(artifacts, sequence.name)
    for sequence in artifacts.sequences("train"):
        select_exemplars.STAGE.run(artifacts, sequence.name)
    merge_exemplars.STAGE.run(artifacts, "")
    for sequence in artifacts.sequences("test"):
        score_anomalies.STAGE.run(artifacts, sequence.name)
        explain_anomalies.STAGE.run(artifacts, sequence.name)
    explained = artifacts.explanations("Test0").load()
    assert explained["components"] == ["grey"]
    detection = explained["detections"][0]
    assert detection["unusual"] == []
    assert detection["peak"]["shares"] == {"grey": 1.0}
    assert "something without a name. Here normally: what its" in detection["sentence"]
    assert detection["sentence"].endswith(
        "Unusual: no attribute that has a name, but it looks unlike all exemplars."
    )
    assert "exemplars" in show_exemplars.find_exemplars(artifacts, region=0, at=None).words


@pytest.mark.usefixtures("brightness")
def test_a_toy_extractor_has_its_table_and_passes_the_doctor(scene: Path, tmp_path: Path) -> None:
    plain = artifacts_of(scene, tmp_path / "plain")
    bright = artifacts_of(
        scene,
        tmp_path / "bright",
        "[features.brightness]\ngain = 2.0\n[distance.weights]\ngrey = 2.0",
    )
    assert bright.config.features["brightness"].gain == 2.0
    assert bright.weights == {"grey": 2.0}
    stamps = {a.features("brightness", "train", "Train0").stamp for a in (plain, bright)}
    assert len(stamps) == 2
    with pytest.raises(
        UsageError, match=r"momentum, relative_momentum, still, appearance, motion, brightness"
    ):
        artifacts_of(scene, tmp_path / "wrong", "[features.other]\n")
    with pytest.raises(UsageError, match=r"\[features\] brightness.gain: 0.0: .* greater than 0"):
        artifacts_of(scene, tmp_path / "zero", "[features.brightness]\ngain = 0.0\n")
    assert doctor.find_device(plain, "auto").startswith("runs on the CPU")
    examinations = doctor.examine_all(plain, jobs=1, device="auto", names=["Test0"])
    assert not examinations[0].findings
    assert doctor.bytes_of_results(plain, examinations) > 0
