"""What happens after faults: kills, full disks, damaged files, stale files, clock jumps.

    python benchmarks/faults.py --kills 200

Each fault must end in the same bytes as an undisturbed run, or in one clear line that names the
file. It must never end in a traceback, a partial file under a final name, or another number. The
printed table is in benchmarks/README.md. The full disk is a small tmpfs, which only root can mount.

Every file below ``results/`` that holds a checksum is damaged, and every file of the report, whose
checksums are in a list. All files that programs read must have a checksum. The others are the
plots, tables and ``reports/``, which no command reads, and the records below ``inputs/``; if they
are missing, inputs are read again.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fault_scene import (
    CLEAR,
    KILLED,
    ROOT,
    SAME,
    TIMED,
    WRONG,
    Scene,
    complain,
    copy_undisturbed,
    differing,
    digests,
    make_scene,
)

from vadloc.artifact import Artifact
from vadloc.errors import VadlocError
from vadloc.files import storage

PROGRESS_EVERY_S = 60
POLL_S = 0.005
MOST_KILLS = 30
"""Largest number of kills before a run may end; each comes after at most a sixth of the run."""
Outcomes = Iterator[str]
"""The outcomes of all cases, one by one; `KILLED` for a kill that is not a case of its own."""
READ_BY_PROGRAMS = (".joblib", ".npy", ".json")


def kills(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """Send SIGKILL to the process group at random moments, then run to the end.

    After each kill, the files under final names are compared with the undisturbed run.
    """
    results = scene.folder / "killed"
    killed: Counter[str] = Counter()
    while killed.total() < count:
        shutil.rmtree(results, ignore_errors=True)
        for _ in range(chance.randint(1, MOST_KILLS)):
            if stage := kill_a_run(scene, results, chance):
                killed[stage] += 1
                yield KILLED
            if unfinished := scene.unfinished(results):
                yield complain(f"not whole after a kill: {unfinished}")
        yield scene.judge(results, scene.run(results))
    print(f"killed in: {dict(killed)}", file=sys.stderr, flush=True)


def kill_a_run(scene: Scene, results: Path, chance: random.Random) -> str:
    """Start a run and kill it at a random moment between two of its messages.

    The moment is chosen by messages and not by the clock, so that kills hit all stages even on a
    busy machine.

    Returns:
        The command that was running; empty if the run had ended already.
    """
    messages = chance.randint(0, scene.messages // 6)
    log = scene.folder / "killed.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            scene.command(results),
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    while process.poll() is None and len(log.read_bytes().splitlines()) < messages:
        time.sleep(POLL_S)
    time.sleep(chance.uniform(0, 2 * scene.seconds / scene.messages))
    is_running = process.poll() is None
    if is_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    words = re.split(" (?:INFO|DEBUG) ", log.read_text())[-1].split()
    return words[0].rstrip(":") if is_running and words else "start" * is_running


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Mount a tmpfs of a size."""
    folder.mkdir(exist_ok=True)
    options = f"size={kib}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disks(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """Run on a disk that is too small, then again after it was enlarged."""
    size_kib = sum(f.stat().st_size for f in (scene.folder / "undisturbed").rglob("*")) // 1024
    for _ in range(count):
        with small_disk(scene.folder / "disk", chance.randint(16, size_kib)) as disk:
            yield scene.judge(disk / "results", scene.run(disk / "results"))
            subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
            yield scene.judge(disk / "results", scene.run(disk / "results"))


def artifacts_below(results: Path) -> list[Artifact]:
    """Every file with a checksum, as an artifact that expects the stamp of the file.

    Raises:
        AssertionError: A file that programs read has no checksum.
    """
    found = []
    for path in sorted(results.rglob("*")):
        if path.is_file() and TIMED.isdisjoint(path.parts):
            try:
                found.append(Artifact(path, partial(str, storage.read_stamp(path)), "command"))
            except VadlocError:
                assert path.suffix not in READ_BY_PROGRAMS, f"{path} has no checksum"
    return found


def guarded_below(results: Path) -> list[tuple[Path, Artifact]]:
    """Every file whose damage must be found, and the artifact that finds it."""
    guarded = []
    for artifact in artifacts_below(results):
        guarded.append((artifact.path, artifact))
        if artifact.path.suffix == ".json":
            listed = storage.read_json(artifact.path).get("files", {})
            guarded += [(artifact.path.parent / name, artifact) for name in listed]
    return guarded


def read(path: Path, file: Artifact) -> object:
    """Read an artifact as a command would; other files are only compared with their checksum."""
    if path == file.path and path.suffix in READ_BY_PROGRAMS:
        return file.load()
    if file.state(verify=True)[0] != "done":
        raise VadlocError(file.state(verify=True)[1])
    return path.read_bytes()


def damage(scene: Scene, count: int, chance: random.Random, *, cut: bool) -> Outcomes:
    """Flip a bit or cut at a random place of every file, ``count`` times each.

    The files of the report get a tenth as many cases, since each case reads all of them. A bit in
    the white space of a JSON file may change nothing; this counts as the same content.
    """
    for path, file in guarded_below(scene.folder / "undisturbed"):
        whole, content = path.read_bytes(), read(path, file)
        for _ in range(count if path == file.path else max(1, count // 10)):
            place = chance.randrange(len(whole))
            flipped = bytes([whole[place] ^ (1 << chance.randrange(8))])
            path.write_bytes(whole[:place] if cut else whole[:place] + flipped + whole[place + 1 :])
            yield judge_damaged(path, file, content, f"byte {place} of {len(whole)}")
        path.write_bytes(whole)


def judge_damaged(path: Path, file: Artifact, content: object, damage: str) -> str:
    """The outcome of reading a damaged file that held this content."""
    try:
        found = read(path, file)
    except VadlocError as error:
        is_named = str(path) in str(error)
        return CLEAR if is_named else complain(f"{path}: {damage}: {error}")
    is_same = path.suffix == ".json" and found == content
    return SAME if is_same else complain(f"{path}: {damage}: not noticed")


def exchanged(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """Replace an artifact by the intact file of another sequence or kind."""
    results = scene.folder / "exchanged"
    by_suffix: dict[str, list[Path]] = {}
    for file in artifacts_below(scene.folder / "undisturbed"):
        by_suffix.setdefault(file.path.suffix, []).append(file.path)
    for _ in range(count):
        copy_undisturbed(scene, results)
        files = chance.choice([files for files in by_suffix.values() if len(files) > 1])
        here, there = chance.sample(files, 2)
        while storage.read_stamp(here) == storage.read_stamp(there):  # curves share a stamp
            here, there = chance.sample(files, 2)
        shutil.copy(there, results / here.relative_to(scene.folder / "undisturbed"))
        refused = scene.run(results)
        named = here.name in refused.stderr and refused.returncode == 1
        words = f"{there} in the place of {here}: {refused.stderr}"
        yield scene.judge(results, refused) if named else complain(words)
        yield scene.judge(results, scene.run(results, "--overwrite"))


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


def stale(scene: Scene, _count: int, _chance: random.Random) -> Outcomes:
    """Change a value in each table of the config: results are refused, then overwritten."""
    original = scene.config.read_text()
    for old, new in CHANGES:
        results, fresh = scene.folder / "stale", scene.folder / "fresh"
        copy_undisturbed(scene, results)
        scene.config.write_text(original.replace(old, new))
        refused = scene.run(results)
        named = "--overwrite" in refused.stderr and digests(results) == scene.expected
        yield scene.judge(results, refused) if named else complain(f"{new}: {refused.stderr}")
        scene.run(results, "--overwrite").check_returncode()
        shutil.rmtree(fresh, ignore_errors=True)
        scene.run(fresh).check_returncode()
        other = differing(digests(results), digests(fresh))
        yield complain(f"{new}: other bytes: {other}") if other else SAME
    scene.config.write_text(original)


def clock_jumps(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """Date frames and results decades back or ahead: nothing may be computed again or change."""
    results = scene.folder / "clock"
    for _ in range(count):
        copy_undisturbed(scene, results)
        for file in [*results.rglob("*"), *scene.folder.glob("sample/*/*/*")]:
            then = time.time() + chance.uniform(-30, 30) * 365 * 86400
            os.utime(file, (then, then))
        yield scene.judge(results, scene.run(results))


def _row(name: str, outcome: Counter[str]) -> str:
    kills_made = outcome.pop(KILLED, 0)
    name += f" ({kills_made} kills)" if kills_made else ""
    return f"| {name} | {outcome.total()} | {outcome[SAME]} | {outcome[CLEAR]} | {outcome[WRONG]} |"


def tally(name: str, outcomes: Outcomes) -> Counter[str]:
    """Count the outcomes of a fault, and print the progress from time to time."""
    counts: Counter[str] = Counter()
    told = time.monotonic()
    for outcome in outcomes:
        counts[outcome] += 1
        if time.monotonic() - told > PROGRESS_EVERY_S:
            told = time.monotonic()
            print(f"{name}: {dict(counts)}", file=sys.stderr, flush=True)
    return counts


FAULTS: dict[str, tuple[str, Callable[[Scene, int, random.Random], Outcomes], int]] = {
    "kills": ("SIGKILL at random moments", kills, 200),
    "full": ("disk full, then enlarged", full_disks, 10),
    "cut": ("file cut off", partial(damage, cut=True), 20),
    "flip": ("one bit flipped", partial(damage, cut=False), 50),
    "exchanged": ("another artifact in the place of one, then --overwrite", exchanged, 10),
    "stale": ("config changed, then --overwrite", stale, 1),
    "clock": ("clock jumps", clock_jumps, 5),
}
"""Name of each fault to its description, its function and its number of cases."""


def main() -> None:
    """Print the table; exit with status 1 if an outcome is a failure."""
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
                print(f"left out, only root can mount: {words}", file=sys.stderr, flush=True)
                continue
            chance = random.Random(f"{args.seed} {name}")
            outcome = tally(name, inflict(scene, cases, chance))
            print(_row(words, outcome), flush=True)
            wrong += outcome[WRONG]
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
