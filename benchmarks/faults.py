"""What happens when things go wrong: kills, full disks, damaged files, stale files, clock jumps.

    python benchmarks/faults.py --kills 200

Each fault must end in the very bytes of an undisturbed run, or in one clear line that names the
file; never in a traceback, a partial file under a final name, or another number. The table it
prints is the README's. The full disk is a small tmpfs, which only root can mount.

Damaged is every file below ``results/`` that carries a checksum, whatever made it, and all that
programs read must carry one. The others are for people: pictures, pages and tables, and the
``reports/`` of the commands, which no command reads again.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from vadloc import storage
from vadloc.artifacts import Artifact
from vadloc.errors import VadlocError
from vadloc.sample_scene import render_sample_scene

ROOT = Path(__file__).resolve().parent.parent
FRAMES_KEPT = 30
SAME, CLEAR, WRONG = "same bytes", "clear error", "WRONG"
READ_BY_PROGRAMS = (".joblib", ".npy", ".json")


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
            return SAME if digests(results) == self.expected else self.complain(process)
        lines = [line for line in process.stderr.splitlines() if " ERROR " in line]
        clear = process.returncode == 1 and lines and "Traceback" not in process.stderr
        return CLEAR if clear else self.complain(process)

    def complain(self, process: subprocess.CompletedProcess[str]) -> str:
        """Show what nobody should ever see."""
        print(process.stderr[-2000:], file=sys.stderr)
        return WRONG

    def is_whole(self, results: Path) -> bool:
        """Whether all that is under a final name is as an undisturbed run makes it."""
        found = digests(results).items()
        return all(self.expected.get(k) == v for k, v in found if not is_temporary(k))


def is_temporary(path: str) -> bool:
    """Whether a file is, or lies in, something unfinished that the next run removes."""
    return any(part.endswith(".part") for part in Path(path).parts)


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
    """SIGKILL to the whole process group at random moments, then continue to the end.

    After each kill, what is under its final name is compared with the undisturbed run.
    """
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
            if not scene.is_whole(results):
                outcome[WRONG] += 1
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


def artifacts_below(results: Path) -> list[Artifact]:
    """Every file with a checksum, as an artifact whose stamp is right.

    Raises:
        AssertionError: A file that programs read has none.
    """
    found = []
    for path in sorted(results.rglob("*")):
        if path.is_file() and "reports" not in path.parts:
            try:
                found.append(Artifact(path, storage.read_stamp(path), "the command"))
            except VadlocError:
                assert path.suffix not in READ_BY_PROGRAMS, f"{path} has no checksum"
    return found


def read(file: Artifact) -> object:
    """Read an artifact as a command would; other kinds of file are only compared."""
    if file.path.suffix in READ_BY_PROGRAMS:
        return file.load()
    if file.state(verify=True)[0] != "done":
        raise VadlocError(f"{file.path}: {file.state(verify=True)[1]}")
    return file.path.read_bytes()


def damage(scene: Scene, count: int, chance: random.Random, *, cut: bool) -> Counter[str]:
    """A flipped bit or a cut at a random place of every artifact, ``count`` times each.

    A bit between the words of a JSON file may change nothing; that is the same content.
    """
    outcome: Counter[str] = Counter()
    for file in artifacts_below(scene.folder / "undisturbed"):
        whole, content = file.path.read_bytes(), read(file)
        for _ in range(count):
            place = chance.randrange(len(whole))
            flipped = bytes([whole[place] ^ (1 << chance.randrange(8))])
            file.path.write_bytes(
                whole[:place] if cut else whole[:place] + flipped + whole[place + 1 :]
            )
            try:
                found = read(file)
                is_same = file.path.suffix == ".json" and found == content
                outcome[SAME if is_same else WRONG] += 1
            except VadlocError as error:
                outcome[CLEAR if str(file.path) in str(error) else WRONG] += 1
        file.path.write_bytes(whole)
    return outcome


def exchanged(scene: Scene, count: int, chance: random.Random) -> Counter[str]:
    """The intact file of another sequence or of another kind in an artifact's place."""
    outcome: Counter[str] = Counter()
    results = scene.folder / "exchanged"
    by_suffix: dict[str, list[Path]] = {}
    for file in artifacts_below(scene.folder / "undisturbed"):
        by_suffix.setdefault(file.path.suffix, []).append(file.path)
    for _ in range(count):
        copy_undisturbed(scene, results)
        files = chance.choice([files for files in by_suffix.values() if len(files) > 1])
        here, there = chance.sample(files, 2)
        while storage.read_stamp(here) == storage.read_stamp(there):  # curves of one evaluation
            here, there = chance.sample(files, 2)
        shutil.copy(there, results / here.relative_to(scene.folder / "undisturbed"))
        refused = scene.run(results)
        named = here.name in refused.stderr and refused.returncode == 1
        outcome[scene.judge(results, refused) if named else WRONG] += 1
        outcome[scene.judge(results, scene.run(results, "--overwrite"))] += 1
    return outcome


def copy_undisturbed(scene: Scene, results: Path) -> None:
    """The results of the undisturbed run in another folder."""
    shutil.rmtree(results, ignore_errors=True)
    shutil.copytree(scene.folder / "undisturbed", results)


CHANGES = (
    ("stride_px = 16", "stride_px = 32"),
    ("frame_stride = 5", "frame_stride = 4"),
    ("[regions]", "[features.momentum]\nflow_floor_px_per_frame = 0.3\n[regions]"),
    ("[regions]", "[distance]\nseed = 1\n[regions]"),
    ("[regions]", "[exemplars]\nthreshold = 0.3\n[regions]"),
    ("[regions]", "[scoring]\ncombine = 'max'\n[regions]"),
    ("[regions]", "[evaluation]\nbeta = 0.5\n[regions]"),
    ("[regions]", "[alarms]\nfalse_alarms_per_hour = 50\n[regions]"),
)


def stale(scene: Scene, _count: int, _chance: random.Random) -> Counter[str]:
    """Another value in each table of the config: refused, then replaced with --overwrite."""
    outcome: Counter[str] = Counter()
    original = scene.config.read_text()
    for old, new in CHANGES:
        results, fresh = scene.folder / "stale", scene.folder / "fresh"
        copy_undisturbed(scene, results)
        scene.config.write_text(original.replace(old, new))
        refused = scene.run(results)
        named = "--overwrite" in refused.stderr and digests(results) == scene.expected
        outcome[CLEAR if scene.judge(results, refused) == CLEAR and named else WRONG] += 1
        scene.run(results, "--overwrite")
        shutil.rmtree(fresh, ignore_errors=True)
        scene.run(fresh).check_returncode()
        outcome[SAME if digests(results) == digests(fresh) else WRONG] += 1
    scene.config.write_text(original)
    return outcome


def clock_jumps(scene: Scene, count: int, chance: random.Random) -> Counter[str]:
    """Frames and results dated decades back or ahead: nothing is done again or differently."""
    outcome: Counter[str] = Counter()
    results = scene.folder / "clock"
    for _ in range(count):
        copy_undisturbed(scene, results)
        for file in [*results.rglob("*"), *scene.folder.glob("sample/*/*/*")]:
            then = time.time() + chance.uniform(-30, 30) * 365 * 86400
            os.utime(file, (then, then))
        outcome[scene.judge(results, scene.run(results))] += 1
    return outcome


def _row(name: str, outcome: Counter[str]) -> str:
    kills_made = outcome.pop("kills", 0)
    name += f" ({kills_made} kills)" if kills_made else ""
    return f"| {name} | {outcome.total()} | {outcome[SAME]} | {outcome[CLEAR]} | {outcome[WRONG]} |"


FAULTS: dict[str, tuple[str, Callable[[Scene, int, random.Random], Counter[str]], int]] = {
    "kills": ("SIGKILL at random moments", kills, 200),
    "full": ("disk full, then enlarged", full_disks, 10),
    "cut": ("file cut off", partial(damage, cut=True), 20),
    "flip": ("one bit flipped", partial(damage, cut=False), 50),
    "exchanged": ("another artifact in the place of one, then --overwrite", exchanged, 10),
    "stale": ("config changed, then --overwrite", stale, 1),
    "clock": ("clock jumps", clock_jumps, 5),
}
"""Name, words, function and cases of each fault."""


def main() -> None:
    """Print the table; status 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description="What happens when things go wrong.")
    parser.add_argument("--kills", type=int, default=FAULTS["kills"][2])
    parser.add_argument("--cases", type=int, help="of each other fault; default: its own number")
    parser.add_argument("--fault", choices=["all", *FAULTS], default="all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        scene = make_scene(Path(folder))
        print(f"an undisturbed run takes {scene.seconds:.0f} s", file=sys.stderr, flush=True)
        print("| fault | cases | same bytes | clear error | wrong |")
        print("|---|---|---|---|---|", flush=True)
        for name in FAULTS if args.fault == "all" else [args.fault]:
            words, inflict, own_number = FAULTS[name]
            cases = args.kills if name == "kills" else args.cases or own_number
            if name == "full" and os.geteuid() != 0:
                continue
            chance = random.Random(f"{args.seed} {name}")
            outcome = inflict(scene, cases, chance)
            print(_row(words, outcome), flush=True)
            wrong += outcome[WRONG]
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
