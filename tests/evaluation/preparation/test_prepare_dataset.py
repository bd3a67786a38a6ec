"""Official downloads, made small, come into the layout that the configs expect."""

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import official_downloads as official
import pytest
from repository import ROOT
from tiny_scene import one_line, run

from evaluation.preparation import LAYOUTS, sources
from evaluation.preparation.layout import Counts
from evaluation.preparation.scenes import find_configs
from evaluation.prepare_dataset import Prepared
from evaluation.prepare_dataset import run as prepare
from vadloc.annotations import find_reader
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.video.frames import (
    read_frames,
    read_picture,
)

CONFIGS = ROOT / "configs"
UCSD = "UCSD_Anomaly_Dataset.v1p2"


def counts(train: Counts, test: Counts) -> dict[str, Counts]:
    return {"Train": train, "Test": test}


def prepared(
    name: str, folder: Path, *paths: Path, expected: dict[str, Counts] | None = None
) -> Prepared:
    """Prepare a small download; without counts, it is a part of the dataset."""
    layout = LAYOUTS[name]
    if expected is not None:
        layout = replace(layout, counts=expected)
    return prepare(layout, paths, datasets=folder, configs=CONFIGS, subset=expected is None)


def test_ped2_from_the_official_archive(tmp_path: Path) -> None:
    files = official.ucsd()
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", files)
    expected = counts(Counts(2, (6,)), Counts(2, (6,)))
    result = prepared("ped2", tmp_path, archive, expected=expected)
    found = official.placed(tmp_path / "ped2")
    for name in ("Train/Train002/003.tif", "Test/Test001/002.tif", "Test/Test002_gt/003.bmp"):
        assert found[name] == files[f"{UCSD}/UCSDped2/{name}"]
    # 12 frames, 6 masks, 1 script, and what is made of them: rows of 2 sequences and the labels
    assert result.placed == 19
    assert len(found) == 19 + 3
    assert found["Test/Test001/Test001_gt.txt"] == b"002.tif 0 3.5 3.5 5 5\n003.tif 0 3.5 3.5 5 5\n"


def test_ped2_can_be_read_and_evaluated_where_its_config_says(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    prepared("ped2", tmp_path, archive)
    artifacts = Artifacts(load_config(CONFIGS / "ped2.toml"), tmp_path / "results", tmp_path)
    assert [s.name for s in artifacts.sequences("test")] == ["Test001", "Test002"]
    frames = list(read_frames(artifacts.sequence("test", "Test002")))
    assert [frame[0, 0] for frame in frames] == [31, 32, 33]
    size = {"frame_count": 3, "height_px": 8, "width_px": 8}
    for form in (artifacts.config.dataset.ground_truth_format, "masks", "frame_labels"):
        folder = artifacts.truth_folder(artifacts.ground_truths[0])
        truth = find_reader(form)(folder, "Test001", **size)
        assert truth.anomalous.tolist() == [False, True, True]


def test_published_rows_take_the_place_of_derived_ones_and_are_kept(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    rows = {"rows/Test001_gt.txt": b"003.tif 7 1 1 2 2\n"}
    prepared("ped2", tmp_path, archive)
    prepared("ped2", tmp_path, official.write_folder(tmp_path / "more", rows))
    prepared("ped2", tmp_path, archive)
    found = official.placed(tmp_path / "ped2")
    assert found["Test/Test001/Test001_gt.txt"] == rows["rows/Test001_gt.txt"]
    assert found["Test/Test002/Test002_gt.txt"].startswith(b"002.tif 0")


def test_the_bad_frame_of_ped1_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    expected = counts(Counts(1, (3,)), Counts(2, (8,)))
    result = prepared("ped1", tmp_path, archive, expected=expected)
    bad = tmp_path / "ped1/Test/Test017/142.tif"
    assert int(read_picture(bad, colour="grey")[0, 0]) == 141
    assert any("142.tif: unreadable in the official archive" in note for note in result.notes)
    with (tmp_path / "ped1/Test/frame_labels.csv").open() as file:
        assert list(csv.reader(file))[1:] == [["Test001", "2", "3"], ["Test017", "2", "3"]]


def test_a_sound_frame_of_that_name_is_left_alone(tmp_path: Path) -> None:
    files = official.ucsd()
    name = f"{UCSD}/UCSDped1/Test/Test017/142.tif"
    files[name] = official.picture("TIFF", shade=142)
    result = prepared("ped1", tmp_path, official.write_tar(tmp_path / "UCSD.tar", files))
    assert (tmp_path / "ped1/Test/Test017/142.tif").read_bytes() == files[name]
    assert not any("142.tif" in note for note in result.notes)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("[60:152]", ["T,60,152"]),
        ("[5:90, 140:200]", ["T,5,90", "T,140,200"]),
        ("[ 1 : 3 7 ]", ["T,1,3", "T,7,7"]),
        ("[]", ["T,,"]),
    ],
)
def test_lists_of_frames_in_the_labels_script(tmp_path: Path, text: str, rows: list[str]) -> None:
    from evaluation.preparation.ucsd import write_frame_labels

    official.write_folder(tmp_path, {"Test/T/001.tif": official.picture("TIFF")})
    (tmp_path / "Test/x.m").write_text(f"TestVideoFile{{end+1}}.gt_frame = {text};")
    assert len(list(write_frame_labels(tmp_path, "x.m"))) == 1
    assert (tmp_path / "Test/frame_labels.csv").read_text().splitlines()[1:] == rows


@pytest.mark.parametrize(
    "text", ["gt_frame = [a:b];", "no list", "gt_frame = [1:2]; gt_frame = [3];"]
)
def test_a_labels_script_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    from evaluation.preparation.ucsd import write_frame_labels

    official.write_folder(tmp_path, {"Test/T/001.tif": official.picture("TIFF")})
    (tmp_path / "Test/x.m").write_text(text)
    with pytest.raises(VadlocError, match=r"x\.m: .*expected"):
        list(write_frame_labels(tmp_path, "x.m"))


def test_avenue_from_both_archives(tmp_path: Path) -> None:
    videos, masks = official.avenue(tmp_path)
    archives = [
        official.write_zip(tmp_path / "Avenue_Dataset.zip", videos),
        official.write_zip(tmp_path / "ground_truth_demo.zip", masks),
    ]
    expected = counts(Counts(1, (2,)), Counts(1, (2,)))
    prepared("avenue", tmp_path, *archives, expected=expected)
    found = official.placed(tmp_path / "avenue")
    assert sorted(found) == ["Test/01.avi", "Train/01.avi", "ground_truth/1_label.mat"]
    config = load_config(CONFIGS / "avenue.toml")
    truth = find_reader(config.dataset.ground_truth_format)(
        tmp_path / str(config.dataset.ground_truth), "01", frame_count=2, height_px=8, width_px=8
    )
    assert truth.anomalous.tolist() == [False, True]


def test_the_length_of_videos_is_compared(tmp_path: Path) -> None:
    videos, _ = official.avenue(tmp_path)
    archive = official.write_zip(tmp_path / "Avenue_Dataset.zip", videos)
    expected = counts(Counts(1, (2,)), Counts(1, (3,)))
    with pytest.raises(VadlocError, match="Test has 2 frames, published are 3"):
        prepared("avenue", tmp_path, archive, expected=expected)


def test_street_scene(tmp_path: Path) -> None:
    files = official.street_scene()
    archive = official.write_zip(tmp_path / "StreetScene.zip", files)
    expected = counts(Counts(1, (2,)), Counts(1, (2,)))
    prepared("street_scene", tmp_path, archive, expected=expected)
    found = official.placed(tmp_path / "street_scene")
    assert found == {k.partition("/")[2]: v for k, v in files.items() if "README" not in k}
    truth = find_reader("street_scene")(
        tmp_path / "street_scene/Test", "Test001", frame_count=2, height_px=8, width_px=8
    )
    assert truth.box_xyxy_px.tolist() == [[1, 1, 6, 6]]


def test_shanghaitech_has_a_folder_and_a_config_for_each_scene(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "s.tar.gz", official.shanghaitech(tmp_path))
    rows = {f"annotations/{name}.txt": b"0,1,1,1,6,6\n" for name in ("01_0014", "02_0128")}
    more = official.write_folder(tmp_path / "AED", rows)
    expected = counts(Counts(3, (6,)), Counts(2, (4, 5)))
    result = prepared("shanghaitech", tmp_path, archive, more, expected=expected)
    folder = tmp_path / "shanghaitech"
    assert result.configs == [folder / s / f"shanghaitech_{s}.toml" for s in ("01", "02")]
    assert find_configs("shanghaitech", configs=CONFIGS, datasets=tmp_path) == result.configs
    second = load_config(result.configs[1])
    first = load_config(CONFIGS / "shanghaitech.toml")
    assert second.dataset.name == "shanghaitech_02"
    assert second.regions == first.regions
    artifacts = Artifacts(second, tmp_path / "results", tmp_path)
    assert [s.name for s in artifacts.sequences("train")] == ["02_001"]
    assert [s.name for s in artifacts.sequences("test")] == ["02_0128"]
    truths = [
        find_reader(form)(place, "02_0128", frame_count=2, height_px=8, width_px=8)
        for form, place in (
            ("shanghaitech", artifacts.truth_folder(artifacts.ground_truths[0])),
            ("frame_masks", folder / "02/pixel_masks"),
            ("frame_masks", folder / "02/frame_masks"),
        )
    ]
    assert all(truth.anomalous.tolist() == [False, True] for truth in truths)
    assert truths[0].box_xyxy_px.tolist() == truths[1].box_xyxy_px.tolist() == [[1, 1, 6, 6]]


def test_a_template_that_is_missing_is_noticed_first(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "s.tar.gz", official.shanghaitech(tmp_path))
    layout = LAYOUTS["shanghaitech"]
    with pytest.raises(UsageError, match=r"shanghaitech\.toml: no such config"):
        prepare(layout, [archive], datasets=tmp_path, configs=tmp_path, subset=True)
    (tmp_path / "shanghaitech.toml").write_text((CONFIGS / "ped2.toml").read_text())
    with pytest.raises(UsageError, match='"ped2", expected "shanghaitech_01"'):
        prepare(layout, [archive], datasets=tmp_path, configs=tmp_path, subset=True)
    assert not (tmp_path / "shanghaitech").exists()


def test_ubnormal_by_its_lists(tmp_path: Path) -> None:
    clips, lists = official.ubnormal(tmp_path)
    archive = official.write_zip(tmp_path / "UBnormal.zip", clips)
    more = official.write_folder(tmp_path / "repository", lists)
    expected = counts(Counts(1), Counts(1))
    result = prepared("ubnormal", tmp_path, archive, more, expected=expected)
    folder = tmp_path / "ubnormal/02"
    assert [p.name for p in (folder / "Train").iterdir()] == ["normal_scene_2_scenario_1.mp4"]
    assert [p.name for p in (folder / "Test").iterdir()] == ["abnormal_scene_2_scenario_2.mp4"]
    config = load_config(result.configs[0])
    truth = find_reader(config.dataset.ground_truth_format)(
        tmp_path / str(config.dataset.ground_truth),
        "abnormal_scene_2_scenario_2",
        frame_count=2,
        height_px=8,
        width_px=8,
    )
    assert truth.box_xyxy_px.tolist() == [[1, 1, 6, 6]]
    with pytest.raises(VadlocError, match=r"names\.txt is in no --source"):
        prepared("ubnormal", tmp_path, archive)


Write = Callable[[Path, official.Files], Path]


@pytest.mark.parametrize("write", [official.write_zip, official.write_tar, official.write_folder])
def test_all_kinds_of_sources_give_the_same(tmp_path: Path, write: Write) -> None:
    files = official.ucsd()
    source = write(tmp_path / "source", files)
    prepared("ped2", tmp_path / "here", source)
    reference = official.write_tar(tmp_path / "reference.tar.gz", files)
    prepared("ped2", tmp_path / "there", reference)
    assert official.placed(tmp_path / "here") == official.placed(tmp_path / "there")


def test_files_of_a_folder_are_linked_and_not_copied(tmp_path: Path) -> None:
    source = official.write_folder(tmp_path / "source", official.ucsd())
    prepared("ped2", tmp_path, source)
    frame = tmp_path / "ped2/Train/Train001/001.tif"
    assert frame.samefile(source / f"{UCSD}/UCSDped2/Train/Train001/001.tif")


def test_a_folder_that_is_in_the_layout_can_be_checked_and_relinked(tmp_path: Path) -> None:
    source = official.write_folder(tmp_path / "source", official.ucsd())
    prepared("ped2", tmp_path, source)
    again = prepared("ped2", tmp_path / "other", tmp_path / "ped2")
    assert again.placed == 12 + 6 + 1 + 2  # the derived rows are taken as they are
    expected = counts(Counts(2, (6,)), Counts(2, (6,)))
    assert prepared("ped2", tmp_path, expected=expected).placed == 0


def test_nothing_is_left_out_silently(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    longer = counts(Counts(2, (7,)), Counts(2, (6,)))
    with pytest.raises(VadlocError, match="Train has 6 frames, published are 7"):
        prepared("ped2", tmp_path, archive, expected=longer)
    more = counts(Counts(2, (6,)), Counts(3, (6,)))
    with pytest.raises(VadlocError, match="Test has 2 sequences, published are 3"):
        prepared("ped2", tmp_path, archive, expected=more)
    assert official.placed(tmp_path / "ped2") == {}  # noticed before anything was written


def test_a_source_of_something_else_is_refused(tmp_path: Path) -> None:
    other = official.write_folder(tmp_path / "holiday", {"beach.jpg": official.picture("JPEG")})
    with pytest.raises(VadlocError, match="nothing of UCSD Ped2 found"):
        prepared("ped2", tmp_path, other)
    with pytest.raises(UsageError, match=r"expected a folder, or a \.zip"):
        prepared("ped2", tmp_path, tmp_path / "holiday/beach.jpg")


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    first = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    second = Path(shutil.copy(first, tmp_path / "copy.tar.gz"))
    with pytest.raises(VadlocError, match=r"would both become Train/Train001/001\.tif"):
        prepared("ped2", tmp_path, first, second)


def test_a_run_that_was_stopped_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    write, left = sources._write, iter(range(7))

    def stopping(*args: object) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sources, "_write", stopping)
    with pytest.raises(KeyboardInterrupt):
        prepared("ped2", tmp_path, archive)
    monkeypatch.undo()
    before = {
        name: (tmp_path / "ped2" / name).stat().st_ino
        for name in official.placed(tmp_path / "ped2")
    }
    assert len(before) == 7
    assert prepared("ped2", tmp_path, archive).placed == 19 - 7
    assert all((tmp_path / "ped2" / name).stat().st_ino == i for name, i in before.items())
    prepared("ped2", tmp_path / "at once", archive)
    assert official.placed(tmp_path / "ped2") == official.placed(tmp_path / "at once/ped2")


def test_a_file_that_was_being_written_is_not_taken_for_complete(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    prepared("ped2", tmp_path, archive)
    frame = tmp_path / "ped2/Train/Train001/002.tif"
    whole = frame.read_bytes()
    frame.with_name(".002.tif.part").write_bytes(whole[:10])
    frame.unlink()
    assert prepared("ped2", tmp_path, archive).placed == 1
    assert frame.read_bytes() == whole
    assert list(frame.parent.glob(".*")) == []


def test_one_run_at_a_time(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "ped2").mkdir()
    with (tmp_path / "ped2/.prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VadlocError, match="another run"):
            prepared("ped2", tmp_path)


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(VadlocError, match="GiB free"):
        prepared("ped2", tmp_path, archive)
    assert official.placed(tmp_path / "ped2") == {}


def test_command(tmp_path: Path) -> None:
    archive = official.write_tar(tmp_path / "UCSD.tar.gz", official.ucsd())
    module, where = "evaluation.prepare_dataset", ("--datasets", tmp_path)
    line = one_line(run(module, "ped2", "--source", archive, *where), status=1)
    assert line.startswith("UCSD Ped2: Train has 2 sequences, published are 16; Test has 2")
    done = run(module, "ped2", "--source", archive, "--subset", *where)
    assert done.returncode == 0, done.stderr
    assert "Train: 2 sequences, 6 frames\nTest: 2 sequences, 6 frames\n" in done.stdout
    line = one_line(run(module, "ubnormal", "--download", *where), status=2)
    assert "no direct address" in line


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_readme_and_config_say_what_the_code_does(name: str) -> None:
    layout = LAYOUTS[name]
    readme = (ROOT / "datasets" / name / "README.md").read_text()
    assert re.search(r"^# " + name + ": " + re.escape(layout.title) + "$", readme, re.MULTILINE)
    for download in layout.downloads:
        assert download.address in readme
        assert download.md5
        assert download.md5 in readme
    numbers = {int(n.replace(",", "")) for n in re.findall(r"\b[0-9][0-9,]*\b", readme)}
    for expected in layout.counts.values():
        assert {expected.sequences, *expected.frames} - {6800, 7200} <= numbers
    config = load_config(CONFIGS / f"{name}.toml")
    assert config.dataset.name == (f"{name}_01" if layout.with_scenes else name)


def test_real_ped2_gives_the_rows_that_are_known(datasets: Path, tmp_path: Path) -> None:
    """Links to the frames and masks, without the rows: what is derived must be the rows."""
    source = tmp_path / "source"
    for path in (datasets / "ped2").rglob("*"):
        if path.is_file() and path.suffix in (".jpg", ".png"):
            target = source / path.relative_to(datasets / "ped2")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    result = prepare(LAYOUTS["ped2"], [source], datasets=tmp_path)
    assert result.placed == 2550 + 2 * 2010
    assert any("2410 regions and 21 tracks" in note for note in result.notes)
    for sequence in ("Test003", "Test008", "Test012"):
        size = {"frame_count": len(list((datasets / "ped2/Test" / sequence).glob("*.jpg")))}
        ours, known = (
            find_reader("street_scene")(
                root / "ped2/Test", sequence, **size, height_px=240, width_px=360
            )
            for root in (tmp_path, datasets)
        )
        assert tracks_as_boxes(ours) == tracks_as_boxes(known)


def tracks_as_boxes(truth: GroundTruth) -> set[frozenset[tuple[float, ...]]]:
    """The tracks, whatever their ids: each as its frames and boxes."""
    rows = np.column_stack([truth.frame, truth.box_xyxy_px])
    return {frozenset(map(tuple, rows[truth.track == t].tolist())) for t in truth.track_ids}
