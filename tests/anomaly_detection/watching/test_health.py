"""Faults of the picture: black, frozen, of another view, of another size."""

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.watching.health import Fault, Health, Limits
from anomaly_detection.watching.pictures import Picture
from vadloc.video.view import View

HEIGHT_PX, WIDTH_PX, RATE = 120, 160, 10


def backdrop(seed: int = 0) -> NDArray[np.uint8]:
    """A wall of patches of 8 pixels, larger than a frame."""
    patches = np.random.default_rng(seed).integers(60, 200, (40, 40))
    return np.kron(patches, np.ones((8, 8))).astype(np.uint8)


def seen(number: int, *, right: int = 0, seed: int = 0, noise: int = 2) -> NDArray[np.uint8]:
    """The wall through a camera with noise that looks so many pixels to the right."""
    frame = backdrop(seed)[40 : 40 + HEIGHT_PX, 40 + right : 40 + right + WIDTH_PX].astype(int)
    random = np.random.default_rng(number)
    return np.clip(frame + random.integers(-noise, noise + 1, frame.shape), 0, 255).astype(np.uint8)


def health(**changes: object) -> Health:
    limits: dict[str, object] = {
        "size_px": (HEIGHT_PX, WIDTH_PX),
        "view": View(seen(999)),
        "least_shift_px": 8.0,
        "frozen_s": 3.0,
    }
    return Health(Limits(**{**limits, **changes}))  # type: ignore[arg-type]


def faults(of: Health, frames: list[NDArray[np.uint8]], first: int = 0) -> list[Fault | None]:
    """What is found in frames that come ten times a second."""
    return [
        of.look(Picture(grey, np.stack([grey] * 3, axis=2), first + i, (first + i) / RATE, 0, 0))
        for i, grey in enumerate(frames)
    ]


def kinds(found: list[Fault | None]) -> list[str]:
    return [fault.kind if fault and fault.is_certain else "" for fault in found]


def test_a_good_picture_has_no_fault() -> None:
    of = health()
    assert faults(of, [seen(i) for i in range(60)]) == [None] * 60
    assert of.good_until in (57, 58, 59)  # the view is compared every 0.2 s


def test_something_large_that_passes_is_no_fault() -> None:
    frames = [seen(i) for i in range(40)]
    for i, frame in enumerate(frames):
        frame[20:100, 4 * i : 4 * i + 50] = 250
    assert set(kinds(faults(health(), frames))) == {""}


def test_a_black_picture() -> None:
    black = [np.full((HEIGHT_PX, WIDTH_PX), 3, np.uint8)] * 12
    found = faults(health(), [*[seen(i) for i in range(10)], *black, seen(22)])
    assert kinds(found) == [""] * 15 + ["black"] * 7 + [""]
    assert found[10] is not None
    assert not found[10].is_certain
    last = found[21]
    assert last is not None
    assert (last.since_s, last.frame) == (1.0, 10)


def test_a_suspicion_does_not_outlast_a_gap() -> None:
    of, black = health(), np.full((HEIGHT_PX, WIDTH_PX), 3, np.uint8)
    [before] = faults(of, [black])
    of.forget()
    [after] = faults(of, [black], first=1000)
    assert before is not None
    assert after is not None
    assert (after.is_certain, after.frame) == (False, 1000)


def test_where_training_video_is_black_a_black_picture_is_none() -> None:
    black = [np.full((HEIGHT_PX, WIDTH_PX), 3, np.uint8)] * 12
    assert faults(health(can_be_black=True, view=None), black) == [None] * 12


def test_a_frozen_picture() -> None:
    frames = [seen(i) for i in range(10)] + [seen(9)] * 40 + [seen(50)]
    found = kinds(faults(health(), frames))
    assert found == [""] * 39 + ["frozen"] * 11 + [""]
    assert set(kinds(faults(health(frozen_s=0), frames))) == {""}


def test_a_moved_camera() -> None:
    for frames in (
        [seen(i, seed=1) for i in range(40)],  # turned to another wall
        [seen(i, right=10) for i in range(40)],  # shifted by more than a cell
    ):
        of = health()
        assert set(kinds(faults(of, [seen(i) for i in range(20)]))) == {""}
        found = kinds(faults(of, frames, first=20))
        assert set(found[:15]) == {""}
        assert set(found[18:]) == {"moved"}
        assert of.good_until in (17, 18, 19)
        assert set(kinds(faults(of, [seen(i) for i in range(20)], first=60))) <= {"", "moved"}
        assert of.good_until >= 60


def test_a_slightly_shifted_camera_is_no_fault() -> None:
    assert set(kinds(faults(health(), [seen(i, right=3) for i in range(40)]))) == {""}


def test_frames_of_another_size() -> None:
    [found] = faults(health(), [seen(0)[:, :100]])
    assert found is not None
    assert (found.kind, found.is_certain) == ("resized", True)
    assert "100 x 120 px instead of 160 x 120 px" in found.words
