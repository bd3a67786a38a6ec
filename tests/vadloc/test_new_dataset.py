"""A user's own video becomes a dataset: links, a config, and nothing where something is wrong."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from films import RATE, grey_frames, write_film
from numpy.typing import NDArray
from tiny_scene import save_frames, save_video

from vadloc import new_dataset
from vadloc.artifacts import Artifacts
from vadloc.camera_setup.given_video import find_given
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.video.frames import (
    Sequence,
    list_sequences,
    read_frames,
)

HEIGHT_PX, WIDTH_PX = 64, 96


def film(seed: int, *, frames: int = 40) -> NDArray[np.uint8]:
    """Three dark rectangles, 16 px high, that cross a bright textured ground."""
    random = np.random.default_rng(seed)
    pictures = np.repeat(random.integers(120, 140, (1, HEIGHT_PX, WIDTH_PX)), frames, axis=0)
    for number, picture in enumerate(pictures):
        for top in (4, 24, 44):
            left = 1 + (5 * number + 7 * top + 11 * seed) % (WIDTH_PX - 10)
            picture[top : top + 16, left : left + 8] = 20
    return pictures.astype(np.uint8)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with videos in a folder whose name has blanks and quotes."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / 'Hof "Süd", it\'s'
    for seed, name in enumerate(("monday.mkv", "tuesday.mkv")):
        save_video(folder / name, film(seed))
    return folder


def make(*words: object) -> None:
    """The command in this process alone: workers would keep the folder of another test."""
    new_dataset.main([*map(str, words), "--jobs", "1"])


def refused(caplog: pytest.LogCaptureFixture, *words: object) -> str:
    """The one error of the command."""
    caplog.clear()
    with pytest.raises(SystemExit):
        make("gate", *words)
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    return error


def test_two_videos_whose_path_has_blanks(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make("gate", "--train", place / "monday.mkv", "--test", place / "tuesday.mkv")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [
        "nothing wrong was found",
        "next: python -m vadloc.run --config configs/gate.toml",
    ]
    linked = Path("datasets/gate/Train/monday.mkv")
    assert linked.is_symlink()
    assert linked.readlink() == place / "monday.mkv"
    config = load_config(Path("configs/gate.toml"))
    assert config.dataset.frames_per_second == 10
    assert (config.regions.size_px, config.regions.stride_px) == (16, 8)
    artifacts = Artifacts(config)
    assert artifacts.region_proposal().is_file()
    assert len(list(read_frames(artifacts.sequence("test", "tuesday")))) == 40


def test_folders_of_frames_need_a_rate(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        save_frames(place / "frames" / f"clip{seed}", film(seed + 5))
    (place / "frames/clip0_gt").mkdir()
    words = ["yard", "--train", place / "frames", "--test", place / "monday.mkv"]
    make(*words)  # the video's rate
    assert len(list_sequences(Path("datasets/yard/Train"))) == 3
    words = ["hall", "--train", place / "frames/clip0", "--test", place / "frames/clip1"]
    with pytest.raises(SystemExit, match="2"):
        make(*words)
    assert not Path("configs/hall.toml").exists()
    make(*words, "--frames-per-second", 12.5)
    assert load_config(Path("configs/hall.toml")).dataset.frames_per_second == 12.5
    assert "nothing wrong was found" in capsys.readouterr().out


def test_one_video_alone_is_divided_if_that_is_asked_for(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert "--hold-back 0.2" in refused(caplog, "--train", place / "monday.mkv")
    make("solo", "--train", place / "monday.mkv", "--hold-back", 0.4)
    (train,), (test,) = (list_sequences(Path("datasets/solo") / s) for s in ("Train", "Test"))
    parts = [frame for part in (train, test) for frame in read_frames(part)]
    assert np.array_equal(parts, film(0))
    assert len(list(read_frames(test))) == 16  # there is a key frame every 12 frames


def test_frames_are_divided_by_links(place: Path) -> None:
    save_frames(place / "frames", film(0))
    words = ["--train", place / "frames", "--hold-back", 0.25, "--frames-per-second", 10]
    make("solo", *words)
    files = sorted(Path("datasets/solo").rglob("*.png"))
    assert all(file.is_symlink() for file in files)
    names = [file.parent.name + "/" + file.name for file in files]
    assert names[0], names[-1] == ("frames_beginning/001.png", "frames_end/040.png")
    assert sum(name.startswith("frames_end") for name in names) == 10


def test_of_several_videos_the_last_are_held_back(place: Path) -> None:
    make("pair", "--train", place, "--hold-back", 0.2)
    names = [[s.name for s in list_sequences(Path("datasets/pair") / s)] for s in ("Train", "Test")]
    assert names == [["monday"], ["tuesday"]]


def test_annotation_is_linked_and_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "frame_labels.csv").write_text("tuesday,3,9\n")
    words = ["--train", place / "monday.mkv", "--test", place / "tuesday.mkv"]
    truth = ["--ground-truth", place / "frame_labels.csv", "--format", "frame_labels"]
    make("gate", *words, *truth)
    assert Path("datasets/gate/ground_truth/frame_labels.csv").read_text() == "tuesday,3,9\n"
    (place / "frame_labels.csv").write_text("sunday,3,9\n")
    with pytest.raises(SystemExit, match="1"):
        make("gate2", *words, *truth)
    assert "next, when this is mended: python -m vadloc.run" in capsys.readouterr().out


def test_nothing_is_overwritten(place: Path) -> None:
    words = ["--train", place / "monday.mkv", "--test", place / "tuesday.mkv"]
    Path("configs").mkdir()
    Path("configs/gate.toml").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        make("gate", *words)
    assert Path("configs/gate.toml").read_text() == "mine"
    assert not Path("datasets").exists()
    Path("datasets").mkdir()
    Path("datasets/yard").symlink_to("nowhere")
    with pytest.raises(SystemExit, match="2"):
        make("yard", *words)
    assert not Path("configs/yard.toml").exists()


def test_a_failure_on_the_way_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", fail)
    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(SystemExit, match="1"):
        make("gate", "--train", place / "monday.mkv", "--test", place / "tuesday.mkv")
    assert [*Path("datasets").iterdir(), *Path().glob("configs/*")] == []


def test_hard_links_where_there_are_no_symbolic_ones(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "symlink", fail)
    save_frames(place / "frames", film(3))
    make("gate", "--train", place / "frames", "--test", place / "tuesday.mkv")
    for linked, source in (("Train/frames/001.png", "frames/001.png"), ("Test/tuesday.mkv",) * 2):
        file = Path("datasets/gate") / linked
        assert not file.is_symlink()
        assert file.samefile(place / source.removeprefix("Test/"))


def test_what_does_not_fit_together_is_refused(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monday, tuesday = place / "monday.mkv", place / "tuesday.mkv"
    save_video(place / "small.mkv", film(0)[:, :48])
    (place / "damaged.mkv").write_bytes(monday.read_bytes()[:100])
    (place / "notes.txt").write_text("text")
    (place / "webp").mkdir()
    (place / "webp/0.webp").touch()
    (place / f"{'x' * 170}.mkv").touch()
    cases = {
        "given for training and for test": ["--train", monday, "--test", monday],
        "given twice": ["--train", monday, monday, "--test", tuesday],
        "96 x 48 px, those of": ["--train", monday, "--test", place / "small.mkv"],
        "damaged.mkv: ": ["--train", place / "damaged.mkv", "--test", monday],
        "notes.txt: not a video": ["--train", place / "notes.txt", "--test", monday],
        "holds only 0.webp; a sequence is": ["--train", place / "webp", "--test", monday],
        "a name of 170 bytes": ["--train", place / f"{'x' * 170}.mkv", "--test", monday],
        "no such file or folder": ["--train", place / "nowhere", "--test", monday],
        "go together": ["--train", monday, "--test", tuesday, "--format", "json"],
    }
    for message, words in cases.items():
        assert message in refused(caplog, *words)
    assert not Path("datasets").exists()


def test_rates_that_differ_are_said(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    sequences = find_given([place], "--train").sequences
    assert new_dataset.frame_rate(sequences, None) == (10, "as the videos say")
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        assert new_dataset.frame_rate(sequences, 25) == (25, "as given")
    assert "2 of 2 videos have another rate than 25" in caplog.text


def test_the_rate_is_that_of_ordinary_steps(tmp_path: Path) -> None:
    ticks = [n for n in range(16) if n % 4]
    path = write_film(tmp_path / "holes.mp4", ticks=ticks, frames=grey_frames(ticks, 32, 48))
    rate, _ = new_dataset.frame_rate([Sequence("holes", path)], None)
    assert rate == RATE


def test_the_rate_of_pictures_is_one_that_videos_can_have(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as status:
        make(
            "gate", "--train", place / "frames", "--hold-back", "0.5", "--frames-per-second", "1e9"
        )
    assert status.value.code == 2
    assert "expected 0.001 to 1000 frames per second" in capsys.readouterr().err


def test_a_name_of_nothing_but_points(tmp_path: Path) -> None:
    (tmp_path / "....mp4").touch()
    assert [s.name for s in find_given([tmp_path / "....mp4"], "--test").sequences] == ["video"]


def test_videos_of_one_name_get_their_folders_names(tmp_path: Path) -> None:
    paths = [tmp_path / "a/x/cam.mp4", tmp_path / "b/x/cam.mp4", tmp_path / "b/x/other.mp4"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    names = [sequence.name for sequence in find_given(paths, "--train").sequences]
    assert names == ["a_x_cam", "b_x_cam", "other"]
    (tmp_path / "b/x/cam.avi").touch()
    with pytest.raises(UsageError, match=r"cam\.avi and cam\.mp4: two videos of one name"):
        find_given([tmp_path / "b/x"], "--train")


def test_what_is_not_taken_is_named(tmp_path: Path) -> None:
    for name in ("1.mp4", "2.mp4", "10.mp4", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).touch()
    given = find_given([tmp_path], "--train")
    assert [sequence.name for sequence in given.sequences] == ["1", "2", "10"]
    assert given.left == [f"{tmp_path}: not taken: notes.txt"]
    (tmp_path / "1.png").touch()
    with pytest.raises(UsageError, match=r"pictures \(1\) and videos \(3\)"):
        find_given([tmp_path], "--train")
