"""Run a stage as a user's command on data of one size, and measure its cost."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from throughput_limits import PartLimits
from throughput_material import synthetic_artifacts, write_config, write_features, write_video_set

from evaluation.convert_annotations import width_and_height
from vadloc.config import load_config
from vadloc.regions import RegionGrid

ROOT = Path(__file__).resolve().parent.parent
REGION_OF_WIDTH = 20
"""Frame width divided by the size of regions, which is rounded to steps of 16 px."""

TINY = 1e-6
"""Least time, in place of times that are too short to measure."""

START_FRAMES = 12
"""Number of frames of the sequences that measure the start of a command."""
START_VOLUMES = 1000
"""Number of volumes that measures the start of selection and scoring."""
PROTOTYPES = 10
"""Number of exemplars of each region, unless it is varied."""
EXTRACT = "feature_extraction.extract_features"
SELECT = "exemplar_selection.select_exemplars"
MERGE = "exemplar_selection.merge_exemplars"
SCORE = "anomaly_detection.score_anomalies"
STAGES = (
    f"{EXTRACT} --split train",
    f"{EXTRACT} --split test",
    SELECT,
    MERGE,
    SCORE,
    "evaluation.evaluate_scores",
    "anomaly_detection.calibration",
    "anomaly_detection.explain_anomalies",
    "anomaly_detection.write_report",
)
MEASURE = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps((wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)))
sys.exit(status)
"""
"""Program that runs a command from a small process; the memory of a large parent would count as
that of the command."""


@dataclass(frozen=True)
class Cost:
    """The time and memory that a command took.

    Attributes:
        wall_s: Wall time in seconds.
        cpu_s: Processor seconds of all its processes together.
        peak_mib: Peak memory of the largest of its processes.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float

    def beyond(self, start: "Cost", count: int) -> tuple[float, float]:
        """The time per frame or volume, without the time of the start.

        Args:
            start: Cost of the same command on very short sequences.
            count: Number of frames or volumes.

        Returns:
            Milliseconds of wall time and of processor time.
        """
        wall, cpu = self.wall_s - start.wall_s, self.cpu_s - start.cpu_s
        return max(1000 * wall / count, TINY), max(1000 * cpu / count, TINY)


@dataclass(frozen=True)
class Options:
    """The options of a measurement.

    Attributes:
        folder: Folder of everything that is written.
        device: The device on which networks run.
        frames: Number of frames of a sequence.
        video: Frames or video file of the user, ``None`` for the rendered street.
        sizes: Frame sizes, as ``WxH``.
        versions: Versions of the method.
        volumes: Numbers of synthetic volumes.
        limits: Times that the parts of extraction take alone.
    """

    folder: Path
    device: str
    frames: int
    video: Path | None
    sizes: tuple[str, ...]
    versions: tuple[str, ...]
    volumes: tuple[int, ...]
    limits: PartLimits

    def results(self, version: str) -> Path:
        """The results folder of one version, so that versions do not share features."""
        return self.folder / "results" / version


def run_stage(stage: str, config: Path, options: Options, *, version: str) -> Cost:
    """Run a stage on a dataset. Returns its cost."""
    words = [sys.executable, "-m", *stage.split(), "--config", str(config), "--version", version]
    words += ["--results", str(options.results(version)), "--datasets", str(options.folder)]
    words += ["--device", options.device]
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{stage} ended with status {done.returncode}:\n{done.stderr}")
    return Cost(*json.loads(done.stdout))


def grid_of(size: str) -> RegionGrid:
    """The grid of regions for frames of a size."""
    width, height = width_and_height(size)
    side = max(16, round(width / REGION_OF_WIDTH / 16) * 16)
    return RegionGrid(height, width, side, side // 2)


def video_config(options: Options, size: str, *, frames: int, region: int = 0) -> Path:
    """The config of a data set of one frame size, which is written if it does not exist."""
    name = f"video_{size}_{frames}"
    if not (options.folder / name).exists():
        width, height = width_and_height(size)
        write_video_set(
            options.folder, name, width=width, height=height, frames=frames, video=options.video
        )
    return write_config(options.folder, name, region=region or grid_of(size).size_px)


def train_folder(options: Options, config: Path) -> Path:
    """The folder of the training sequences of a config."""
    return options.folder / load_config(config).dataset.train


def measure_volumes(options: Options, *, volumes: int, prototypes: int) -> list[Cost]:
    """Costs of selection, merging and scoring of synthetic volumes; these are deleted then."""
    version = "appearance_momentum"
    folder = options.results(version)
    config, artifacts = synthetic_artifacts(
        options.folder, folder, volumes=volumes, prototypes=prototypes
    )
    write_features(artifacts, volumes=volumes, prototypes=prototypes)
    costs = [run_stage(s, config, options, version=version) for s in (SELECT, MERGE, SCORE)]
    shutil.rmtree(folder)
    return costs
