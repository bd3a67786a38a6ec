"""Shifts of the camera: known shifts are found and undone, and a fixed camera's frames stay."""

from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from vadloc.video.camera_motion import (
    LEAST_PX,
    RENEWED_AFTER,
    CameraMotion,
    Shift,
    _Reference,
    shift_rows,
    to_contrast,
)

Array: TypeAlias = NDArray[Any]
HEIGHT, WIDTH = SIZE = 120, 160


def scene(right_px: float = 0, down_px: float = 0, *, size: tuple[int, int] = SIZE) -> Array:
    """The middle of a periodic textured picture that has moved by any part of a pixel, exactly."""
    height, width = size
    white = np.random.default_rng(5).normal(0, 1, (height + 40, width + 40))
    down, right = np.meshgrid(*(np.fft.fftfreq(side) for side in white.shape), indexing="ij")
    texture = np.exp(-60 * (down**2 + right**2)) + 4 * np.exp(-2000 * (down**2 + right**2))
    moved = np.exp(-2j * np.pi * (down * down_px + right * right_px))
    made = np.fft.ifft2(np.fft.fft2(white) * texture * moved).real
    return np.asarray(120 + 30 * made[20:-20, 20:-20] / made.std())


def exposed(levels: Array, seed: int = 0, *, noise: float = 2, gain: float = 1) -> Array:
    """A picture with sensor noise, in whole grey levels."""
    noisy = gain * levels + np.random.default_rng(seed).normal(0, noise, levels.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def jitter(count: int, deviation_px: float = 1.5) -> Array:
    """Shifts ``(count, 2)``; the first is 0."""
    moves = np.random.default_rng(1).normal(0, deviation_px, (count, 2))
    return np.vstack([np.zeros(2), moves[1:]])


def followed(frames: list[Array]) -> list[Shift]:
    """The shifts of some frames."""
    camera = CameraMotion()
    return [camera.follow(frame) for frame in frames]


def errors_px(shifts: list[Shift], truth: Array) -> Array:
    """Distance of each shift from the true one."""
    return np.asarray(np.hypot(*(np.array([shift[:2] for shift in shifts]) - truth).T))


def test_known_shifts_are_found() -> None:
    truth = jitter(40)
    shifts = followed([exposed(scene(*move), i) for i, move in enumerate(truth)])
    assert errors_px(shifts, truth).max() < 0.1
    assert all(shift.is_found for shift in shifts)


def test_shifts_of_large_frames_are_in_pixels_of_the_video() -> None:
    truth = jitter(6, 3)
    size = 3 * HEIGHT, 4 * WIDTH
    shifts = followed([exposed(scene(*move, size=size)) for move in truth])
    assert errors_px(shifts, truth).max() < 0.1


def test_a_slow_drift_is_found_to_its_end() -> None:
    truth = np.linspace((0, 0), (3, -2), 300)
    shifts = followed([exposed(scene(*move), i) for i, move in enumerate(truth)])
    assert errors_px(shifts, truth).max() < 0.15


def test_a_moving_object_on_a_third_of_the_frame_is_no_shift() -> None:
    object_ = exposed(scene(size=(HEIGHT, 4 * WIDTH))[::-1, ::-1])
    frames = []
    for number in range(60):
        frame = exposed(scene(), number)
        frame[:, 60:114] = object_[:, 3 * number : 3 * number + 54]
        frames.append(frame)
    assert errors_px(followed(frames), np.zeros((60, 2))).max() < LEAST_PX / 2


def test_light_that_changes_is_no_shift() -> None:
    truth = jitter(30)
    gains = 1 + 0.3 * np.sin(np.arange(30))
    frames = [
        exposed(scene(*move) * 0.6, i, gain=gain)
        for i, (move, gain) in enumerate(zip(truth, gains, strict=True))
    ]
    assert errors_px(followed(frames), truth).max() < 0.1


def test_undoing_a_shift_gives_the_unmoved_picture() -> None:
    still, moved = (exposed(scene(*move), noise=0) for move in ((0, 0), (2.4, -1.7)))
    aligned = Shift(2.4, -1.7, is_undone=True).undo(moved)
    inner = slice(4, -4), slice(4, -4)
    difference = aligned.astype(float) - still
    assert np.abs(difference[inner]).max() <= 3
    before = moved.astype(float) - still
    assert np.abs(difference[inner]).mean() < np.abs(before[inner]).mean() / 20


def test_a_shift_of_whole_pixels_is_undone_exactly_and_edges_are_repeated() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    aligned = Shift(2.0, -1.0, is_undone=True).undo(frame)
    assert np.array_equal(aligned[1:, :-2], frame[:-1, 2:])
    assert np.array_equal(aligned[0, :-2], frame[0, 2:])
    assert np.array_equal(aligned[1:, -1], frame[:-1, -1])


def test_colours_are_moved_like_grey() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    shift = Shift(0.3, 0.6, is_undone=True)
    colour = shift.undo(np.dstack([frame] * 3))
    assert np.array_equal(colour, np.dstack([shift.undo(frame)] * 3))


def test_frames_of_a_fixed_camera_stay_as_they_are() -> None:
    frames = [exposed(scene(), i, noise=4) for i in range(80)]
    for frame, shift in zip(frames, followed(frames), strict=True):
        assert shift.undo(frame) is frame


@pytest.mark.parametrize("size", [(120, 160), (180, 320), (119, 161)])
def test_the_search_from_far_changes_neither_reference_nor_frame(size: tuple[int, int]) -> None:
    """OpenCV's phase correlation writes into pictures whose sides are products of 2, 3 and 5."""
    first, second = (to_contrast(exposed(scene(right, size=size))) for right in (0, 6))
    reference = _Reference(first.copy())
    frame = second.copy()
    assert reference.correlate(frame) == pytest.approx([6, 0], abs=0.3)
    assert np.array_equal(frame, second)
    assert np.array_equal(reference._mean, first)


def test_small_shifts_are_undone_only_while_the_camera_shakes() -> None:
    calm, shaken = [0.15, -0.15] * 10, [1.0, 0.15, -0.15]
    shifts = followed([exposed(scene(right), 3, noise=1) for right in [0, *calm, *shaken]])
    assert [shift.is_undone for shift in shifts] == [False] * 21 + [True] * 3


def test_a_jolt_is_found_at_once() -> None:
    truth = np.array([(0, 0)] * 5 + [(9, 7)] * 5, float)
    shifts = followed([exposed(scene(*move), i) for i, move in enumerate(truth)])
    assert errors_px(shifts, truth).max() < 0.1


def test_another_view_is_not_aligned_and_then_taken_as_reference() -> None:
    other = scene()[::-1, ::-1]
    views = [scene()] * 5 + [other] * (RENEWED_AFTER + 5)
    shifts = followed([exposed(view, i) for i, view in enumerate(views)])
    found = [shift.is_found for shift in shifts]
    assert found == [True] * 5 + [False] * RENEWED_AFTER + [True] * 5
    assert not any(shift.is_undone for shift in shifts)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_without_texture_have_no_shift(level: int) -> None:
    frames = [np.full((HEIGHT, WIDTH), level, np.uint8)] * 4
    assert not any(shift.is_undone for shift in followed(frames))


@pytest.mark.parametrize("size", [(8, 8), (31, 200), (32, 32), (33, 47)])
def test_frames_of_any_size_can_be_followed(size: tuple[int, int]) -> None:
    frames = [exposed(scene(move, size=size)) for move in (0, 0.5, 1)]
    assert len(followed(frames)) == 3


def test_switched_off_nothing_is_undone() -> None:
    camera = CameraMotion(undo=False)
    assert {camera.follow(exposed(scene(move))) for move in (0, 2, 4)} == {Shift()}


def test_shifts_are_stored_in_rows() -> None:
    rows = shift_rows([Shift(), Shift(1.5, -2, is_undone=True), Shift(is_found=False)])
    assert rows["camera_shift_px"].tolist() == [[0, 0], [1.5, -2], [0, 0]]
    assert rows["camera_is_found"].tolist() == [True, True, False]
    assert rows["camera_is_undone"].tolist() == [False, True, False]
