"""Rendered volumes have the flow they claim: closed forms, and what an optical flow measures."""

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_extraction.flow import flow_engine
from feature_extraction.motion.objects import Path
from feature_extraction.motion.rendering import Layer, Wave, render
from feature_extraction.motion.synthetic import (
    CAMERAS,
    as_filmed,
    random_scene,
    synthetic_volume,
)
from feature_extraction.motion.textures import Textures

T = 5
TIME: NDArray[np.float64] = np.arange(T, dtype=np.float64)


def moved(
    texture: NDArray[np.float32],
    step: tuple[float, float],
    *,
    start: tuple[float, float] = (0, 0),
    opaque: bool = False,
) -> Layer:
    """A texture that moves by a step each frame; opaque: with borders."""
    pose = np.tile(np.eye(2, 3), (T, 1, 1))
    pose[:, :, 2] = np.array(start) + np.arange(T)[:, None] * np.array(step)
    alpha = np.ones_like(texture) if opaque else None
    return Layer(texture, pose, alpha)


def ramp(side: int = 64) -> NDArray[np.float32]:
    """Brightness 100 + x + 2 y, which cubic interpolation reproduces."""
    rows, columns = np.mgrid[:side, :side]
    return np.asarray(100 + columns + 2 * rows, np.float32)


def noise(side: int, seed: int) -> NDArray[np.float32]:
    return Textures().draw(np.random.default_rng(seed), side, np.zeros((0, 64, 64), np.uint8))


@pytest.mark.parametrize("step", [(1.0, 0.0), (0.3, -0.7), (-8.0, 2.5)])
def test_a_translation_has_its_own_flow(step: tuple[float, float]) -> None:
    _, flow = render([moved(ramp(), step)])
    np.testing.assert_allclose(flow, np.broadcast_to(step, (T - 1, 64, 64, 2)), atol=1e-5)


def test_pixels_move_by_subpixel_steps() -> None:
    frames, _ = render([moved(ramp(), (0.25, -0.5))])
    # What was at (x - u t, y - v t) is at (x, y): brightness changes by -(u + 2 v) a frame.
    inside = frames[:, 8:-8, 8:-8]
    expected = ramp()[8:-8, 8:-8] + 0.75 * np.arange(T)[:, None, None]
    np.testing.assert_allclose(inside, expected, atol=0.1)  # OpenCV looks up 1/32 of a pixel


def test_pixels_move_by_whole_steps() -> None:
    frames, _ = render([moved(noise(64, 1), (3, -2))])
    np.testing.assert_allclose(frames[1][:-2, 3:], frames[0][2:, :-3], atol=1e-3)


def test_a_rotation_turns_about_its_pivot() -> None:
    angle = 0.1
    centre = np.array([20.0, 30.0])
    path = Path(np.tile(centre, (T, 1)), angle * TIME, np.ones(T))
    _, flow = render([Layer(ramp(), path.pose(np.array([32.0, 32.0])))])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rows, columns = np.mgrid[:64, :64]
    from_centre = np.stack([columns, rows], -1) - centre
    np.testing.assert_allclose(flow[2], from_centre @ turn.T - from_centre, atol=1e-4)


def test_growing_flows_outwards() -> None:
    path = Path(np.tile([32.0, 32.0], (T, 1)), np.zeros(T), np.power(1.1, TIME))
    _, flow = render([Layer(ramp(), path.pose(np.array([10.0, 10.0])))])
    assert flow[0, 32, 42] == pytest.approx([1.0, 0.0], abs=1e-4)
    assert flow[0, 22, 32] == pytest.approx([0.0, -1.0], abs=1e-4)


def test_a_wave_shifts_rows() -> None:
    wave = Wave(np.full(T, 3.0), 0.2, 0.5 * TIME)
    still = moved(ramp(), (0, 0))
    layer = Layer(still.texture, still.pose, None, wave)
    frames, flow = render([layer])
    rows = np.arange(64)
    shift = 3.0 * np.sin(0.2 * rows + 0.5 * np.arange(T)[:, None])
    np.testing.assert_allclose(
        flow[..., 0], np.diff(shift, axis=0)[:, :, None] + np.zeros(64), atol=1e-5
    )
    np.testing.assert_allclose(flow[..., 1], 0, atol=1e-9)
    seen = frames[1, 20:40, 20:40] - ramp()[20:40, 20:40]
    np.testing.assert_allclose(seen, -shift[1, 20:40, None] + np.zeros(20), atol=0.1)


def test_a_pixel_has_the_flow_of_what_is_seen() -> None:
    """A square moves right over a background that moves down, and a still one hides it."""
    square = np.full((20, 20), 200, np.float32)
    layers = [
        moved(ramp(), (0, 1)),
        moved(square, (2, 0), start=(10, 10), opaque=True),
        moved(square[:, :6] - 100, (0, 0), start=(26, 8), opaque=True),
    ]
    _, flow = render(layers)
    assert tuple(flow[0, 40, 40]) == (0, 1)
    assert tuple(flow[0, 20, 20]) == (2, 0)
    assert tuple(flow[0, 20, 28]) == (0, 0)
    assert tuple(flow[2, 20, 12]) == (0, 1)  # uncovered: the square's left edge is at 14
    assert tuple(flow[2, 20, 16]) == (2, 0)


def test_an_optical_flow_measures_what_was_rendered() -> None:
    """DIS, which knows nothing of the renderer, on textured scenes that move as a whole."""
    engine = flow_engine("medium")
    for seed, step in enumerate([(1.5, 0.5), (-3.3, 1.7), (0.6, -4.2)]):
        frames, flow = render([moved(noise(64, seed), step)])
        pictures = np.clip(np.round(frames), 0, 255).astype(np.uint8)
        measured = engine.calc(pictures[1], pictures[2], None)
        error = np.hypot(*np.moveaxis(measured - flow[1], -1, 0))
        assert np.median(error[8:-8, 8:-8]) < 0.15


def test_a_shaken_camera_moves_the_still_background() -> None:
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        background = random_scene(rng, Textures(), T)[0]
        _, flow = render([background])
        offset = background.pose[:, :, 2]
        found += bool(np.ptp(offset))
        expected = np.broadcast_to(np.diff(offset, axis=0)[:, None, None], flow.shape)
        np.testing.assert_allclose(flow, expected, atol=1e-5)
    assert 0 < found < 30


def test_cameras_do_as_often_as_said() -> None:
    """Read off the background's path: still, evenly moving, or anything else."""
    seen = {"still": 0, "panned": 0, "shaken": 0}
    for seed in range(300):
        steps = np.diff(random_scene(np.random.default_rng(seed), Textures(), T)[0].pose[:, :, 2].T)
        even = bool(np.allclose(steps, steps[:, :1]))
        seen["still" if not steps.any() else "panned" if even else "shaken"] += 1
        if even and steps.any():
            assert 0.3 <= np.hypot(*steps[:, 0]) <= 10
    for camera, count in seen.items():
        assert count / 300 == pytest.approx(CAMERAS[camera], abs=0.08)


def test_distinct_textures_show_how_they_move() -> None:
    """The gradient has all orientations: neither stripes of one direction nor a plain shade."""
    for seed in range(40):
        none = np.zeros((0, 64, 64), np.uint8)
        picture = Textures().draw(np.random.default_rng(seed), 64, none, distinct=True)
        y, x = np.gradient(picture)
        tensor = np.array([[(x * x).mean(), (x * y).mean()], [(x * y).mean(), (y * y).mean()]])
        least, most = np.linalg.eigvalsh(tensor)
        assert least > 0.1 * most


def test_a_walkers_limbs_hang_on_its_body() -> None:
    from feature_extraction.motion.objects import walker

    for seed in range(10):
        parts = walker(np.random.default_rng(seed), Textures(), T)
        torso = parts[2]
        legs = [parts[0], parts[1]], [parts[3], parts[4]]
        for leg in (legs[0][0], legs[1][0]):
            assert leg.alpha is not None
            hip = leg.pose @ np.array([leg.alpha.shape[1] / 2, 1.0, 1.0])
            on_torso = [
                np.linalg.solve(pose[:, :2], point - pose[:, 2])
                for pose, point in zip(torso.pose, hip, strict=True)
            ]
            assert np.ptp(on_torso, axis=0).max() < 1e-6


def test_what_a_camera_adds_is_no_motion() -> None:
    frames = np.full((T, 64, 64), 120, np.float32)
    filmed = [as_filmed(np.random.default_rng(seed), frames) for seed in range(20)]
    assert all(f.dtype == np.uint8 and f.shape == (T, 64, 64) for f in filmed)
    assert max(np.abs(f.astype(float) - 120).mean() for f in filmed) > 3  # it does add something


def test_same_seed_same_volume() -> None:
    first, again, other = (synthetic_volume((s,), Textures(), length=T) for s in (7, 7, 8))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()
