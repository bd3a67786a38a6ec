"""Marks of the live page, in the file that the mining command reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from watching_samples import alarm

from anomaly_detection.watching.marks import MarkFile, UnmarkableError
from exemplar_selection.marks import mark_to_boxes, read_marks
from vadloc.errors import VadlocError


def test_marks_are_those_that_mining_reads(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "marks.json"
    marks = MarkFile(path)
    marks.put(alarm(1), "real")
    marks.put(alarm(2), "false")
    read = read_marks(path, dataset="yard", version="momentum")
    assert [(m.sequence, m.alarm, m.mark) for m in read] == [
        ("Test001", (10, 15, 12, 3), "real"),
        ("Test001", (20, 25, 22, 3), "false"),
    ]
    explained = {"first_frame": 20, "last_frame": 25, "peak_frame": 22, "peak": {"region": 3}}
    boxes = [[0, 0, 16, 16]] * 6
    found = {"detections": [explained | {"boxes_xyxy_px": boxes}]}
    first, got = mark_to_boxes(read[1], found, path)
    assert (first, got.tolist()) == (20, boxes)


def test_a_mark_is_changed_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    marks = MarkFile(path)
    for kind in ("real", "false", None):
        marks.put(alarm(1), kind)
        wanted = {} if kind is None else {alarm(1)["id"]: kind}
        assert marks.by_id() == wanted == MarkFile(path).by_id()


def test_marks_of_an_earlier_watch_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    exported = {"sequence": "Test009", "id": 4, "first_frame": 1, "last_frame": 2}
    exported |= {"peak_frame": 1, "region": 0, "score": 2.0, "mark": "real"}
    content = {"schema": 1, "dataset": "yard", "version": "momentum", "stamp": "x"}
    path.write_text(json.dumps(content | {"marks": [exported]}))
    MarkFile(path).put(alarm(1), "false")
    kept = json.loads(path.read_text())
    assert kept["stamp"] == "x"
    assert kept["marks"][0] == exported
    assert len(read_marks(path, dataset="yard", version="momentum")) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": "begun", "last_frame": None}, "not over"),
        ({"region": None}, "not over"),
        ({"kind": "frozen"}, "about the camera"),
        ({"dataset": "other"}, "holds marks of yard, version momentum"),
        ({"version": "other"}, "holds marks of yard, version momentum"),
    ],
)
def test_what_cannot_be_marked(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    path = tmp_path / "marks.json"
    marks = MarkFile(path)
    marks.put(alarm(1), "real")
    before = path.read_bytes()
    with pytest.raises(UnmarkableError, match=why):
        marks.put(alarm(2, **changes), "real")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 2}', "[" * 100_000])
def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path, content: str) -> None:
    path = tmp_path / "marks.json"
    path.write_text(content)
    with pytest.raises(VadlocError, match=r"marks\.json: no file of marks: .*move it away"):
        MarkFile(path)
    assert path.read_text() == content


def test_a_mark_that_cannot_be_written_is_not_taken(tmp_path: Path) -> None:
    marks = MarkFile(tmp_path / "marks.json")
    marks.put(alarm(1), "real")
    marks.path = tmp_path / "marks.json" / "below_a_file"
    with pytest.raises(VadlocError, match="cannot write"):
        marks.put(alarm(2), "real")
    assert list(marks.by_id()) == [alarm(1)["id"]]
