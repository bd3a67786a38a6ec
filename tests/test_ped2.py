"""The numbers that the README promises on UCSD Ped2; needs the data (VADLOC_DATASETS)."""

import json
from pathlib import Path

from repository import ROOT
from tiny_scene import run

CONFIG = ROOT / "configs" / "ped2.toml"


def test_ped2(datasets: Path, tmp_path: Path) -> None:
    """Of the fastest version; ``benchmarks/scenes.py`` prints those of the default."""
    done = run(
        "vadloc.run", "--config", CONFIG, "--datasets", datasets, "--results", tmp_path,
        "--version", "momentum", timeout_s=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    path = tmp_path / "ped2" / "evaluation" / "momentum" / "summary.json"
    summary = json.loads(path.read_text())
    assert summary["frame_roc_auc"] >= 0.975
    assert summary["region_roc_auc"] >= 0.92
    assert summary["track_roc_auc"] >= 0.99
