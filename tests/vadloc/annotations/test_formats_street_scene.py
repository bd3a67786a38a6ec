"""Street Scene rows: boxes read off the rows by hand, and what is refused."""

import logging
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import same_truth

from vadloc.annotations import (
    READERS,
    find_reader,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.street_scene import to_rows
from vadloc.errors import UsageError, VadlocError


def read(tmp_path: Path, text: str, **sizes: int) -> GroundTruth:
    (tmp_path / "Test001_gt.txt").write_text(text)
    size = {"frame_count": 5, "height_px": 20, "width_px": 30, **sizes}
    return READERS["street_scene"](tmp_path, "Test001", **size)


def test_a_box_covers_half_its_size_on_each_side_of_its_centre(tmp_path: Path) -> None:
    truth = read(tmp_path, "002.jpg 7 11.5 10 23 4\n")
    assert truth.box_xyxy_px.tolist() == [[0.0, 8.0, 23.0, 12.0]]
    assert truth.frame.tolist() == [1]
    assert truth.track.tolist() == [7]
    assert truth.anomalous.tolist() == [False, True, False, False, False]
    assert truth.masks is None
    assert not truth.derived


def test_rows_in_any_order_come_out_in_the_order_of_frames(tmp_path: Path) -> None:
    truth = read(tmp_path, "004.jpg 0 5 5 2 2\n\n001.jpg 1 5 5 2 2\n004.jpg 1 9 9 2 2\n")
    assert truth.frame.tolist() == [0, 3, 3]
    assert truth.track.tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", ["frame003.jpg", "Test001/00003.jpg", "Test001_003.tif", "3"])
def test_frame_number_is_the_last_number_of_the_file_name(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"{name} 0 5 5 2 2").frame.tolist() == [2]


def test_windows_lines_tabs_and_byte_order_mark_are_read(tmp_path: Path) -> None:
    truth = read(tmp_path, "\ufeff001.jpg\t0  5 5 2 2\r\n002.jpg 0 5 5 2 2\r\n")
    assert truth.frame.tolist() == [0, 1]


def test_an_empty_file_is_all_normal(tmp_path: Path) -> None:
    truth = read(tmp_path, "")
    assert truth.region_count == 0
    assert not truth.anomalous.any()


def test_the_file_inside_the_sequence_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "Test001").mkdir()
    (tmp_path / "Test001" / "Test001_gt.txt").write_text("001.jpg 0 5 5 2 2")
    truth = READERS["street_scene"](tmp_path, "Test001", frame_count=1, height_px=9, width_px=9)
    assert truth.region_count == 1


def test_a_missing_file_names_both_places(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match=r"Test001/Test001_gt\.txt, .*Test001_gt\.txt"):
        READERS["street_scene"](tmp_path, "Test001", frame_count=1, height_px=9, width_px=9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("001.jpg 0 5 5 2", "line 2: 5 fields"),
        ("001.jpg 0 5 5 2 2 9", "line 2: 7 fields"),
        ("x.jpg 0 5 5 2 2", "line 2: no frame number"),
        (
            "000.jpg 0 5 5 2 2",
            r"line 2: frame 0 \(000.jpg\), but .* numbered from 1; give the folder",
        ),
        ("006.jpg 0 5 5 2 2", "line 2: frame 6, but the sequence has 5 frames, numbered 1 to 5"),
        ("001.jpg -1 5 5 2 2", "line 2: the track id is -1"),
        ("001.jpg 0.5 5 5 2 2", "line 2: the track id is '0.5', expected a whole number"),
        ("001.jpg 0 nan 5 2 2", "line 2: x_center is 'nan'"),
        ("001.jpg 0 5 inf 2 2", "line 2: y_center is 'inf'"),
        ("001.jpg 0 5 1e300 2 2", "line 2: y_center is '1e300'"),
        ("001.jpg 0 5 1_0 2 2", "line 2: y_center is '1_0'"),
        ("001.jpg 0 5 5 0 2", "line 2: the box .* is empty or inverted"),
        ("001.jpg 0 5 5 2 -2", "line 2: the box .* is empty or inverted"),
        ("001.jpg 0 50 5 2 2", "line 2: the box .* lies outside the frame of 30 x 20 px"),
        ("001.jpg 3 9 9 2 2", "line 2: repeats .*line 1"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(VadlocError, match=message):
        read(tmp_path, f"001.jpg 3 9 9 2 2\n{row}\n")


def test_rounding_at_the_edge_is_clipped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        truth = read(tmp_path, "001.jpg 0 1.5 5 5 2\n002.jpg 0 28 19 4 3\n003.jpg 0 28 18 4 4\n")
    assert truth.box_xyxy_px.tolist() == [[0, 4, 4, 6], [26, 17.5, 30, 20], [26, 16, 30, 20]]
    assert "line 1: 2 of 3 boxes stick out of the frame of 30 x 20 px by up to 1 px" in caplog.text


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Test001_gt.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(VadlocError, match="byte 0 is no text"):
        READERS["street_scene"](tmp_path, "Test001", frame_count=1, height_px=9, width_px=9)


def test_written_rows_are_read_back(tmp_path: Path) -> None:
    truth = read(
        tmp_path, "002.jpg 7 11.5 10 23 4\n002.jpg 1 5.25 5 2.5 2\n005.jpg 0 15 10 30 20\n"
    )
    assert same_truth(truth, read(tmp_path, to_rows(truth)))
    assert to_rows(truth).splitlines()[0] == "002.jpg 7 11.5 10 23 4"


def test_rows_refuse_anomalous_frames_that_they_cannot_say(tmp_path: Path) -> None:
    truth = read(tmp_path, "002.jpg 7 11.5 10 23 4\n")
    truth.anomalous[np.array([2, 3])] = True
    with pytest.raises(VadlocError, match=r"2 anomalous frames without a region.* frame 3;"):
        to_rows(truth)


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=", ".join(sorted(READERS))):
        find_reader("steet_scene")
