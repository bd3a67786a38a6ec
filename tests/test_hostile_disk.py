"""Disks that take their time, and processes that are killed meanwhile."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_scene import artifact_bytes, run_scene, scene_options

from vadloc import storage

SLOW_DISK = """
import os, sys, time
from pathlib import Path
from vadloc import storage

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
OPTIONS = ("--split", "train", "--jobs", 1)


@pytest.fixture(scope="module")
def finished(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a stage that nothing disturbed."""
    results = tmp_path_factory.mktemp("finished")
    run_scene(EXTRACT, scene, results, *OPTIONS)
    return results


def start(before: str, scene: Path, results: Path) -> subprocess.Popen[bytes]:
    """The stage after some other code, in one process."""
    options = [str(option) for option in [*scene_options(scene, results), *OPTIONS]]
    words = [sys.executable, "-c", f"{before}\nfrom {EXTRACT} import main; main()", *options]
    return subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def leftovers(results: Path) -> set[Path]:
    return set(results.rglob("*.part"))


def wait_for_leftovers(results: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many different temporary files have been seen."""
    seen: set[Path] = set()
    while len(seen) < count and process.poll() is None:
        seen |= leftovers(results)
        time.sleep(0.001)


def test_a_slow_disk_shows_no_half_files(scene: Path, finished: Path, tmp_path: Path) -> None:
    kills = 0
    for count in (1, 2, 3):
        process = start(SLOW_DISK, scene, tmp_path)
        wait_for_leftovers(tmp_path, count, process)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        for name, content in artifact_bytes(tmp_path).items():
            if not name.endswith(".part"):
                assert content == artifact_bytes(finished)[name]
    assert kills >= 2, "the disk is slow enough to be caught writing"
    run_scene(EXTRACT, scene, tmp_path, *OPTIONS)
    assert artifact_bytes(tmp_path) == artifact_bytes(finished)
    assert leftovers(tmp_path) == set()


def test_what_was_left_of_a_report_goes_although_its_unit_is_done(
    scene: Path, finished: Path, tmp_path: Path
) -> None:
    process = start(DIES_BEFORE_A_REPORT, scene, tmp_path)
    assert process.wait() == -signal.SIGKILL
    [left] = leftovers(tmp_path)
    assert "reports" in left.parts
    [done] = artifact_bytes(tmp_path).keys() & artifact_bytes(finished).keys()
    before = (tmp_path / done).stat().st_mtime_ns
    run_scene(EXTRACT, scene, tmp_path, *OPTIONS)
    assert (tmp_path / done).stat().st_mtime_ns == before
    assert leftovers(tmp_path) == set()
    assert artifact_bytes(tmp_path) == artifact_bytes(finished)


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
