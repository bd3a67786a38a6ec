"""Which frame a name in an annotation means, read off drawn folders of frames."""

from pathlib import Path

import numpy as np
import pytest
from formats_helpers import CLIP, draw, marked, save
from hypothesis import given
from hypothesis import strategies as st

from evaluation.api import evaluate_folder
from evaluation.convert_annotations import main as convert
from vadloc.annotations import READERS
from vadloc.annotations.context import (
    Context,
    FrameNames,
)
from vadloc.errors import VadlocError

SIZE = {"height_px": 20, "width_px": 30}


def named(*files: str) -> Context:
    return Context(frame_names=FrameNames(files))


def frames_of_rows(folder: Path, rows: list[str], context: Context, count: int) -> list[int]:
    (folder / "a_gt.txt").write_text("".join(f"{name} 0 5 5 2 2\n" for name in rows))
    truth = READERS["street_scene"](folder, "a", frame_count=count, **SIZE, context=context)
    frames: list[int] = truth.frame.tolist()
    return frames


@pytest.mark.parametrize(
    ("files", "rows", "frames"),
    [
        (["000.png", "001.png", "002.png"], ["001.png", "000.png"], [0, 1]),
        (["001.png", "002.png", "003.png"], ["001.png", "003.png"], [0, 2]),
        (["1.png", "2.png", "10.png"], ["001.tif", "010.tif"], [0, 2]),
        (["010.jpg", "011.jpg", "013.jpg"], ["011.tif", "13"], [1, 2]),
        (["f_07.jpg", "f_08.jpg", "f_09.jpg"], ["Test/f_08.jpg", "x9.jpg"], [1, 2]),
        (["b.png", "c.png", "d.png"], ["d.jpg", "b.jpg"], [0, 2]),
        (["caf\u00e91.png", "caf\u00e92.png", "z3.png"], ["cafe\u03012.png"], [1]),
        (["10h_5.png", "11h_5.png", "12h_5.png"], ["11h_5.png"], [1]),
    ],
)
def test_rows_belong_to_the_files_they_name(
    tmp_path: Path, files: list[str], rows: list[str], frames: list[int]
) -> None:
    assert frames_of_rows(tmp_path, rows, named(*files), len(files)) == frames


@pytest.mark.parametrize(
    ("files", "row"),
    [
        (["000.png", "001.png"], "002.png"),
        (["001.png", "002.png"], "000.png"),
        (["010.png", "012.png"], "011.png"),
        (["10h_5.png", "11h_5.png"], "12h_5.png"),
    ],
)
def test_a_row_of_no_file_names_both(tmp_path: Path, files: list[str], row: str) -> None:
    message = rf"line 1: {row} is no frame; the 2 frames are the files {files[0]} to {files[1]};"
    with pytest.raises(VadlocError, match=message):
        frames_of_rows(tmp_path, [row], named(*files), 2)


@given(start=st.integers(0, 50), count=st.integers(1, 30), digits=st.integers(1, 6))
def test_every_file_is_found_by_its_name(start: int, count: int, digits: int) -> None:
    names = FrameNames(tuple(f"{n:0{digits}d}.png" for n in range(start, start + count)))
    found = [names.get(f"{n:04d}.jpg") for n in range(start - 1, start + count + 1) if n >= 0]
    assert [frame for frame in found if frame is not None] == list(range(count))


def test_without_files_numbers_count_from_1_and_0_is_refused(tmp_path: Path) -> None:
    assert frames_of_rows(tmp_path, ["001.png", "3.png"], Context(), 3) == [0, 2]
    with pytest.raises(VadlocError, match=r"frame 0 \(000\.png\), but .* from 1; give the folder"):
        frames_of_rows(tmp_path, ["002.png", "000.png"], Context(), 3)


@pytest.mark.parametrize(
    ("files", "number", "frame"),
    [
        (["000.png", "001.png", "002.png"], 1, 1),  # counted from 0, as the rows
        (["001.png", "002.png", "003.png"], 1, 1),  # counted from 1
        (["001.png", "003.png", "004.png"], 2, 1),  # one is lost: the third of before
        (["010.png", "011.png", "012.png"], 11, 1),  # part of a longer numbering
        (["a.png", "b.png", "c.png"], 1, 1),
    ],
)
def test_numbers_of_shanghaitech_rows(
    tmp_path: Path, files: list[str], number: int, frame: int
) -> None:
    (tmp_path / "a.txt").write_text(f"0,{number},1,1,5,5\n")
    read = READERS["shanghaitech"]
    truth = read(tmp_path, "a", frame_count=3, **SIZE, context=named(*files))
    assert truth.frame.tolist() == [frame]
    (tmp_path / "a.txt").write_text("0,77,1,1,5,5\n")
    with pytest.raises(VadlocError, match=rf"line 1: frame 77 .*{files[0]} to {files[2]}"):
        read(tmp_path, "a", frame_count=3, **SIZE, context=named(*files))


@pytest.mark.parametrize(("first", "frame"), [(0, 1), (1, 0), (5, None)])
def test_ubnormal_pictures_called_as_the_frames_belong_to_them(
    tmp_path: Path, first: int, frame: int | None
) -> None:
    notes = tmp_path / f"{CLIP}_annotations"
    for number in range(3):
        save(notes / f"{CLIP}_{number:04d}_gt.png", draw(["7."]))
    (notes / f"{CLIP}_tracks.txt").write_text("7,1,1\n")
    context = named(*(f"{CLIP}_{first + n:04d}.jpg" for n in range(3)))
    size = {"frame_count": 3, "height_px": 1, "width_px": 2}
    if frame is None:
        with pytest.raises(VadlocError, match=r"line 1: frame 1, but .*_0005\.jpg to .*_0007"):
            READERS["ubnormal"](tmp_path, CLIP, **size, context=context)
    else:
        truth = READERS["ubnormal"](tmp_path, CLIP, **size, context=context)
        assert truth.frame.tolist() == [frame]


def read_masks(folder: Path, masks: dict[str, str], *files: str) -> list[int]:
    for name, row in masks.items():
        save(folder / "a_gt" / name, marked([row]))
    size = {"frame_count": len(files), "height_px": 1, "width_px": 2}
    truth = READERS["masks"](folder, "a", **size, context=named(*files))
    frames: list[int] = np.flatnonzero(truth.anomalous).tolist()
    return frames


def test_masks_belong_to_the_frames_of_their_names(tmp_path: Path) -> None:
    masks = {"b.png": "#.", "c_gt.png": "..", "a.bmp": ".."}
    assert read_masks(tmp_path / "1", masks, "a.jpg", "b.jpg", "c.jpg") == [1]
    masks = {"frame000.png": "..", "frame001.png": "#."}  # the same gaps: as in lists
    assert read_masks(tmp_path / "2", masks, "001.jpg", "002.jpg") == [1]
    with pytest.raises(VadlocError, match=r"masks 4\.png are of no frame; the frames 3 have"):
        read_masks(tmp_path / "3", {"1.png": "..", "2.png": "..", "4.png": "#."}, *"123")
    with pytest.raises(VadlocError, match=r"1 masks, .* has 2 frames: the frames 001\.jpg have no"):
        read_masks(tmp_path / "4", {"002.png": ".."}, "001.jpg", "002.jpg")
    save(tmp_path / "a_gt" / "1.png", marked([".."]))
    save(tmp_path / "a_gt" / "3.png", marked(["#."]))
    with pytest.raises(VadlocError, match=r"1\.png is followed by 3\.png"):  # of a video
        READERS["masks"](tmp_path, "a", frame_count=2, height_px=1, width_px=2)


def test_json_frames_called_after_another_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    frames_of_rows(tmp_path / "rows", ["001.png"], Context(), 2)
    options = ["--format", "street_scene", "--ground-truth", str(tmp_path / "rows")]
    options += ["--to", "json", "--output", str(tmp_path), "--sequence", "a"]
    convert([*options, "--frame-count", "2", "--size", "30x20"])
    path = tmp_path / "a_gt.json"
    text = path.read_text().replace('"frame_filepath": null', '"frame_filepath": "x/2.png"', 1)
    path.write_text(text)
    with pytest.raises(VadlocError, match=r"frame 1: frame_filepath is x/2\.png, but .* 1\.png"):
        READERS["json"](tmp_path, "a", frame_count=2, **SIZE, context=named("1.png", "2.png"))
    for files in (("2.png", "3.png"), ("a.png", "b.png")):
        READERS["json"](tmp_path, "a", frame_count=2, **SIZE, context=named(*files))


def make_frames(folder: Path, first: int, count: int) -> None:
    for number in range(first, first + count):
        save(folder / f"{number:03d}.png", np.zeros((20, 30), np.uint8))


@pytest.mark.parametrize("first", [0, 1, 10])
def test_a_perfect_detector_is_perfect_whatever_the_files_are_called(
    tmp_path: Path, first: int
) -> None:
    make_frames(tmp_path / "frames/a", first, 6)
    scores = np.zeros((6, 20, 30), np.float32)
    (tmp_path / "gt").mkdir()
    rows = []
    for place in (2, 3):
        scores[place, 4:8, 4:8] = 1
        rows.append(f"{first + place:03d}.jpg 0 6 6 4 4\n")
    (tmp_path / "gt/a_gt.txt").write_text("".join(rows))
    (tmp_path / "pr").mkdir()
    np.save(tmp_path / "pr/a.npy", scores)
    result = evaluate_folder(
        tmp_path / "gt", tmp_path / "pr", gt_format="street_scene", frames=tmp_path / "frames"
    )
    assert result["frame_roc_auc"] == result["region_roc_auc"] == result["pixel_roc_auc"] == 1


def test_converted_rows_name_the_files(tmp_path: Path) -> None:
    make_frames(tmp_path / "frames/a", 10, 3)
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt/a.txt").write_text("4,11,2,2,6,6\n")
    options = ["--ground-truth", str(tmp_path / "gt"), "--frames", str(tmp_path / "frames")]
    options += ["--to", "street_scene", "--output", str(tmp_path / "rows")]
    convert(["--format", "shanghaitech", *options])
    assert (tmp_path / "rows/a_gt.txt").read_text() == "011.png 4 4 4 4 4\n"
