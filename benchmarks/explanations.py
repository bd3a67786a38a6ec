"""How often explanations name the right cause: rendered scenes, and the tracks of Ped2.

    VADLOC_DATASETS=... python benchmarks/explanations.py --results results [--tracks]
    VADLOC_DATASETS=... python benchmarks/explanations.py RESULTS/*/config.toml [--tracks]

The first command reads the results of ``python -m vadloc.run --config configs/ped2.toml``. The
second reads results that lie beside their configs, as ``benchmarks/scenes.py`` leaves them. For the
calibrated threshold, and for the threshold at the equal error rate of frames, it prints how many of
the annotated tracks are detected, and for how many of those the explanation names a right cause,
in all and by kind of cause.

The right causes of a rendered scene stand in its ``causes.json``. Those of Ped2 are listed by hand
in ``benchmarks/ped2_tracks.csv``: each of the 21 objects is faster than the pedestrians around it,
and cyclists and the cart have another class. ``is_right`` says when an unusual attribute names a
cause. Only attributes that the sentence names count, those whose component has at least
``NAMED_SHARE`` of the distance. The share of moving pixels, a size rather than a cause, does not.

The explanation of a track is that of the detection that overlaps it in most frames (IoU at least
0.1). If several do, it is that of the highest score.
"""

import argparse
import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from stages import ROOT, datasets_folder

from anomaly_detection.calibration.calibrate_threshold import (
    Threshold,
    alarm_threshold,
)
from anomaly_detection.detectors import load_detector, load_input
from anomaly_detection.explanation.records import sequence_to_record
from anomaly_detection.explanation.sentences import NAMED_SHARE
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.sample_scene.files import CAUSES
from vadloc.versions import VERSIONS

LEAST_IOU = 0.1
SLOWER = (
    "a dog on the street",
    "drives at walking pace",
    "stands in the way",
    "stands on the junction",
    "turns round before the junction",
)
"""Rendered objects with the cause "speed" that are slower than others; the rest are faster."""
HEAD = """\
| | tracks detected | right cause named | named first | causes named that are right |
|---|---|---|---|---|"""
KINDS = ("speed", "direction", "kind", "place", "standing", "left behind")


class Track(NamedTuple):
    """One annotated track: what it is, and why it is anomalous, the main cause first."""

    sequence: str
    number: int
    what: str
    class_name: str
    causes: tuple[str, ...]

    @property
    def is_faster(self) -> bool:
        """Whether a wrong speed is too high."""
        return self.what not in SLOWER


class Verdict(NamedTuple):
    """The result for a track.

    Attributes:
        track: The track.
        sentence: The sentence of its detection; empty if it was not detected.
        right: For each cause that the sentence names, the most important first, whether it is one
            of the track's.
    """

    track: Track
    sentence: str = ""
    right: tuple[bool, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the track was detected."""
        return bool(self.sentence)


def read_ped2_tracks(path: Path) -> list[Track]:
    """Read the list of tracks that a person made."""
    with path.open(newline="") as file:
        return [
            Track(
                r["sequence"],
                int(r["track"]),
                r["object"],
                r["class"],
                (*["speed"] * (r["faster"] == "yes"), *["kind"] * bool(r["class"])),
            )
            for r in csv.DictReader(file)
        ]


def read_causes(path: Path) -> list[Track]:
    """Read the list that was written with a rendered scene."""
    sequences = json.loads(path.read_text(encoding="utf-8"))["sequences"]
    return [
        Track(name, int(number), t["what"], t["class"], tuple(t["causes"]))
        for name, tracks in sequences.items()
        for number, t in tracks.items()
    ]


def tracks_of(artifacts: Artifacts) -> list[Track]:
    """The tracks of a rendered scene, or of Ped2."""
    causes = artifacts.split_folder("test").parent / CAUSES
    return (
        read_causes(causes)
        if causes.is_file()
        else read_ped2_tracks(ROOT / "benchmarks" / "ped2_tracks.csv")
    )


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


def is_right(entry: dict[str, Any], track: Track, cause: str) -> bool:
    """Whether an unusual attribute names a cause of the track.

    * speed: a speed outside the normal range, on the right side of it.
    * direction: a direction that is not normal.
    * kind: the right class, as one that is not seen here; or looks that are unlike all that was
      seen here, without a class.
    * place: nothing has ever moved here, or the right class was not seen here.
    * standing: something stands here that does not normally, without a class or with the right one,
      or something new stands still.
    * left behind: the same without a class.
    """
    attribute, value = entry["attribute"], entry["value"]
    no_class_or_right = value in (None, track.class_name)
    if cause == "speed":
        return bool(attribute == "speed" and (value > entry["high"]) == track.is_faster)
    if cause == "kind":
        right = attribute in ("class", "place") and value == track.class_name
        return bool(right or attribute == "looks")
    if attribute == "new_still":
        return cause in ("standing", "left behind")
    if cause in ("place", "standing"):
        return bool(attribute == cause and no_class_or_right)
    if cause == "left behind":
        return bool(attribute == "standing" and value is None)
    return bool(attribute == cause)


def judge(track: Track, detections: list[dict[str, Any]], boxes: dict[int, list[float]]) -> Verdict:
    """The verdict on the explanation of a track."""
    met = [(frames_met(d, boxes), d["score"], d) for d in detections]
    met = [entry for entry in met if entry[0]]
    if not met:
        return Verdict(track)
    detection = max(met, key=lambda entry: entry[:2])[2]
    named = [
        entry
        for entry in detection["unusual"]
        if entry["share"] >= NAMED_SHARE and entry["attribute"] != "moving_share"
    ]
    right = (any(is_right(entry, track, cause) for cause in track.causes) for entry in named)
    return Verdict(track, detection["sentence"], tuple(right))


def verdicts(artifacts: Artifacts, threshold: Threshold) -> list[Verdict]:
    """The verdicts on all tracks at one threshold; the explanations are made in memory."""
    detector, tracks = load_detector(artifacts), tracks_of(artifacts)
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


def thresholds(artifacts: Artifacts) -> dict[str, Threshold]:
    """The thresholds at which explanations are judged, by name."""
    per_hour = artifacts.config.alarms.false_alarms_per_hour
    at_eer = artifacts.evaluation("summary.json").load()["frame_thresh_at_eer"]
    return {
        f"{per_hour:g} false alarms per hour": alarm_threshold(artifacts.config, artifacts),
        "equal error rate": Threshold(at_eer, {"kind": "fixed"}),
    }


def row(name: str, found: Iterable[Verdict]) -> str:
    """A line of the table; see ``HEAD``."""
    judged = list(found)
    seen = [verdict for verdict in judged if verdict.found]
    cells = [
        share(len(seen), len(judged)),
        share(sum(any(v.right) for v in seen), len(seen)),
        share(sum(any(v.right[:1]) for v in seen), len(seen)),
        share(sum(sum(v.right) for v in seen), sum(len(v.right) for v in seen)),
    ]
    return f"| {name} | {' | '.join(cells)} |"


def share(count: int, of: int) -> str:
    """A count with its share in percent."""
    return f"{count} of {of} ({100 * count / of:.0f} %)" if of else "-"


def print_verdicts(scenes: list[Artifacts], *, every_track: bool) -> None:
    """Print a table for each threshold, and each track's verdict and sentence if wanted."""
    judged: dict[str, dict[str, list[Verdict]]] = {}
    for artifacts in scenes:
        for name, threshold in thresholds(artifacts).items():
            scene = artifacts.config.dataset.name
            judged.setdefault(name, {})[scene] = verdicts(artifacts, threshold)
    for name, by_scene in judged.items():
        print(f"\nAt {name}:\n")
        print(HEAD)
        for scene, found in by_scene.items():
            print(row(scene, found))
        every = [verdict for found in by_scene.values() for verdict in found]
        for kind in KINDS:
            if of_kind := [v for v in every if v.track.causes[0] == kind]:
                print(row(f"main cause: {kind}", of_kind))
        print(row("all", every))
        for scene, found in by_scene.items() if every_track else ():
            print(*(f"  {scene} {verdict_to_line(v)}" for v in found), sep="\n")


def verdict_to_line(verdict: Verdict) -> str:
    """A track, its causes, whether one is named, and the sentence."""
    track = verdict.track
    mark = "+" if any(verdict.right) else "-" if verdict.found else "o"
    causes = ", ".join(track.causes)
    return f"{mark} {track.sequence} {track.number} {track.what} ({causes}): {verdict.sentence}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Right causes among explanations.")
    parser.add_argument("configs", type=Path, nargs="*", help="configs that lie in their results")
    parser.add_argument("--results", type=Path, default=Path("results"), help="those of Ped2")
    parser.add_argument("--version", default="", choices=sorted(VERSIONS))
    parser.add_argument("--tracks", action="store_true", help="also print every track")
    parser.add_argument("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"))
    args = parser.parse_args()
    pairs = [(path, path.parent) for path in args.configs]
    pairs = pairs or [(ROOT / "configs" / "ped2.toml", args.results)]
    try:
        scenes = [
            Artifacts(
                load_config(path),
                results,
                datasets_folder(path, args.datasets),
                version=args.version,
            )
            for path, results in pairs
        ]
        print_verdicts(scenes, every_track=args.tracks)
    except VadlocError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
