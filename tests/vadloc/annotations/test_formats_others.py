"""Avenue, ShanghaiTech, UBnormal, frame masks and frame labels: small drawn annotations."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_helpers import CLIP, OBJECTS, Picture, draw, drawn, save, save_avenue
from numpy.typing import NDArray
from scipy.io import savemat

from vadloc.annotations import READERS
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError

MOVING: list[Picture] = [
    ["##....", "##...."],
    ["......", "......"],
    [".....#", "#....#"],
]
TRACKS: list[Picture] = [
    ["00....", "00...."],
    ["......", "......"],
    [".....1", "2....1"],
]


def read(name: str, folder: Path, sequence: str, *, frame_count: int = 3) -> GroundTruth:
    return READERS[name](folder, sequence, frame_count=frame_count, height_px=2, width_px=6)


# Avenue


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "float64", "bool"])
def test_avenue_cells_are_masks(tmp_path: Path, dtype: str, compressed: bool) -> None:
    masks = [(draw(p) > 0).astype(dtype) for p in MOVING]
    save_avenue(tmp_path / "7_label.mat", masks, compressed=compressed)
    for sequence in ("07", "7", "Test007"):
        truth = read("avenue", tmp_path, sequence)
        assert [drawn(truth, frame) for frame in range(3)] == TRACKS
        assert truth.derived


def test_avenue_refuses_what_does_not_fit(tmp_path: Path) -> None:
    masks: list[NDArray[Any]] = [draw(p) for p in MOVING]
    save_avenue(tmp_path / "1_label.mat", masks)
    with pytest.raises(VadlocError, match=r"1_label\.mat: 3 masks, .* has 4 frames"):
        read("avenue", tmp_path, "01", frame_count=4)
    save_avenue(tmp_path / "1_label.mat", [masks[0], masks[1].T, masks[2]])
    with pytest.raises(VadlocError, match=r"volLabel\{2\}: a mask of shape \(6, 2\)"):
        read("avenue", tmp_path, "01")
    for cell in (np.array(["text"]), masks[1] * 1j, np.array([["a", 1]], np.object_)):
        save_avenue(tmp_path / "1_label.mat", [masks[0], cell, masks[2]])
        with pytest.raises(VadlocError, match=r"volLabel\{2\}: not a matrix of real numbers"):
            read("avenue", tmp_path, "01")
    save_avenue(tmp_path / "1_label.mat", [masks[0], masks[1] * np.nan, masks[2]])
    with pytest.raises(VadlocError, match=r"volLabel\{2\}: NaN in the mask"):
        read("avenue", tmp_path, "01")


@pytest.mark.parametrize("order", ["<", ">"])
def test_avenue_reads_files_of_both_byte_orders_with_small_elements(
    tmp_path: Path, order: str
) -> None:
    """A file laid out by hand after the format's description: one cell of 2 x 1 uint8."""

    def element(kind: int, content: bytes) -> bytes:
        return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)

    def matrix(class_: int, rows: int, columns: int, name: bytes, content: bytes) -> bytes:
        flags = element(6, struct.pack(f"{order}II", class_, 0))
        size = element(5, struct.pack(f"{order}ii", rows, columns))
        return element(14, flags + size + element(1, name) + content)

    small = struct.pack(f"{order}I", 2 << 16 | 2) + b"\x00\x01\x00\x00"  # two uint8: 0, 1
    cells = matrix(1, 1, 1, b"volLabel", matrix(9, 2, 1, b"", small))
    other = matrix(6, 1, 1, b"other", element(9, struct.pack(f"{order}d", 2.5)))
    version = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    (tmp_path / "1_label.mat").write_bytes(bytes(124) + version + other + cells)
    truth = READERS["avenue"](tmp_path, "1", frame_count=1, height_px=2, width_px=1)
    assert drawn(truth, 0) == [".", "0"]


def test_avenue_refuses_what_is_no_label_file(tmp_path: Path) -> None:
    path = tmp_path / "1_label.mat"
    with pytest.raises(VadlocError, match=r"no Avenue annotation: .*1_label\.mat"):
        read("avenue", tmp_path, "01")
    with pytest.raises(VadlocError, match="no number at the end"):
        read("avenue", tmp_path, "abc")
    savemat(path, {"volLabel": np.zeros((2, 6))})
    with pytest.raises(VadlocError, match="no cell array volLabel"):
        read("avenue", tmp_path, "01")
    savemat(path, {"other": np.zeros((2, 6))})
    with pytest.raises(VadlocError, match="no cell array volLabel"):
        read("avenue", tmp_path, "01")
    for content in (b"", b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(200)):
        path.write_bytes(content)
        with pytest.raises(VadlocError, match=r"1_label\.mat: "):
            read("avenue", tmp_path, "01")


def test_avenue_refuses_a_file_that_unpacks_to_too_much(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(2**24))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    element = (15).to_bytes(4, "little") + len(bomb).to_bytes(4, "little") + bomb
    (tmp_path / "1_label.mat").write_bytes(header + element)
    with pytest.raises(VadlocError, match="it unpacks to more than masks"):
        read("avenue", tmp_path, "01")


# ShanghaiTech


def test_shanghaitech_rows(tmp_path: Path) -> None:
    (tmp_path / "01_0014.txt").write_text("1,2,0,0,1,2\n0,0,1,0,6,2\n1,1,0,0,1,1.5\n")
    truth = read("shanghaitech", tmp_path, "01_0014")
    assert truth.frame.tolist() == [0, 1, 2]
    assert truth.track.tolist() == [0, 1, 1]
    assert truth.box_xyxy_px.tolist() == [[1, 0, 6, 2], [0, 0, 1, 1.5], [0, 0, 1, 2]]
    assert not truth.derived


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,3,0,0,1,1", "line 2: frame 3, but the sequence has 3 frames, numbered 0 to 2"),
        ("0,-1,0,0,1,1", "line 2: frame -1"),
        ("0,0.5,0,0,1,1", "line 2: the frame is '0.5'"),
        ("0,0,0,0,1", "line 2: 5 fields"),
        ("0 0 0 0 1 1", "line 2: 1 fields"),
        ("0,0,,0,1,1", "line 2: x_min is ''"),
        ("0,0,6,0,7,1", "line 2: the box .* outside the frame of 6 x 2 px"),
        ("0,0,1,0,1,1", "line 2: the box .* is empty"),
    ],
)
def test_shanghaitech_refuses_bad_rows(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "01_0014.txt").write_text(f"0,0,0,0,2,2\n{row}\n")
    with pytest.raises(VadlocError, match=message):
        read("shanghaitech", tmp_path, "01_0014")


# UBnormal


def save_ubnormal(folder: Path, rows: str, *, name: str = "tracks") -> None:
    notes = folder / f"{CLIP}_annotations"
    for frame, picture in enumerate(OBJECTS):
        save(notes / f"{CLIP}_{frame:04d}_gt.png", draw(picture))
    (notes / f"{CLIP}_{name}.txt").write_text(rows)


def test_ubnormal_regions_are_the_pixels_of_their_object(tmp_path: Path) -> None:
    save_ubnormal(tmp_path / "Scene1", "8,0,2\n7.000e+00,1,2\n")
    truth = read("ubnormal", tmp_path, CLIP)
    assert [drawn(truth, frame) for frame in range(3)] == [
        ["..11..", "..11.."],
        [".0011.", "1...11"],
        ["..00..", "......"],
    ]
    assert truth.anomalous.tolist() == [True, True, True]  # object 8 is hidden in the last frame
    assert not truth.derived


def test_ubnormal_rows_are_tracks_and_frames_between_are_normal(tmp_path: Path) -> None:
    save_ubnormal(tmp_path, "7,2,2\n7,0,0\n")
    truth = read("ubnormal", tmp_path, CLIP)
    assert truth.frame.tolist() == [0, 2]
    assert truth.track.tolist() == [1, 0]
    assert truth.anomalous.tolist() == [True, False, True]


def test_ubnormal_corrected_rows_go_first(tmp_path: Path) -> None:
    save_ubnormal(tmp_path, "7,0,2\n")
    save_ubnormal(tmp_path, "9,2,2\n", name="new_tracks")
    assert read("ubnormal", tmp_path, CLIP).frame.tolist() == [2]


def test_ubnormal_normal_clips_need_no_annotation(tmp_path: Path) -> None:
    truth = read("ubnormal", tmp_path, "normal_scene_1_scenario_2")
    assert truth.region_count == 0
    assert not truth.anomalous.any()
    with pytest.raises(VadlocError, match=f"Scene1/{CLIP}_annotations/{CLIP}_tracks"):
        read("ubnormal", tmp_path, CLIP)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("7,2,1", "line 1: the first frame 2 is after the last, 1"),
        ("7,0,3", "line 1: frame 3, but the sequence has 3 frames"),
        ("0,0,1", "line 1: object 0, expected 1 to 255"),
        ("7,0", "line 1: 2 fields"),
        ("5,0,2", "object 5 has no pixel in the pictures of frames 0 to 2"),
    ],
)
def test_ubnormal_refuses_bad_rows(tmp_path: Path, row: str, message: str) -> None:
    save_ubnormal(tmp_path, row)
    with pytest.raises(VadlocError, match=message):
        read("ubnormal", tmp_path, CLIP)


def test_ubnormal_names_a_missing_picture(tmp_path: Path) -> None:
    save_ubnormal(tmp_path, "7,0,2")
    (tmp_path / f"{CLIP}_annotations" / f"{CLIP}_0001_gt.png").unlink()
    with pytest.raises(VadlocError, match=r"_0001_gt\.png: no such picture"):
        read("ubnormal", tmp_path, CLIP)


# Frame masks


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32", "int64"])
@pytest.mark.parametrize("name", ["a.npy", "a_gt.npy"])
def test_frame_masks(tmp_path: Path, dtype: str, name: str) -> None:
    np.save(tmp_path / name, np.stack([draw(p) > 0 for p in MOVING]).astype(dtype))
    truth = read("frame_masks", tmp_path, "a")
    assert [drawn(truth, frame) for frame in range(3)] == TRACKS
    assert truth.derived


def test_frame_masks_in_fortran_order(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(np.stack([draw(p) for p in MOVING])))
    assert drawn(read("frame_masks", tmp_path, "a"), 2) == TRACKS[2]


@pytest.mark.parametrize("name", ["frame_masks", "frame_labels"])
def test_frame_labels_as_an_array(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", np.array([0, 1, 1], np.int8))
    truth = read(name, tmp_path, "a")
    assert truth.region_count == 0
    assert truth.anomalous.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 6, 2)), r"shape \(3, 6, 2\), expected \(3, 2, 6\) or \(3,\)"),
        (np.zeros(4), "4 labels, but the sequence has 3 frames"),
        (np.full((3, 2, 6), np.nan), r"frame 0 \(0-based\): NaN"),
        (np.array([0.0, 0.5, 1.0]), r"label of frame 1 \(0-based\) is 0.5, expected 0 or 1"),
        (np.array([0.0, np.nan, 1.0]), r"label of frame 1 \(0-based\) is nan"),
        (np.array([None, 1, 2]), "array of Python objects, .* np.asarray"),
        (np.array(["0", "1", "1"]), "array of str"),
    ],
)
def test_frame_masks_refuse_what_does_not_fit(
    tmp_path: Path, array: NDArray[Any], message: str
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(VadlocError, match=r"a\.npy.*" + message):
        read("frame_masks", tmp_path, "a")


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        header = {"descr": "|b1", "fortran_order": False, "shape": (3, 2, 6)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(VadlocError, match="cut off, 36 bytes are missing"):
        read("frame_masks", tmp_path, "a")


# Frame labels


def test_a_label_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0\n1\n0.0\n")
    assert read("frame_labels", tmp_path, "a").anomalous.tolist() == [False, True, False]
    (tmp_path / "a.txt").write_text("0\n1\n")
    with pytest.raises(VadlocError, match=r"a\.txt: 2 labels, but the sequence has 3 frames"):
        read("frame_labels", tmp_path, "a")
    (tmp_path / "a.txt").write_text("0\n2\n1\n")
    with pytest.raises(VadlocError, match=r"frame 1 \(0-based\) is 2.0, expected 0 or 1"):
        read("frame_labels", tmp_path, "a")


def test_intervals_of_several_sequences(tmp_path: Path) -> None:
    (tmp_path / "frame_labels.csv").write_text(
        "sequence,first_anomalous_frame,last_anomalous_frame\na,1,1\nb,2,3\na,3,3\nc,,\n"
    )
    assert read("frame_labels", tmp_path, "a").anomalous.tolist() == [True, False, True]
    assert read("frame_labels", tmp_path, "b").anomalous.tolist() == [False, True, True]
    assert not read("frame_labels", tmp_path, "c").anomalous.any()
    with pytest.raises(VadlocError, match="no row for d"):
        read("frame_labels", tmp_path, "d")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,0,1", "line 1: frame 0, but the sequence has 3 frames, numbered 1 to 3"),
        ("a,2,4", "line 1: frame 4"),
        ("a,3,1", "line 1: the first frame is after the last"),
        ("a,1,", "line 1: last_anomalous_frame is ''"),
        ("a,1", "line 1: 2 fields"),
    ],
)
def test_bad_intervals_are_refused(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "frame_labels.csv").write_text(row)
    with pytest.raises(VadlocError, match=message):
        read("frame_labels", tmp_path, "a")
