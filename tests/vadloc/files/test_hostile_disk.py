"""Disks that take their time, and processes that are killed meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_scene import artifact_bytes, run_scene, scene_options

from vadloc.files import storage

SLOW_DISK = """
import os, sys, time
from pathlib import Path
from vadloc.files import storage

def delayed(function):
    def call(*arguments):
        time.sleep(0.02)
        result = function(*arguments)
        time.sleep(0.02)
        return result
    return call

def dribble(self, data):
    data = memoryview(data).cast("B")
    self.digest.update(data)
    for start in range(0, len(data), 1 + len(data) // 3):
        self._file.write(data[start : start + 1 + len(data) // 3])
        self._file.flush()
        time.sleep(0.01)
    return len(data)

storage._HashingWriter.write = dribble
os.fsync = delayed(os.fsync)
Path.replace = delayed(Path.replace)
"""
"""Every write arrives in pieces, and finishing a file takes 80 ms."""
DIES_BEFORE_A_REPORT = """
import os, signal
from pathlib import Path
replace = Path.replace

def die(self, target):
    if "reports" in Path(target).parts:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = die
"""
EXTRACT = "feature_extraction.extract_features"
STAGES = {
    EXTRACT: ("features/momentum/train", "--split", "train"),
    "anomaly_detection.score_anomalies": ("scores",),
    "evaluation.evaluate_scores": ("evaluation",),
    "anomaly_detection.write_report": ("report",),
}
"""What each stage writes, and its own options."""


@pytest.fixture(scope="module")
def finished(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run that nothing disturbed."""
    results = tmp_path_factory.mktemp("finished")
    run_scene("vadloc.run", scene, results)
    return results


def without(finished: Path, target: Path, stage: str) -> Path:
    """A copy of the results that lacks what a stage makes."""
    shutil.copytree(finished, target)
    shutil.rmtree(target / "tiny" / STAGES[stage][0])
    shutil.rmtree(target / "tiny" / "reports" / stage)
    return target


def options_of(stage: str) -> tuple[object, ...]:
    return (*STAGES[stage][1:], "--jobs", 1)


def start(before: str, stage: str, scene: Path, results: Path) -> subprocess.Popen[bytes]:
    """The stage after some other code, in one process."""
    options = [str(option) for option in [*scene_options(scene, results), *options_of(stage)]]
    words = [sys.executable, "-c", f"{before}\nfrom {stage} import main; main()", *options]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def leftovers(results: Path) -> set[Path]:
    """All temporary files and folders; what is renamed meanwhile is passed over."""
    walked = ((Path(at), [*folders, *files]) for at, folders, files in os.walk(results))
    return {at / name for at, names in walked for name in names if name.endswith(".part")}


def wait_for_leftovers(results: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many different temporary files have been seen."""
    seen: set[Path] = set()
    while len(seen) < count and process.poll() is None:
        seen |= leftovers(results)
        time.sleep(0.001)


def unfinished(results: Path) -> set[str]:
    """Names of files that are, or lie in, something temporary."""
    return {name for name in artifact_bytes(results) if ".part/" in name or name.endswith(".part")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_slow_disk_shows_no_half_files(
    scene: Path, finished: Path, tmp_path: Path, stage: str
) -> None:
    results = without(finished, tmp_path / "results", stage)
    kills = 0
    for count in (1, 2, 3):
        process = start(SLOW_DISK, stage, scene, results)
        wait_for_leftovers(results, count, process)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = artifact_bytes(results)
        for name in found.keys() - unfinished(results):
            assert found[name] == artifact_bytes(finished)[name]
    assert kills, "the disk is slow enough to be caught writing"
    run_scene(stage, scene, results, *options_of(stage))
    assert artifact_bytes(results) == artifact_bytes(finished)
    assert leftovers(results) == set()


def test_a_unit_that_was_killed_before_its_report_is_reported_by_the_next_run(
    scene: Path, finished: Path, tmp_path: Path
) -> None:
    results = without(finished, tmp_path / "results", EXTRACT)
    process = start(DIES_BEFORE_A_REPORT, EXTRACT, scene, results)
    assert process.wait() == -signal.SIGKILL
    [left] = leftovers(results)
    assert "reports" in left.parts
    [done] = (results / "tiny" / STAGES[EXTRACT][0]).iterdir()
    before = done.stat().st_mtime_ns
    run_scene(EXTRACT, scene, results, *options_of(EXTRACT))
    assert done.stat().st_mtime_ns == before
    assert leftovers(results) == set()
    assert artifact_bytes(results) == artifact_bytes(finished)
    reports = results / "tiny" / "reports" / EXTRACT / "momentum" / "train"
    written = {path.stem: json.loads(path.read_text()) for path in reports.iterdir()}
    assert sorted(written) == ["Train0", "Train1", "Train2"]
    killed = written.pop(done.stem)
    assert killed["measured"] is False
    assert "seconds" not in killed
    for name, report in written.items():
        assert report["seconds"] >= 0, name
        assert report.keys() - killed.keys() == {"seconds", "counts", "peak_memory_mib"}
        assert report["stamp"] != killed["stamp"]
    again = reports / f"{done.stem}.json"
    noted = again.stat().st_mtime_ns
    run_scene(EXTRACT, scene, results, *options_of(EXTRACT))
    assert again.stat().st_mtime_ns == noted


def test_leftovers_below_a_folder_go_and_files_in_use_stay(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    own = tmp_path / "a" / "b.npy"
    with storage.replacing(own):
        [in_use] = leftovers(tmp_path)
        dead = in_use.with_name(in_use.name.rpartition(".part")[0].rpartition(".")[0])
        dead = dead.with_name(f"{dead.name}.{process.pid}.part")
        dead.write_bytes(b"half")
        storage.remove_leftovers(tmp_path)
        assert leftovers(tmp_path) == {in_use}
    assert leftovers(tmp_path) == set()
    storage.remove_leftovers(tmp_path / "missing")
