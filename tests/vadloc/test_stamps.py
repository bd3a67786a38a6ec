"""What makes results stale and what does not: the content of frames and annotation, and names.

The files of results are empty here: only their stamps are looked at.
"""

import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_helpers import MAKERS, SIZE, sequence_of

from anomaly_detection import score_anomalies
from feature_extraction import extract_features
from vadloc.annotations import READERS
from vadloc.annotations.places import annotation_files
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError, VadlocError
from vadloc.files import digests
from vadloc.files.storage import (
    read_json,
    write_json,
)
from vadloc.stage import RunOptions, run_units
from vadloc.versions import EXTRACTORS

STAGES = ("features", "exemplars", "scores", "explanations", "evaluation", "report")


def artifacts_of(scene: Path, results: Path) -> Artifacts:
    return Artifacts(load_config(scene / "tiny.toml"), results, scene)


def files(artifacts: Artifacts) -> Iterator[Artifact]:
    """A file of each stage and unit, in the order of the data."""
    train, test = ([s.name for s in artifacts.sequences(split)] for split in ("train", "test"))
    yield from (artifacts.features("momentum", "train", name) for name in train)
    yield from (artifacts.features("momentum", "test", name) for name in test)
    yield from (artifacts.exemplars(name) for name in train)
    yield artifacts.merged()
    yield from (artifacts.score_details(name) for name in test)
    yield from (artifacts.explanations(name) for name in test)
    yield artifacts.evaluation("summary.json")
    yield artifacts.report_files()


def make_all(scene: Path, results: Path) -> None:
    for file in files(artifacts_of(scene, results)):
        file.save({})


def stale(scene: Path, results: Path) -> set[str]:
    """What another process finds to be made from something else: ``features/Test0`` and so on."""
    found = [(file, file.state()[0]) for file in files(artifacts_of(scene, results))]
    assert {state for _, state in found} <= {"done", "stale"}
    names = [(f.path.relative_to(results / "tiny").parts[0], f.path.stem, s) for f, s in found]
    return {f"{stage}/{unit}" for stage, unit, state in names if state == "stale"}


@pytest.fixture
def old(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the scene that a test may spoil, and that counts as written long ago."""
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**9))
    return shutil.copytree(scene, tmp_path / "scene")


@pytest.fixture
def results(old: Path, tmp_path: Path) -> Path:
    """Its results, all done."""
    make_all(old, tmp_path / "results")
    assert stale(old, tmp_path / "results") == set()
    return tmp_path / "results"


def test_features_of_an_earlier_revision_of_their_extractor_are_stale(
    old: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(EXTRACTORS["momentum"], revision=2)
    monkeypatch.setitem(EXTRACTORS, "momentum", entry)
    found = stale(old, results)
    assert {"features/Train0", "features/Test0", "scores/Test0"} <= found


def test_the_content_of_a_diffusion_model_counts_and_not_its_place(
    old: Path, tmp_path: Path
) -> None:
    config = old / "tiny.toml"
    plain = config.read_text()

    def stamps(folder: Path) -> list[str]:
        keys = f'inpainter = "diffusion"\ndiffusion_folder = "{folder}"\n'
        tables = f"[pseudo_anomalies]\n{keys}[detectors.pseudo_anomalies]\n{keys}"
        config.write_text(plain + tables)
        networks = Artifacts(load_config(config), tmp_path / "none", old, "pseudo_anomalies")
        files = networks.pseudo_anomalies("Train0"), networks.model(), networks.scores("Test0")
        return [file.stamp for file in files]

    (tmp_path / "first" / "unet").mkdir(parents=True)
    weights = tmp_path / "first" / "unet" / "model.safetensors"
    weights.write_bytes(b"weights")
    found = stamps(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    assert stamps(tmp_path / "second") == found
    weights.write_bytes(b"other weights")
    assert all(a != b for a, b in zip(stamps(tmp_path / "first"), found, strict=True))
    with pytest.raises(UsageError, match="nowhere': no such folder"):
        stamps(tmp_path / "nowhere")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose bytes are read for stamps."""
    names: list[str] = []
    plain = digests.file_digest

    def noted(path: Path) -> str:
        names.append(path.name)
        return plain(path)

    monkeypatch.setattr(digests, "file_digest", noted)
    return names


def overwrite_with_noise(path: Path) -> None:
    """Other bytes, and as many."""
    size = path.stat().st_size
    path.write_bytes(np.random.default_rng(1).bytes(size))


@pytest.mark.parametrize("split", ["Train", "Test"])
def test_noise_of_the_same_sizes_is_stale(old: Path, results: Path, split: str) -> None:
    for frame in [*(old / split).glob("*/*.png"), *(old / split).glob("*.mkv")]:
        overwrite_with_noise(frame)
    found = stale(old, results)
    names = {"Train": {"Train0", "Train1", "Train2"}, "Test": {"Test0", "Test1"}}[split]
    assert {name for name in found if name.startswith("features/")} == {
        f"features/{name}" for name in names
    }
    later = {"scores/Test0", "scores/Test1", "explanations/Test0", "evaluation/summary"}
    assert later | {"report/files"} <= found
    assert ("exemplars/merged" in found) == (split == "Train")


def test_one_other_frame_is_its_sequence_alone(old: Path, results: Path) -> None:
    overwrite_with_noise(old / "Test" / "Test1" / "007.png")
    features = {name for name in stale(old, results) if name.startswith("features/")}
    assert features == {"features/Test1"}


def test_an_annotation_moved_by_a_digit_is_stale(old: Path, results: Path) -> None:
    rows = old / "Test" / "Test0" / "Test0_gt.txt"
    text = rows.read_text()
    rows.write_text(text.replace(" 15 ", " 16 ", 1))
    assert rows.stat().st_size == len(text)
    assert stale(old, results) == {"evaluation/summary", "report/files"}


@pytest.mark.parametrize(
    "stray",
    ["Test/.DS_Store", "Test/Test0/.DS_Store", "Test/Thumbs.db", "Test/notes.txt",
     "Test/Test0/._001.png", "Test/Test0/readme.txt", "Test/Other_gt.txt"],
)  # fmt: skip
def test_files_that_are_not_read_do_not_count(old: Path, results: Path, stray: str) -> None:
    (old / stray).write_bytes(b"left behind")
    assert stale(old, results) == set()


def test_a_renamed_frame_is_stale(old: Path, results: Path) -> None:
    (old / "Test" / "Test1" / "024.png").rename(old / "Test" / "Test1" / "025.png")
    assert "features/Test1" in stale(old, results)
    (old / "Test" / "Test1" / "025.png").rename(old / "Test" / "Test1" / "024.png")
    assert stale(old, results) == set()


def test_two_frames_that_change_places_are_stale(old: Path, results: Path) -> None:
    one, two, aside = (old / "Test" / "Test1" / f"{n}.png" for n in ("001", "002", "aside"))
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    assert "features/Test1" in stale(old, results)


def test_a_copy_of_the_dataset_asks_for_nothing(
    old: Path, results: Path, tmp_path: Path, read: list[str]
) -> None:
    shutil.copytree(old, tmp_path / "copy", copy_function=shutil.copyfile)  # new times
    assert stale(tmp_path / "copy", results) == set()
    assert len(read) == 2 * 24 + 1 + 2 * 24 + 2  # frames, a video, frames, annotation
    read.clear()
    assert stale(tmp_path / "copy", results) == set()
    assert read == [], "the copy's times are known by now"


def test_touched_files_are_read_again_and_found_the_same(
    old: Path, results: Path, read: list[str]
) -> None:
    assert stale(old, results) == set()
    assert read == []
    for name in ("003.png", "Test0_gt.txt"):
        (old / "Test" / "Test0" / name).touch()
    for _ in range(2):
        assert stale(old, results) == set()
        assert sorted(read) == ["003.png", "Test0_gt.txt"], "once"


def test_files_that_were_just_written_are_not_trusted(
    old: Path, results: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writes within one step of the clock of files would have one time."""
    monkeypatch.setattr(digests, "SETTLED_NS", 60 * 10**9)
    (old / "Test" / "Test0" / "003.png").touch()
    for count in (1, 2):
        assert stale(old, results) == set()
        assert read == count * ["003.png"]
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**9))
    for _ in range(2):
        assert stale(old, results) == set()
        assert read == 3 * ["003.png"], "now it is recorded"


def test_noise_of_the_same_size_and_time_is_stale(old: Path, results: Path) -> None:
    """As where an archive with one time for all files is unpacked over another."""
    frame = old / "Test" / "Test0" / "003.png"
    before = frame.stat()
    overwrite_with_noise(frame)
    os.utime(frame, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "features/Test0" in stale(old, results)


def test_what_is_missing_is_listed_without_reading_anything(
    old: Path, tmp_path: Path, read: list[str]
) -> None:
    fresh = artifacts_of(old, tmp_path / "none")
    assert {file.state()[0] for file in files(fresh)} == {"missing"}
    assert not any(
        file.is_done(overwrite=overwrite) for file in files(fresh) for overwrite in (0, 1)
    )
    assert read == []
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("state", ["fresh", "half done"])
def test_missing_weights_are_named_before_any_work(
    old: Path, results: Path, tmp_path: Path, state: str
) -> None:
    lines = (old / "tiny.toml").read_text() + "[features.motion]\nweights = 'none.safetensors'\n"
    (old / "tiny.toml").write_text(lines)
    results = results if state == "half done" else tmp_path / "none"
    artifacts = Artifacts(load_config(old / "tiny.toml"), results, old, version="motion")
    with pytest.raises(UsageError, match=r"none\.safetensors does not exist"):
        run_units(extract_features.stage("train"), artifacts, ["Train0"], RunOptions())
    with pytest.raises(UsageError, match=r"none\.safetensors does not exist"):
        run_units(score_anomalies.STAGE, artifacts, ["Test0"], RunOptions())


def damage(record: Path) -> None:
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 1
    record.write_bytes(content)


def swap_digests(record: Path) -> None:
    """A record that somebody else wrote."""
    entries = read_json(record)["digests"]
    wrong = {name: [entry] for name, entry in entries.items()}
    write_json(record, {"digests": wrong}, stamp="0000000000000001")


def of_another_release(record: Path) -> None:
    entries = read_json(record)["digests"]
    write_json(record, {"digests": dict.fromkeys(entries, "1 2 3")}, stamp="f" * 16)


def into_a_folder(record: Path) -> None:
    record.unlink()
    record.mkdir()


SPOILERS = [damage, swap_digests, of_another_release, into_a_folder, Path.unlink,
            lambda r: r.write_bytes(b""), lambda r: r.write_text("[]"),
            lambda r: write_json(r, {"digests": [1]}, stamp="0000000000000001")]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_record_is_only_a_cache(
    old: Path, results: Path, read: list[str], spoil: Callable[[Path], object]
) -> None:
    records = sorted((results / "tiny" / "inputs").rglob("*.json"))
    assert len(records) == 3 + 2 + 1
    for record in records:
        spoil(record)
    assert stale(old, results) == set()
    assert len(read) == 4 * 24 + 1 + 2
    overwrite_with_noise(old / "Test" / "Test1" / "001.png")
    assert "features/Test1" in stale(old, results)


def test_results_that_cannot_be_written_to_are_looked_at(
    old: Path, results: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may write anywhere, so that the disk says no itself."""
    shutil.rmtree(results / "tiny" / "inputs")

    def refuse(path: Path, *_args: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    for _ in range(2):
        assert stale(old, results) == set()
    assert len(read) == 2 * (4 * 24 + 1 + 2)
    assert not (results / "tiny" / "inputs").exists()


def test_a_killed_writer_leaves_the_record_as_it_was(old: Path, results: Path) -> None:
    record = results / "tiny" / "inputs" / "frames" / "test" / "Test0.json"
    before = record.read_bytes()
    (old / "Test" / "Test0" / "003.png").touch()
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from vadloc.files import digests\n"
        "digests.SETTLED_NS = -(10**9)\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "folder = Path(sys.argv[1])\n"
        "digests.digests_of({f.name: f for f in sorted(folder.glob('*.png'))}, Path(sys.argv[2]))\n"
    )
    words = [sys.executable, "-c", script, str(old / "Test" / "Test0"), str(record)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert record.read_bytes() == before
    assert len(list(record.parent.glob(".*.part"))) == 1
    assert stale(old, results) == set()
    assert list(record.parent.glob(".*.part")) == [], "the next one clears up"
    assert record.read_bytes() != before


def test_leftovers_of_records_go_with_the_next_stage(old: Path, results: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    folder = results / "tiny" / "inputs" / "frames" / "test"
    left = folder / f".Test0.json.{socket.gethostname()}.{dead}.part"
    left.write_bytes(b"{")
    run_units(extract_features.stage("train"), artifacts_of(old, results), [], RunOptions())
    assert not left.exists()


def test_reading_a_lot_is_said(
    old: Path, results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(digests, "ANNOUNCED_BYTES", 1000)
    (old / "Test" / "Test0" / "003.png").touch()
    assert stale(old, results) == set()
    [line] = caplog.messages
    assert line == "reading 0.0 GiB of inputs that are new or were touched (Test0)"


def test_frames_that_change_while_they_are_read_are_refused(
    old: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = artifacts_of(old, results)
    file = artifacts.features("momentum", "test", "Test0")
    file.path.unlink()
    frame = old / "Test" / "Test0" / "003.png"
    before, plain = frame.read_bytes(), extract_features.frames_to_features

    def disturbed(*args: Any, **options: Any) -> Any:
        made = plain(*args, **options)
        overwrite_with_noise(frame)
        return made

    monkeypatch.setattr(extract_features, "frames_to_features", disturbed)
    with pytest.raises(VadlocError, match="Test0: changed while it was read; give the command"):
        extract_features.stage("test").run(artifacts, "Test0")
    assert not file.path.exists()
    monkeypatch.undo()
    frame.write_bytes(before)
    extract_features.stage("test").run(artifacts_of(old, results), "Test0")
    assert file.path.exists()


OPENED: list[str] | None = None


def _note(event: str, args: tuple[Any, ...]) -> None:
    if OPENED is not None and event == "open" and isinstance(args[0], str | os.PathLike):
        OPENED.append(os.fspath(args[0]))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that this process opens, as the interpreter says."""
    if not hasattr(_note, "installed"):
        sys.addaudithook(_note)
        _note.installed = True  # type: ignore[attr-defined]  # a hook cannot be taken away
    names: list[str] = []
    monkeypatch.setattr(sys.modules[__name__], "OPENED", names)
    return names


@pytest.mark.parametrize(("name", "make"), MAKERS, ids=lambda v: getattr(v, "__name__", v))
def test_files_that_count_are_those_that_the_format_opens(
    tmp_path: Path, opened: list[str], name: Any, make: Callable[[Path], Path]
) -> None:
    make(tmp_path)
    sequence = sequence_of(name)
    for stray in (".DS_Store", "notes.pdf", "readme.txt", "other_gt.txt", "1_gt.xyz"):
        (tmp_path / stray).write_text("1 2 3")
    opened.clear()
    READERS[name](tmp_path, sequence, **SIZE)
    below = {Path(path) for path in opened if Path(path).is_relative_to(tmp_path)}
    assert set(annotation_files(name, tmp_path, [sequence]).values()) == below


def test_maps_that_a_json_names_count(tmp_path: Path) -> None:
    names = [
        "maps/1.npy",
        "../outside.npy",
        f"{tmp_path}/outside.npy",
        "none.npy",
        "\\u0000.npy",
        "maps",
    ]
    (tmp_path / "gt" / "maps").mkdir(parents=True)
    for path in ("gt/maps/1.npy", "gt/maps/2.npy", "outside.npy"):
        (tmp_path / path).write_bytes(b"map")
    frames = ",".join(f'{{"pixel_level_scores_map" : "{name}"}}' for name in names)
    (tmp_path / "gt" / "a_gt.json").write_text(f"[{frames}]")
    found = annotation_files("json", tmp_path / "gt", ["a"])
    assert found == {name: tmp_path / "gt" / name for name in ("a_gt.json", "maps/1.npy")}


def test_the_first_place_is_read_and_no_other(tmp_path: Path) -> None:
    clip = tmp_path / "Scene1" / "scene_1_a_annotations"
    clip.mkdir(parents=True)
    for name in ("scene_1_a_tracks.txt", "scene_1_a_0001_gt.png", "scene_1_a_0001.png"):
        (clip / name).write_bytes(b"")
    at = "Scene1/scene_1_a_annotations/scene_1_a_"
    found = annotation_files("ubnormal", tmp_path, ["scene_1_a"])
    assert list(found) == [f"{at}0001_gt.png", f"{at}tracks.txt"]
    (clip / "scene_1_a_new_tracks.txt").write_bytes(b"")
    found = annotation_files("ubnormal", tmp_path, ["scene_1_a", "scene"])
    assert list(found) == [f"{at}0001_gt.png", f"{at}new_tracks.txt"]


def test_labels_of_all_sequences_count(tmp_path: Path) -> None:
    (tmp_path / "labels.npy").write_bytes(b"")
    assert list(annotation_files("frame_labels", tmp_path, ["a", "b"])) == ["labels.npy"]
    (tmp_path / "a.txt").write_text("0")
    (tmp_path / "b.TXT").write_text("0")
    assert list(annotation_files("frame_labels", tmp_path, ["a", "b"])) == ["a.txt", "b.TXT"]


def test_other_spellings_are_found_and_nothing_in_no_folder(tmp_path: Path) -> None:
    (tmp_path / "Cafe\u0301_gt.txt").write_text("")
    assert len(annotation_files("street_scene", tmp_path, ["Caf\u00e9"])) == 1
    assert annotation_files("street_scene", tmp_path / "none", ["Caf\u00e9"]) == {}
