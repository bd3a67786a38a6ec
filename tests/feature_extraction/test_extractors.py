"""Frames at crop scale, volumes that are computed or reused, and the thread pool."""

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feature_extraction.appearance.extractor import appearance_crops
from feature_extraction.extractor import Extracted
from feature_extraction.frame import Frame, region_windows, to_crop_scale
from feature_extraction.motion.cells import region_cells
from feature_extraction.network_extractor import (
    CROPS,
    NetworkExtractor,
    check_crops,
    in_parts,
)
from feature_extraction.registry import check_networks
from feature_extraction.time_steps import CollectedSteps
from feature_extraction.workers import Workers
from vadloc.config import Regions, load_config
from vadloc.errors import UsageError
from vadloc.regions import RegionGrid

GRID = RegionGrid(50, 70, 32, 16)  # edges that are no whole cells: 4 x 5 cells, 3 x 4 regions


def random_image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (50, 70), dtype=np.uint8)


@pytest.mark.parametrize("side", [48, 64])
@pytest.mark.parametrize("stride", [8, 16, 32, 64, 128])
def test_regions_at_crop_scale_are_the_regions(stride: int, side: int) -> None:
    """Flat squares of one cell keep their brightness and their place at any scale."""
    grid = RegionGrid(3 * stride, 4 * stride, 2 * stride, stride)
    cells = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    image = np.kron(cells, np.ones((stride, stride), np.uint8))
    windows = region_windows(to_crop_scale(image, grid, side=side), grid, side=side)
    assert windows.shape == (2, 3, side, side)
    centres = windows[:, :, side // 4 :: side // 2, side // 4 :: side // 2]
    for row, column in np.ndindex(2, 3):
        assert np.array_equal(centres[row, column], cells[row : row + 2, column : column + 2])


def test_what_reaches_beyond_the_frame_repeats_its_edge() -> None:
    image = np.full((50, 70), 100, np.uint8)
    image[-1], image[:, -1] = 200, 200
    windows = region_windows(to_crop_scale(image, GRID), GRID)
    assert windows.shape == (3, 4, 64, 64)
    assert (windows[-1, 0, -20:] == 200).all()
    assert (windows[0, -1, :, -10:] == 200).all()
    assert windows[0, 0].max() == 100


def test_a_grey_frame_is_grey_in_colour_and_colour_keeps_its_channels() -> None:
    grey = Frame(random_image(), None, GRID)
    assert np.array_equal(grey.rgb_at_scale(64)[..., 2], grey.grey_at_crop_scale)
    rgb = np.stack([np.full((50, 70), level, np.uint8) for level in (10, 20, 30)], axis=2)
    crops = appearance_crops([Frame(random_image(), rgb, GRID)], GRID, np.array([0, 11]))
    assert crops.shape == (2, 48, 48, 3)
    assert (crops == (10, 20, 30)).all()


def test_cells_of_regions_are_cut_from_those_of_the_frame_where_they_lie() -> None:
    """With cells that hold their own row and column; a region has 16 x 16 of them."""
    asked = []

    def cells_of(pictures: NDArray[np.uint8], needed: NDArray[np.bool_]) -> NDArray[np.float16]:
        asked.append((pictures[:, 5, 5].tolist(), needed.tolist()))
        return np.stack(np.mgrid[: pictures.shape[1] // 4, : pictures.shape[2] // 4]).astype(
            np.float16
        )

    frames = [Frame(np.full((50, 70), 10 * i, np.uint8), None, GRID) for i in range(4)]
    [found] = region_cells(cells_of, frames, GRID, np.array([1, 6]))
    assert found.shape == (2, 2, 16, 16)
    # 16 px of the frame are 32 at crop scale, which are 8 cells: regions (0, 1) and (1, 2).
    assert found[:, 0, 0, 0].tolist() == [0, 8]
    assert found[:, 1, 0, 0].tolist() == [8, 16]
    assert found[1, :, 15, 15].tolist() == [23, 31]
    # The frame has 128 x 160 px at crop scale, and tiles 64: nobody needs what is lower left.
    needed = [[True, True, False], [False, True, False]]
    assert asked == [([0, 10, 20, 30], needed)]


def test_the_cells_of_a_frame_are_computed_once_for_however_many_regions() -> None:
    grid = RegionGrid(160, 160, 8, 4)  # 39 x 39 regions
    calls = []

    def cells_of(pictures: NDArray[np.uint8], _needed: NDArray[np.bool_]) -> NDArray[np.float16]:
        calls.append(pictures.shape)
        rows, columns = (side // 4 for side in pictures.shape[1:])
        return (np.arange(rows * columns) % 1000).astype(np.float16).reshape(1, rows, columns)

    frames = [Frame(np.zeros((160, 160), np.uint8), None, grid) for _ in range(4)]
    parts = list(region_cells(cells_of, frames, grid, np.arange(grid.region_count)))
    assert len(calls) == 1
    assert [len(part) for part in parts] == [CROPS, grid.region_count - CROPS]
    [last] = region_cells(cells_of, frames, grid, np.array([grid.region_count - 1]))
    assert np.array_equal(parts[-1][-1], last[0])


def plain_mean(crops: NDArray[np.uint8]) -> NDArray[np.float16]:
    """A network that sees each crop's mean brightness."""
    return crops.reshape(len(crops), -1).mean(axis=1, keepdims=True).astype(np.float16)


def extract(
    steps: list[NDArray[np.uint8]], *, reuse_below: float, threads: int = 2, batch: int = 5
) -> Extracted:
    with Workers(threads) as workers:
        network = NetworkExtractor(
            plain_mean,
            ("appearance",),
            in_parts(appearance_crops),
            GRID,
            batch=batch,
            reuse_below=reuse_below,
            middle_only=True,
            workers=workers,
        )
        collected = CollectedSteps()
        for step in steps:
            network.add_volumes([Frame(step, None, GRID)])
            collected.add(network.take())
        network.flush()
        collected.add(network.take())
        return collected.extracted()


def test_only_what_changed_is_computed() -> None:
    first = np.full((50, 70), 100, np.uint8)
    second = first.copy()
    second[0:16, 0:16] = 180  # lies in region 0 alone
    third = second + np.uint8(3)  # less than noise
    found = extract([first, second, third], reuse_below=6)
    assert len(found.components["appearance"]) == GRID.region_count + 1
    assert found.index[1, 0] == found.index[2, 0] == GRID.region_count
    assert np.array_equal(found.index[0, 1:], found.index[2, 1:])
    assert found.components["appearance"][found.index[1, 0], 0] == pytest.approx(120, abs=0.2)


def test_slow_changes_add_up_until_they_count() -> None:
    steps = [np.full((50, 70), 100 + 4 * i, np.uint8) for i in range(5)]
    found = extract(steps, reuse_below=6)
    assert found.index[:, 0].tolist() == [0, 0, 12, 12, 24]


@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 99))
def test_without_reuse_batches_and_threads_change_nothing(
    batch: int, threads: int, seed: int
) -> None:
    steps = [random_image(seed + i) for i in range(3)]
    found = extract(steps, reuse_below=0, batch=batch, threads=threads)
    every = np.arange(GRID.region_count)
    for step, rows in zip(steps, found.index, strict=True):
        expected = plain_mean(appearance_crops([Frame(step, None, GRID)], GRID, every))
        assert np.array_equal(found.components["appearance"][rows], expected)


def test_an_error_in_a_thread_reaches_the_caller_and_ends_the_pool() -> None:
    def failing() -> None:
        with Workers(2) as workers:
            workers.submit(int, "no number").result()

    with pytest.raises(ValueError, match="no number"):
        failing()


def test_submitting_waits_while_the_queue_is_full() -> None:
    go_on, passed = threading.Event(), threading.Event()
    with Workers(1) as workers:

        def submit_all() -> None:
            for _ in range(3):  # one at work, one waiting, and one too many
                workers.submit(go_on.wait, 60)
            passed.set()

        submitting = threading.Thread(target=submit_all)
        submitting.start()
        assert not passed.wait(0.2)
        go_on.set()
        assert passed.wait(60)
        submitting.join()


def test_regions_of_odd_cells_are_refused() -> None:
    check_crops(Regions(size_px=64, stride_px=16))
    with pytest.raises(UsageError, match=r"size_px = 48 is 3 times stride_px"):
        check_crops(Regions(size_px=48, stride_px=16))


def test_volumes_too_short_for_the_motion_network_are_refused(scene: Path) -> None:
    config = load_config(scene / "tiny.toml")
    short = config.model_copy(
        update={"regions": config.regions.model_copy(update={"frames_per_volume": 3})}
    )
    with pytest.raises(UsageError, match=r"tiny.toml: .* frames_per_volume = 3: .* at least 4"):
        check_networks(short, ("appearance", "motion"), device="cpu")
    assert check_networks(short, ("appearance",), device="cpu") == "cpu"
    assert check_networks(config, ("motion",), device="cpu") == "cpu"
