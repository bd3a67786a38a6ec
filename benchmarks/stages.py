"""Code that the benchmarks share: running stages as commands, and reading their criteria."""

import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from vadloc.config import load_config

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("frame_roc_auc", "region_roc_auc", "track_roc_auc")
"""Keys of ``summary.json`` for the columns frame AUC, RBDC and TBDC."""
COLUMNS = "frame AUC | RBDC | TBDC"
EXTRACT = "feature_extraction.extract_features"
EXTRACTION = (f"{EXTRACT} --split train", f"{EXTRACT} --split test")
LATER = (
    "exemplar_selection.select_exemplars",
    "exemplar_selection.merge_exemplars",
    "anomaly_detection.score_anomalies",
    "evaluation.evaluate_scores",
)
"""The stages from features to criteria."""


@dataclass(frozen=True)
class Cost:
    """The time that commands took.

    Attributes:
        wall_s: Wall time in seconds.
        cpu_s: Processor seconds of all their processes together.
    """

    wall_s: float
    cpu_s: float


def run_stages(stages: tuple[str, ...], options: list[str]) -> Cost:
    """Run stages one after the other."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for stage in stages:
        command = [sys.executable, "-m", *stage.split(), *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{stage} ended with status {done.returncode}:\n{done.stderr}")
    after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def criteria(results: Path, version: str = "*") -> list[float]:
    """Frame AUC, RBDC and TBDC of the only dataset (and version) in the results.

    A criterion is NaN if it does not exist, as for a dataset without anomalies.
    """
    [summary] = results.glob(f"*/evaluation/{version}/summary.json")
    numbers = json.loads(summary.read_text())
    return [math.nan if numbers[name] is None else numbers[name] for name in METRICS]


def extraction_counts(results: Path, extractor: str) -> dict[str, int]:
    """The counts of an extractor in one dataset, summed over all sequences of both splits."""
    reports = results.glob(f"*/reports/{EXTRACT}/{extractor}/*/*.json")
    counts = [json.loads(report.read_text())["counts"] for report in reports]
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def datasets_folder(config: Path, given: str) -> Path:
    """The folder with the data of a config: the given folder, or else ``datasets``.

    So one command may name Ped2 in the given folder, and the rendered scene in ``datasets``.
    """
    train = load_config(config).dataset.train
    for folder in (Path(given).resolve(), ROOT / "datasets"):
        if (folder / train).is_dir():
            return folder
    raise SystemExit(
        f"{config}: no {train} below {given} or datasets; set VADLOC_DATASETS or --datasets to the "
        "folder that holds it (the sample scene is made by python -m vadloc.sample_scene)"
    )
