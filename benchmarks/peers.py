"""Compare vadloc with other programs in one run: frames/s, processor time and peak memory.

    python -m venv anomalib && anomalib/bin/pip install anomalib
    VADLOC_DATASETS=... python benchmarks/peers.py --anomalib-python anomalib/bin/python

compares PatchCore of anomalib, a plain implementation of EVAL's published algorithm
(``peers/plain_eval.py``), and versions of vadloc. All get the same frames (of UCSD Ped2; without
VADLOC_DATASETS, of the rendered sample scene) and the same cores, one after the other. Each phase
runs in its own process with its default number of threads (or ``--threads``). The order is reversed
from round to round, and the table has medians over the rounds. Seconds are measured from the first
frame read to the last result written; the time before, mostly for imports, is the column *start*.
*reuse_below = 0* computes every volume, as the plain program does. The program also prints how far
the plain program and vadloc agree. With ``--ssvad-python`` it also compares the evaluation with
py-ssvad-metrics; ``evaluation_speed.py`` does this in more detail.

There are few training frames, since the time of PatchCore's coreset grows with their square.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vadloc.process import usable_cores
from vadloc.video.frames import (
    list_frame_files,
    list_sequences,
)

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "benchmarks" / "peers"
PHASES = ("train", "test")
CONFIG = """
[dataset]
name = "peers"
train = "Train"
test = "Test"
frames_per_second = 10
[regions]  # as configs/ped2.toml and configs/sample.toml
size_px = 32
stride_px = 16
[features]
appearance.reuse_below = {reuse_below}
motion.reuse_below = {reuse_below}
"""
CONFIGS = {"vadloc.toml": 6.0, "every_volume.toml": 0.0}
"""Config file to its ``reuse_below``: the default, and 0."""
LEAST_FRAMES = 10
"""Least number of frames of a sequence: that of a video volume."""
CELLS = "map of 16 px cells"
EXPLAINED = f"{CELLS}, alarms in words"
SCORE_AND_MAP = "frame score, map of pixels"
NOT_RUN = (
    "| AI-VAD of anomalib | not run: it downloads the weights of four networks, and its time "
    f"depends on how much they find{' |' * 7} {SCORE_AND_MAP} |"
)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Cost = dict[str, float]
"""The numbers that ``peers/measured.py`` prints, and ``start_seconds``."""


@dataclass(frozen=True)
class Peer:
    """A row of the table.

    Attributes:
        name: Name in the table.
        gives: What it computes for a frame.
        python: The Python that runs the program.
        program: File below ``peers/``.
        options: Options of the program.
    """

    name: str
    gives: str
    python: str
    program: str
    options: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of the folder of the results."""
        return "".join(c if c.isalnum() else "_" for c in self.name)


def vadloc_peer(version: str) -> Peer:
    """A version of vadloc."""
    options = ("--version", version, "--config", "vadloc.toml")
    return Peer(f"vadloc `{version}`", EXPLAINED, sys.executable, "vadloc_stages.py", options)


def every_volume_peer(version: str) -> Peer:
    """A version of vadloc that computes every volume, as the plain program does."""
    options = ("--version", version, "--config", "every_volume.toml")
    name = f"vadloc `{version}`, reuse_below = 0"
    return Peer(name, EXPLAINED, sys.executable, "vadloc_stages.py", options)


def plain_peer(version: str) -> Peer:
    """The plain program, with the components of a version."""
    options = ("--version", version, "--config", "every_volume.toml")
    return Peer(f"plain EVAL, `{version}`", CELLS, sys.executable, "plain_eval.py", options)


def patchcore_peer(python: str, backbone: str) -> Peer:
    """PatchCore with a backbone."""
    name = f"PatchCore of anomalib, {backbone}"
    return Peer(name, SCORE_AND_MAP, python, "patchcore.py", ("--backbone", backbone))


def all_peers(anomalib_python: str | None, backbone: str) -> list[Peer]:
    """The rows of the table in order."""
    return [
        *([patchcore_peer(anomalib_python, backbone)] if anomalib_python else []),
        plain_peer("appearance_motion"),
        every_volume_peer("appearance_motion"),
        vadloc_peer("appearance_motion"),
        vadloc_peer("appearance_momentum"),
        plain_peer("momentum"),
        vadloc_peer("momentum"),
    ]


def copy_frames(source: Path, target: Path, count: int) -> None:
    """Copy the first frames of a folder of sequences, sequence by sequence."""
    for sequence in list_sequences(source):
        files = list_frame_files(sequence.path)[:count]
        if len(files) < LEAST_FRAMES:
            raise SystemExit(
                f"{sequence.path}: of this sequence {len(files)} frames, expected "
                f"{LEAST_FRAMES} or more; ask for {LEAST_FRAMES} frames more"
            )
        count -= len(files)
        folder = target / sequence.name
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)
        if not count:
            return
    raise SystemExit(f"{source}: {count} frames too few; ask for less of them")


def lay_out(dataset: Path, folder: Path, counts: dict[str, int]) -> None:
    """Write the frames of each phase, in the given numbers, and the configs for all programs."""
    for phase, count in counts.items():
        copy_frames(dataset / phase.capitalize(), folder / phase.capitalize(), count)
    for name, reuse_below in CONFIGS.items():
        (folder / name).write_text(CONFIG.format(reuse_below=reuse_below))


def environment(threads: int | None = None) -> dict[str, str]:
    """Environment of the programs: this vadloc, and a number of threads if it is given."""
    own = {name: value for name, value in os.environ.items() if name not in THREADS}
    if threads is not None:
        own |= dict.fromkeys(THREADS, str(threads))
    return {**own, "PYTHONPATH": str(ROOT)}


def run_phase(peer: Peer, phase: str, folder: Path, *, threads: int | None) -> Cost:
    """Run one phase of a peer. Returns its cost."""
    command = [peer.python, "-W", "ignore", str(PROGRAMS / peer.program), phase, *peer.options]
    command += ["--frames", str(folder), "--state", str(folder / "state" / peer.folder)]
    started = time.time()
    own = environment(threads)
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{peer.name}, {phase}: status {done.returncode}\n{done.stderr[-2000:]}")
    cost: Cost = json.loads(done.stdout.splitlines()[-1])
    return {**cost, "start_seconds": cost["began_at"] - started}


def dataset_folder(scratch: Path) -> Path:
    """The folder of UCSD Ped2 below VADLOC_DATASETS, or else of the sample scene, rendered here."""
    datasets = os.environ.get("VADLOC_DATASETS")
    if datasets:
        ped2 = Path(datasets) / "ped2"
        if not all((ped2 / phase.capitalize()).is_dir() for phase in PHASES):
            raise SystemExit(f"{ped2}: expected Train and Test in it; VADLOC_DATASETS holds ped2/")
        return ped2
    command = [sys.executable, "-m", "vadloc.sample_scene", "--datasets", str(scratch)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return scratch / "sample"


def run_rounds(
    peers: list[Peer], rounds: int, folder: Path, *, threads: int | None
) -> dict[str, dict[str, list[Cost]]]:
    """Costs of all peers by name and phase, one per round; the results of the last round remain."""
    costs: dict[str, dict[str, list[Cost]]] = {p.name: {q: [] for q in PHASES} for p in peers}
    for turn in range(rounds):
        shutil.rmtree(folder / "state", ignore_errors=True)
        for peer in peers if turn % 2 == 0 else reversed(peers):
            for phase in PHASES:
                cost = run_phase(peer, phase, folder, threads=threads)
                costs[peer.name][phase].append(cost)
                line = f"round {turn + 1}, {peer.name}, {phase}: {cost['seconds']:.1f} s"
                print(f"{line}, processor {cost['cpu_seconds']:.1f} s", file=sys.stderr, flush=True)
    return costs


def median(costs: list[Cost], key: str) -> float:
    """Median of a number over the rounds."""
    return statistics.median(cost[key] for cost in costs)


def table_row(peer: Peer, costs: dict[str, list[Cost]]) -> str:
    """A row of the table."""
    cells = []
    for phase in PHASES:
        own = costs[phase]
        frames, seconds = own[0]["frames"], median(own, "seconds")
        cpu_ms = 1000 * median(own, "cpu_seconds") / frames
        cells += [f"{frames / seconds:.3g}", f"{cpu_ms:.3g}", f"{median(own, 'peak_mib'):.0f}"]
    start = max(median(costs[phase], "start_seconds") for phase in PHASES)
    return f"| {peer.name} | {' | '.join(cells)} | {start:.0f} | {peer.gives} |"


def table(peers: list[Peer], costs: dict[str, dict[str, list[Cost]]]) -> Iterator[str]:
    """The table in Markdown, line by line."""
    three = "{0} frames/s | processor ms a frame | peak MiB"
    head = " | ".join(three.format(name) for name in ("training", "test"))
    yield f"| | {head} | start s | gives |"
    yield "|---|" + "---:|" * 7 + "---|"
    for peer in peers:
        yield table_row(peer, costs[peer.name])
    yield NOT_RUN


def at_least(least: int) -> Callable[[str], int]:
    """Type of an option: a whole number of at least ``least``."""

    def number(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: expected a number from {least} on")
        return int(text)

    return number


def python_with(package: str) -> Callable[[str], str]:
    """Type of an option: a Python in which a package is installed."""

    def absolute(path: str) -> str:
        python = shutil.which(path)
        if python is None:
            raise argparse.ArgumentTypeError(f"{path}: no program; give the Python of {package}")
        if not version_of(package, python):
            raise argparse.ArgumentTypeError(f"{path}: has no {package}; {path} -m pip install it")
        return str(Path(python).absolute())  # the link, not its target, names the environment

    return absolute


def version_of(package: str, python: str) -> str:
    """Version of a package in an environment; empty if it is not installed."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def machine() -> str:
    """The machine in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{usable_cores()} cores of {names[0] if names else platform.machine()}, {memory:.0f} GiB, "
        f"no GPU used, Python {platform.python_version()}; load when started: {load:.1f}"
    )


def compare_with_plain(peers: list[Peer], folder: Path) -> None:
    """Print how far vadloc and the plain program agree in the results of the last round."""
    pairs = {
        "momentum": vadloc_peer("momentum"),
        "appearance_motion": every_volume_peer("appearance_motion"),
    }
    for version, ours in pairs.items():
        plain = plain_peer(version)
        if plain in peers and ours in peers:
            states = [str(folder / "state" / peer.folder) for peer in (plain, ours)]
            program = str(PROGRAMS / "agreement.py")
            command = [sys.executable, program, version, str(folder / "every_volume.toml"), *states]
            subprocess.run(command, env=environment(), check=True)


def compare_evaluation(ssvad_python: str) -> None:
    """Compare the evaluation with py-ssvad-metrics on a small set."""
    import evaluation_speed

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        warm = evaluation_speed.make_set(root / "warm", 1, 4, (48, 64))
        print("evaluation of 60 maps of 360 x 240 px:", flush=True)
        folder = evaluation_speed.make_set(root / "maps", 1, 60, (240, 360))
        evaluation_speed.measure(folder, warm, ssvad_python, 1)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="vadloc against its peers, side by side.")
    for option, package in (("anomalib", "anomalib"), ("ssvad", "py-ssvad-metrics")):
        name = f"--{option}-python"
        parser.add_argument(name, type=python_with(package), help=f"a Python that has {package}")
    for option, default, least in (
        ("--train-frames", 10, LEAST_FRAMES),
        ("--test-frames", 60, LEAST_FRAMES),
        ("--rounds", 1, 1),
    ):
        text = "default: %(default)s"
        parser.add_argument(option, type=at_least(least), default=default, help=text)
    parser.add_argument("--threads", type=at_least(1), help="of every peer; else its own default")
    text = "of PatchCore (default: %(default)s); anomalib's own default is wide_resnet50_2"
    parser.add_argument("--backbone", default="resnet18", help=text)
    parser.add_argument("--only", default="", help="peers whose name holds this text")
    args = parser.parse_args()
    peers = all_peers(args.anomalib_python, args.backbone)
    args.peers = [peer for peer in peers if args.only in peer.name]
    if not args.peers:
        names = "; ".join(peer.name for peer in peers)
        parser.error(f"--only {args.only}: no such peer; there are {names}")
    return args


def main() -> None:
    """Print the table and the comparisons."""
    args = parse_arguments()
    peers: list[Peer] = args.peers
    print(machine(), flush=True)
    if args.anomalib_python:
        names = ("anomalib", "torch")
        versions = (f"{name} {version_of(name, args.anomalib_python)}" for name in names)
        print(f"PatchCore by {', '.join(versions)}; weights are random", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = dataset_folder(folder)
        counts = {"train": args.train_frames, "test": args.test_frames}
        lay_out(dataset, folder, counts)
        print(f"{dataset.name}: {counts['train']} training frames, {counts['test']} test frames")
        costs = run_rounds(peers, args.rounds, folder, threads=args.threads)
        print("\n".join(table(peers, costs)), flush=True)
        compare_with_plain(peers, folder)
    if args.ssvad_python:
        compare_evaluation(args.ssvad_python)


if __name__ == "__main__":
    main()
