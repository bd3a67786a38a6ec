"""How fast a file is watched, how much processor time a frame takes, and whether memory grows.

    python benchmarks/watching.py --config C --datasets D --results R --version momentum \
        --source VIDEO --seconds 60 --real-time
    python benchmarks/watching.py --config C --source VIDEO --seconds 600 --no-clips
    python benchmarks/watching.py --targets

The model must be there (``vadloc.run``). With ``--real-time`` the file is given as a camera would
give it, so that frames are dropped if scoring is too slow; without, as fast as it can be scored.
Prints one JSON line: how long it was by the clock and in the video, frames scored and dropped,
processor seconds a scored frame, the load of the machine before, and the resident memory after each
tenth of the run. ``--targets`` renders two scenes, makes their models, watches them in real time,
and prints a table.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from anomaly_detection.watch_camera import parser
from anomaly_detection.watching.segment import Scored
from anomaly_detection.watching.session import watch

SAMPLES = 10


class Target(NamedTuple):
    """A scene, and the version that should watch it without drops on two cores."""

    name: str
    size: str
    frames_per_second: int
    seconds: int
    kilobits: int
    version: str


TARGETS = (
    Target("hd", "1280x720", 25, 8, 4000, "momentum"),
    Target("mid", "640x360", 15, 12, 1500, "fused"),
)
COLUMNS = {
    "frames/s": "frames_per_second",
    "not scored": "frames_not_scored",
    "processor ms a frame": "processor_ms_per_frame",
    "latency, median (s)": "latency_median_s",
    "latency, most (s)": "latency_most_s",
    "memory (MiB)": "memory_mib",
    "load": "load_before",
}


class Measured:
    """What is measured while frames are scored."""

    def __init__(self) -> None:
        self.scored = 0
        self.first_s = self.last_s = 0.0
        self.first_cpu_s = self.last_cpu_s = 0.0
        self.last_number = -1
        self.video_s = 0.0
        self.latencies_s: list[float] = []

    def take(self, one: Scored) -> None:
        """A frame was scored."""
        self.last_s, self.last_cpu_s = time.monotonic(), time.process_time()
        if not self.scored:
            self.first_s, self.first_cpu_s = self.last_s, self.last_cpu_s
        self.scored += 1
        self.last_number, self.video_s = one.picture.number, one.picture.seconds
        self.latencies_s.append(self.last_s - one.picture.taken_s)

    def record(self) -> dict[str, Any]:
        """The numbers so far."""
        wall_s = max(self.last_s - self.first_s, 1e-9)
        cpu_s = self.last_cpu_s - self.first_cpu_s
        ordered = sorted(self.latencies_s) or [0.0]
        return {
            "clock_s": round(wall_s, 1),
            "video_s": round(self.video_s, 1),
            "frames_scored": self.scored,
            "frames_not_scored": self.last_number + 1 - self.scored,
            "frames_per_second": round(self.scored / wall_s, 1),
            "processor_ms_per_frame": round(1000 * cpu_s / max(self.scored, 1), 1),
            "latency_median_s": round(ordered[len(ordered) // 2], 2),
            "latency_most_s": round(ordered[-1], 2),
        }


def resident_mib() -> int:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--targets", action="store_true")
    options.add_argument("--config")
    options.add_argument("--source")
    options.add_argument("--version", default="fused")
    options.add_argument("--datasets", default="datasets")
    options.add_argument("--results", default="results")
    options.add_argument("--real-time", action="store_true")
    options.add_argument("--no-clips", action="store_true")
    options.add_argument("--seconds", type=float, default=60.0)
    own = options.parse_args()
    if own.targets:
        print_targets(Path(own.datasets), Path(own.results), own.seconds)
    elif own.config and own.source:
        measure(own)
    else:
        options.error("expected --config and --source, or --targets")


def print_targets(datasets: Path, results: Path, seconds: float) -> None:
    """Watch the scene of each target in a process of its own, and print a table."""
    rows = ["| video | version | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for target in TARGETS:
        found = watch_target(target, datasets, results, seconds)
        total = found["frames_scored"] + found["frames_not_scored"]
        cells = found | {
            "frames_not_scored": f"{found['frames_not_scored']} of {total}",
            "memory_mib": ", ".join(map(str, found["memory_mib"][1::4])),
        }
        shown = " | ".join(str(cells[key]) for key in COLUMNS.values())
        rows.append(f"| `{target.name}` | `{target.version}` | {shown} |")
    sys.stdout.write("\n".join(rows) + "\n")


def watch_target(target: Target, datasets: Path, results: Path, seconds: float) -> dict[str, Any]:
    """What is measured of a target; its scene and its model are made if they are not there."""
    config = datasets / target.name / f"{target.name}.toml"
    where = ["--datasets", datasets]
    if not config.exists():
        scene = ["--name", target.name, "--size", target.size, "--seconds", target.seconds]
        scene += ["--frames-per-second", target.frames_per_second, "--mp4", target.kilobits]
        run("-m", "vadloc.sample_scene", *where, *scene)
    model = [*where, "--results", results, "--config", config, "--version", target.version]
    run("-m", "vadloc.run", *model)
    source = config.parent / "Test" / "Test001.mp4"
    line = run(__file__, *model, "--source", source, "--seconds", seconds, "--real-time")
    found: dict[str, Any] = json.loads(line.splitlines()[-1])
    return found


def run(*words: object) -> str:
    """What a command prints; its log goes to stderr."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(own: argparse.Namespace) -> None:
    """Watch the source of the options, and print what was measured."""
    flags = {"--real-time": own.real_time, "--no-clips": own.no_clips}
    others = [name for name, is_given in flags.items() if is_given]
    for name in ("config", "source", "version", "datasets", "results"):
        others += [f"--{name}", getattr(own, name)]
    measured, memory, stop = Measured(), [], threading.Event()

    def sample() -> None:
        while not stop.wait(own.seconds / SAMPLES):
            memory.append(resident_mib())

    load = os.getloadavg()[0]
    threading.Thread(target=sample, daemon=True).start()
    with tempfile.TemporaryDirectory() as out:
        words = [*others, "--duration", str(own.seconds), "--loop", "1000000", "--out", out]
        watch(parser().parse_args([*words, "--no-page"]), on_scored=measured.take)
    stop.set()
    found = {**measured.record(), "load_before": round(load, 1), "memory_mib": memory}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
