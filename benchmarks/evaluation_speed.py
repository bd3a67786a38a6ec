"""Evaluation of JSON files with score maps: seconds, memory, and the same against py-ssvad-metrics.

    python -m venv ssvad
    ssvad/bin/pip install py-ssvad-metrics "pydantic<2" opencv-python-headless matplotlib "numpy>=2"
    python benchmarks/evaluation_speed.py --ssvad-python ssvad/bin/python

makes sequences of noise-and-blob maps with ground truth in a temporary folder and lets both read
the same files, each in a process of its own. Printed are: seconds of both and their ratio; our
seconds with as many processes as cores; our peak memory at one and four times as many frames; and,
under rule ``ssvad``, how far counts and areas agree. Frames, not file names, differ in the fourfold
set: its JSON files list each map four times.
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

ROOT = Path(__file__).resolve().parent.parent
NOISE_PX = 16
THRESHOLDS = np.linspace(1.01, -0.01, 103)
AREAS = ("frame_roc_auc", "region_roc_auc", "track_roc_auc", "pixel_roc_auc", "frame_eer")
OURS = """
import json, resource, sys, time
from evaluation import accumulated_evaluate
truth, predictions, maps, jobs, warm = sys.argv[1:]
accumulated_evaluate(warm + "/gt", warm + "/pred", show_progress=False)
started = time.perf_counter()
result = accumulated_evaluate(
    truth,
    predictions,
    pred_score_maps_root_dir=maps,
    rule="ssvad",
    jobs=int(jobs),
    show_progress=False,
)
seconds = time.perf_counter() - started
curves = {name: curve.tolist() for name, curve in result.pop("curves").items()}
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
result |= {"region": curves["region_fpr"], "found_regions": curves["region_tpr"]}
result |= {"found_tracks": curves["track_tpr"], "region_thresholds": curves["region_thresholds"]}
inf = result["region_thresholds"].pop(0)
print(json.dumps({**result, "seconds": seconds, "peak_mib": peak_mib}))
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
truth, predictions = sys.argv[1:3]
started = time.perf_counter()
result = ssvad_metrics.accumulated_evaluate(
    truth, predictions, pred_score_maps_root_dir=predictions, show_progress=False
)
seconds = time.perf_counter() - started
numbers = {k: float(v) for k, v in result.items() if isinstance(v, (int, float)) or hasattr(v, "item")}
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({**numbers, "seconds": seconds, "peak_mib": peak_mib, "calls": calls}))
"""


def noise_and_blobs(
    rng: np.random.Generator, shape: tuple[int, int], centres: list[tuple[float, float]]
) -> np.ndarray:
    """A map ``(height, width)`` in 0..1: noise up to 0.4, 16 px coarse, and round blobs."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    coarse = rng.random((height // NOISE_PX, width // NOISE_PX), np.float32) * np.float32(0.4)
    scores = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for cx, cy in centres:
        distance = ((x - cx) ** 2 + (y - cy) ** 2) / (width / 15) ** 2
        scores += np.float32(rng.uniform(0.2, 0.6)) * np.exp(-distance).astype(np.float32)
    return np.clip(scores, 0, 1)


def frame_fields(number: int, boxes: list[list[int]], track: int) -> dict[str, Any]:
    """One frame of a JSON."""
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
    """A JSON of py-ssvad-metrics."""
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
    """Sequences of which the middle half of the frames is anomalous, one track each."""
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
    """The same maps listed several times over; the JSON files are written beside the others'."""
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
    """Run a program in a process of its own; what it prints last."""
    command = [python, "-W", "ignore", "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"{python}: status {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(folder: Path, warm: Path, *, suffix: str = "", jobs: int = 1) -> dict[str, Any]:
    """Our evaluation of a set."""
    folders = [folder / name for name in (f"gt{suffix}", f"pred{suffix}", "pred")]
    return evaluate(sys.executable, OURS, *map(str, folders), str(jobs), str(warm))


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


def their_counts(result: dict[str, Any]) -> np.ndarray:
    """What py-ssvad-metrics counted at each threshold, all sequences added: ``(103, columns)``."""
    table = np.array([numbers for _, numbers in result["calls"]], np.float64)
    return table.reshape(-1, len(THRESHOLDS), table.shape[1]).sum(axis=0)


def compare(mine: dict[str, Any], other: dict[str, Any]) -> None:
    """Print counts and areas side by side."""
    table = their_counts(other)
    for name, counted in counts_on_grid(mine).items():
        different = [int((table[:, c] != counted).sum()) for c in range(table.shape[1])]
        print(f"  {name:<16} differ at {min(different)} of {len(THRESHOLDS)} thresholds")
    for name in AREAS:
        print(f"  {name:<16} ours {mine[name]:.6f}  theirs {other.get(name, float('nan')):.6f}")


def measure(
    shape: tuple[int, int],
    sequences: int,
    frames: int,
    folder: Path,
    warm: Path,
    theirs: str | None,
) -> None:
    """One size of frames."""
    make_set(folder, sequences, frames, shape)
    total = sequences * frames
    print(f"{shape[1]} x {shape[0]} px, {sequences} x {frames} frames", flush=True)
    mine = ours(folder, warm)
    per_frame = 1000 * mine["seconds"] / total
    print(f"  ours, 1 process  {mine['seconds']:8.2f} s {per_frame:8.2f} ms a frame", flush=True)
    jobs = len(os.sched_getaffinity(0))
    several = ours(folder, warm, jobs=jobs)["seconds"]
    print(
        f"  ours, {jobs} processes{several:8.2f} s {1000 * several / total:8.2f} ms a frame",
        flush=True,
    )
    if theirs:
        other = evaluate(theirs, THEIRS, str(folder / "gt"), str(folder / "pred"))
        their_ms = 1000 * other["seconds"] / total
        print(f"  py-ssvad-metrics {other['seconds']:8.2f} s {their_ms:8.2f} ms a frame")
        print(f"  ratio            {other['seconds'] / mine['seconds']:8.1f}")
        compare(mine, other)


def measure_growth(folder: Path, warm: Path) -> None:
    """Seconds and memory at one and four times as many frames."""
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
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        warm = make_set(root / "warm", 1, 4, (48, 64))
        measure((240, 360), args.sequences, args.frames, root / "a", warm, args.ssvad_python)
        measure_growth(root / "a", warm)
        for shape, frames in (((360, 640), 40), ((720, 1280), 16)):
            measure(shape, 1, frames, root / str(shape[0]), warm, args.ssvad_python)


if __name__ == "__main__":
    main()
