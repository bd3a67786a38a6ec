"""Momentum of textures that move as we say."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from feature_extraction.extractor import Extracted
from feature_extraction.flow import flow_size
from feature_extraction.frame import Frame
from feature_extraction.momentum import (
    DIRECTIONS,
    Momentum,
    flow_to_cells,
    pairs_to_regions,
)
from feature_extraction.time_steps import CollectedSteps
from feature_extraction.workers import Workers
from vadloc.feature_settings import MomentumFeatures
from vadloc.regions import RegionGrid

SETTINGS = MomentumFeatures(flow_preset="medium", flow_floor_px_per_frame=0.5)
GRID = RegionGrid(64, 96, 32, 16)


def moving(
    dx: int, dy: int, *, frames: int = 5, grid: RegionGrid = GRID
) -> list[NDArray[np.uint8]]:
    """A smooth texture that moves by ``(dx, dy)`` px/frame, round and round."""
    noise = np.random.default_rng(0).normal(size=(grid.height_px, grid.width_px))
    texture = gaussian_filter(noise, 2 * grid.height_px / GRID.height_px, mode="wrap")
    grey = (127 + 100 * texture / np.abs(texture).max()).astype(np.uint8)
    return [np.roll(grey, (dy * f, dx * f), (0, 1)) for f in range(frames)]


def extract(
    frames: list[NDArray[np.uint8]],
    *,
    frames_per_volume: int = 5,
    threads: int = 1,
    grid: RegionGrid = GRID,
    settings: MomentumFeatures = SETTINGS,
) -> Extracted:
    """Features of the volumes that end with each frame."""
    with Workers(threads) as workers:
        momentum = Momentum(settings, grid, frames_per_volume=frames_per_volume, workers=workers)
        collected = CollectedSteps()
        for index, frame in enumerate(frames):
            momentum.add_frame(Frame(frame, None, grid))
            if index + 1 >= frames_per_volume:
                momentum.add_volumes([])
                collected.add(momentum.take())
        momentum.flush()
        collected.add(momentum.take())
        return collected.extracted()


def momentum_of(frames: list[NDArray[np.uint8]]) -> NDArray[np.floating]:
    return extract(frames).components["momentum"]


@pytest.mark.parametrize(
    ("dx", "dy"), [(3, 1), (1, 3), (-1, 3), (-3, 1), (-3, -1), (-1, -3), (1, -3), (3, -1), (2, 2)]
)
def test_momentum_of_a_translation(dx: int, dy: int) -> None:
    momentum = momentum_of(moving(dx, dy))
    angle = math.degrees(math.atan2(dy, dx)) % 360  # from x to the right towards y downwards
    inner = momentum.reshape(*GRID.regions, DIRECTIONS)[1, 2]  # away from the edges of the frame
    assert inner.argmax() == int(angle // 30)
    assert inner.max() == pytest.approx(math.hypot(dx, dy), rel=0.05)
    assert inner.sum() - inner.max() < 0.05 * inner.max()


def test_stillness_and_what_is_below_the_floor_have_no_momentum() -> None:
    assert not momentum_of(moving(0, 0)).any()
    flow = np.full((2, 2, 2), 0.3, np.float32)
    flow[0, 0] = (0.3, 0.4)  # exactly 0.5 px/frame does not exceed the floor
    cells = np.zeros(4, np.int64)
    assert not flow_to_cells(flow, cells, cell_count=1, floor=0.5).any()
    sums, numbers = flow_to_cells(flow, cells, cell_count=1, floor=0.49)[0]
    assert (sums.sum(), numbers.sum()) == (pytest.approx(0.5), 1)


def test_only_what_moves_has_momentum() -> None:
    frames = [frame.copy() for frame in moving(0, 0)]
    patch = moving(3, 1, frames=5)
    for still, moved in zip(frames, patch, strict=True):
        still[:, 64:] = moved[:, 64:]
    momentum = momentum_of(frames)
    by_region = momentum.sum(axis=1).reshape(GRID.regions)
    assert by_region[:, 4].min() > 2  # columns 64-96
    assert by_region[:, :2].max() < 0.1  # columns 0-48


@pytest.mark.parametrize("degrees", range(15, 360, 30))
def test_drawn_flow_falls_into_its_bin(degrees: int) -> None:
    flow = np.zeros((1, 3, 2), np.float32)
    radians = math.radians(degrees)
    flow[0, 1] = 2 * math.cos(radians), 2 * math.sin(radians)
    cells = flow_to_cells(flow, np.array([0, 1, 1]), cell_count=2, floor=0.5)
    expected = np.zeros((2, 2, DIRECTIONS))
    expected[1, :, degrees // 30] = 2, 1
    assert cells == pytest.approx(expected, abs=1e-3)


def test_directions_end_where_the_circle_does() -> None:
    flow = np.array([[[1, 0], [1, -1e-9], [1, 1e-9], [0, -1]]], np.float32)
    ((sums, numbers),) = flow_to_cells(flow, np.zeros(4, np.int64), cell_count=1, floor=0.0)
    assert (sums.sum(), numbers.sum()) == (pytest.approx(4), 4)
    assert (sums[[0, 11]].sum(), numbers[[0, 11]].sum()) == (pytest.approx(3), 3)


@given(st.integers(0, 2**32 - 1), st.floats(0, 3))
def test_cells_equal_a_plain_loop(seed: int, floor: float) -> None:
    random = np.random.default_rng(seed)
    flow = random.normal(0, 2, (4, 5, 2)).astype(np.float32)
    cells = random.integers(0, 3, 20)
    expected = np.zeros((3, 2, DIRECTIONS))
    for (x, y), cell in zip(flow.reshape(-1, 2).astype(float), cells, strict=True):
        speed, degrees = math.hypot(x, y), math.degrees(math.atan2(y, x)) % 360
        if abs(speed - floor) < 1e-5 or min(degrees % 30, 30 - degrees % 30) < 0.1:
            return  # float32 may decide either way
        if speed > floor:
            expected[cell, :, int(degrees // 30)] += speed, 1
    got = flow_to_cells(flow, cells, cell_count=3, floor=floor)
    assert got == pytest.approx(expected, rel=1e-4)


def test_threads_do_not_change_bytes() -> None:
    frames = moving(2, 1, frames=9)
    one = extract(frames, frames_per_volume=4)
    for threads in (2, 3, 8):
        other = extract(frames, frames_per_volume=4, threads=threads)
        assert one.components["momentum"].tobytes() == other.components["momentum"].tobytes()


def test_each_volume_is_the_mean_of_its_pairs() -> None:
    """A stream gives what pairs of frames give one by one."""
    frames = moving(2, 1, frames=4) + moving(-3, 1, frames=3)
    found = extract(frames, frames_per_volume=4, threads=3)
    pairs = [
        extract(list(pair), frames_per_volume=2).components["momentum"]
        for pair in itertools.pairwise(frames)
    ]
    assert found.index.shape == (4, GRID.region_count)
    for step, rows in enumerate(found.index):
        expected = np.mean(pairs[step : step + 3], axis=0)
        assert found.components["momentum"][rows] == pytest.approx(expected, rel=1e-5)


def test_speed_is_momentum_by_moving_share() -> None:
    frames = [frame.copy() for frame in moving(0, 0)]
    for still, moved in zip(frames, moving(3, 1, frames=5), strict=True):
        still[:, 56:] = moved[:, 56:]
    found = extract(frames)
    region = 1 * GRID.regions[1] + 3  # columns 48-80: three quarters of it move
    share = found.descriptors["moving_share"][region].sum()
    assert share == pytest.approx(0.75, abs=0.1)
    assert found.components["momentum"][region].sum() / share == pytest.approx(
        math.hypot(3, 1),
        rel=0.15,  # momentum itself is a quarter less
    )


@given(st.integers(1, 4), st.integers(1, 5), st.data())
def test_volumes_equal_a_plain_loop(side: int, pairs: int, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 14)), data.draw(st.integers(1, 14))
    grid = RegionGrid(height, width, 3 * side, 3)
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    flow = random.integers(0, 5, (pairs, height, width, DIRECTIONS)).astype(float)
    cells = [
        np.stack([grid_sum(grid, pair[..., k]) for k in range(DIRECTIONS)], axis=-1)
        for pair in flow
    ]
    momentum = pairs_to_regions(cells, grid_sum(grid, np.ones((height, width), int)), grid)
    columns = grid.regions[1]
    for region in range(grid.region_count):
        top, left = 3 * (region // columns), 3 * (region % columns)
        volume = flow[:, top : top + 3 * side, left : left + 3 * side].reshape(-1, DIRECTIONS)
        assert momentum[region] == pytest.approx(volume.mean(axis=0), rel=1e-6)


def grid_sum(grid: RegionGrid, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    sums = np.zeros(grid.cells)
    for y, x in itertools.product(*map(range, pixels.shape)):
        sums[y // grid.stride_px, x // grid.stride_px] += pixels[y, x]
    return sums


@pytest.mark.parametrize(
    ("height", "width", "stride", "side", "expected"),
    [
        (240, 360, 16, 640, (240, 360)),  # not enlarged
        (720, 1280, 32, 640, (360, 640)),
        (1280, 720, 32, 640, (640, 360)),
        (480, 856, 32, 640, (359, 640)),
        (40, 1280, 16, 640, (32, 1024)),  # DIS needs 32 px
        (720, 1280, 8, 160, (180, 320)),  # a cell of 8 px keeps two of them
    ],
)
def test_large_frames_are_reduced_for_the_flow(
    height: int, width: int, stride: int, side: int, expected: tuple[int, int]
) -> None:
    grid = RegionGrid(height, width, 2 * stride, stride)
    assert flow_size(grid, side_px=side, region_px=32) == expected


@pytest.mark.parametrize(
    ("height", "width", "size", "side", "expected"),
    [
        (120, 180, 16, 640, (240, 360)),  # a region has 32 px
        (120, 180, 24, 640, (160, 240)),
        (158, 238, 16, 400, (266, 400)),  # no longer side than that
        (20, 300, 10, 200, (32, 480)),  # DIS needs 32 px
        (20, 300, 20, 200, (32, 480)),
    ],
)
def test_frames_of_small_regions_are_enlarged_for_the_flow(
    height: int, width: int, size: int, side: int, expected: tuple[int, int]
) -> None:
    assert flow_size(RegionGrid(height, width, size, size), side_px=side, region_px=32) == expected


def test_the_flow_of_small_things_is_right_where_their_regions_are_small() -> None:
    """A disk of 9 px that moves by 2 px/frame on another texture has 2 px/frame times its area.

    Without enlargement the floor passes what the flow smears around it.
    """
    grid = RegionGrid(96, 96, 16, 16)
    rng = np.random.default_rng(0)
    ground, disk = (
        gaussian_filter(rng.normal(size=(96, 96)), 1, mode="wrap") * scale for scale in (150, 300)
    )
    y, x = np.mgrid[:96, :96]
    frames = [
        np.where(
            np.hypot(x - 40 - 2 * f, y - 48) <= 4.5, np.roll(disk, 2 * f, 1) + 60, ground + 128
        )
        .clip(0, 255)
        .astype(np.uint8)
        for f in range(5)
    ]
    wanted = 2 * math.pi * 4.5**2 / 16**2
    errors = []
    for region_px in (0, 32):
        settings = SETTINGS.model_copy(update={"flow_region_px": region_px})
        found = extract(frames, grid=grid, settings=settings).components["momentum"]
        errors.append(abs(found.sum() - wanted))
    assert errors[1] < errors[0] / 2
    assert errors[1] < 0.25 * wanted


@pytest.mark.parametrize("side", [192, 130, 96])
def test_reduced_flow_is_in_pixels_of_the_video(side: int) -> None:
    grid = RegionGrid(128, 192, 64, 32)
    settings = SETTINGS.model_copy(update={"flow_side_px": side})
    found = extract(moving(4, 2, grid=grid), grid=grid, settings=settings)
    inner = grid.regions[1] + 2  # away from the edges of the frame
    momentum = found.components["momentum"][inner]
    assert momentum.argmax() == 0  # 27 degrees
    assert momentum.sum() == pytest.approx(math.hypot(4, 2), rel=0.05)
    assert found.descriptors["moving_share"][inner].sum() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("side", [192, 96])
def test_the_floor_is_in_pixels_of_the_video(side: int) -> None:
    grid = RegionGrid(128, 192, 64, 32)
    settings = SETTINGS.model_copy(update={"flow_side_px": side, "flow_floor_px_per_frame": 3.0})
    slow, fast = (
        extract(moving(speed, 0, grid=grid), grid=grid, settings=settings) for speed in (2, 4)
    )
    inner = grid.regions[1] + 2
    assert slow.components["momentum"][inner].sum() < 0.1
    assert fast.components["momentum"][inner].sum() == pytest.approx(4, rel=0.05)


def test_regions_without_a_pixel_of_the_reduced_frame_do_not_move() -> None:
    """The last column of cells is a pixel wide: no pixel of a quarter of the size lies in it."""
    grid = RegionGrid(129, 129, 8, 8)
    settings = SETTINGS.model_copy(update={"flow_side_px": 33})
    momentum = extract(moving(4, 0, grid=grid), grid=grid, settings=settings).components["momentum"]
    by_region = momentum.sum(axis=1).reshape(grid.regions)
    assert np.isfinite(by_region).all()
    assert by_region[4:-4, 4:-4].min() > 3
    assert not by_region[:, -1].any()
