"""Against peers: the plain program equals vadloc, and the table says what was measured."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from repository import BENCHMARKS
from tiny_scene import film, save_frames


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    return load(BENCHMARKS / "peers.py")


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS / "peers"))
        return load(BENCHMARKS / "peers" / "plain_eval.py")


@pytest.fixture(scope="module")
def datasets_of_squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What VADLOC_DATASETS may name: moving squares under the name of Ped2."""
    folder = tmp_path_factory.mktemp("datasets")
    for index in range(2):
        save_frames(folder / "ped2" / "Train" / f"Train{index}", film(seed=index))
    save_frames(folder / "ped2" / "Test" / "Test0", film(seed=10, anomaly_column=10))
    return folder


def compare(datasets: Path, *options: str) -> list[str]:
    """Lines that the program prints, run on a few frames."""
    counts = ("--train-frames", "40", "--test-frames", "20", "--rounds", "1")
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "peers.py"), *counts, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "VADLOC_DATASETS": str(datasets), "PYTHONPATH": str(BENCHMARKS.parent)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_plain_program_equals_vadloc(datasets_of_squares: Path) -> None:
    pytest.importorskip("torch")
    lines = compare(datasets_of_squares, "--only", "`momentum`")
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert rows[1:-1] == ["plain EVAL, `momentum`", "vadloc `momentum`"]
    found = [line for line in lines if line.startswith("`momentum`, ")]
    assert len(found) == 4
    for line in found:
        assert "all counts the same" in line or "scores" in line
        assert "at most 0.0e+00" in line


def test_anomalib_is_measured_beside(datasets_of_squares: Path) -> None:
    python = os.environ.get("VADLOC_ANOMALIB_PYTHON")
    if not python:
        pytest.skip("VADLOC_ANOMALIB_PYTHON is not set; it names a Python that has anomalib")
    lines = compare(datasets_of_squares, "--anomalib-python", python, "--only", "resnet18")
    [row] = [line for line in lines if line.startswith("| PatchCore")]
    numbers = [float(cell) for cell in row.split("|")[2:8]]
    assert all(number > 0 for number in numbers)


def test_the_greedy_rule_on_a_line(plain: ModuleType) -> None:
    """Threshold 1: 0.9 goes to 0, 1.1 is kept, 1.0 lies nearer to 1.1, 3 is kept."""
    distance = plain.Distance({"x": 0.5}, {"x": 0.5})
    places = [0.0, 0.9, 1.1, 1.0, 3.0]
    volumes = [({"x": np.array([place], np.float32)}, 1) for place in places]
    kept = plain.select(volumes, distance, 1.0)
    assert [float(volume["x"][0]) for volume, _ in kept] == pytest.approx([0.0, 1.1, 3.0])
    assert [count for _, count in kept] == [2, 2, 1]


def test_a_row_has_medians_by_the_frame(peers: ModuleType) -> None:
    cost = {"frames": 10, "cpu_seconds": 0.5, "peak_mib": 100.4, "start_seconds": 3}
    training = [{**cost, "seconds": seconds} for seconds in (1.0, 2.0, 30.0)]
    test = [{**cost, "seconds": seconds, "peak_mib": 7} for seconds in (4.0, 4.0, 5.0)]
    peer = peers.Peer("name", "a map", "python", "program.py", ())
    row = peers.table_row(peer, {"train": training, "test": test})
    assert row == "| name | 5 | 50 | 100 | 2.5 | 50 | 7 | 3 | a map |"


def test_frames_are_taken_sequence_by_sequence(
    peers: ModuleType, datasets_of_squares: Path, tmp_path: Path
) -> None:
    source = datasets_of_squares / "ped2" / "Train"
    peers.copy_frames(source, tmp_path / "some", 36)
    names = [str(file.relative_to(tmp_path)) for file in sorted(tmp_path.rglob("*.png"))]
    assert len(names) == 36
    assert names[-2:] == ["some/Train1/011.png", "some/Train1/012.png"]
    with pytest.raises(SystemExit, match="2 frames too few"):
        peers.copy_frames(source, tmp_path / "all", 50)
    with pytest.raises(SystemExit, match="of this sequence 9 frames, expected 10 or more"):
        peers.copy_frames(source, tmp_path / "short", 33)


def test_measured_sees_memory_and_frames() -> None:
    program = "from measured import measured\nwith measured(7):\n    x = b'x' * (300 << 20)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS / "peers")},
        check=True,
    )
    cost = json.loads(done.stdout)
    assert cost["frames"] == 7
    assert 300 < cost["peak_mib"] < 600
    assert cost["cpu_seconds"] > 0
