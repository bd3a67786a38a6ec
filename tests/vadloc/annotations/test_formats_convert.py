"""python -m evaluation.convert_annotations, through its real command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import draw, same_truth, save

from evaluation.convert_annotations import main, run
from vadloc.annotations import READERS
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import UsageError, VadlocError

ROWS = {"Test001": "001.jpg 4 3 2 4 2\n001.jpg 2 6 2 2 4\n003.jpg 4 3.5 2 4.5 2\n", "Test002": ""}
SIZE = {"frame_count": 3, "height_px": 4, "width_px": 8}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two sequences of three frames with Street Scene rows."""
    folder = tmp_path / "Test"
    for name, rows in ROWS.items():
        for frame in range(1, 4):
            save(folder / name / f"{frame:03d}.png", np.zeros((4, 8), np.uint8))
        (folder / name / f"{name}_gt.txt").write_text(rows)
    return folder


def convert(folder: Path, source: str, to: str, output: Path, *more: str) -> int:
    options = [source, "--ground-truth", str(folder), "--to", to, "--output", str(output), *more]
    try:
        main(["--format", *options])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_there_and_back_again(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = ("--frames", str(dataset))
    json_folder, rows_folder = tmp_path / "json", tmp_path / "rows"
    assert convert(dataset, "street_scene", "json", json_folder, *frames) == 0
    assert capsys.readouterr().out.split() == [
        str(json_folder / f"{name}_gt.json") for name in ROWS
    ]
    assert convert(json_folder, "json", "street_scene", rows_folder, *frames) == 0
    for name, rows in ROWS.items():
        assert (rows_folder / f"{name}_gt.txt").read_text() == rows.replace(".jpg", ".png")
        first = READERS["street_scene"](dataset, name, **SIZE)
        assert same_truth(first, READERS["json"](json_folder, name, **SIZE))
    assert sorted(path.name for path in rows_folder.iterdir()) == [f"{n}_gt.txt" for n in ROWS]


def test_masks_keep_their_pixels_in_json_and_become_boxes_in_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, picture in enumerate([["#...", "##.#"], ["....", ".#.#"]], start=1):
        save(tmp_path / "a_gt" / f"{number}.png", draw(picture))
    one = ("--sequence", "a", "--frame-count", "2", "--size", "4x2")
    assert convert(tmp_path, "masks", "json", tmp_path / "out", *one) == 0
    assert convert(tmp_path, "masks", "street_scene", tmp_path / "out", *one) == 0
    size = {"frame_count": 2, "height_px": 2, "width_px": 4}
    truth = READERS["masks"](tmp_path, "a", **size)
    assert same_truth(truth, READERS["json"](tmp_path / "out", "a", **size))
    assert (tmp_path / "out" / "a_gt.txt").read_text().splitlines() == [
        "001.jpg 0 1 1 2 2",
        "001.jpg 1 3.5 1.5 1 1",
        "002.jpg 0 1.5 1.5 1 1",
        "002.jpg 1 3.5 1.5 1 1",
    ]
    assert "masks are written as their boxes" in caplog.text


def test_an_existing_file_is_kept_unless_told(dataset: Path, tmp_path: Path) -> None:
    (dataset / "Test002" / "001.png").write_bytes(b"not looked at")
    options = ("--frames", str(dataset), "--sequence", "Test001")
    output = tmp_path / "out"
    output.mkdir()
    (output / "Test001_gt.json").write_text("mine")
    assert convert(dataset, "street_scene", "json", output, *options) == 1
    assert (output / "Test001_gt.json").read_text() == "mine"
    assert convert(dataset, "street_scene", "json", output, *options, "--overwrite") == 0
    assert READERS["json"](output, "Test001", **SIZE).region_count == 3


def test_a_bad_annotation_leaves_no_file(dataset: Path, tmp_path: Path) -> None:
    (dataset / "Test002" / "Test002_gt.txt").write_text("004.jpg 0 1 1 1 1")
    sizes = {name: SequenceSize(3, 4, 8) for name in ROWS}
    with pytest.raises(VadlocError, match="frame 4, but the sequence has 3 frames"):
        list(run("street_scene", dataset, "json", tmp_path / "out", sizes))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["Test001_gt.json"]


def test_labels_without_regions_go_to_json_only(tmp_path: Path) -> None:
    (tmp_path / "frame_labels.csv").write_text("a,2,3\n")
    sizes = {"a": SequenceSize(3, 4, 8)}
    list(run("frame_labels", tmp_path, "json", tmp_path, sizes))
    first = READERS["frame_labels"](tmp_path, "a", **SIZE)
    assert same_truth(first, READERS["json"](tmp_path, "a", **SIZE))
    with pytest.raises(VadlocError, match="2 anomalous frames without a region"):
        list(run("frame_labels", tmp_path, "street_scene", tmp_path, sizes))


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--sequence", "Test001"],
        ["--sequence", "Test001", "--frame-count", "0", "--size", "8x4"],
        ["--sequence", "Test001", "--frame-count", "3", "--size", "8"],
        ["--frames", "{}", "--sequence", "Test003"],
    ],
)
def test_unusable_options_end_with_2(dataset: Path, tmp_path: Path, options: list[str]) -> None:
    given = [option.format(dataset) for option in options]
    assert convert(dataset, "street_scene", "json", tmp_path / "out", *given) == 2
    assert not (tmp_path / "out").exists()


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known are avenue"):
        list(run("x", tmp_path, "json", tmp_path, {}))
    with pytest.raises(UsageError, match="known are json, street_scene"):
        list(run("json", tmp_path, "x", tmp_path, {}))


def test_help_needs_no_numpy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from evaluation.convert_annotations import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    sys.exit('numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--ground-truth DIR" in done.stdout
