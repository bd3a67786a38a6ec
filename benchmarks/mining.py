"""What mining normal data changes: criteria, false alarms, purity and seconds, before and after.

    VADLOC_DATASETS=... python benchmarks/mining.py --scenes SCRATCH --results DIR
    python benchmarks/mining.py --only street_parked --mine-from transductive --rounds 5

runs `vadloc.run --rounds N` on rendered scenes, Ped2 and a part of Avenue, laid out as
`scenes.py` does, so that features of its `--results` are reused. It prints a Markdown table with a
row for each scene and round. All rows of a scene are of the same test sequences: those that were
not mined from with `--mine-from first_half`, all with `transductive`. A false alarm touches no
annotated region. Purity is the share of learnt volumes that touch none, and `anomalous learnt` the
share of volumes touching one that were learnt. The ground truth is read for this table only.

The scene `street_parked` is rendered here: in both halves of its test sequences a car drives onto
the pavement and stays. A second table says what becomes of the anomalous cells of each scene.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import scene_list
import tomli
import tomli_w
from numpy.typing import NDArray
from scenes import REAL, Scene, cell, scenes, with_proposed_regions
from scipy import ndimage
from stages import METRICS, ROOT

from anomaly_detection.explanation.detections import Detection, scores_to_detections
from exemplar_selection.marks import paint_boxes
from exemplar_selection.mining import FATE_WORDS, Fate, learnt_volumes, volumes_that_reach
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.mining import MinedModel
from vadloc.regions import RegionGrid
from vadloc.versions import VERSIONS

PARKED = "street_parked"
MINING_COMMANDS = (
    "anomaly_detection.score_left_out",
    "exemplar_selection.mine_normal",
    "exemplar_selection.merge_exemplars",
)
"""What a round needs beside the scores of the video in which it mines."""
COLUMNS = (
    "scene | round | frame AUC / RBDC / TBDC | false alarms | per hour | tracks found | "
    "false at the old threshold | learnt volumes | purity | anomalous learnt | seconds"
)

Boxes = list[tuple[int, list[float]]]
"""Frame and box of each annotated region of a sequence."""


@dataclass(frozen=True)
class Truth:
    """The annotated regions of a scene.

    Attributes:
        boxes: Sequence to its boxes.
        tracks: Sequence to the track of each box.
    """

    boxes: dict[str, Boxes]
    tracks: dict[str, list[int]]

    @classmethod
    def of(cls, artifacts: Artifacts) -> "Truth":
        """Read the regions of all test sequences from the evaluation before mining."""
        regions = artifacts.at_round(0).evaluation("frame_labels.json").load()["regions"]
        boxes = {
            name: list(zip(of["frame"], of["box_xyxy_px"], strict=True))
            for name, of in regions.items()
        }
        return cls(boxes, {name: of["track"] for name, of in regions.items()})

    def touched(self, sequence: str, alarm: Detection) -> set[tuple[str, int]]:
        """The tracks that an alarm touches in any of its frames."""
        found = set()
        pairs = zip(self.boxes.get(sequence, []), self.tracks.get(sequence, []), strict=True)
        for (frame, (x0, y0, x1, y1)), track in pairs:
            if alarm.first_frame <= frame <= alarm.last_frame:
                left, top, right, bottom = alarm.box_xyxy_px[frame - alarm.first_frame]
                if x0 < right and left < x1 and y0 < bottom and top < y1:
                    found.add((sequence, track))
        return found

    def cells(self, sequence: str, shape: tuple[int, ...], cell_px: int) -> NDArray[np.bool_]:
        """The cells that annotated regions touch, ``(frames, rows, columns)``."""
        cells = np.zeros(shape, bool)
        for frame, box in self.boxes.get(sequence, []):
            low, high = np.floor(box[:2]), np.ceil(box[2:])
            paint_boxes(cells, frame, np.array([[*low, *high]], np.int64), cell_px)
        return cells


def render_parked(folder: Path) -> Scene:
    """A street in whose test sequences a car drives onto the pavement and stays there."""
    from vadloc.sample_scene import files, render_scene
    from vadloc.sample_scene.options import usual_options
    from vadloc.sample_scene.routes import Actor, Anomaly, Script, passing
    from vadloc.sample_scene.vehicles import SALOON, Car

    scripts_of = files._scripts

    def parked(script: Script) -> Script:
        if files.split_of(script) != "Test":
            return script
        x_m = 3.0 if script.number % 2 else -3.0
        corners = [(-14.0 if x_m > 0 else 14.0, 35.5), (x_m, 35.5), (x_m + np.sign(x_m), 35.5)]
        route = passing(
            corners, 3.0, script.clock, at_m=float(abs(corners[1][0] - corners[0][0])),
            at_s=0.45 * script.clock.seconds, halt_s=1e5,
        )  # fmt: skip
        causes = "place", "kind", "standing"
        anomaly = Anomaly(90, "a car parks on the pavement", "car", causes)
        car = Actor(Car(SALOON, (186, 34, 36)), route, anomaly)
        walkers = [actor for actor in script.actors if actor.anomaly is None]
        return replace(script, actors=(*walkers, car))

    options = replace(usual_options("street", 5), name=PARKED, size_px=(240, 180), seconds=20.0)
    with mock.patch.object(files, "_scripts", lambda given: [*map(parked, scripts_of(given))]):
        render_scene(options, folder)
    return Scene(PARKED, tomli.loads((folder / PARKED / f"{PARKED}.toml").read_text()), folder)


def run(scene: Scene, args: argparse.Namespace) -> tuple[Artifacts, str]:
    """Run all stages and rounds of a scene.

    Returns:
        The results after the last round; and why nothing could be learnt in the next one, which
        ended the run.
    """
    place = args.results.resolve() / args.version / scene.name
    place.mkdir(parents=True, exist_ok=True)
    path = place / "config.toml"
    config = {**with_proposed_regions(scene), "version": args.version}
    path.write_text(tomli_w.dumps(config))
    options = ["--config", path, "--datasets", scene.datasets, "--results", place]
    rounds = ["--rounds", args.rounds, "--mine-from", args.mine_from]
    words = [*options, *rounds, "--jobs", args.jobs, "--overwrite"]
    command = [sys.executable, "-m", "vadloc.run", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    mined = MinedModel(args.mine_from)
    results = Artifacts(load_config(path), place, scene.datasets, mined=mined)
    reached = 0
    while reached < args.rounds and results.at_round(reached + 1).mined_summary().path.is_file():
        reached += 1
    if done.returncode and reached == args.rounds:
        raise SystemExit(f"{scene.name}:\n{done.stderr}")
    line = done.stderr.strip().splitlines()[-1] if done.returncode else ""
    return results.at_round(reached), line.partition(" ERROR ")[2]


def rows(scene: str, results: Artifacts) -> Iterator[str]:
    """A row of the table for the model as it was trained, and for each round."""
    truth, names = Truth.of(results), [s.name for s in results.at_round(1).sequences("test")]
    old = _threshold(results.at_round(0), names)
    for number in range(results.round + 1):
        model = results.at_round(number)
        alarms = _alarms(model, names, _threshold(model, names))
        false, found = _judged(truth, alarms)
        at_old = _judged(truth, _alarms(model, names, old))[0]
        hours = _frames(model, names) / results.config.dataset.frames_per_second / 3600
        learnt = learnt_numbers(model, truth) if number else ["", "", "", ""]
        tracks = len({(n, t) for n in names for t in truth.tracks.get(n, [])})
        numbers = [
            cell(_criteria(model, names)), false, f"{false / hours:.0f}", f"{found} of {tracks}",
            at_old, *learnt,
        ]  # fmt: skip
        yield f"| {scene} | {number} | {' | '.join(map(str, numbers))} |"


def _criteria(model: Artifacts, names: list[str]) -> list[float]:
    """Frame AUC, RBDC and TBDC on the test sequences that are compared."""
    if not model.round and len(names) < len(model.sequences("test")):
        model = replace(model, mined=None, part=tuple(names))
    summary = model.evaluation("summary.json").load()
    return [np.nan if summary[name] is None else summary[name] for name in METRICS]


def _threshold(model: Artifacts, names: list[str]) -> float:
    return float(model.explanations(names[0]).load()["threshold"])


def _frames(model: Artifacts, names: list[str]) -> int:
    return sum(len(model.scores(name).load()) for name in names)


def _alarms(model: Artifacts, names: list[str], threshold: float) -> dict[str, list[Detection]]:
    found = {}
    for name in names:
        details = model.score_details(name).load()
        sizes = details["frame_height_px"], details["frame_width_px"]
        regions = model.config.regions
        grid = RegionGrid(*sizes, regions.size_px, regions.stride_px)
        connectivity = model.config.evaluation.connectivity
        scores = model.scores(name).load()
        found[name] = scores_to_detections(
            scores, grid, threshold=threshold, connectivity=connectivity
        )
    return found


def _judged(truth: Truth, alarms: dict[str, list[Detection]]) -> tuple[int, int]:
    """Number of false alarms, and of tracks that some alarm touches."""
    touched = [truth.touched(name, alarm) for name, of in alarms.items() for alarm in of]
    return sum(not tracks for tracks in touched), len(set().union(*touched))


def learnt_numbers(model: Artifacts, truth: Truth) -> list[str]:
    """Learnt volumes of all rounds, their purity, the anomalous share, and seconds of this one."""
    learnt = anomalous = both = 0
    for sequence in model.sequences("mined"):
        of_rounds, is_anomalous = volumes_of(model, sequence.name, truth)
        learnt += int(of_rounds.sum())
        anomalous += int(is_anomalous.sum())
        both += int((of_rounds & is_anomalous).sum())
    seconds = sum(_seconds(model, command) for command in MINING_COMMANDS)
    share = f"{100 * both / anomalous:.1f} %" if anomalous else ""
    purity = f"{100 * (1 - both / learnt):.2f} %" if learnt else ""
    return [str(learnt), purity, share, f"{seconds:.1f}"]


def volumes_of(
    model: Artifacts, name: str, truth: Truth
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which volumes of a sequence were learnt in any round, and which touch an anomaly."""
    part = model.at_round(0).parts[0]
    extractor = part.features(_extractor(part), "mined", name).load()
    side = model.config.regions.size_px // model.config.regions.stride_px
    sizes = {
        "frames_per_volume": model.config.regions.frames_per_volume,
        "cells_per_side": side,
    }
    learnt, first = None, extractor["first_frame"]
    for number in range(1, model.round + 1):
        content = model.at_round(number).mined_frames(name).load()
        now = learnt_volumes(content["fate"], content["confirmed"], first, **sizes)
        learnt = now if learnt is None else learnt | now
    assert learnt is not None
    cells = truth.cells(name, content["fate"].shape, model.config.regions.stride_px)
    return learnt, volumes_that_reach(cells, first, **sizes)


def _extractor(part: Artifacts) -> str:
    from vadloc.versions import extractors_of

    return extractors_of(part.version)[0]


def _seconds(model: Artifacts, command: str) -> float:
    """Seconds of a command for one round; left-out video is scored by the model before it."""
    of = model.at_round(model.round - 1) if command.endswith("score_left_out") else model
    reports = model.folder / "reports" / command / of.label
    return sum(json.loads(r.read_text()).get("seconds", 0.0) for r in reports.glob("*.json"))


def fates(scene: str, results: Artifacts) -> Iterator[str]:
    """What becomes of the cells that annotated anomalies touch, in each round.

    Cells inside are those all of whose neighbours an anomaly touches too.
    """
    truth = Truth.of(results)
    for number in range(1, results.round + 1):
        model = results.at_round(number)
        counts, inside = np.zeros((2, len(Fate)), np.int64)
        for sequence in model.sequences("mined"):
            fate = model.mined_frames(sequence.name).load()["fate"]
            cells = truth.cells(sequence.name, fate.shape, model.config.regions.stride_px)
            counts += np.bincount(fate[cells], minlength=len(Fate))
            inner = ndimage.binary_erosion(cells, np.ones((1, 3, 3)))
            inside += np.bincount(fate[inner], minlength=len(Fate))
        total = counts.sum()
        shares = [f"{100 * count / total:.1f} %" if total else "" for count in counts]
        learnt = f"{inside[Fate.LEARNT]} of {inside.sum()}"
        yield f"| {scene} | {number} | {total} | {' | '.join(shares)} | {learnt} |"


def parse() -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(description="What mining normal data changes.")
    add = parser.add_argument
    names = [*scene_list.OPTIONS, *REAL, PARKED]
    add("--version", default="fused", choices=sorted(VERSIONS))
    add("--only", nargs="+", default=[], choices=names, metavar="SCENE")
    add("--mine-from", default="first_half", choices=["first_half", "transductive"])
    add("--rounds", type=int, default=2)
    add("--scenes", type=Path, default=ROOT / "datasets", help="rendered scenes lie here")
    add("--datasets", default=os.environ.get("VADLOC_DATASETS", "datasets"), help="Ped2, Avenue")
    add("--results", type=Path, required=True, help="kept, and reused by the next run")
    add("--jobs", type=int, default=1, metavar="N")
    return parser.parse_args()


def chosen(args: argparse.Namespace) -> Iterator[Scene]:
    """The scenes of the command line."""
    others = [name for name in args.only if name != PARKED]
    if others or not args.only:
        yield from scenes(args.scenes.resolve(), Path(args.datasets).resolve(), others)
    if PARKED in args.only or not args.only:
        yield render_parked(args.scenes.resolve())


def main() -> None:
    """Print the tables."""
    args = parse()
    print(f"| {COLUMNS} |\n{'|---' * len(COLUMNS.split('|'))}|")
    lines: list[str] = []
    for scene in chosen(args):
        results, why = run(scene, args)
        for row in rows(scene.name, results):
            print(row, flush=True)
        if why:
            print(f"| {scene.name} | {results.round + 1} | {why.split(': T has')[0]} |", flush=True)
        lines += fates(scene.name, results)
    words = [FATE_WORDS[fate] for fate in Fate]
    heads = ["scene", "round", "anomalous cells", *words, "learnt inside"]
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
