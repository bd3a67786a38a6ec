"""Time and memory of the evaluation of score maps in JSON files, compared with py-ssvad-metrics.

    python -m venv ssvad
    ssvad/bin/pip install py-ssvad-metrics "pydantic<2" opencv-python-headless matplotlib "numpy>=2"
    python benchmarks/evaluation_speed.py --ssvad-python ssvad/bin/python

makes sequences of maps with noise, blobs and ground truth in a temporary folder. Both programs read
the same files, each in one process with its default number of threads: ours uses the usable cores
(or ``OMP_NUM_THREADS``) for parallel frames, py-ssvad-metrics leaves it to its libraries. The
program prints

* the seconds of both and their ratio, as wall time and as processor time, which other programs
  disturb less;
* our seconds with as many processes as cores;
* our peak memory at one and four times as many frames (each map listed four times);
* under rule ``ssvad``, how far counts and areas agree.

Both are compared on the first sequences only (``--ssvad-sequences``), since py-ssvad-metrics takes
minutes for all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
NOISE_PX = 16
THRESHOLDS = np.linspace(1.01, -0.01, 103)
COLUMNS = {"found regions": 0, "false positives": 2, "found tracks": 5}
"""Columns of the numbers that py-ssvad-metrics counts at a threshold."""
AREAS = ("frame_roc_auc", "region_roc_auc", "track_roc_auc", "pixel_roc_auc", "frame_eer")
OURS = """
import json, resource, sys, time
from evaluation import accumulated_evaluate
truth, predictions, maps, jobs, warm = sys.argv[1:]
accumulated_evaluate(warm + "/gt", warm + "/pred", show_progress=False)
started, cpu_started = time.perf_counter(), time.process_time()
result = accumulated_evaluate(
    truth,
    predictions,
    pred_score_maps_root_dir=maps,
    rule="ssvad",
    jobs=int(jobs),
    show_progress=False,
)
seconds = time.perf_counter() - started
cpu = time.process_time() - cpu_started
curves = {name: curve.tolist() for name, curve in result.pop("curves").items()}
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
result |= {"region": curves["region_fpr"], "found_regions": curves["region_tpr"]}
result |= {"found_tracks": curves["track_tpr"], "region_thresholds": curves["region_thresholds"]}
inf = result["region_thresholds"].pop(0)
print(json.dumps({**result, "seconds": seconds, "cpu": cpu, "peak_mib": peak_mib}))
"""
THEIRS = """
import json, resource, sys, time
import ssvad_metrics
from ssvad_metrics import criteria
calls, count = [], criteria._get_cur_calcs
def counting(*args, **kwargs):
    made = count(*args, **kwargs)
    threshold = kwargs.get("threshold", args[2] if len(args) > 2 else None)
    calls.append([float(threshold), [None if n is None else float(n) for n in made]])
    return made
criteria._get_cur_calcs = counting
truth, predictions, maps = sys.argv[1:]
started, cpu_started = time.perf_counter(), time.process_time()
result = ssvad_metrics.accumulated_evaluate(
    truth, predictions, pred_score_maps_root_dir=maps, show_progress=False
)
seconds = time.perf_counter() - started
cpu = time.process_time() - cpu_started
numbers = {k: float(v) for k, v in result.items() if isinstance(v, float) or hasattr(v, "item")}
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({**numbers, "seconds": seconds, "cpu": cpu, "peak_mib": peak_mib, "calls": calls}))
"""


def noise_and_blobs(
    rng: np.random.Generator, shape: tuple[int, int], centres: list[tuple[float, float]]
) -> NDArray[np.float32]:
    """A map ``(height, width)`` in 0..1: noise up to 0.4 in blocks of 16 px, and round blobs."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    coarse = rng.random((height // NOISE_PX, width // NOISE_PX), np.float32) * np.float32(0.4)
    scores = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for cx, cy in centres:
        distance = ((x - cx) ** 2 + (y - cy) ** 2) / (width / 15) ** 2
        scores += np.float32(rng.uniform(0.2, 0.6)) * np.exp(-distance).astype(np.float32)
    return np.clip(scores, 0, 1).astype(np.float32)


def frame_fields(number: int, boxes: list[list[int]], track: int) -> dict[str, Any]:
    """The record of one frame in a JSON file."""
    regions = [{"bounding_box": box, "score": 1.0} for box in boxes]
    return {
        "frame_id": number,
        "frame_filepath": None,
        "video_time_sec": None,
        "anomaly_track_id": track if boxes else -1,
        "frame_level_score": float(bool(boxes)),
        "anomalous_regions": regions,
        "pixel_level_scores_map": None,
    }


def write_json(path: Path, shape: tuple[int, int], frames: list[dict[str, Any]]) -> None:
    """Write a JSON file in the format of py-ssvad-metrics."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "is_gt": path.parent.name == "gt",
        "frames_count": len(frames),
        "is_anomalous_regions_available": True,
        "is_anomaly_track_id_available": True,
        "video_length_sec": None,
        "frame_rate": None,
        "frame_width": shape[1],
        "frame_height": shape[0],
    }
    path.write_text(json.dumps({**head, "frames": frames}))


def make_set(folder: Path, sequences: int, frames: int, shape: tuple[int, int]) -> Path:
    """Write sequences whose middle half of frames is anomalous, with one track each."""
    height, width = shape
    side = width // 10
    for s in range(sequences):
        rng = np.random.default_rng(s)
        name = f"Test{s + 1:03d}"
        truth, predicted = [], []
        for f in range(frames):
            cx = width * (0.2 + 0.6 * f / frames)
            cy = height * (0.3 + 0.4 * rng.random())
            anomalous = frames // 4 <= f < 3 * frames // 4
            centres = [(cx, cy)] if anomalous else []
            centres += [(rng.uniform(0, width), rng.uniform(0, height))]
            x0, y0 = int(cx) - side // 2, int(cy) - side // 2
            boxes = [[x0, y0, x0 + side, y0 + side]] if anomalous else []
            map_name = f"{name}/{f + 1:04d}.npy"
            path = folder / "pred" / map_name
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, noise_and_blobs(rng, shape, centres))
            truth.append(frame_fields(f + 1, boxes, 0))
            field = {"pixel_level_scores_map": map_name, "frame_level_score": None}
            predicted.append({**frame_fields(f + 1, [], -1), **field})
        write_json(folder / "gt" / f"{name}.json", shape, truth)
        write_json(folder / "pred" / f"{name}.json", shape, predicted)
    return folder


def repeat_set(folder: Path, times: int) -> Path:
    """Write JSON files that list the same maps several times, beside the folder of the set."""
    for part in ("gt", "pred"):
        target = folder / f"{part}{times}"
        target.mkdir()
        for path in sorted((folder / part).glob("*.json")):
            content = json.loads(path.read_text())
            frames = content["frames"] * times
            content["frames"] = [{**f, "frame_id": i} for i, f in enumerate(frames, start=1)]
            content["frames_count"] = len(frames)
            (target / path.name).write_text(json.dumps(content))
    return folder


def evaluate(python: str, program: str, *words: str) -> dict[str, Any]:
    """Run a program in its own process. Returns the JSON of its last line."""
    command = [python, "-W", "ignore", "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{python}: status {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(folder: Path, warm: Path, *, suffix: str = "", jobs: int = 1) -> dict[str, Any]:
    """Evaluate a set with vadloc."""
    folders = [folder / name for name in (f"gt{suffix}", f"pred{suffix}", "pred")]
    return evaluate(sys.executable, OURS, *map(str, folders), str(jobs), str(warm))


def first_sequences(folder: Path, count: int) -> None:
    """Copy the JSON files of the first sequences to ``gt_first`` and ``pred_first``."""
    for part in ("gt", "pred"):
        (folder / f"{part}_first").mkdir()
        for path in sorted((folder / part).glob("*.json"))[:count]:
            (folder / f"{part}_first" / path.name).write_bytes(path.read_bytes())


def counts_on_grid(result: dict[str, Any]) -> dict[str, list[int]]:
    """Our counts at the 103 thresholds."""
    counts = result["counts"]
    state = np.searchsorted(-np.array(result["region_thresholds"]), -THRESHOLDS, side="right")
    pairs = {
        "false positives": (result["region"], counts["frames"]),
        "found regions": (result["found_regions"], counts["regions"]),
        "found tracks": (result["found_tracks"], counts["tracks"]),
    }
    return {
        name: np.rint(np.array(r)[state] * n).astype(int).tolist() for name, (r, n) in pairs.items()
    }


def their_counts(result: dict[str, Any]) -> NDArray[np.float64]:
    """Counts of py-ssvad-metrics by threshold, summed over sequences: ``(103, columns)``."""
    thresholds = np.array([threshold for threshold, _ in result["calls"]])
    table = np.array([numbers for _, numbers in result["calls"]], np.float64)
    return np.array([table[thresholds == t].sum(axis=0) for t in THRESHOLDS])


def compare(mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Print counts and areas side by side."""
    table = their_counts(other)
    for name, counted in counts_on_grid(mine).items():
        different = int((table[:, COLUMNS[name]] != counted).sum())
        print(f"  {name:<16} differ at {different} of {len(THRESHOLDS)} thresholds")
    for name in AREAS:
        print(f"  {name:<16} ours {mine[name]:.6f}  theirs {other.get(name, float('nan')):.6f}")


def print_cost(name: str, result: dict[str, Any], frames: int) -> None:
    """Print a line with the seconds of a program."""
    wall, cpu = (1000 * result[key] / frames for key in ("seconds", "cpu"))
    text = f"  {name:<18}{result['seconds']:8.2f} s {wall:8.2f} ms a frame, processor {cpu:8.2f} ms"
    print(f"{text}, peak {result['peak_mib']:.0f} MiB", flush=True)


def measure(folder: Path, warm: Path, theirs: str | None, count: int) -> None:
    """Print the seconds of both on a set, and how far they agree on its first sequences."""
    mine = ours(folder, warm)
    frames = mine["counts"]["frames"]
    print_cost("ours", mine, frames)
    jobs = len(os.sched_getaffinity(0))
    several = ours(folder, warm, jobs=jobs)["seconds"]
    name = f"ours, {jobs} processes"
    print(f"  {name:<18}{several:8.2f} s {1000 * several / frames:8.2f} ms a frame")
    if theirs is None:
        return
    first_sequences(folder, count)
    part = ours(folder, warm, suffix="_first")
    part_frames = part["counts"]["frames"]
    folders = (str(folder / name) for name in ("gt_first", "pred_first", "pred"))
    other = evaluate(theirs, THEIRS, *folders)
    print_cost("py-ssvad-metrics", other, part_frames)
    wall, cpu = (other[k] / part_frames / mine[k] * frames for k in ("seconds", "cpu"))
    side_by_side = other["seconds"] / part_frames / several * frames
    print(f"  ratio a frame: {wall:.1f} by the clock, {cpu:.1f} by processor time, ", end="")
    print(f"{side_by_side:.1f} with {jobs} of our processes")
    print(f"  on {part_frames} frames:")
    compare(part, other)


def measure_growth(folder: Path, warm: Path) -> None:
    """Print seconds and memory at one and four times as many frames."""
    repeat_set(folder, 4)
    for suffix in ("", "4"):
        result = ours(folder, warm, suffix=suffix)
        print(
            f"  {result['counts']['frames']:6d} frames {result['seconds']:8.2f} s, peak memory "
            f"{result['peak_mib']:6.0f} MiB",
            flush=True,
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Speed and memory of the evaluation.")
    parser.add_argument("--ssvad-python", help="a Python that has py-ssvad-metrics")
    parser.add_argument("--sequences", type=int, default=12)
    parser.add_argument("--frames", type=int, default=180)
    parser.add_argument("--ssvad-sequences", type=int, default=1, help="default: %(default)s")
    args = parser.parse_args()
    sizes = (
        ((240, 360), args.sequences, args.frames),
        ((360, 640), 1, max(args.frames // 6, 4)),
        ((720, 1280), 1, max(args.frames // 30, 4)),
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        warm = make_set(root / "warm", 1, 4, (48, 64))
        for (height, width), sequences, frames in sizes:
            print(f"{width} x {height} px, {sequences} x {frames} frames", flush=True)
            folder = make_set(root / str(height), sequences, frames, (height, width))
            measure(folder, warm, args.ssvad_python, args.ssvad_sequences)
            if height == sizes[0][0][0]:
                measure_growth(folder, warm)


if __name__ == "__main__":
    main()
