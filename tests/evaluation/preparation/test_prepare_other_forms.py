"""Downloads in another form than the official one: videos for frames, and what is not used."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import official_downloads as official
import pytest
from repository import ROOT
from tiny_scene import save_video

from evaluation.preparation import LAYOUTS
from evaluation.preparation.layout import Counts
from evaluation.prepare_dataset import Prepared
from evaluation.prepare_dataset import run as prepare
from vadloc.annotations import find_reader
from vadloc.errors import VadlocError
from vadloc.video.frames import list_sequences

CONFIGS = ROOT / "configs"
SIZE = {"frame_count": 3, "height_px": 8, "width_px": 8}


def clip(folder: Path) -> bytes:
    """A video of three frames of 8 x 8 px."""
    save_video(folder / "clip.avi", np.full((3, 8, 8), 90, np.uint8), codec="ffv1")
    return (folder / "clip.avi").read_bytes()


def prepared(name: str, folder: Path, *sources: Path) -> Prepared:
    return prepare(LAYOUTS[name], sources, datasets=folder, configs=CONFIGS, subset=True)


def test_ped1_as_clips_is_counted_and_its_labels_are_made(tmp_path: Path) -> None:
    video = clip(tmp_path)
    files = {f"UCSDped1/{s}/{s}{n:03d}.avi": video for s in ("Train", "Test") for n in (1, 2)}
    files["UCSDped1/Test/UCSDped1.m"] = b"gt_frame = [2:3];\ngt_frame = [1:2];"
    files["UCSDped1/Train/notes.txt"] = b"text"
    source = official.write_folder(tmp_path / "source", files)
    layout = replace(LAYOUTS["ped1"], counts={s: Counts(2, (6,)) for s in ("Train", "Test")})
    result = prepare(layout, [source], datasets=tmp_path, configs=CONFIGS)
    assert [s.name for s in list_sequences(tmp_path / "ped1/Test")] == ["Test001", "Test002"]
    assert "not used of the sources: 1 .txt (such as UCSDped1/Train/notes.txt)" in result.notes
    truth = find_reader("frame_labels")(tmp_path / "ped1/Test", "Test002", **SIZE)
    assert truth.anomalous.tolist() == [True, True, False]


def test_rows_of_videos_lie_beside_them(tmp_path: Path) -> None:
    """In a folder of the sequence's name they would be a second sequence, without frames."""
    masks = {
        f"Test/Test001_gt/{n:03d}.bmp": official.picture("BMP", pixels=official.MASK)
        for n in (1, 2, 3)
    }
    files = {f"Test/Test00{n}.avi": clip(tmp_path) for n in (1, 2)} | masks
    prepared("ped2", tmp_path, official.write_folder(tmp_path / "source", files))
    rows = {"rows/Test002_gt.txt": b"003.tif 7 1 1 2 2\n"}
    prepared("ped2", tmp_path, official.write_folder(tmp_path / "more", rows))
    assert len(list_sequences(tmp_path / "ped2/Test")) == 2
    anomalous = [
        find_reader("street_scene")(tmp_path / "ped2/Test", name, **SIZE).anomalous.tolist()
        for name in ("Test001", "Test002")
    ]
    assert anomalous == [[True, True, True], [False, False, True]]


@pytest.mark.parametrize(
    ("name", "given", "placed"),
    [
        ("street_scene", "StreetScene/Train/Train001.avi", "Train/Train001.avi"),
        ("shanghaitech", "shanghaitech/testing/videos/01_0014.avi", "01/Test/01_0014.avi"),
        ("avenue", "Avenue Dataset/training_videos/01/0001.jpg", "Train/01/0001.jpg"),
        ("avenue", "Avenue Dataset/testing_videos/21.mkv", "Test/21.mkv"),
    ],
)
def test_frames_and_videos_stand_for_each_other(
    tmp_path: Path, name: str, given: str, placed: str
) -> None:
    source = official.write_folder(tmp_path / "source", {given: b"content"})
    prepared(name, tmp_path, source)
    assert (tmp_path / name / placed).read_bytes() == b"content"


def test_what_is_missing_is_said_with_what_was_passed_over(tmp_path: Path) -> None:
    files = {f"Train/Train{n:03d}.xyz": b"" for n in range(1, 35)} | {"Train/a/b.mp3": b""}
    source = official.write_folder(tmp_path / "source", files)
    with pytest.raises(VadlocError, match=r"nothing of UCSD Ped1 .* only 34 \.xyz .*, 1 \.mp3"):
        prepare(LAYOUTS["ped1"], [source], datasets=tmp_path, configs=CONFIGS)
    (source / "Train/Train040.avi").write_bytes(clip(tmp_path))
    with pytest.raises(VadlocError, match=r"has 1 sequence, .* not used of the sources: 34 \.xyz"):
        prepare(LAYOUTS["ped1"], [source], datasets=tmp_path, configs=CONFIGS)


def test_a_sequence_in_two_forms_is_refused_before_anything_is_placed(tmp_path: Path) -> None:
    files = {"Train/Train001/001.tif": b"", "Train/Train001.avi": b""}
    source = official.write_folder(tmp_path / "source", files)
    with pytest.raises(VadlocError, match=r"Train001 and .*Train001\.avi would be one sequence"):
        prepared("ped1", tmp_path, source)
    assert not (tmp_path / "ped1/Train").exists()
