"""Pixel masks: regions and tracks read off drawings."""

from pathlib import Path

import numpy as np
import pytest
from formats_helpers import Picture, draw, drawn, save
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from vadloc.annotations.components import (
    box_overlap_px,
    link_by_overlap,
    mask_to_components,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.masks import read
from vadloc.annotations.regions import SequenceSize
from vadloc.errors import VadlocError


def read_drawn(tmp_path: Path, pictures: list[Picture], *, min_pixels: int = 1) -> GroundTruth:
    for number, picture in enumerate(pictures, start=1):
        save(tmp_path / "Test001_gt" / f"{number}.png", draw(picture))
    height, width = len(pictures[0]), len(pictures[0][0])
    size = SequenceSize(len(pictures), height, width)
    return read(tmp_path, "Test001", size, min_pixels=min_pixels)


def test_regions_are_8_connected_with_tight_boxes_and_exact_pixels(tmp_path: Path) -> None:
    truth = read_drawn(
        tmp_path,
        [
            [
                "#....##",
                ".#...##",
                ".......",
                "..###..",
                "..#.#..",
            ]
        ],
    )
    assert truth.box_xyxy_px.tolist() == [[0, 0, 2, 2], [5, 0, 7, 2], [2, 3, 5, 5]]
    assert drawn(truth, 0) == ["0....11", ".0...11", ".......", "..222..", "..2.2.."]
    assert truth.derived
    assert truth.anomalous.tolist() == [True]


def test_tracks_follow_overlap_and_begin_anew_after_a_gap(tmp_path: Path) -> None:
    truth = read_drawn(
        tmp_path,
        [
            ["##....#", "##....#"],  # two objects
            [".##..##", ".##...#"],  # both move, overlapping themselves
            ["..##...", "..##..."],  # the right one is gone
            ["...##.#", "...##.#"],  # and back: no overlap with the frame before
        ],
    )
    assert [drawn(truth, frame)[0] for frame in range(4)] == [
        "00....1",
        ".00..11",
        "..00...",
        "...00.2",
    ]


def test_merging_regions_go_on_as_the_one_that_shares_more(tmp_path: Path) -> None:
    truth = read_drawn(tmp_path, [["#.###"], ["#####"], ["#.###"]])
    assert [drawn(truth, f) for f in range(3)] == [["0.111"], ["11111"], ["2.111"]]


def test_equal_overlaps_go_to_the_earlier_region(tmp_path: Path) -> None:
    truth = read_drawn(tmp_path, [["##.##"], ["#####"], ["##.##"]])
    assert [drawn(truth, f) for f in range(3)] == [["00.11"], ["00000"], ["00.22"]]


def test_touching_boxes_without_a_common_pixel_do_not_link(tmp_path: Path) -> None:
    truth = read_drawn(
        tmp_path, [["#..", "...", "..."], ["###", "..#", "..#"], ["...", "#..", "#.."]]
    )
    assert drawn(truth, 1) == ["000", "..0", "..0"]
    assert drawn(truth, 2) == ["...", "1..", "1.."]


def test_specks_are_left_out_on_request(tmp_path: Path) -> None:
    truth = read_drawn(tmp_path, [["#..##"], ["#...."]], min_pixels=2)
    assert [drawn(truth, f) for f in range(2)] == [["...00"], ["....."]]
    assert truth.anomalous.tolist() == [True, False]


def test_frames_are_in_natural_order(tmp_path: Path) -> None:
    pictures = [["...."] for _ in range(11)]
    pictures[9] = ["#..."]
    truth = read_drawn(tmp_path, pictures)
    assert truth.frame.tolist() == [9]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_any_pixel_that_is_not_black_counts(tmp_path: Path, mode: str) -> None:
    grey = np.array([[0, 3, 0], [0, 0, 3]], np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 256)
    elif mode == "1":
        picture = Image.fromarray(grey > 0)
    elif mode == "P":  # the palette's first entry is white, so index 0 is no background
        picture = Image.fromarray(np.where(grey, 0, 1).astype(np.uint8)).convert("P")
        picture.putpalette([255, 255, 255, 0, 0, 0])
    else:
        picture = Image.fromarray(grey).convert(mode)
    (tmp_path / "a_gt").mkdir()
    picture.save(tmp_path / "a_gt" / "1.png")
    truth = read(tmp_path, "a", SequenceSize(1, 2, 3))
    assert drawn(truth, 0) == [".0.", "..0"]


def test_a_transparent_black_pixel_is_black(tmp_path: Path) -> None:
    save(tmp_path / "a_gt" / "1.bmp", np.zeros((2, 2), np.uint8))
    picture = Image.new("RGBA", (2, 2), (0, 0, 0, 255))
    picture.save(tmp_path / "a_gt" / "2.png")
    truth = read(tmp_path, "a", SequenceSize(2, 2, 2))
    assert truth.region_count == 0


def test_number_of_masks_must_be_the_number_of_frames(tmp_path: Path) -> None:
    save(tmp_path / "a_gt" / "1.png", draw(["#."]))
    with pytest.raises(VadlocError, match=r"a_gt: 1 masks \(\.png, \.bmp\).* has 2 frames"):
        read(tmp_path, "a", SequenceSize(2, 1, 2))


def test_size_of_masks_must_be_the_size_of_frames(tmp_path: Path) -> None:
    save(tmp_path / "a_gt" / "1.png", draw(["#.", ".."]))
    with pytest.raises(VadlocError, match=r"1\.png: 2 x 2 px, but the frames have 2 x 1"):
        read(tmp_path, "a", SequenceSize(1, 1, 2))


def test_missing_folder_cut_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(VadlocError, match="a_gt: no such folder"):
        read(tmp_path, "a", SequenceSize(1, 1, 2))
    path = save(tmp_path / "a_gt" / "1.png", np.full((50, 50), 255, np.uint8))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"GIF89a\1\0\1\0", b"P5 50 50 255 "):
        path.write_bytes(content)
        with pytest.raises(VadlocError, match=r"1\.png: not a readable PNG/BMP"):
            read(tmp_path, "a", SequenceSize(1, 50, 50))


def test_a_picture_that_claims_to_be_huge_is_refused_by_its_header(tmp_path: Path) -> None:
    path = save(tmp_path / "a_gt" / "1.bmp", draw(["#."]))
    content = bytearray(path.read_bytes())
    content[18:26] = (2**30).to_bytes(4, "little") * 2  # width and height of the bitmap header
    path.write_bytes(content)
    with pytest.raises(VadlocError, match=r"1\.bmp"):
        read(tmp_path, "a", SequenceSize(1, 1, 2))


def test_noise_is_not_taken_for_an_annotation(tmp_path: Path) -> None:
    noise = np.zeros((100, 100), np.uint8)
    noise[::2, ::2] = 255
    save(tmp_path / "a_gt" / "1.png", noise)
    with pytest.raises(VadlocError, match="2500 separate regions in one mask, at most 1000"):
        read(tmp_path, "a", SequenceSize(1, 100, 100))


def flood_components(mask: NDArray[np.bool_]) -> set[frozenset[tuple[int, int]]]:
    """8-connected components by plain flood fill."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = set()
    while left:
        todo, part = [left.pop()], set()
        while todo:
            y, x = todo.pop()
            part.add((y, x))
            near = {(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)} & left
            left -= near
            todo += near
        found.add(frozenset(part))
    return found


@settings(deadline=None, max_examples=60)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_components_equal_flood_fill(mask: NDArray[np.bool_]) -> None:
    regions = mask_to_components(mask, where="mask")
    pixels = {
        frozenset(
            (int(y) + r.box_xyxy_px[1], int(x) + r.box_xyxy_px[0]) for y, x in np.argwhere(r.mask)
        )
        for r in regions
    }
    assert pixels == flood_components(mask)


def test_boxes_link_by_the_area_they_share() -> None:
    frames = [[(0, 0, 4, 4), (10, 0, 14, 4)], [(9, 0, 13, 4), (1, 0, 5, 4)], [], [(9, 0, 13, 4)]]
    assert link_by_overlap(frames, box_overlap_px) == [[0, 1], [1, 0], [], [2]]
    assert box_overlap_px([(0, 0, 4, 4)], [(2, 3, 8, 8), (4, 0, 8, 4)]).tolist() == [[2.0, 0.0]]
