"""Drawing on frames: which pixels change, and to what."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.figures.overlay import (
    draw_detected_regions,
    draw_ground_truth,
    draw_score_map,
)
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    Cells,
    ScoreMap,
)
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    LEGEND_GREY,
    PLATE_COLOUR,
    TEXT_COLOUR,
    TRUTH_COLOUR,
    ColourScale,
    RgbImage,
    check_scale,
    draw_boxes,
    draw_legend,
    draw_line,
    draw_text,
    magnify,
    text_size,
)

SCALE = ColourScale(0.0, 1.0)


def grey(height: int, width: int, level: int = LEGEND_GREY) -> RgbImage:
    return np.full((height, width, 3), level, np.uint8)


def changed(before: RgbImage, after: RgbImage) -> list[str]:
    """A drawing of the pixels that differ."""
    different = (before != after).any(axis=2)
    return ["".join(".#"[int(pixel)] for pixel in row) for row in different]


def cells_of(scores: Sequence[Sequence[float]], *, cell: int, height: int, width: int) -> Cells:
    grid = np.array([scores], np.float32)
    return ScoreMap("s", grid, cell, cell, height_px=height, width_px=width).cells(0)


def truth_of(
    boxes: Sequence[Sequence[float]], masks: tuple[NDArray[np.bool_], ...] | None = None
) -> GroundTruth:
    """Regions of frame 1 of 3 with tracks 7, 8, ..., in frames of 12 x 8 px."""
    frame = np.ones(len(boxes), np.int64)
    return GroundTruth(
        "s", 3, 8, 12, frame, frame + np.arange(6, 6 + len(boxes)),
        np.array(boxes, np.float64), np.array([False, True, False]), masks,
    )  # fmt: skip


def test_a_box_is_outlined_on_its_inner_side() -> None:
    image = grey(6, 8)
    drawn = draw_boxes(image, np.array([[1.0, 1, 6, 5]]), line_px=1)
    picture = ["........", ".#####..", ".#...#..", ".#...#..", ".#####..", "........"]
    assert changed(image, drawn) == picture
    assert (drawn[1, 1] == DETECTION_COLOUR).all()
    assert (image == LEGEND_GREY).all()


def test_a_box_covers_the_pixels_it_touches() -> None:
    image = grey(6, 8)
    drawn = draw_boxes(image, np.array([[1.5, 1.9, 5.1, 4.5]]), line_px=1)
    whole = draw_boxes(image, np.array([[1.0, 1, 6, 5]]), line_px=1)
    np.testing.assert_array_equal(drawn, whole)


def test_boxes_follow_the_magnification() -> None:
    image = grey(6, 12)
    drawn = draw_boxes(image, np.array([[0.5, 1, 2.5, 3]]), line_px=1, zoom=2)
    picture = ["............"] * 2 + [".####......."] + [".#..#......."] * 2 + [".####......."]
    assert changed(image, drawn) == picture


def test_a_mask_is_outlined_along_its_contour() -> None:
    corner = np.array([[1, 1, 1, 0, 0]] * 3 + [[1, 1, 1, 1, 1]] * 3, np.bool_)
    image = grey(24, 36)
    drawn = draw_ground_truth(image, truth_of([[2, 1, 7, 7]], (corner,)), 1, line_px=1, zoom=3)
    inside = (drawn == TRUTH_COLOUR).all(axis=2)
    mask = np.kron(corner, np.ones((3, 3), np.bool_))
    middle = np.zeros_like(mask)
    middle[1:8, 1:8] = middle[10:17, 1:14] = middle[8:10, 1:8] = True
    picture = np.zeros((24, 36), np.bool_)
    picture[3:21, 6:21] = mask & ~middle
    below_the_label = 3 + text_size("7")[1]
    np.testing.assert_array_equal(inside[below_the_label + 3 :], picture[below_the_label + 3 :])


def test_only_the_regions_of_the_frame_are_drawn() -> None:
    truth = truth_of([[1, 1, 5, 4]])
    image = grey(8, 12)
    for frame in (0, 2):
        np.testing.assert_array_equal(draw_ground_truth(image, truth, frame), image)
    assert (draw_ground_truth(image, truth, 1) != image).any()


def test_every_region_has_its_own_track_id() -> None:
    boxes: list[list[float]] = [[0.0, 5, 3, 8], [6, 5, 9, 8]]
    image = grey(80, 120)
    drawn = draw_ground_truth(image, truth_of(boxes), 1, zoom=10)
    _, height = text_size("7")
    for track, x in (("7", 0), ("8", 60)):
        label = draw_text(image, track, (x, 50 - height), colour=TRUTH_COLOUR)
        plate = np.s_[50 - height : 50, x : x + text_size(track)[0]]
        np.testing.assert_array_equal(drawn[plate], label[plate])


def test_a_label_without_room_stands_on_the_other_side() -> None:
    image = grey(60, 60)
    _, height = text_size("0.50")
    at_bottom = draw_boxes(image, np.array([[5.0, 30, 40, 60]]), ["0.50"])
    assert (at_bottom[30 - height : 30] == PLATE_COLOUR).all(axis=2).any()
    above = draw_boxes(image, np.array([[5.0, 0, 40, 30]]), ["0.50"], side="above")
    assert (above[30 : 30 + height] == PLATE_COLOUR).all(axis=2).any()
    assert (above[:30] != PLATE_COLOUR).any(axis=2).all()


def test_only_cells_above_the_scale_are_coloured() -> None:
    """Cells of 2 px in a frame of 5 x 3 px: the last row and column are cut."""
    cells = cells_of([[0.0, 0.5, 0.0], [-1.0, 0.0, 0.9]], cell=2, height=3, width=5)
    image = grey(3, 5)
    assert changed(image, draw_score_map(image, cells, SCALE)) == ["..##.", "..##.", "....#"]


def test_a_score_map_fits_any_magnification() -> None:
    cells = cells_of([[0.1, 0.5, 0.3], [0.7, 0.2, 0.9]], cell=2, height=3, width=5)
    small = draw_score_map(grey(3, 5), cells, SCALE)
    large = draw_score_map(grey(12, 20), cells, SCALE)
    np.testing.assert_array_equal(large, small.repeat(4, axis=0).repeat(4, axis=1))


def test_a_score_has_one_colour_in_all_frames() -> None:
    image = grey(2, 4)
    quiet = cells_of([[0.25, 0.0]], cell=2, height=2, width=4)
    loud = cells_of([[0.25, 1.0]], cell=2, height=2, width=4)
    first, second = (draw_score_map(image, cells, SCALE) for cells in (quiet, loud))
    np.testing.assert_array_equal(first[:, :2], second[:, :2])
    assert (first[:, 2:] != second[:, 2:]).any()


def test_scores_beyond_the_scale_have_the_colour_of_its_end() -> None:
    image = grey(2, 6)
    cells = cells_of([[1.0, 7.0, 0.99]], cell=2, height=2, width=6)
    drawn = draw_score_map(image, cells, SCALE)
    np.testing.assert_array_equal(drawn[0, 0], drawn[0, 2])
    assert (drawn[0, 0] != drawn[0, 4]).any()


def test_boxes_painted_as_cells_leave_the_rest_as_it_is() -> None:
    box = np.array([[1.0, 1, 3, 2]])
    scores = BoxScores("s", np.zeros(1, np.int64), box, np.array([0.8]), 1, 3, 4)
    image = grey(3, 4)
    assert changed(image, draw_score_map(image, scores.cells(0), SCALE)) == ["....", ".##.", "...."]


def test_a_pixel_has_the_score_under_its_centre() -> None:
    edges = np.array([0.0, 1.4, 2.5, 4.0])
    cells = Cells(np.array([[0.0, 0.5, 0.0]]), np.array([0.0, 1]), edges)
    assert changed(grey(1, 4), draw_score_map(grey(1, 4), cells, SCALE)) == [".#.."]


def test_the_bar_of_the_legend_shows_the_colours_of_the_map() -> None:
    """On middle grey a map from the lowest to the highest score looks like the bar."""
    scale = ColourScale(0.5, 2.5)
    width, height = 60, text_size("0")[1]
    ramp = [np.linspace(0.5, 2.5, width).tolist()]
    cells = Cells(np.array(ramp), np.array([0.0, 1]), np.arange(width + 1.0))
    expected = draw_score_map(grey(1, width), cells, scale)[0]
    left = 3 + text_size("score 0.5")[0]
    drawn = draw_legend(grey(height, 300, 0), (3, 0), scale=scale, bar_px=width)
    np.testing.assert_array_equal(drawn[height // 2, left : left + width], expected)


@pytest.mark.parametrize(("threshold", "place"), [(0.5, 0), (1.5, 29), (2.5, 58), (9.0, 58)])
def test_the_legend_marks_the_threshold(threshold: float, place: int) -> None:
    scale = ColourScale(0.5, 2.5)
    strip = grey(30, 300, 0)
    plain = draw_legend(strip, (0, 0), scale=scale, bar_px=60)
    marked = draw_legend(strip, (0, 0), scale=scale, threshold=threshold, bar_px=60)
    columns = np.flatnonzero((plain != marked).any(axis=(0, 2))) - text_size("score 0.5")[0]
    assert columns.tolist() == [place, place + 1]


def test_the_legend_gives_the_numbers_of_the_scale() -> None:
    strip = grey(30, 300, 0)
    drawn = draw_legend(strip, (0, 0), scale=ColourScale(0, 0.25), bar_px=60)
    right = text_size("score 0")[0] + 60
    words = draw_text(strip, "0.25 or more", (right, 0), colour=TEXT_COLOUR)
    np.testing.assert_array_equal(drawn[:, right:], words[:, right:])


def test_detected_regions_are_components_that_touch_at_corners() -> None:
    """Two cells that touch at a corner are one region with one label; a third one is apart."""
    scores: list[list[float]] = [[0.9, 0, 0, 0], [0, 0.6, 0, 0.7], [0, 0, 0, 0], [0, 0, 0, 0]]
    cells = cells_of(scores, cell=30, height=120, width=120)
    image = grey(120, 120)
    drawn = draw_detected_regions(image, cells, 0.6, line_px=1)
    expected = draw_boxes(image, np.array([[0.0, 0, 30, 30], [30, 30, 60, 60]]), line_px=1)
    expected = draw_boxes(expected, np.array([[90.0, 30, 120, 60]]), line_px=1)
    for text, x in (("0.90", 0), ("0.70", 120 - text_size("0.70")[0])):
        expected = draw_text(expected, text, (x, 60), colour=DETECTION_COLOUR)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(draw_detected_regions(image, cells, 0.95), image)


def test_text_changes_its_plate_only() -> None:
    image = grey(60, 200)
    drawn = draw_text(image, "frame 7", (10, 20))
    width, height = text_size("frame 7")
    rows, columns = np.nonzero((image != drawn).any(axis=2))
    assert (rows.min(), rows.max() + 1) == (20, 20 + height)
    assert (columns.min(), columns.max() + 1) == (10, 10 + width)
    assert (drawn[20:, 10:] == TEXT_COLOUR).all(axis=2).any()


@pytest.mark.parametrize("corner", [(-9, -5), (190, 50), (-9, 55), (195, -3)])
def test_text_that_leaves_the_image_is_cut_off(corner: tuple[int, int]) -> None:
    text = "frame 7"
    x, y = corner
    large = draw_text(grey(160, 400), text, (100 + x, 50 + y))
    cut = draw_text(grey(60, 200), text, corner)
    np.testing.assert_array_equal(cut, large[50:110, 100:300])


@pytest.mark.parametrize("corner", [(500, 0), (0, 500), (-500, 0), (0, -500)])
def test_text_outside_of_the_image_changes_nothing(corner: tuple[int, int]) -> None:
    image = grey(20, 30)
    np.testing.assert_array_equal(draw_text(image, "far", corner), image)


def test_pieces_of_a_line_stand_side_by_side() -> None:
    image = grey(30, 200)
    drawn = draw_line(image, [("one", (255, 0, 0)), ("two", (0, 255, 0))], (2, 3))
    width = text_size("one")[0]
    expected = draw_text(image, "one", (2, 3), colour=(255, 0, 0))
    expected = draw_text(expected, "two", (2 + width, 3), colour=(0, 255, 0))
    np.testing.assert_array_equal(drawn, expected)


def test_magnify_keeps_flat_areas_and_multiplies_sides() -> None:
    image = grey(3, 5, 77)
    np.testing.assert_array_equal(magnify(image, 3), grey(9, 15, 77))
    np.testing.assert_array_equal(magnify(image, 1), image)


@pytest.mark.parametrize("scale", [(1.0, 1.0), (2.0, 1.0), (0.0, float("nan")), (0, float("inf"))])
def test_a_scale_without_extent_is_refused(scale: tuple[float, float]) -> None:
    with pytest.raises(VadlocError, match="colour scale from"):
        check_scale(ColourScale(*scale))
