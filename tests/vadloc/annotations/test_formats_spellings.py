"""Annotation in other spellings: names, quotes, line ends, palettes; and which file it was."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from evaluation.predictions.known_size import KnownSize
from evaluation.predictions.readers import (
    list_folder,
    open_prediction,
)
from vadloc.annotations import (
    READERS,
    annotated,
    annotation_of,
)
from vadloc.annotations.context import (
    NO_CONTEXT,
    Context,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.score_maps import find_map
from vadloc.errors import VadlocError

SIZE = {"frame_count": 2, "height_px": 4, "width_px": 6}
ROW = "2.jpg 0 3 2 2 2\n"
BOX = [2, 1, 4, 3]


def read(name: str, folder: Path, context: Context = NO_CONTEXT, **size: int) -> GroundTruth:
    known = {**SIZE, **size}
    return READERS[name](
        folder,
        "a1",
        frame_count=known["frame_count"],
        height_px=known["height_px"],
        width_px=known["width_px"],
        context=context,
    )


def save(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("street_scene", "a1_GT.TXT"),
        ("masks", "a1_GT/1.png"),
        ("json", "a1_GT.JSON"),
        ("frame_masks", "a1_GT.NPY"),
        ("avenue", "01_label.mat"),
        ("avenue", "1_LABEL.MAT"),
    ],
)
def test_what_is_listed_is_found(tmp_path: Path, name: str, file: str) -> None:
    save(tmp_path / file, b"")
    listed = annotated(name, tmp_path)
    assert list(listed) == ["1" if name == "avenue" else "a1"]
    assert annotation_of(name, tmp_path, "a1") == next(iter(listed.values()))


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("street_scene", ["a1_gt.txt", "a1/a1_gt.txt"]),
        ("frame_masks", ["a1.npy", "a1_gt.npy"]),
        ("frame_labels", ["a1.txt", "frame_labels.csv"]),
        ("avenue", ["1_label.mat", "01_label.mat"]),
    ],
)
def test_two_annotations_of_a_sequence_are_refused(
    tmp_path: Path, name: str, files: list[str]
) -> None:
    for file in files:
        save(tmp_path / file, b"")
    with pytest.raises(VadlocError, match=r"are both .* of one sequence; keep one"):
        annotation_of(name, tmp_path, "a1")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("street_scene", "an empty file is needed"),
        ("shanghaitech", "an empty file is needed"),
        ("frame_labels", r"has the shape \(1, n\)"),
    ],
)
def test_what_is_missing_is_said_with_what_is_there(tmp_path: Path, name: str, remedy: str) -> None:
    save(tmp_path / "b.xyz", b"")
    with pytest.raises(VadlocError, match=rf"{re.escape(str(tmp_path))} has b\.xyz; .*{remedy}"):
        annotation_of(name, tmp_path, "a1")


@pytest.mark.parametrize(
    "text",
    ["0,1,2,1,4,3\r1,0,2,1,4,3\r", '"0","1","2","1","4","3"\n', "'0', '1', 2, 1, 4, 3\r\n"],
)
def test_quotes_and_old_line_ends_are_read(tmp_path: Path, text: str) -> None:
    save(tmp_path / "a1.txt", text)
    truth = read("shanghaitech", tmp_path)
    assert truth.box_xyxy_px[-1].tolist() == BOX
    assert truth.frame[-1] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1", r"2 fields in '0 1', expected 1: label$"),
        ("0,1", r"the label is '0,1', expected a number$"),
    ],
)
def test_labels_in_one_line_get_no_false_advice(tmp_path: Path, text: str, message: str) -> None:
    save(tmp_path / "a1.txt", text)
    with pytest.raises(VadlocError, match=message):
        read("frame_labels", tmp_path)


def test_names_that_do_not_end_with_the_frames_number_are_refused(tmp_path: Path) -> None:
    rows = "1_cam2.jpg 0 3 2 2 2\n2_cam2.jpg 0 4 2 2 2\n"
    save(tmp_path / "a1_gt.txt", rows)
    with pytest.raises(VadlocError, match=r"line 2: 2_cam2\.jpg and 1_cam2\.jpg end with the same"):
        read("street_scene", tmp_path)
    save(tmp_path / "a1_gt.txt", "cam2_01.jpg 0 3 2 2 2\ncam2_1.png 1 4 2 2 2\n")
    assert read("street_scene", tmp_path).frame.tolist() == [0, 0]


def indices(values: list[int], palette: list[int]) -> Image.Image:
    """A palette picture of the frame's size; the values go from left to right in every row."""
    picture = Image.new("P", (6, 4))
    picture.putdata(values * 4)
    picture.putpalette(palette + [0] * (768 - len(palette)))
    return picture


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (indices([0, 0, 1, 1, 0, 0], [0] * 6), "palette numbers"),
        (Image.merge("RGBA", [Image.new("L", (6, 4))] * 3 + [Image.linear_gradient("L").crop(
            (0, 0, 6, 4))]), "transparency"),
    ],
)  # fmt: skip
def test_a_mask_that_hides_what_it_draws_is_refused(
    tmp_path: Path, picture: Image.Image, what: str
) -> None:
    (tmp_path / "a1_gt").mkdir()
    picture.save(tmp_path / "a1_gt/1.png")
    with pytest.raises(VadlocError, match=rf"1\.png: all black, but with several values of {what}"):
        read("masks", tmp_path, frame_count=1)


def test_numbers_of_objects_are_those_of_their_colours(tmp_path: Path) -> None:
    notes = tmp_path / "a1_annotations"
    save(notes / "a1_tracks.txt", "2,0,0\n")
    indices([0, 0, 2, 2, 1, 0], [0, 0, 0, 200, 10, 10, 10, 200, 10]).save(notes / "a1_0000_gt.png")
    truth = read("ubnormal", tmp_path)
    assert truth.box_xyxy_px.tolist() == [[2, 0, 4, 4]]


def test_windows_separators_in_paths_of_maps(tmp_path: Path) -> None:
    folder = tmp_path / "pred"
    path = save(folder / "maps" / "1.npy", b"")
    save(tmp_path / "1.npy", b"")
    assert find_map(folder, r"maps\1.npy", where="x") == path.resolve()
    for name in (r"..\1.npy", r"maps\..\..\1.npy"):
        with pytest.raises(VadlocError, match=r"is not below"):
            find_map(folder, name, where="x")
    with pytest.raises(VadlocError, match=r"is no file; the path is relative to the folder of"):
        find_map(folder, r"C:\maps\1.npy", where="x")


def test_paths_of_maps_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "pred" / "maps" / "1.npy", b"")
    save(tmp_path / "other" / "1.npy", b"")
    monkeypatch.chdir(tmp_path)
    assert find_map(Path("pred"), "pred/maps/1.npy", where="x") == path.resolve()
    with pytest.raises(VadlocError, match=r"is not below pred; .* or the one given for maps"):
        find_map(Path("pred"), "other/1.npy", where="x")
    assert find_map(Path(), "other/1.npy", where="x").is_file()


def test_labels_of_all_may_stand_in_a_column(tmp_path: Path) -> None:
    np.save(tmp_path / "all.npy", np.array([[0], [1]]))
    context = Context(frame_counts={"a1": 2})
    truth = read("frame_labels", tmp_path, context=context)
    assert truth.anomalous.tolist() == [False, True]


def test_frames_last_is_a_wrong_shape_and_no_wrong_number(tmp_path: Path) -> None:
    np.save(tmp_path / "a1.npy", np.zeros((4, 6, 2), bool))
    with pytest.raises(VadlocError, match=r"shape \(4, 6, 2\), expected \(2, 4, 6\)"):
        read("frame_masks", tmp_path)


def test_a_folder_without_masks_says_what_is_there(tmp_path: Path) -> None:
    save(tmp_path / "a1_gt" / "1.jpg", b"")
    with pytest.raises(VadlocError, match=r"no mask \(\.png or \.bmp\); there is 1\.jpg; save"):
        read("masks", tmp_path)


def test_another_variable_of_a_mat_file(tmp_path: Path) -> None:
    savemat(tmp_path / "1_label.mat", {"gt": np.zeros((4, 6, 2))})
    with pytest.raises(VadlocError, match=r"no cell array volLabel in it; save the masks as"):
        read("avenue", tmp_path)


def test_what_file_managers_leave_behind_is_no_prediction_and_no_map(tmp_path: Path) -> None:
    maps = tmp_path / "a1"
    maps.mkdir()
    for number in (1, 2):
        np.save(maps / f"{number}.npy", np.zeros((4, 6), np.float32))
    for folder in (tmp_path, maps):
        save(folder / "._1.npy", b"")
        save(folder / "Thumbs.db", b"")
        save(folder / "desktop.ini", b"")
    assert list_folder(tmp_path) == ({"a1": maps}, [])
    assert open_prediction(maps, "a1", KnownSize()).frame_count == 2
