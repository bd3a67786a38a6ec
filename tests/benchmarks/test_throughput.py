"""The program that measures speed runs to its end, and what it measures is what it says."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from repository import BENCHMARKS

from exemplar_selection import merge_exemplars, select_exemplars
from vadloc.video.frames import (
    list_sequences,
    read_frames,
)

TINY = ["--quick", "--sizes", "96x64", "--frames", "24"]


@pytest.fixture
def material(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("throughput_material")


def tables(text: str) -> list[list[list[str]]]:
    """Cells of the rows of each Markdown table, without heads."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [line.strip("| ").split(" | ") for line in block.splitlines()]
        assert {len(row) for row in rows[:1] + rows[2:]} == {len(rows[0])}
        found.append(rows[2:])
    return found


def test_limits_and_growth_of_a_tiny_video() -> None:
    command = [sys.executable, str(BENCHMARKS / "throughput.py"), *TINY, "--part"]
    done = subprocess.run([*command, "limits", "frames"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    products, parts, frames = tables(done.stdout)
    assert len(products) == 3
    assert parts[0][0] == "96x64"
    assert [row[0] for row in frames] == ["24", "48", "96"]  # once, twice, four times
    for row in (*products, *parts, *frames):
        assert all(float(cell) > 0 for cell in row[1:])


@pytest.mark.parametrize("network", ["appearance", "motion"])
def test_networks_alone(network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    limits = importlib.import_module("throughput_limits")
    ms, batch = limits.network_ms(network, "cpu")
    assert ms > 0
    assert batch in limits.BATCHES["cpu"]


def test_synthetic_volumes_have_one_exemplar_a_prototype(
    material: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "SYNTHETIC_SEQUENCES", 2)
    path, artifacts = material.synthetic_artifacts(
        tmp_path, tmp_path / "results", volumes=2000, prototypes=2
    )
    assert path.is_file()
    material.write_features(artifacts, volumes=2000, prototypes=2)
    for sequence in artifacts.sequences("train"):
        select_exemplars.STAGE.run(artifacts, sequence.name)
    merge_exemplars.STAGE.run(artifacts, "any")
    model = artifacts.merged().load()
    assert model["features"].shape[1] == 268
    assert np.diff(model["offsets"]).max() == 2
    assert model["counts"].sum() == 2000


def test_video_has_the_size_that_was_asked_for(material: ModuleType, tmp_path: Path) -> None:
    material.write_video_set(tmp_path, "set", width=96, height=64, frames=3, video=None)
    folder = tmp_path / "set"
    for split in ("Train", "Test"):
        for sequence in list_sequences(folder / split):
            frames = list(read_frames(sequence))
            assert [frame.shape for frame in frames] == [(64, 96)] * 3
            assert not np.array_equal(frames[0], frames[1])
    # Somebody's own video is repeated until there are frames enough.
    own = folder / "Train" / "Train0"
    material.write_video_set(tmp_path, "own", width=48, height=32, frames=5, video=own)
    again = list(read_frames(list_sequences(tmp_path / "own" / "Test")[0]))
    assert len(again) == 5
    assert np.array_equal(again[0], again[3])
