"""The whole pipeline on UCSD Ped2 in a new folder: criteria, seconds of each stage, peak memory.

    VADLOC_DATASETS=... python benchmarks/ped2.py

runs the whole pipeline twice, stage by stage and in one command, and compares the results byte by
byte. Frames per second count the frames of the split that a stage works on: training for selection
and calibration, test for scoring and later stages. Peak memory is that of the whole process tree
(a shared page is divided among its processes), measured ten times a second. ``--config`` takes
another dataset.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from stages import METRICS, ROOT, criteria, datasets_folder

from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.inputs import Split
from vadloc.video.frames import sequence_size

STAGES: tuple[tuple[str, tuple[Split, ...]], ...] = (
    ("feature_extraction.extract_features --split train", ("train",)),
    ("feature_extraction.extract_features --split test", ("test",)),
    ("exemplar_selection.select_exemplars", ("train",)),
    ("exemplar_selection.merge_exemplars", ("train",)),
    ("anomaly_detection.score_anomalies", ("test",)),
    ("evaluation.evaluate_scores", ("test",)),
    ("anomaly_detection.calibration", ("train",)),
    ("anomaly_detection.explain_anomalies", ("test",)),
    ("anomaly_detection.write_report", ("test",)),
)
"""The stages, and the splits whose frames they process."""
WHOLE: tuple[tuple[str, tuple[Split, ...]], ...] = (("vadloc.run", ("train", "test")),)


def tree_memory_mib(root: int) -> float:
    """Proportional set size of a process and all its children, in MiB."""
    kib, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        waiting += [int(child) for child in children.split()]
    return kib / 1024


def run_command(words: list[str]) -> tuple[float, float]:
    """Run a command. Returns its seconds and the peak memory of its process tree in MiB."""
    peak = 0.0
    started = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said: list[str] = []
    drain = threading.Thread(target=lambda: said.append(process.communicate()[1]))
    drain.start()
    while drain.is_alive():
        peak = max(peak, tree_memory_mib(process.pid))
        drain.join(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with status {process.returncode}:\n{said[0]}")
    return time.perf_counter() - started, peak


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result, except reports and records of inputs, which hold times."""
    timed = {"reports", "inputs"}
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and timed.isdisjoint(f.parts)]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def frame_counts(config: Path, datasets: Path) -> dict[Split, int]:
    """Number of frames of each split."""
    artifacts = Artifacts(load_config(config), Path(), datasets)
    splits: tuple[Split, ...] = ("train", "test")
    return {
        split: sum(sequence_size(sequence)[0] for sequence in artifacts.sequences(split))
        for split in splits
    }


def run_stages(
    stages: tuple[tuple[str, tuple[Split, ...]], ...], options: list[str], counts: dict[Split, int]
) -> None:
    """Run commands one after the other, and print a line for each."""
    total = 0.0
    for command, splits in stages:
        frames = sum(counts[split] for split in splits)
        seconds, peak = run_command([sys.executable, "-m", *command.split(), *options])
        print(f"{command:<52}{seconds:7.1f} s {frames / seconds:8.0f} frames/s {peak:7.0f} MiB")
        total += seconds
    if len(stages) > 1:
        rate = sum(counts.values()) / total
        print(f"{'stage by stage':<52}{total:7.1f} s {rate:8.0f} frames/s", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Quality and cost of the pipeline on UCSD Ped2.")
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "ped2.toml")
    args = parser.parse_args()
    datasets = datasets_folder(args.config, args.datasets)
    options = ["--config", str(args.config.resolve()), "--datasets", str(datasets)]
    counts = frame_counts(args.config, datasets)
    found = []
    for stages in (STAGES, WHOLE):
        with tempfile.TemporaryDirectory() as folder:
            run_stages(stages, [*options, "--results", folder], counts)
            found.append(digests(Path(folder)))
            numbers = criteria(Path(folder))
    for name, number in zip(METRICS, numbers, strict=True):
        print(f"{name} {number:.4f}")
    print("same bytes twice" if found[0] == found[1] else "THE TWO RUNS DIFFER")


if __name__ == "__main__":
    main()
