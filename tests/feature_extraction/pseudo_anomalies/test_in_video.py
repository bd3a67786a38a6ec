"""Pseudo-anomalies in frames of the video: where they lie, and what stays as it was."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_scene import film, run_scene

from feature_extraction.pseudo_anomalies.in_video import change_video, draw_windows, size_name
from feature_extraction.pseudo_anomalies.inpainting import inpainter
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.pseudo_settings import PseudoAnomalyVideo

SETTINGS = PseudoAnomalyVideo(per_sequence=9, frames=4, inpainter="patch")


def video(count: int = 60) -> np.ndarray:
    frames = np.concatenate([film(seed=s) for s in range(-(-count // 24))])[:count]
    return np.repeat(frames[..., None], 3, axis=3)


def changes(frames: np.ndarray, *, context: int = 3) -> list:
    windows = draw_windows("Train0", range(len(frames)), SETTINGS, context=context)
    return list(
        change_video("Train0", frames, windows, SETTINGS, region_px=16, inpaint=inpainter("patch"))
    )


def test_frames_outside_the_mask_and_around_it_are_those_of_the_video() -> None:
    frames = video()
    found = changes(frames)
    assert len(found) == 9
    for changed in found:
        window = changed.window
        clean = frames[window.begin : window.begin + len(changed.clean)]
        np.testing.assert_array_equal(changed.clean, clean)
        start = window.first - window.begin
        if window.kind == "skip":
            index = window.first + window.step * np.arange(window.count)
            shown = changed.frames[start : start + window.count]
            np.testing.assert_array_equal(shown, frames[index])
            np.testing.assert_array_equal(changed.frames[:start], clean[:start])
            continue
        mask = np.zeros(clean.shape[:3], np.bool_)
        mask[start : start + window.count] = changed.mask
        assert (changed.frames == clean)[~mask].all()
        assert (changed.frames != clean).any()


def test_all_kinds_are_made_in_turn() -> None:
    kinds = sorted(changed.window.kind for changed in changes(video()))
    assert kinds == ["inpaint"] * 3 + ["patch"] * 3 + ["skip"] * 3


def test_the_same_seed_makes_the_same_frames() -> None:
    first, second = (
        b"".join(changed.frames.tobytes() for changed in changes(video())) for _ in range(2)
    )
    assert first == second


def test_frames_around_them_change_no_pseudo_anomaly() -> None:
    made = [
        {
            (c.window.number, c.window.first, c.window.count, c.mask.tobytes())
            for c in changes(video(), context=context)
        }
        for context in (0, 3, 20)
    ]
    assert made[0] == made[1] == made[2]


def test_a_part_of_a_sequence_is_left_for_nothing() -> None:
    windows = draw_windows("Train0", range(30, 54), SETTINGS, context=20)
    assert windows
    for window in windows:
        assert 30 <= window.begin <= window.first
        assert window.first + window.step * window.count <= window.end <= 54


def test_short_sequences_get_what_fits() -> None:
    assert changes(video(4)) == []
    assert all(changed.window.end <= 6 for changed in changes(video(6)))


def test_a_mask_that_changes_nothing_is_drawn_again() -> None:
    flat = np.full((30, 48, 64, 3), 90, np.uint8)
    filled = [changed for changed in changes(flat) if changed.window.kind != "skip"]
    assert {changed.redrawn for changed in filled} == {4}


@pytest.mark.parametrize(
    ("area_px", "name"), [(100, "small"), (128, "medium"), (383, "medium"), (384, "large")]
)
def test_sizes_are_in_regions(area_px: float, name: str) -> None:
    assert size_name(area_px, 16) == name


def test_the_command_stores_masks_and_draws_a_preview(scene: Path, tmp_path: Path) -> None:
    options = "--sequence", "Train0", "--preview"
    run_scene("feature_extraction.make_pseudo_anomalies", scene, tmp_path, *options)
    artifacts = Artifacts(load_config(scene / "tiny.toml"), tmp_path, scene)
    made = artifacts.pseudo_anomalies("Train0").load()["made"]
    assert {one["kind"] for one in made} <= {"inpaint", "patch", "skip"}
    for one in made:
        shape = tuple(one["mask_shape"])
        mask = np.unpackbits(one["mask_bits"], count=int(np.prod(shape))).reshape(shape)
        assert shape == (16, 48, 64)
        assert mask.sum() / 16 == pytest.approx(one["area_px"])
    picture = artifacts.pseudo_anomalies("Train0").path.with_suffix(".png")
    with Image.open(picture) as opened:
        assert opened.size == (5 * 240, len(made) * 180)
    drawn = picture.read_bytes()
    picture.unlink()
    run_scene("feature_extraction.make_pseudo_anomalies", scene, tmp_path, *options)
    assert picture.read_bytes() == drawn  # their file is done, and the picture drawn again
