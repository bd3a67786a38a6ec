"""What happens when things go wrong: kills, full disks, damaged files, stale files, clock jumps.

    python benchmarks/faults.py --kills 200

Each fault must end in the very bytes of an undisturbed run, or in one clear line that names the
file; never in a traceback, a partial file under a final name, or another number. The table it
prints stands in benchmarks/README.md. The full disk is a small tmpfs, which only root can mount.

Damaged is every file below ``results/`` that carries a checksum or, as those of the report, is
listed with one; all that programs read must carry one. The others are for people: plots and tables
of the evaluation, the ``reports/`` of the commands, which no command reads again, and the records
below ``inputs/``, without which inputs are read once more.
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
"""Most kills of one run before it may end: each comes after a sixth of the way at most."""
Outcomes = Iterator[str]
"""The outcome of one case after the other; a kill that is no case of its own is `KILLED`."""
READ_BY_PROGRAMS = (".joblib", ".npy", ".json")


def kills(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """SIGKILL to the whole process group at random moments, then continue to the end.

    After each kill, what is under its final name is compared with the undisturbed run.
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

    By messages and not by the clock, so that all stages are met however busy the machine is.

    Returns:
        The command it was at; empty if it had ended by itself.
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
    """A tmpfs of that size."""
    folder.mkdir(exist_ok=True)
    options = f"size={kib}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disks(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """Runs on disks that are too small, then on the same disk made large enough."""
    size_kib = sum(f.stat().st_size for f in (scene.folder / "undisturbed").rglob("*")) // 1024
    for _ in range(count):
        with small_disk(scene.folder / "disk", chance.randint(16, size_kib)) as disk:
            yield scene.judge(disk / "results", scene.run(disk / "results"))
            subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
            yield scene.judge(disk / "results", scene.run(disk / "results"))


def artifacts_below(results: Path) -> list[Artifact]:
    """Every file with a checksum, as an artifact whose stamp is right.

    Raises:
        AssertionError: A file that programs read has none.
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
    """Every file whose damage is to be noticed, and the artifact that notices it."""
    guarded = []
    for artifact in artifacts_below(results):
        guarded.append((artifact.path, artifact))
        if artifact.path.suffix == ".json":
            listed = storage.read_json(artifact.path).get("files", {})
            guarded += [(artifact.path.parent / name, artifact) for name in listed]
    return guarded


def read(path: Path, file: Artifact) -> object:
    """Read an artifact as a command would; other kinds of file are only compared."""
    if path == file.path and path.suffix in READ_BY_PROGRAMS:
        return file.load()
    if file.state(verify=True)[0] != "done":
        raise VadlocError(file.state(verify=True)[1])
    return path.read_bytes()


def damage(scene: Scene, count: int, chance: random.Random, *, cut: bool) -> Outcomes:
    """A flipped bit or a cut at a random place of every file, ``count`` times each.

    Files that are only listed get a tenth of that: for each case all that are listed are read.
    A bit between the words of a JSON file may change nothing; that is the same content.
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
    """What becomes of a damaged file that held this content."""
    try:
        found = read(path, file)
    except VadlocError as error:
        is_named = str(path) in str(error)
        return CLEAR if is_named else complain(f"{path}: {damage}: {error}")
    is_same = path.suffix == ".json" and found == content
    return SAME if is_same else complain(f"{path}: {damage}: not noticed")


def exchanged(scene: Scene, count: int, chance: random.Random) -> Outcomes:
    """The intact file of another sequence or of another kind in an artifact's place."""
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
    """Another value in each table of the config: refused, then replaced with --overwrite."""
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
    """Frames and results dated decades back or ahead: nothing is done again or differently."""
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
    """Count the outcomes of a fault, and tell now and then how far it is."""
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
                print(f"left out, only root can mount: {words}", file=sys.stderr, flush=True)
                continue
            chance = random.Random(f"{args.seed} {name}")
            outcome = tally(name, inflict(scene, cases, chance))
            print(_row(words, outcome), flush=True)
            wrong += outcome[WRONG]
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
