"""Which files make sequences and frames; what is doubtful or not read is named."""

import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_scene import (
    copy_scene,
    film,
    make_scene,
    one_line,
    run,
    run_scene,
    save_frames,
    scene_options,
)

from vadloc.artifacts import Artifacts
from vadloc.checks.space import check_space
from vadloc.checks.unread import unread_files
from vadloc.config import load_config
from vadloc.errors import VadlocError
from vadloc.video.frames import (
    list_frame_files,
    list_sequences,
    natural_key,
)
from vadloc.video.numbering import naming_findings


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scene(tmp_path_factory.mktemp("scene"))


def touch(folder: Path, *names: str) -> Path:
    """Empty files; a name that ends in a slash is a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(b"")
    return folder


def frames_refusal(folder: Path) -> str:
    with pytest.raises(VadlocError) as caught:
        list_frame_files(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_a_picture_without_a_number_among_numbered_ones_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "001.png", "002.png", "background.png")
    message = frames_refusal(tmp_path)
    assert "background.png without a number among 2 frames with one, such as 001.png" in message


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        (("001.png", "001.jpg"), "001.jpg and 001.png have the same number"),
        (("1.png", "001.png"), "001.png and 1.png have the same number"),
        (("frame_2.bmp", "frame_02.TIF"), "frame_02.TIF and frame_2.bmp have the same number"),
        (("a.jpg", "a.png"), "a.jpg and a.png have the same number"),
    ],
)
def test_the_same_number_twice_is_refused(
    tmp_path: Path, twice: tuple[str, str], said: str
) -> None:
    touch(tmp_path, *twice)
    assert said in frames_refusal(tmp_path)


def test_many_numbers_twice_are_one_line(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{n:03d}{suffix}" for n in range(1, 41) for suffix in (".jpg", ".png")))
    assert "001.jpg and 001.png have the same number (and so 39 more)" in frames_refusal(tmp_path)


def test_what_systems_leave_behind_is_no_frame(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "._1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/")
    assert [file.name for file in list_frame_files(tmp_path)] == ["1.png"]


def test_a_folder_without_frames_says_what_it_holds(tmp_path: Path) -> None:
    assert "it is empty" in frames_refusal(touch(tmp_path, "a/") / "a")
    touch(tmp_path, "b/clip.mp4", "b/frames/001.png")
    assert "there is only clip.mp4, frames/; expected pictures (.bmp " in frames_refusal(
        tmp_path / "b"
    )


ARABIC = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
WITHOUT_FINDINGS = {
    "UCSD": [f"{n:03d}.tif" for n in range(1, 181)],
    "words before": [f"frame{n:03d}.png" for n in range(30)],
    "words behind": [f"frame_{n}_left.png" for n in range(30)],
    "a constant number last": [f"{n:05d}_cam2.jpg" for n in range(30)],
    "copies": [f"img ({n}).png" for n in range(30)],
    "dates and times": [f"2024-01-02_10-{n // 60:02d}-{n % 60:02d}.jpg" for n in range(200)],
    "a frame and a time of exposure": [f"f{n:04d}_{1700000000 + 33 * n}.jpg" for n in range(30)],
    "milliseconds": [f"{t // 1000}.{t % 1000:03d}.png" for t in range(0, 9000, 40)],
    "arabic digits": [f"{n}.png".translate(ARABIC) for n in range(1, 30)],
    "scene and frame": [f"1.{n}.png" for n in range(1, 30)],
    "halves of a second": [f"{n / 2}.png" for n in range(30)],
    "no numbers": ["front.png", "middle.png", "rear.png"],
    "one": ["7.png"],
}


@pytest.mark.parametrize("kind", WITHOUT_FINDINGS)
def test_good_names_give_no_finding(tmp_path: Path, kind: str) -> None:
    names = WITHOUT_FINDINGS[kind]
    touch(tmp_path, *names)
    found = [file.name for file in list_frame_files(tmp_path)]
    assert found == names
    assert list(naming_findings(found)) == []


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=20, unique=True),
    st.sampled_from(["{}", "frame{:03d}", "{:05d}_left", "cam2_{}", "a({})", "2024-01-02_{}_x9"]),
)
def test_gaps_are_found_wherever_the_number_is(numbers: list[int], form: str) -> None:
    numbers = sorted(numbers)
    names = sorted((form.format(n) + ".png" for n in numbers), key=natural_key)
    gaps = [(a, b) for a, b in pairwise(numbers) if b > a + 1]
    said = list(naming_findings(names))
    assert len(said) == bool(gaps)
    if gaps:
        assert f"jumps from {gaps[0][0]} to {gaps[0][1]} ({len(gaps)} jumps)" in said[0]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (["bg2.png"], "bg2.png: named otherwise than the other 20 pictures, such as 001.png"),
        (["001 (copy).png"], "001 (copy).png: named otherwise"),
        ([f"{n:03d}_mask.png" for n in range(1, 21)], "001_mask.png, 002_mask.png, 003_mask.png"),
    ],
)
def test_pictures_named_otherwise_are_findings(odd: list[str], said: str) -> None:
    names = sorted([*(f"{n:03d}.png" for n in range(1, 21)), *odd], key=natural_key)
    [finding] = naming_findings(names)
    assert finding.startswith(said)


def test_times_whose_fractions_are_not_padded_are_findings() -> None:
    names = sorted((f"cam_{7 + n / 16}.png" for n in range(30)), key=natural_key)
    [finding] = naming_findings(names)
    assert finding.startswith("cam_7.5.png is taken to be before cam_7.25.png, since")


def test_times_that_count_as_one_number_are_no_copies(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{7 + n / 16}.png" for n in range(30)))
    said = frames_refusal(tmp_path)
    assert said.endswith("if these are times, give their fractions equally many digits")


def test_names_too_long_for_results_are_refused(tmp_path: Path) -> None:
    (tmp_path / f"{'x' * 160}.mp4").touch()
    assert len(list_sequences(tmp_path)) == 1
    (tmp_path / f"{'ü' * 81}.mp4").touch()
    with pytest.raises(VadlocError, match="a name of 162 bytes; results are named after it"):
        list_sequences(tmp_path)


def test_a_file_in_the_place_of_a_split_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "Train").touch()
    with pytest.raises(VadlocError, match="Train: a file, no folder; it should hold"):
        list_sequences(tmp_path / "Train")


def test_a_folder_without_sequences_says_what_it_holds(tmp_path: Path) -> None:
    def refusal() -> str:
        with pytest.raises(VadlocError, match="no sequence in it") as caught:
            list_sequences(tmp_path)
        return str(caught.value)

    assert "it is empty; a sequence is a folder of pictures (.bmp" in refusal()
    touch(tmp_path, "t1.xyz", "t1_gt/")
    assert "there is only t1.xyz, t1_gt; a sequence is" in refusal()
    touch(tmp_path, "001.png", "002.png")
    assert "put those of each sequence into a folder of their own" in refusal()


def test_names_that_only_look_different_to_computers_are_refused(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Tür 1") for form in ("NFC", "NFD"))
    touch(tmp_path, f"{composed}/", f"{decomposed}.mp4")
    with pytest.raises(VadlocError, match="give one sequence name") as caught:
        list_sequences(tmp_path)
    assert r"'T\xfcr 1'" in str(caught.value)


def test_names_with_blanks(tmp_path: Path) -> None:
    touch(tmp_path, "clip 2.mp4", "clip 10.mp4", "clip 1/")
    assert [s.name for s in list_sequences(tmp_path)] == ["clip 1", "clip 2", "clip 10"]


def test_annotation_and_descriptions_are_passed_over(tmp_path: Path) -> None:
    """What UCSD, Street Scene, Avenue, ShanghaiTech and our own formats have beside sequences."""
    touch(tmp_path, "Test001/001.tif", "Test001/Test001_gt.txt", "Test001_gt/001.bmp", "a.avi")
    touch(tmp_path, "UCSDped2.m", "a.mat", "a.npy", "a_gt.json", "README", "LICENSE", "SOURCE.md")
    touch(tmp_path, ".DS_Store", "._a.avi", "Thumbs.db", "Test001/Thumbs.db", "Test001/.x/")
    assert unread_files(tmp_path, list_sequences(tmp_path)) == []


def test_everything_else_that_is_not_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "t/001.png", "t/old/001.png", "t/002.gif", "t/t.mp4", "t/notes.txt")
    touch(tmp_path, "b.xyz", "001.png", "nobody_gt/001.png", "film")
    unread = ["001.png", "b.xyz", "film", "nobody_gt", "t/002.gif", "t/old", "t/t.mp4"]
    assert unread_files(tmp_path, list_sequences(tmp_path)) == unread


def test_every_command_names_what_is_not_read_once(scene: Path, tmp_path: Path) -> None:
    here = copy_scene(scene, tmp_path / "scene")
    touch(here / "Test", "t2.xyz")
    line = f"{here / 'Test'}: t2.xyz is not read; a sequence is a folder of pictures (.bmp "
    options = scene_options(here, tmp_path / "results")
    done = run("vadloc.run", *options, "--jobs", 2)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(line) == 1
    assert done.stderr.count("false alarms per hour are less than one") == 1
    for module in ("anomaly_detection.score_anomalies", "anomaly_detection.write_report"):
        assert run(module, *options).stderr.count(line) == 1
    assert line in run("vadloc.doctor", *options).stdout
    assert "not read" not in run("exemplar_selection.select_exemplars", *options).stderr


def test_doctor_finds_frames_that_cannot_be_extracted(scene: Path, tmp_path: Path) -> None:
    small = tmp_path / "scene"
    for split in ("Train", "Test"):
        save_frames(small / split / "a", film(seed=len(split))[:, :6, :6])
    (small / "tiny.toml").write_text((scene / "tiny.toml").read_text().replace("ground", "# "))
    done = run("vadloc.doctor", *scene_options(small, tmp_path / "results"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    fails = "a: extraction fails on its first frames: a: frames of 6 x 6 px, but optical flow"
    assert done.stdout.count(fails) == 2


def test_doctor_says_once_that_both_splits_are_one_folder(scene: Path, tmp_path: Path) -> None:
    here = copy_scene(scene, tmp_path / "scene")
    config = here / "tiny.toml"
    text = config.read_text().replace('train = "Train"', 'train = "Test"')
    config.write_text(text)
    done = run("vadloc.doctor", *scene_options(here, tmp_path / "results"))
    assert done.returncode == 1
    assert done.stdout.count("both train and test of the config") == 1
    assert "also frames of training" not in done.stdout


def test_a_sequence_of_one_frame_is_refused_in_words(scene: Path, tmp_path: Path) -> None:
    here = copy_scene(scene, tmp_path / "scene")
    save_frames(here / "Train" / "one", np.zeros((1, 48, 64), np.uint8))
    words = "feature_extraction.extract_features", *scene_options(here, tmp_path / "results")
    line = one_line(run(*words, "--split", "train", "--sequence", "one"), status=1)
    assert "one: 1 frame, but a video volume has 4" in line


def test_an_empty_folder_stops_before_work(scene: Path, tmp_path: Path) -> None:
    here = copy_scene(scene, tmp_path / "scene")
    (here / "Train" / "empty").mkdir()
    line = one_line(run("vadloc.run", *scene_options(here, tmp_path / "results")), status=1)
    assert "Train/empty: a sequence without frames; it is empty" in line
    assert "not read" not in run_scene("vadloc.doctor", scene, tmp_path / "other")


def test_doctor_finds_a_file_in_the_place_of_the_results(scene: Path, tmp_path: Path) -> None:
    here = copy_scene(scene, tmp_path / "scene")
    (here / "file").touch()
    artifacts = Artifacts(load_config(here / "tiny.toml"), here / "file", here)
    assert next(check_space(artifacts, [])).endswith(
        "file: a file where results need a folder; --results DIR names another folder"
    )
