"""The report as a stage: after the others, complete or absent, made again only when it must be."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from tiny_scene import ANOMALY, FRAMES, copy_scene, one_line, run, run_scene, scene_options

from vadloc.errors import VadlocError
from vadloc.files.storage import (
    read_json,
    read_stamp,
    replacing_folder,
    verify,
    write_page,
)

REPORT = "anomaly_detection.write_report"
ALARMS = "[alarms]\nthreshold = 0.15\n"


@pytest.fixture(scope="module")
def alarming(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene with a threshold of its own: its training video is too short for calibration."""
    return with_alarms(scene, tmp_path_factory.mktemp("alarming") / "scene")


def with_alarms(scene: Path, target: Path, more: str = "") -> Path:
    """A copy of the scene with the threshold and more settings."""
    copy_scene(scene, target)
    with (target / "tiny.toml").open("a") as file:
        file.write(ALARMS + more)
    return target


@pytest.fixture(scope="module")
def results(alarming: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of all stages; not to be written to."""
    path = tmp_path_factory.mktemp("results")
    run_scene("vadloc.run", alarming, path)
    return path / "tiny"


def folders(results: Path) -> list[str]:
    return sorted(entry.name for entry in (results / "report").iterdir())


def test_the_whole_run_ends_with_a_report(results: Path) -> None:
    page = results / "report" / "momentum" / "index.html"
    assert folders(results) == ["momentum"]
    verify(page)
    index = (page.parent / "data" / "index.js").read_text()
    explained = [read_json(f) for f in sorted((results / "explanations/momentum").glob("*.json"))]
    content = json.loads(index[index.index("{") : index.rindex("}") + 1])
    assert len(content["detections"]) == sum(len(e["detections"]) for e in explained) > 0
    assert content["stamp"] == read_stamp(page)
    assert [s["frame_count"] for s in content["sequences"]] == [FRAMES, FRAMES]
    assert [s["bands"] for s in content["sequences"]] == [[[ANOMALY.start, ANOMALY.stop - 1]]] * 2


def test_a_report_that_is_done_is_not_made_again(alarming: Path, results: Path) -> None:
    page = results / "report" / "momentum" / "index.html"
    before = page.stat()
    assert run_scene(REPORT, alarming, results.parent) == f"{page}\n"
    after = page.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert run_scene(REPORT, alarming, results.parent, "--missing") == "\n"


def test_the_same_input_gives_the_same_bytes(alarming: Path, results: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(results, tmp_path / "tiny")
    shutil.rmtree(copy / "report")
    run_scene(REPORT, alarming, tmp_path)
    files = [path for path in (results / "report").rglob("*") if path.is_file()]
    assert len(files) > 50
    for path in files:
        assert (tmp_path / "tiny" / path.relative_to(results)).read_bytes() == path.read_bytes()


def test_a_single_file_stands_beside_the_folder(
    alarming: Path, results: Path, tmp_path: Path
) -> None:
    shutil.copytree(results, tmp_path / "tiny")
    page = tmp_path / "tiny" / "report" / "momentum.html"
    assert run_scene(REPORT, alarming, tmp_path, "--single-file") == f"{page}\n"
    assert folders(tmp_path / "tiny") == ["momentum", "momentum.html"]
    verify(page)


def test_other_settings_ask_for_overwrite(alarming: Path, results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "tiny")
    changed = with_alarms(alarming, tmp_path / "scene", "[report]\nclip_side_px = 64\n")
    options = scene_options(changed, tmp_path)
    page = tmp_path / "tiny" / "report" / "momentum" / "index.html"
    before = read_stamp(page)
    line = one_line(run(REPORT, *options), status=1)
    assert str(page) in line
    assert line.endswith("--overwrite")
    assert run(REPORT, *options, "--overwrite").returncode == 0
    assert read_stamp(page) != before
    assert folders(tmp_path / "tiny") == ["momentum"]


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("explanations", "anomaly_detection.explain_anomalies"),
        ("evaluation", "evaluation.evaluate_scores"),
        ("scores", "anomaly_detection.score_anomalies"),
    ],
)
def test_what_is_missing_is_named_with_its_command(
    alarming: Path, results: Path, tmp_path: Path, kind: str, module: str
) -> None:
    shutil.copytree(results, tmp_path / "tiny")
    for folder in (kind, "report"):
        shutil.rmtree(tmp_path / "tiny" / folder)
    line = one_line(run(REPORT, *scene_options(alarming, tmp_path)), status=1)
    assert f"python -m {module}" in line
    assert not (tmp_path / "tiny" / "report" / "momentum").exists()


def test_without_ground_truth_there_are_no_bands(
    alarming: Path, results: Path, tmp_path: Path
) -> None:
    shutil.copytree(results, tmp_path / "tiny")
    for folder in ("report", "evaluation"):
        shutil.rmtree(tmp_path / "tiny" / folder)
    changed = with_alarms(alarming, tmp_path / "scene")
    config = changed / "tiny.toml"
    config.write_text(config.read_text().replace('ground_truth = "Test"\n', ""))
    run_scene(REPORT, changed, tmp_path)
    index = (tmp_path / "tiny/report/momentum/data/index.js").read_text()
    assert index.count('"bands":null') == 2


def test_a_folder_is_complete_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "report"
    with pytest.raises(RuntimeError), replacing_folder(target) as folder:  # noqa: PT012
        (folder / "a").write_text("new")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replacing_folder(target) as folder:
        (folder / "a").write_text("first")
        assert not target.exists()
    with pytest.raises(RuntimeError), replacing_folder(target) as folder:
        raise RuntimeError
    assert (target / "a").read_text() == "first"


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "report"
    for name in ("old", "new"):
        with replacing_folder(target) as folder:
            (folder / name).mkdir()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_folders_of_killed_runs_are_removed_and_those_of_others_kept(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    host = socket.gethostname()
    dead = [f".report.{host}.{ended.pid}.part", f".report.old.{host}.{ended.pid}.part"]
    alive = [f".report.{host}.{os.getppid()}.part", ".report.elsewhere.1.part"]
    for name in (*dead, *alive):
        (tmp_path / name / "clips").mkdir(parents=True)
    with replacing_folder(tmp_path / "report"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*alive, "report"])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(VadlocError, match="file/report: cannot write"),
        replacing_folder(tmp_path / "file" / "report"),
    ):
        pass


def test_the_trailer_of_a_page_is_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_page(path, "<p>ü</p>\n", stamp="0123456789abcdef")
    assert read_stamp(path) == "0123456789abcdef"
    text = path.read_text()
    assert text.startswith("<p>ü</p>\n<!--\nvadloc stamp=")
    assert "-->" not in text
    path.write_text(text.replace("ü", "u"))
    with pytest.raises(VadlocError, match="damaged"):
        verify(path)
