"""How often explanations name the right cause: the tracks of Ped2 and a list made by a person.

    VADLOC_DATASETS=... python benchmarks/explanations.py --results results [--tracks]

reads the results of ``python -m vadloc.run --config configs/ped2.toml`` in ``--results``. For the
calibrated threshold, and for the threshold at the equal error rate of frames, it prints how many of
the annotated tracks are explained, and for how many the explanation names the right cause: a speed
above the normal range, or the right class. ``benchmarks/ped2_tracks.csv`` lists the right causes.
Each of the 21 objects is faster than the pedestrians around it. Cyclists and the cart have another
class; skaters are persons too.

The explanation of a track is that of the detection that overlaps it in most frames (IoU at least
0.1). If several do, it is that of the highest score.
"""

import argparse
import csv
import os
from pathlib import Path
from typing import Any, NamedTuple

from stages import ROOT, datasets_folder

from anomaly_detection.calibration.calibrate_threshold import (
    Threshold,
    alarm_threshold,
)
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.explanation.records import sequence_to_record
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.versions import VERSIONS

LEAST_IOU = 0.1


class Track(NamedTuple):
    """One annotated track, as described by a person."""

    sequence: str
    number: int
    what: str
    faster: bool
    class_name: str


class Verdict(NamedTuple):
    """The result for a track: found, right cause named, right cause named first, the sentence."""

    track: Track
    found: bool
    named: bool
    first: bool
    sentence: str


def read_tracks(path: Path) -> list[Track]:
    """Read the list of tracks."""
    with path.open(newline="") as file:
        return [
            Track(r["sequence"], int(r["track"]), r["object"], r["faster"] == "yes", r["class"])
            for r in csv.DictReader(file)
        ]


def boxes_of(regions: dict[str, list[Any]], track: int) -> dict[int, list[float]]:
    """The box of a track in each of its frames."""
    rows = zip(regions["frame"], regions["track"], regions["box_xyxy_px"], strict=True)
    return {frame: box for frame, number, box in rows if number == track}


def iou(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (sum(areas) - width * height)


def frames_met(detection: dict[str, Any], boxes: dict[int, list[float]]) -> int:
    """Number of frames in which a detection overlaps a track."""
    first = detection["first_frame"]
    return sum(
        iou(box, boxes[frame]) >= LEAST_IOU
        for frame, box in enumerate(detection["boxes_xyxy_px"], start=first)
        if frame in boxes
    )


def is_right(entry: dict[str, Any], track: Track) -> bool:
    """Whether an unusual attribute is a right cause for the track."""
    if entry["attribute"] == "speed":
        return track.faster and bool(entry["value"] > entry["high"])
    return bool(entry["attribute"] == "class" and entry["value"] == track.class_name)


def judge(track: Track, detections: list[dict[str, Any]], boxes: dict[int, list[float]]) -> Verdict:
    """The verdict on the explanation of a track."""
    met = [(frames_met(d, boxes), d["score"], d) for d in detections]
    met = [entry for entry in met if entry[0]]
    if not met:
        return Verdict(track, found=False, named=False, first=False, sentence="")
    detection = max(met, key=lambda entry: entry[:2])[2]
    right = [is_right(entry, track) for entry in detection["unusual"]]
    return Verdict(track, True, any(right), any(right[:1]), detection["sentence"])


def verdicts(artifacts: Artifacts, threshold: Threshold, tracks: list[Track]) -> list[Verdict]:
    """The verdicts on all tracks at one threshold; the explanations are made in memory."""
    detector = load_detector(artifacts)
    regions = artifacts.evaluation("frame_labels.json").load()["regions"]
    found = []
    for name in dict.fromkeys(track.sequence for track in tracks):
        explained = sequence_to_record(
            load_input(artifacts, "test", name),
            artifacts.scores(name).load(),
            detector,
            threshold,
            config=artifacts.config,
            version=artifacts.version,
        )
        found += [
            judge(track, explained["detections"], boxes_of(regions[name], track.number))
            for track in tracks
            if track.sequence == name
        ]
    return found


def print_verdicts(artifacts: Artifacts, *, every_track: bool) -> None:
    """Print the table, and each track's verdict and sentence if wanted."""
    config = artifacts.config
    tracks = read_tracks(ROOT / "benchmarks" / "ped2_tracks.csv")
    summary = artifacts.evaluation("summary.json").load()
    calibrated = alarm_threshold(config, artifacts)
    per_hour = config.alarms.false_alarms_per_hour
    print("| threshold | score | tracks explained | right cause named | named first |")
    print("|---|---|---|---|---|")
    for name, threshold in (
        (f"{per_hour:g} false alarms per hour", calibrated),
        ("equal error rate", Threshold(summary["frame_thresh_at_eer"], {"kind": "fixed"})),
    ):
        found = verdicts(artifacts, threshold, tracks)
        counts = [sum(values) for values in zip(*(v[1:4] for v in found), strict=True)]
        cells = " | ".join(f"{count} of {len(tracks)}" for count in counts)
        print(f"| {name} | {threshold.value:.3f} | {cells} |")
        for verdict in found if every_track else ():
            mark = "+" if verdict.named else "-"
            track = verdict.track
            print(f"  {mark} {track.sequence} {track.number} {track.what}: {verdict.sentence}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Right causes among the explanations of Ped2.")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--version", default="", choices=sorted(VERSIONS))
    parser.add_argument("--tracks", action="store_true", help="also print every track")
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    path = ROOT / "configs" / "ped2.toml"
    datasets = datasets_folder(path, args.datasets)
    artifacts = Artifacts(load_config(path), args.results, datasets, version=args.version)
    try:
        print_verdicts(artifacts, every_track=args.tracks)
    except VadlocError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
