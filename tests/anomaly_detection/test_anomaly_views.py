"""Views and galleries: where things are drawn."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from anomaly_detection.views.frames import (
    AXIS_PX,
    MARGIN_PX,
    PANEL_PX,
    STRIP_PX,
    Timeline,
    View,
    draw_frame,
    draw_panel,
    draw_views,
)
from exemplar_selection.gallery import COLUMNS, TILE_PX, Gallery, Tile, draw_gallery
from exemplar_selection.show_exemplars import region_at
from vadloc.regions import RegionGrid
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    PLATE_COLOUR,
    TRUTH_COLOUR,
    RgbImage,
    text_size,
    wrap,
)

GRID = RegionGrid(height_px=40, width_px=64, size_px=16, stride_px=8)
ZOOM = 9
"""40 px are magnified to 360."""


def detection(number: int, score: float, box: list[int]) -> dict[str, Any]:
    return {
        "id": number,
        "score": score,
        "first_frame": 1,
        "last_frame": 2,
        "boxes_xyxy_px": [box, box],
        "sentence": "Frames 2-3, left: a car moving up at 9.0 px/frame. " * 2,
    }


def view(**given: Any) -> View:
    explained = {
        "sequence": "Test001",
        "frame_count": 4,
        "height_px": 40,
        "width_px": 64,
        "region_px": 16,
        "cell_px": 8,
        "frames_per_second": 10.0,
        "threshold": 0.5,
        "frame_scores": [0.1, 1.0, 0.6, 0.2],
        "detections": [detection(0, 0.6, [8, 8, 24, 24]), detection(1, 1.0, [32, 16, 64, 40])],
    }
    return View(explained, np.zeros((4, 5, 8), np.float32), **given)


def pixels(image: RgbImage, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """x and y of all pixels of a colour."""
    rows, columns = np.nonzero((image == colour).all(axis=2))
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


@pytest.mark.parametrize("width", [60, 150, 400])
def test_wrapped_lines_fit_and_keep_every_word(width: int) -> None:
    text = "Here normally: persons moving left or right at 0.8-1.9 px/frame"
    lines = wrap(text, width)
    assert " ".join(lines) == text
    assert all(text_size(line)[0] <= width or " " not in line for line in lines)


def test_a_frame_has_its_detections_and_no_others() -> None:
    picture = np.full((40, 64, 3), 90, np.uint8)
    assert pixels(draw_frame(view(), 0, picture), DETECTION_COLOUR) == []
    found = pixels(draw_frame(view(), 1, picture), DETECTION_COLOUR)
    for x, y in ((8, 8), (24, 24), (32, 16)):  # corners of the boxes
        inner = x * ZOOM - (x == 24), y * ZOOM - (y == 24)
        assert inner in found


def test_annotated_regions_are_outlined_in_their_frame() -> None:
    regions = {"frame": [2], "track": [0], "box_xyxy_px": [[40.0, 0.0, 56.0, 8.0]]}
    picture = np.full((40, 64, 3), 90, np.uint8)
    shown = view(regions=regions, stretches=[[2, 2]])
    assert pixels(draw_frame(shown, 1, picture), TRUTH_COLOUR) == []
    found = pixels(draw_frame(shown, 2, picture), TRUTH_COLOUR)
    assert (min(found), max(found)) == ((40 * ZOOM, 0), (56 * ZOOM - 1, 8 * ZOOM - 1))


def test_colours_of_scores_are_fixed_by_the_threshold() -> None:
    assert view().scale == (0.0, 1.5)


def test_a_panel_shows_as_many_detections_as_fit() -> None:
    active = [detection(k, 1.0, [0, 0, 8, 8]) for k in range(9)]
    small, large = (draw_panel(active, height, 0.5) for height in (200, 2000))
    assert small.shape == (200, PANEL_PX, 3)
    assert (titles(large), titles(small)) == (9, 3)


def titles(panel: RgbImage) -> int:
    """Bright lines of text, each followed by a dimmer sentence."""
    rows = sorted({y for _, y in pixels(panel, DETECTION_COLOUR)})
    return 1 + sum(after - before > 20 for before, after in pairwise(rows))


def test_time_runs_from_the_axis_to_the_right() -> None:
    line = Timeline([0.0, 1.0, 0.0, 0.0], 0.5, 400, [[1, 2]])
    length = 400 - AXIS_PX - 2 * MARGIN_PX
    assert [line.x_px(f) for f in (-0.5, 3.5)] == [AXIS_PX, AXIS_PX + length]
    assert (line.y_px(0.0), line.y_px(1.0)) == (STRIP_PX - MARGIN_PX, MARGIN_PX)
    assert line.y_px(0.5) == STRIP_PX / 2
    middle = STRIP_PX // 2 + 3  # below the dashes of the threshold
    for frame in range(4):
        x = round(line.x_px(frame))
        assert (line.draw(frame)[middle, x : x + 2] == DETECTION_COLOUR).all()
        assert not (line.draw(frame)[middle, x + 3] == DETECTION_COLOUR).all()


def test_the_highest_score_may_lie_below_the_threshold() -> None:
    line = Timeline([0.0, 0.1], 0.5, 400, [])
    assert MARGIN_PX < line.y_px(0.5) < line.y_px(0.1) < STRIP_PX - MARGIN_PX
    assert line.draw(1).shape == (STRIP_PX, 400, 3)


def test_all_frames_of_a_view_have_one_size() -> None:
    pictures = [np.full((40, 64, 3), 90, np.uint8)] * 4
    images = list(draw_views(view(stretches=[[1, 2]]), pictures))
    assert len({image.shape for image in images}) == 1
    assert images[0].shape[1] == 64 * ZOOM + PANEL_PX


@pytest.mark.parametrize(
    ("pixel", "region"), [((0, 0), 0), ((63, 39), 27), ((18, 10), 1), ((20, 10), 2), ((31, 39), 24)]
)
def test_the_region_at_a_pixel_is_the_one_with_the_nearest_middle(
    pixel: tuple[int, int], region: int
) -> None:
    assert GRID.regions == (4, 7)
    middles = [(8 * column + 8, 8 * row + 8) for row in range(4) for column in range(7)]
    far = [np.hypot(x - pixel[0] - 0.5, y - pixel[1] - 0.5) for x, y in middles]
    assert region_at(GRID, *pixel) == int(np.argmin(far)) == region


def test_a_gallery_shows_the_region_with_half_of_itself_around() -> None:
    picture = np.full((40, 64, 3), 90, np.uint8)
    picture[8:24, 16:32] = 200  # region 9 itself
    tiles = [Tile("Train001", 5 * k, 5 * k + 9, 7, "nothing moves") for k in range(8)]
    gallery = Gallery(9, GRID, "nothing moves", 8, 56, tiles)
    page = draw_gallery(gallery, {("Train001", 5 * k): picture for k in range(8)})
    tile = TILE_PX + 2 * MARGIN_PX
    height = (page.shape[0] - 0) - 2 * (12 + TILE_PX + 5 * text_size("0")[1])
    corner = height + 12, 12
    shown = page[corner[0] : corner[0] + TILE_PX, corner[1] : corner[1] + TILE_PX]
    assert shown[TILE_PX // 2, TILE_PX // 2].tolist() == [200, 200, 200]
    assert shown[10, 10].tolist() == [90, 90, 90]
    assert (shown[TILE_PX // 4, TILE_PX // 4] == TRUTH_COLOUR).all()
    assert page.shape[1] >= COLUMNS * tile - COLUMNS * 8
    assert page[-1, -1].tolist() == list(PLATE_COLOUR)
