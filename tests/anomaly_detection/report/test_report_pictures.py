"""Pictures of the report: which frames and windows are shown, where, and in which colours."""

from io import BytesIO
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomaly_detection.report.pictures import (
    Clip,
    Sheets,
    Strip,
    StripCutter,
    clip_of,
    fit_size,
    heat_colours,
    letterbox,
    merge_clips,
    scores_to_levels,
    sheet_columns,
    strip_frames,
    tile,
    to_heat_png,
    to_jpeg,
    window_around,
    window_of_shape,
)


def test_a_short_clip_has_a_volume_before_and_after() -> None:
    clip = clip_of(Clip(50, 60), Clip(52, 56), frame_count=100, longest=100)
    assert clip == Clip(45, 65)


def test_a_clip_stays_inside_the_sequence() -> None:
    assert clip_of(Clip(1, 98), Clip(4, 8), frame_count=100, longest=200) == Clip(0, 99)


def test_a_long_clip_lies_around_the_peak() -> None:
    clip = clip_of(Clip(0, 999), Clip(500, 509), frame_count=1000, longest=100)
    assert clip.last - clip.first + 1 == 100
    assert abs((clip.first + clip.last) / 2 - 504.5) <= 1


@given(st.data())
def test_a_clip_holds_its_peak_and_no_more_than_it_may(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 300))
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    start = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(start, min(count - 1, start + 20)))
    longest = data.draw(st.integers(1, 100))
    clip = clip_of(Clip(first, last), Clip(start, end), frame_count=count, longest=longest)
    assert 0 <= clip.first <= start <= end <= clip.last < count
    assert clip.last - clip.first + 1 <= max(longest, end - start + 1)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))))
def test_merged_clips_hold_the_same_frames(pairs: list[tuple[int, int]]) -> None:
    clips = [Clip(first, first + length) for first, length in pairs]
    merged = merge_clips(clips)
    frames = {f for c in clips for f in range(c.first, c.last + 1)}
    assert [f for c in merged for f in range(c.first, c.last + 1)] == sorted(frames)
    assert all(b.first > a.last + 1 for a, b in pairwise(merged))


def test_windows_have_half_a_side_around_the_box() -> None:
    assert window_around((32, 48, 64, 80), height_px=240, width_px=360) == (16, 32, 80, 96)


def test_windows_at_the_edge_are_moved_not_cut() -> None:
    assert window_around((0, 0, 32, 32), height_px=240, width_px=360) == (0, 0, 64, 64)
    assert window_around((328, 208, 360, 240), height_px=240, width_px=360) == (296, 176, 360, 240)
    assert window_around((0, 0, 32, 32), height_px=40, width_px=360) == (0, 0, 64, 40)


def test_windows_take_the_proportions_of_a_shape() -> None:
    size = {"height_px": 240, "width_px": 360}
    assert window_of_shape((100, 100, 160, 160), (75, 100), **size) == (90, 100, 170, 160)
    assert window_of_shape((100, 100, 180, 130), (75, 100), **size) == (100, 85, 180, 145)


def test_tiles_lie_row_by_row() -> None:
    images = [np.full((2, 3), value, np.uint8) for value in range(1, 6)]
    sheet = tile(images, 4)
    assert sheet.shape == (4, 12)
    assert sheet[0, ::3].tolist() == [1, 2, 3, 4]
    assert sheet[2, ::3].tolist() == [5, 0, 0, 0]


def test_a_sheet_of_few_tiles_is_as_wide_as_they_are() -> None:
    assert tile([np.ones((2, 3, 3), np.uint8)] * 2, 4).shape == (2, 6, 3)


def test_sheets_are_full_but_for_the_last() -> None:
    sheets = Sheets(columns=2, capacity=4)
    images = [np.full((1, 1), value, np.uint8) for value in range(6)]
    full = [sheet for image in images for sheet in sheets.add(image)]
    rest = list(sheets.flush())
    assert [(number, image.tolist()) for number, image in full] == [(0, [[0, 1], [2, 3]])]
    assert [(number, image.tolist()) for number, image in rest] == [(1, [[4, 5]])]
    assert list(sheets.flush()) == []


@pytest.mark.parametrize(("size", "columns"), [((240, 360), 4), ((270, 480), 4), ((900, 900), 2)])
def test_sheets_are_not_larger_than_phones_decode(size: tuple[int, int], columns: int) -> None:
    assert sheet_columns(*size) == columns


def test_frames_are_made_smaller_never_larger() -> None:
    assert fit_size(720, 1280, 480) == (270, 480)
    assert fit_size(240, 360, 480) == (240, 360)


def test_letterboxes_keep_proportions() -> None:
    image = letterbox(np.zeros((10, 10), np.uint8), (20, 40))
    assert np.flatnonzero((image == 0).all(axis=0)).tolist() == list(range(10, 30))


def test_strips_hold_the_window_of_their_frames() -> None:
    strips = [Strip("a", (2, 1, 4, 3), (1, 3), (2, 2)), Strip("b", (0, 0, 2, 2), (3,), (2, 2))]
    cutter = StripCutter(strips)
    assert cutter.frames == [1, 3]
    frames = [np.arange(20, dtype=np.uint8).reshape(4, 5) + 40 * f for f in range(5)]
    done = dict(strip for f, frame in enumerate(frames) for strip in cutter.feed(f, frame))
    assert done["a"].tolist() == [[47, 48, 127, 128], [52, 53, 132, 133]]
    assert done["b"].tolist() == [[120, 121], [125, 126]]
    assert cutter.frames == []


def test_long_volumes_are_thinned_evenly() -> None:
    assert strip_frames(10, 19) == tuple(range(10, 20))
    frames = strip_frames(0, 110)
    assert len(frames) == 12
    assert frames == tuple(range(0, 111, 10))


def test_heat_has_the_colour_and_opacity_of_the_legend() -> None:
    levels = scores_to_levels(np.array([[0.0, 0.5], [1.0, 9.0]]), top=1.0)
    assert levels.tolist() == [[0, 128], [255, 255]]
    with Image.open(BytesIO(to_heat_png(levels))) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    colours, opacity = heat_colours()
    assert pixels[..., :3].tolist() == colours[levels].tolist()
    assert pixels[..., 3].tolist() == opacity[levels].tolist()
    assert opacity[0] == 0


def test_heat_grows_lighter_with_the_score() -> None:
    lightness = heat_colours()[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -1).all()
    assert lightness[-1] - lightness[0] > 100


def test_no_heat_where_all_scores_are_zero() -> None:
    assert scores_to_levels(np.zeros((2, 2)), top=0.0).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("colour", [(200, 120, 40), (90, 90, 90)])
def test_jpegs_have_the_colours_of_the_frame(colour: tuple[int, int, int]) -> None:
    data = to_jpeg(np.full((16, 16, 3), colour, np.uint8))
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    grey = len(set(colour)) == 1
    assert decoded.ndim == (2 if grey else 3)
    expected = colour[:1] if grey else colour[::-1]
    assert np.abs(decoded[8, 8].astype(int) - expected).max() <= 4
