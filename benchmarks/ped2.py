"""Frames to report on UCSD Ped2 in a fresh folder: quality, seconds of each stage, peak memory.

    VADLOC_DATASETS=... python benchmarks/ped2.py

runs the whole pipeline twice, stage by stage and in one command, and compares the results byte by
byte. Frames per second count all 4,560 frames for extraction, the training frames for selection
and the test frames for scoring and evaluation. Peak memory is that of the whole process tree.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAIN_FRAMES, TEST_FRAMES = 2550, 2010
STAGES = (
    ("feature_extraction.extract_features --split train", TRAIN_FRAMES),
    ("feature_extraction.extract_features --split test", TEST_FRAMES),
    ("exemplar_selection.select_exemplars", TRAIN_FRAMES),
    ("exemplar_selection.merge_exemplars", TRAIN_FRAMES),
    ("anomaly_detection.score_anomalies", TEST_FRAMES),
    ("evaluation.evaluate_scores", TEST_FRAMES),
    ("anomaly_detection.calibration", TRAIN_FRAMES),
    ("anomaly_detection.explain_anomalies", TEST_FRAMES),
    ("anomaly_detection.write_report", TEST_FRAMES),
)


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
    """Run a command; its seconds and the peak memory of its process tree."""
    peak = 0.0
    started = time.perf_counter()
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    drain = threading.Thread(target=process.communicate)
    drain.start()
    while drain.is_alive():
        peak = max(peak, tree_memory_mib(process.pid))
        drain.join(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with status {process.returncode}")
    return time.perf_counter() - started, peak


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result but the reports, which hold times."""
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and "reports" not in f.parts]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def run_stages(stages: tuple[tuple[str, int], ...], options: list[str]) -> None:
    """Commands one after the other; prints a line each."""
    total = 0.0
    for command, frames in stages:
        seconds, peak = run_command([sys.executable, "-m", *command.split(), *options])
        print(f"{command:<52}{seconds:7.1f} s {frames / seconds:8.0f} frames/s {peak:7.0f} MiB")
        total += seconds
    if len(stages) > 1:
        frames = TRAIN_FRAMES + TEST_FRAMES
        print(f"{'stage by stage':<52}{total:7.1f} s {frames / total:8.0f} frames/s")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Quality and cost of the pipeline on UCSD Ped2.")
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    parser.add_argument("--config", default="configs/ped2.toml")
    args = parser.parse_args()
    options = ["--config", args.config, "--datasets", args.datasets]
    found = []
    for stages in (STAGES, (("vadloc.run", TRAIN_FRAMES + TEST_FRAMES),)):
        with tempfile.TemporaryDirectory() as folder:
            run_stages(stages, [*options, "--results", folder])
            found.append(digests(Path(folder)))
            [summary] = Path(folder).glob("*/evaluation/*/summary.json")
            numbers = json.loads(summary.read_text())
    for name in ("frame_roc_auc", "region_roc_auc", "track_roc_auc"):
        print(f"{name} {numbers[name]:.4f}")
    print("same bytes twice" if found[0] == found[1] else "THE TWO RUNS DIFFER")


if __name__ == "__main__":
    main()
