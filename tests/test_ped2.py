"""The numbers that the README promises on UCSD Ped2; needs the data (VADLOC_DATASETS)."""

import json
from pathlib import Path

import pytest
from repository import ROOT
from tiny_scene import run

CONFIG = ROOT / "configs" / "ped2.toml"


@pytest.mark.parametrize(
    ("version", "least"), [("momentum", (0.975, 0.92, 0.99)), ("fused", (0.97, 0.91, 0.99))]
)
def test_ped2(datasets: Path, tmp_path: Path, version: str, least: tuple[float, ...]) -> None:
    done = run(
        "vadloc.run", "--config", CONFIG, "--datasets", datasets, "--results", tmp_path,
        "--version", version, timeout_s=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "ped2/evaluation" / version / "summary.json").read_text())
    names = "frame_roc_auc", "region_roc_auc", "track_roc_auc"
    assert all(summary[name] >= value for name, value in zip(names, least, strict=True)), summary
