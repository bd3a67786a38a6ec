"""What the programs of benchmarks/ share reads the right numbers and the right folder."""

import importlib
import json
import math
from pathlib import Path
from types import ModuleType

import pytest
import tomli
import tomli_w
from repository import BENCHMARKS

from feature_extraction.network_extractor import check_crops
from vadloc.config import Config, Features, Regions

CONFIG = {
    "dataset": {"name": "d", "train": "d/Train", "test": "d/Test", "frames_per_second": 10},
    "regions": {"size_px": 32, "stride_px": 16},
}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("stages")


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("choices")


def test_every_variation_of_every_version_is_a_config(choices: ModuleType) -> None:
    for version in choices.VERSIONS:
        for table, key, value in choices.variations_of(version):
            changed = choices.with_setting({**CONFIG, "version": version}, table, key, value)
            config = Config(path=Path("a.toml"), **tomli.loads(tomli_w.dumps(changed)))
            found: object = config
            for name in (*table.split("."), key):
                found = found[name] if isinstance(found, Features) else getattr(found, name)
            assert found == value
            check_crops(config.regions)  # networks cannot take any number of cells


def test_regions_of_another_size_overlap_as_before(choices: ModuleType) -> None:
    changed = choices.with_setting(CONFIG, "regions", "size_px", 48)
    assert Regions(**changed["regions"]).stride_px == 24
    assert CONFIG["regions"] == {"size_px": 32, "stride_px": 16}


def test_criteria_of_a_dataset_without_anomalies(stages: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "d" / "evaluation" / "motion"
    folder.mkdir(parents=True)
    numbers = {"frame_roc_auc": 0.5, "region_roc_auc": None, "track_roc_auc": 0.25}
    (folder / "summary.json").write_text(json.dumps(numbers))
    frame, region, track = stages.criteria(tmp_path, "motion")
    assert (frame, track) == (0.5, 0.25)
    assert math.isnan(region)


def test_counts_are_those_of_both_splits(stages: ModuleType, tmp_path: Path) -> None:
    for extractor, computed in (("appearance", 2), ("motion", 1)):
        for split, frames in (("train", 3), ("test", 5)):
            folder = tmp_path / "d" / "reports" / stages.EXTRACT / extractor / split
            folder.mkdir(parents=True)
            counts = {"counts": {"frames": frames, "volumes_computed": computed * frames}}
            (folder / "a.json").write_text(json.dumps(counts))
    found = {name: stages.extraction_counts(tmp_path, name) for name in ("appearance", "motion")}
    assert found["appearance"] == {"frames": 8, "volumes_computed": 16}
    assert found["motion"] == {"frames": 8, "volumes_computed": 8}


def test_a_failing_stage_shows_its_error(stages: ModuleType, tmp_path: Path) -> None:
    options = ["--config", str(tmp_path / "none.toml")]
    with pytest.raises(SystemExit, match=r"score_anomalies ended with status 2:[\s\S]*none\.toml"):
        stages.run_stages(("anomaly_detection.score_anomalies",), options)


def test_data_lies_where_it_is_given(stages: ModuleType, tmp_path: Path) -> None:
    config = tmp_path / "a.toml"
    config.write_text(
        '[dataset]\nname = "d"\ntrain = "nobody/Train"\ntest = "d"\nframes_per_second = 1\n'
        "[regions]\nsize_px = 32\nstride_px = 16\n"
    )
    with pytest.raises(SystemExit, match="VADLOC_DATASETS"):
        stages.datasets_folder(config, str(tmp_path))
    (tmp_path / "nobody" / "Train").mkdir(parents=True)
    assert stages.datasets_folder(config, str(tmp_path)) == tmp_path
