"""Marks of a report: which are read, and which cells their alarms cover."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exemplar_selection.marks import Mark, mark_to_boxes, paint_boxes, read_marks
from vadloc.errors import VadlocError

MARK: dict[str, Any] = {
    "sequence": "Test1", "id": 0, "first_frame": 3, "last_frame": 4, "peak_frame": 3,
    "region": 2, "score": 0.5, "mark": "false",
}  # fmt: skip


def exported(folder: Path, **changes: Any) -> Path:
    """A file of marks as the page exports it, with some keys changed."""
    content = {
        "schema": 1, "dataset": "tiny", "version": "momentum", "stamp": "0", "threshold": 0.4,
        "frames": "0-based, inclusive", "marks": [MARK],
    }  # fmt: skip
    path = folder / "marks.json"
    path.write_text(json.dumps({**content, **changes}))
    return path


def test_marks_are_read(tmp_path: Path) -> None:
    [mark] = read_marks(exported(tmp_path), dataset="tiny", version="momentum")
    assert (mark.sequence, mark.mark, mark.alarm) == ("Test1", "false", (3, 4, 3, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "other"}, "marks of another report: of other, version momentum; expected .*"),
        ({"version": "momentum+mined1-first_half"}, "expected marks of tiny, version momentum$"),
        ({"marks": []}, "no alarm is marked"),
        ({"schema": 2}, "no file of marks"),
        ({"marks": [{**MARK, "mark": "perhaps"}]}, "no file of marks .*real"),
        ({"marks": [{**MARK, "first_frame": -1}]}, "no file of marks .*first_frame"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(VadlocError, match=message):
        read_marks(exported(tmp_path, **changes), dataset="tiny", version="momentum")


@pytest.mark.parametrize("text", ["{", "[]", "\xff", "[" * 100_000])
def test_what_is_no_json_of_marks_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(VadlocError, match="no file of marks") as caught:
        read_marks(path, dataset="tiny", version="momentum")
    assert "\n" not in str(caught.value)


def test_boxes_come_from_the_alarm_of_the_same_name() -> None:
    alarm = {
        "first_frame": 3, "last_frame": 4, "peak_frame": 3, "peak": {"region": 2},
        "boxes_xyxy_px": [[0, 8, 16, 24], [8, 8, 17, 24]],
    }  # fmt: skip
    mark = Mark.model_validate(MARK)
    first, boxes = mark_to_boxes(mark, {"detections": [{**alarm, "last_frame": 9}, alarm]}, Path())
    assert (first, boxes.tolist()) == (3, alarm["boxes_xyxy_px"])
    cells = np.zeros((6, 3, 3), bool)
    paint_boxes(cells, first, boxes, 8)
    assert np.argwhere(cells).tolist() == [
        *([3, y, x] for y in (1, 2) for x in (0, 1)),
        *([4, y, x] for y in (1, 2) for x in (1, 2)),
    ]
    with pytest.raises(VadlocError, match=r"no alarm of Test1 has the marked frames 3 to 4"):
        mark_to_boxes(mark, {"detections": []}, Path("m.json"))
