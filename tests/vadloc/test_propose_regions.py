"""The command that proposes regions: what it samples, says, draws and writes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from moving_rectangles import rectangles
from PIL import Image
from tiny_scene import CONFIG, make_scene, save_frames, save_video, shaken

from vadloc import propose_regions
from vadloc.camera_setup import frame_samples
from vadloc.camera_setup.frame_samples import (
    FRAMES,
    WINDOWS,
    sample_windows,
    window_places,
)
from vadloc.camera_setup.moving_objects import Proposal
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.video.frames import Sequence

PROPOSAL = Proposal(size_px=48, object_px=50.0, regions=9)


def test_windows_are_spread_over_all_video() -> None:
    """An hour in two files, of 600 s and 3000 s: a window in the middle of every tenth."""
    places = window_places([600.0, 3000.0])
    assert len(places) == WINDOWS
    times = [start_s + 600 * index for index, start_s in places]
    assert times == pytest.approx([180 + 360 * i for i in range(WINDOWS)], abs=20)
    assert window_places([12.0]) == [(0, 0.0)]
    assert window_places([12.0, 0.0, 50.0]) == [(0, 0.0), (2, 0.0), (2, 20.0)]


@pytest.mark.parametrize("form", ["video", "folder"])
def test_a_window_is_read_from_its_place(tmp_path: Path, form: str) -> None:
    """90 s at 10 frames per second; frame n has grey level n // 4, so that levels tell times."""
    shades = (np.arange(900) // 4)[:, None, None]
    film = np.broadcast_to(shades, (900, 8, 8)).astype(np.uint8)
    if form == "video":
        save_video(tmp_path / "a.mkv", film)
        sequence = Sequence("a", tmp_path / "a.mkv")
    else:
        save_frames(tmp_path / "a", film)
        sequence = Sequence("a", tmp_path / "a")
    windows = list(sample_windows([sequence], 10))
    assert len(windows) == 4
    for window, start_s in zip(windows, (0, 20, 40, 60), strict=True):
        assert len(window.frames) == FRAMES
        expected = (start_s + np.arange(FRAMES) * 20 / FRAMES) * 10 / 4
        assert window.frames[:, 0, 0] == pytest.approx(expected, abs=3.5)  # 12 to a key frame


def test_large_frames_are_reduced_and_blobs_are_in_pixels_of_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_samples, "LONGEST_SIDE_PX", 160)
    save_frames(tmp_path / "a", rectangles(48, frames=16, objects=3))
    findings = propose_regions.examine([Sequence("a", tmp_path / "a")], 1)
    assert findings.size_px == (180, 320)
    assert findings.example.shape == (90, 160)
    assert findings.proposal.object_px == pytest.approx(48, abs=5)


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", rectangles(20)[:5])
    save_frames(tmp_path / "b", rectangles(20)[:5, :100])
    sequences = [Sequence(name, tmp_path / name) for name in "ab"]
    with pytest.raises(VadlocError, match=r"320 x 100 px, those of .* have 320 x 180 px"):
        propose_regions.examine(sequences, 10)


def test_the_command_says_draws_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_scene(tmp_path) / "tiny.toml"
    options = [f"--config={config}", f"--datasets={tmp_path}", f"--results={tmp_path}/results"]
    propose_regions.main(options)
    assert config.read_text() == CONFIG
    picture = tmp_path / "results/tiny/proposed_regions.png"
    assert f"picture: {picture}" in capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.width == 800 + 280
    propose_regions.main([*options, "--write"])
    printed = capsys.readouterr().out
    regions = load_config(config).regions
    assert f"proposed: size_px = {regions.size_px}, stride_px = {regions.stride_px} " in printed
    assert "the config has: size_px = 16, stride_px = 8" in printed


def test_still_video_gets_a_default_and_a_warning(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", rectangles(20, objects=0, frames=10))
    findings = propose_regions.examine([Sequence("a", tmp_path / "a")], 10)
    text = "\n".join(propose_regions.describe(findings))
    assert "too few to tell: an eighth of the frame's shorter side" in text
    assert findings.proposal.size_px == 20
    propose_regions.draw(findings, tmp_path / "picture.png")


def test_speeds_and_stillness_are_told(tmp_path: Path) -> None:
    """240 frames at 12 frames/s fill a window, in which every tenth is sampled with the next."""
    film = rectangles(24, frames=240, objects=3, step_px=3, noise=1)
    save_frames(tmp_path / "a", film)
    findings = propose_regions.examine([Sequence("a", tmp_path / "a")], 12)
    known = findings.speeds_px_per_frame[~np.isnan(findings.speeds_px_per_frame)]
    assert len(findings.speeds_px_per_frame) == len(findings.objects)
    assert np.median(known) == pytest.approx(3, rel=0.2)
    assert findings.noise_px_per_frame < 0.2
    text = "\n".join(propose_regions.describe(findings))
    assert text.count(" px/frame\n") == 3
    assert "where nothing moves the flow is 0." in text
    assert "grows with the row" not in text


def test_speeds_are_in_pixels_of_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_samples, "LONGEST_SIDE_PX", 160)
    save_frames(tmp_path / "a", rectangles(48, frames=240, objects=2, step_px=4, noise=1))
    findings = propose_regions.examine([Sequence("a", tmp_path / "a")], 12)
    assert np.nanmedian(findings.speeds_px_per_frame) == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("form", ["video", "folder"])
def test_frames_come_with_the_next_ones(tmp_path: Path, form: str) -> None:
    """Frame n has grey level 2 n; the last frame has no next one."""
    film = np.broadcast_to(2 * np.arange(100)[:, None, None], (100, 8, 8)).astype(np.uint8)
    if form == "video":
        save_video(tmp_path / "a.mkv", film)
        sequence = Sequence("a", tmp_path / "a.mkv")
    else:
        save_frames(tmp_path / "a", film)
        sequence = Sequence("a", tmp_path / "a")
    (window,) = sample_windows([sequence], 10)
    assert len(window.frames) == len(window.following) == FRAMES
    assert np.unique(window.following[:, 0, 0] - window.frames[:, 0, 0]).tolist() == [2]
    (tmp_path / "b").mkdir()
    save_frames(tmp_path / "b" / "c", film[:5])
    (short,) = sample_windows([Sequence("c", tmp_path / "b" / "c")], 10)
    assert (len(short.frames), len(short.following)) == (5, 4)


def test_shifts_are_undone_only_if_wanted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (15, 20)).astype(np.uint8)
    film = shaken(np.stack([picture.repeat(8, axis=0).repeat(8, axis=1)] * 12))
    save_frames(tmp_path / "a", film)
    (as_seen,) = sample_windows([Sequence("a", tmp_path / "a")], 10, undo_shake=False)
    np.testing.assert_array_equal(as_seen.frames, film)
    (undone,) = sample_windows([Sequence("a", tmp_path / "a")], 10)
    inner = np.s_[:, 8:-8, 8:-8]
    assert np.ptp(undone.frames[inner], axis=0).mean() < np.ptp(film[inner], axis=0).mean() / 2


def test_only_the_two_numbers_change() -> None:
    before = (
        "size_px = 1\r\n[dataset]\nsize_px = 2  # other\n[regions]\n"
        "size_px = 3_2\t# about one person\n  stride_px=16 # half\nframe_stride = 5\n[x]\n"
        "size_px = 4"
    )
    after = before.replace("3_2", "48").replace("=16", "=24")
    assert propose_regions.with_regions(before, PROPOSAL) == after


@pytest.mark.parametrize(
    "regions", ["regions = {size_px = 32, stride_px = 16}", "regions.size_px = 32"]
)
def test_a_config_in_another_style_is_left_alone(tmp_path: Path, regions: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(regions)
    with pytest.raises(UsageError, match=r"write size_px = 48 and stride_px = 24 by hand"):
        propose_regions.write_regions(path, PROPOSAL)
    assert path.read_text() == regions


def test_what_keeps_regions_large_is_said(tmp_path: Path) -> None:
    save_frames(tmp_path / "a", rectangles(20, frames=10))
    findings = propose_regions.examine([Sequence("a", tmp_path / "a")], 10)
    limited = replace(findings, proposal=replace(findings.proposal, limit="too many"))
    assert "too many" in propose_regions.describe(limited)
