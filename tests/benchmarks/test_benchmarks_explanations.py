"""When an explanation names the right cause of a track, by hand."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from repository import BENCHMARKS, ROOT

CYCLIST = "Test1", 0, "cycles", "cyclist", ("kind", "speed", "place")


@pytest.fixture
def explanations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("explanations")


def entry(attribute: str, value: Any = None, high: float | None = None) -> dict[str, Any]:
    return {"attribute": attribute, "value": value, "high": high, "share": 0.5}


@pytest.mark.parametrize(
    ("found", "cause", "expected"),
    [
        (entry("speed", 4.0, 3.0), "speed", True),
        (entry("speed", 1.0, 3.0), "speed", False),
        (entry("direction", "left"), "speed", False),
        (entry("direction", "left"), "direction", True),
        (entry("class", "cyclist"), "kind", True),
        (entry("place", "cyclist"), "kind", True),
        (entry("class", "dog"), "kind", False),
        (entry("looks"), "kind", True),
        (entry("standing"), "kind", False),
        (entry("place"), "place", True),
        (entry("place", "cyclist"), "place", True),
        (entry("place", "dog"), "place", False),
        (entry("class", "cyclist"), "place", False),
        (entry("standing", "cyclist"), "standing", True),
        (entry("standing"), "standing", True),
        (entry("standing", "person"), "standing", False),
        (entry("standing"), "left behind", True),
        (entry("standing", "cyclist"), "left behind", False),
    ],
)
def test_right_causes(
    explanations: ModuleType, found: dict[str, Any], cause: str, expected: bool
) -> None:
    assert explanations.is_right(found, explanations.Track(*CYCLIST), cause) is expected


def test_some_are_wrong_because_they_are_slow(explanations: ModuleType) -> None:
    slow = explanations.Track("Test1", 0, "drives at walking pace", "car", ("speed",))
    assert explanations.is_right(entry("speed", 1.0, 3.0), slow, "speed")
    assert not explanations.is_right(entry("speed", 4.0, 3.0), slow, "speed")
    scenes = (ROOT / "vadloc" / "sample_scene" / "scenes").glob("*_traffic.py")
    rendered = " ".join(path.read_text() for path in scenes)
    assert all(f'"{what}"' in rendered for what in explanations.SLOWER)


def detection(first: int, *unusual: dict[str, Any], score: float = 1.0) -> dict[str, Any]:
    boxes = [[0, 0, 10, 10]] * 5
    return {"first_frame": first, "boxes_xyxy_px": boxes, "score": score, "unusual": [*unusual]} | {
        "sentence": f"from {first}"
    }


def test_a_track_has_the_detection_that_meets_it_in_most_frames(explanations: ModuleType) -> None:
    cyclist = explanations.Track(*CYCLIST)
    boxes = {frame: [0.0, 0.0, 10.0, 10.0] for frame in range(2, 8)}
    speed, place = entry("speed", 4.0, 3.0), entry("place", "dog")
    size, faint = entry("moving_share", 0.9, 0.5), entry("direction", "left") | {"share": 0.05}
    found = explanations.judge(
        cyclist,
        [detection(6, speed, score=9.0), detection(3, size, place, speed, faint)],
        boxes,
    )
    assert (found.sentence, found.right) == ("from 3", (False, True))
    assert not explanations.judge(cyclist, [detection(20, speed)], boxes).found


def test_a_row_counts_tracks_and_causes(explanations: ModuleType) -> None:
    verdict, cyclist = explanations.Verdict, explanations.Track(*CYCLIST)
    found = [
        verdict(cyclist),
        verdict(cyclist, "a", (False, True)),
        verdict(cyclist, "b", (True,)),
        verdict(cyclist, "c", ()),
    ]
    assert explanations.row("all", found) == (
        "| all | 3 of 4 (75 %) | 2 of 3 (67 %) | 1 of 3 (33 %) | 2 of 3 (67 %) |"
    )
    assert explanations.row("none", []) == "| none | - | - | - | - |"


def test_the_list_of_a_rendered_scene(explanations: ModuleType, tmp_path: Path) -> None:
    track = {"what": "cycles", "class": "cyclist", "causes": ["kind", "speed", "place"]}
    path = tmp_path / "causes.json"
    path.write_text(json.dumps({"schema": 1, "sequences": {"Test1": {"0": track}}}))
    assert explanations.read_causes(path) == [CYCLIST]


def test_the_list_of_ped2(explanations: ModuleType) -> None:
    tracks = explanations.read_ped2_tracks(BENCHMARKS / "ped2_tracks.csv")
    assert len(tracks) == 21
    assert all(track.causes[0] == "speed" and track.is_faster for track in tracks)
    assert sum("kind" in track.causes for track in tracks) == 16
