"""What happens when things go wrong: kills, full disks, damaged files, stale files, clock jumps.

    python benchmarks/faults.py --kills 200

Each fault must end in the very bytes of an undisturbed run, or in one clear line that names the
file; never in a traceback, a partial file under a final name, or another number. The table it
prints is the README's. The full disk is a small tmpfs, which only root can mount.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vadloc.artifacts import Artifact, Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.run import stages
from vadloc.sample_scene import render_sample_scene

ROOT = Path(__file__).resolve().parent.parent
FRAMES_KEPT = 30
SAME, CLEAR, WRONG = "same bytes", "clear error", "WRONG"


@dataclass
class Scene:
    """A short scene, and what an undisturbed run makes of it.

    Attributes:
        folder: Everything happens below it.
        expected: Digest of each result by its path.
        seconds: Duration of the undisturbed run.
    """

    folder: Path
    expected: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "sample.toml"

    def command(self, results: Path, *options: str) -> list[str]:
        """The whole pipeline as a command line."""
        words = [sys.executable, "-m", "vadloc.run", "--config", str(self.config)]
        return [*words, "--datasets", str(self.folder), "--results", str(results), *options]

    def run(self, results: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the whole pipeline to its end."""
        command = self.command(results, *options)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def judge(self, results: Path, process: subprocess.CompletedProcess[str]) -> str:
        """The outcome of a run that was to succeed or to say what is wrong."""
        if process.returncode == 0:
            return SAME if digests(results) == self.expected else WRONG
        lines = [line for line in process.stderr.splitlines() if "ERROR" in line]
        clear = len(lines) >= 1 and "Traceback" not in process.stderr
        return CLEAR if process.returncode == 1 and clear else WRONG


def digests(results: Path) -> dict[str, str]:
    """SHA-256 of every result but the reports; temporary files count too."""
    files = [f for f in results.rglob("*") if f.is_file() and "reports" not in f.parts]
    return {str(f.relative_to(results)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def make_scene(folder: Path) -> Scene:
    """The sample scene, cut to its first frames, and its undisturbed run."""
    render_sample_scene(folder)
    for frame in folder.glob("sample/*/*/*.jpg"):
        if int(frame.stem) > FRAMES_KEPT:
            frame.unlink()
    for rows in folder.glob("sample/Test/*/*_gt.txt"):
        kept = [r for r in rows.read_text().splitlines() if int(r.split(".")[0]) <= FRAMES_KEPT]
        rows.write_text("".join(f"{row}\n" for row in kept))
    scene = Scene(folder)
    shutil.copy(ROOT / "configs" / "sample.toml", scene.config)
    results = folder / "undisturbed"
    started = time.perf_counter()
    scene.run(results).check_returncode()
    scene.seconds = time.perf_counter() - started
    scene.expected = digests(results)
    return scene


def kills(scene: Scene, count: int, chance: random.Random) -> Counter[str]:
    """SIGKILL to the whole process group at random moments, then continue to the end."""
    outcome: Counter[str] = Counter()
    results = scene.folder / "killed"
    killed = 0
    while killed < count:
        shutil.rmtree(results, ignore_errors=True)
        for _ in range(chance.randint(1, 6)):
            process = subprocess.Popen(
                scene.command(results),
                cwd=ROOT,
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0, scene.seconds))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
            process.wait()
        outcome[scene.judge(results, scene.run(results))] += 1
    outcome["kills"] = killed
    return outcome


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """A tmpfs of that size."""
    folder.mkdir(exist_ok=True)
    options = f"size={kib}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disks(scene: Scene, count: int, chance: random.Random) -> Counter[str]:
    """Runs on disks that are too small, then on the same disk made large enough."""
    outcome: Counter[str] = Counter()
    size_kib = sum(f.stat().st_size for f in (scene.folder / "undisturbed").rglob("*")) // 1024
    for _ in range(count):
        with small_disk(scene.folder / "disk", chance.randint(16, size_kib)) as disk:
            outcome[scene.judge(disk / "results", scene.run(disk / "results"))] += 1
            subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
            outcome[scene.judge(disk / "results", scene.run(disk / "results"))] += 1
    return outcome


def artifact_files(scene: Scene, results: Path) -> list[Artifact]:
    """Every artifact of the run."""
    artifacts = Artifacts(load_config(scene.config), results, scene.folder)
    files = [artifacts.scales()]
    for stage in stages(artifacts.config):
        for unit in stage.units(artifacts):
            files += stage.outputs(artifacts, unit)
    return files


def damage(scene: Scene, count: int, chance: random.Random, *, cut: bool) -> Counter[str]:
    """A flipped bit or a cut at a random place of every artifact, ``count`` times each."""
    outcome: Counter[str] = Counter()
    for file in artifact_files(scene, scene.folder / "undisturbed"):
        whole = file.path.read_bytes()
        for _ in range(count):
            place = chance.randrange(len(whole))
            flipped = bytes([whole[place] ^ (1 << chance.randrange(8))])
            file.path.write_bytes(
                whole[:place] if cut else whole[:place] + flipped + whole[place + 1 :]
            )
            try:
                file.load()
                outcome[WRONG] += 1
            except VadlocError as error:
                outcome[CLEAR if str(file.path) in str(error) else WRONG] += 1
        file.path.write_bytes(whole)
    return outcome


def stale(scene: Scene, _count: int, _chance: random.Random) -> Counter[str]:
    """Another value in each table of the config: refused, then replaced with --overwrite."""
    outcome: Counter[str] = Counter()
    original = scene.config.read_text()
    changes = {
        "stride_px = 16": "stride_px = 32",
        "frame_stride = 5": "frame_stride = 4",
        "[regions]": "[features]\nflow_floor_px_per_frame = 0.3\n[regions]",
        "[regions] ": "[exemplars]\nthreshold = 0.3\n[regions]",
        "[regions]  ": "[scoring]\ncombine = 'max'\n[regions]",
        "[regions]   ": "[evaluation]\nbeta = 0.5\n[regions]",
    }
    for old, new in changes.items():
        results = scene.folder / "stale"
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(scene.folder / "undisturbed", results)
        scene.config.write_text(original.replace(old.strip(), new))
        refused = scene.run(results)
        named = "--overwrite" in refused.stderr and digests(results) == scene.expected
        outcome[CLEAR if scene.judge(results, refused) == CLEAR and named else WRONG] += 1
        scene.run(results, "--overwrite")
        fresh = scene.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        scene.run(fresh)
        outcome[SAME if digests(results) == digests(fresh) else WRONG] += 1
    scene.config.write_text(original)
    return outcome


def clock_jumps(scene: Scene, count: int, chance: random.Random) -> Counter[str]:
    """Frames and results dated decades back or ahead: nothing is done again or differently."""
    outcome: Counter[str] = Counter()
    results = scene.folder / "clock"
    for _ in range(count):
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(scene.folder / "undisturbed", results)
        for file in [*results.rglob("*"), *scene.folder.glob("sample/*/*/*")]:
            then = time.time() + chance.uniform(-30, 30) * 365 * 86400
            os.utime(file, (then, then))
        outcome[scene.judge(results, scene.run(results))] += 1
    return outcome


def _row(name: str, outcome: Counter[str]) -> str:
    kills_made = outcome.pop("kills", 0)
    name += f" ({kills_made} kills)" if kills_made else ""
    return f"| {name} | {outcome.total()} | {outcome[SAME]} | {outcome[CLEAR]} | {outcome[WRONG]} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What happens when things go wrong.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(Path(folder))
        print("| fault | cases | same bytes | clear error | wrong |\n|---|---|---|---|---|")
        print(_row("SIGKILL at random moments", kills(scene, args.kills, chance)), flush=True)
        if os.geteuid() == 0:
            print(_row("disk full, then enlarged", full_disks(scene, 10, chance)), flush=True)
        print(_row("file cut off", damage(scene, 20, chance, cut=True)), flush=True)
        print(_row("one bit flipped", damage(scene, 50, chance, cut=False)), flush=True)
        print(_row("config changed, then --overwrite", stale(scene, 1, chance)), flush=True)
        print(_row("clock jumps", clock_jumps(scene, 5, chance)), flush=True)


if __name__ == "__main__":
    main()
