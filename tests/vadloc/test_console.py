"""What a person sees: one line a stage on a terminal, a few lines elsewhere, words and numbers."""

import io
import json
import logging
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from tiny_scene import command, make_scene, run, scene_options

from anomaly_detection import visualize_anomalies, write_report
from evaluation.results import summary_to_text
from vadloc import console
from vadloc.artifacts import Artifacts
from vadloc.config import CRITERIA, load_config
from vadloc.console import duration, progress
from vadloc.errors import about_file
from vadloc.stage_reports import counts_to_words

STAGES = [
    "extract_features train",
    "extract_features test",
    "select_exemplars",
    "merge_exemplars",
    "score_anomalies",
    "evaluate_scores",
    "calibration",
    "explain_anomalies",
    "write_report",
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    make_scene(folder)
    return folder


@pytest.fixture(scope="module")
def on_a_terminal(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Results of a whole run on a terminal, its stdout and what the terminal got on stderr."""
    results = tmp_path_factory.mktemp("results")
    words = command("vadloc.run", *scene_options(scene, results), "--jobs", 2)
    stdout, stderr = run_on_terminal(words)
    return results, stdout, stderr


def run_on_terminal(words: list[str]) -> tuple[str, str]:
    """Run a command whose stderr is a terminal; stdout, and all that the terminal got."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
    )
    os.close(theirs)
    got = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        got += part
    assert process.stdout
    with process.stdout as stdout:
        printed = stdout.read()
    assert process.wait() == 0, got
    os.close(ours)
    return printed, got.decode()


def screen(got: str) -> list[str]:
    """The lines that a terminal shows: a carriage return writes over what stands there."""
    lines = []
    for line in got.replace("\r\n", "\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            erased, _, rest = part.rpartition("\x1b[K")
            shown = rest if erased or part.startswith("\x1b[K") else rest + shown[len(rest) :]
        lines.append(shown.rstrip())
    return [line for line in lines if line]


def test_one_line_a_stage_on_a_terminal(on_a_terminal: tuple[Path, str, str]) -> None:
    results, stdout, stderr = on_a_terminal
    bars = [line for line in screen(stderr) if "|" in line]
    assert [line.split("  ")[0].split(" 100%")[0].rstrip() for line in bars] == STAGES
    assert all("100% |" in line for line in bars)
    assert " DEBUG " not in stderr
    assert "stamp" not in stderr
    others = [line for line in screen(stderr) if line not in bars]
    expected = "false alarms per hour", "training video"
    assert all(any(words in line for words in expected) for line in others), others
    lines = stdout.splitlines()
    assert lines[0].split()[-1] == f"{float(lines[0].split()[-1]):.3f}"
    assert re.fullmatch(r"\d+ alarms? in 2 sequences, from a score of \d\.\d{3} on", lines[-2])
    assert lines[-1] == f"report: {results}/tiny/report/momentum/index.html"


def test_a_second_run_on_a_terminal(scene: Path, on_a_terminal: tuple[Path, str, str]) -> None:
    words = command("vadloc.run", *scene_options(scene, on_a_terminal[0]))
    assert screen(run_on_terminal(words)[1]) == [f"{name:<22} already done" for name in STAGES]


def test_elsewhere_a_stage_says_when_it_begins_and_ends(scene: Path, tmp_path: Path) -> None:
    words = [*scene_options(scene, tmp_path), "--split", "train", "--jobs", 2]
    done = run("feature_extraction.extract_features", *words)
    lines = [line.split(" INFO ")[1] for line in done.stderr.splitlines()]
    name = "feature_extraction.extract_features train"
    assert lines[0] == f"{name}: 3 sequences"
    assert re.fullmatch(rf"{name}: done in \d+(\.\d)? s", lines[1])
    assert len(lines) == 2
    loud = run("feature_extraction.extract_features", *words, "--overwrite", "-v")
    assert "already done" in loud.stderr
    again = run("feature_extraction.extract_features", *words[:-4], "--split", "test", "-v")
    units = [line for line in again.stderr.splitlines() if " DEBUG " in line]
    assert len(units) == 2 * 3  # it begins, how the camera moved, it ends
    assert "24 frames, " in units[-1]


def test_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(console, "on_terminal", lambda: False)
    with caplog.at_level("DEBUG"):
        shown = console.Progress("some.command", "command", total=4, done=1, noun="sequence")
        shown.begin()
        shown.tell()
        shown.step()
        shown.tell()
        shown.end()
    first, second, third, last = caplog.messages
    assert first == "some.command: 4 sequences, 1 already done"
    assert second == "some.command: 1 of 4 sequences after 0.0 s"
    assert third == "some.command: 2 of 4 sequences after 0.0 s, about 0.0 s left"
    assert last == "some.command: done in 0.0 s"


def test_what_fails_is_not_called_done(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level("DEBUG"),
        pytest.raises(ValueError, match="it"),
        progress("some.command", "command", total=1),
    ):
        raise ValueError("it")
    assert caplog.messages == ["some.command: 1 sequence"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_message_takes_the_place_of_the_bar(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "on_terminal", lambda: terminal)
    stream = io.StringIO()
    handler = console._ConsoleHandler(stream)
    record = logging.LogRecord("a", logging.WARNING, "a.py", 1, "frame 7 is damaged", (), None)
    stream.write("command  50% |#####     | 1/2")
    handler.emit(record)
    shown = screen(stream.getvalue())
    assert shown[0] == ("" if terminal else "command  50% |#####     | 1/2") + "frame 7 is damaged"


def test_counts_are_words() -> None:
    counts = {"sequences": 1, "sequences_exemplars": 5289, "detections": 2, "volumes": 1}
    words = "1 sequence, 5289 exemplars of sequences, 2 alarms, 1 volume"
    assert counts_to_words(counts) == words
    measured = {"highest_score": 0.16203351318836212, "threshold": 0.14999}
    assert counts_to_words(measured) == "highest score 0.162, threshold 0.150"
    assert counts_to_words({"anomalous_frames_without_pixels": 1, "extractors": 2}) == (
        "1 anomalous frame without pixels, 2 extractors in one pass"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_one_of_everything_in_a_summary() -> None:
    names = ("frame", "region", "track", "sequence")
    numbers = dict.fromkeys(
        [
            "frame_roc_auc",
            "frame_macro_roc_auc",
            "frame_eer",
            "region_roc_auc",
            "track_roc_auc",
            "pixel_roc_auc",
            "dual_pixel_roc_auc",
        ],
        0.89751,
    )
    basis = {"ground_truth": "Test", "format": "masks", "derived": True, "frames": 1}
    summary = {
        **numbers,
        "rule": "envelope",
        "counts": {f"{name}s": 1 for name in names},
        "part_of": None,
        "stands_on": {key: {**basis, "sequences": ["Test001"]} for key in CRITERIA},
    }
    lines = summary_to_text({**summary, "frame_eer": None}).splitlines()
    assert lines[0] == "frame AUC (micro)   0.898"
    assert lines[2] == "frame EER           undefined"
    assert lines[-1] == (
        "rule envelope; 1 frame, 1 region, 1 track in 1 sequence, from Test (masks, derived)"
    )


def test_reports_of_other_extractors_and_forms_are_kept(scene: Path, tmp_path: Path) -> None:
    extract = "feature_extraction.extract_features"
    words = [*scene_options(scene, tmp_path), "--split", "test", "--idx", 0]
    assert run(extract, *words).returncode == 0
    report = tmp_path / "tiny" / "reports" / extract / "momentum" / "test" / "Test0.json"
    before = json.loads(report.read_text())
    camera = {name for name in before["counts"] if name.startswith("camera_")}
    assert len(camera) == 5
    assert {name: n for name, n in before["counts"].items() if name not in camera} == {
        "frames": 24,
        "volumes": before["counts"]["volumes"],
        "volumes_computed": before["counts"]["volumes"],
        "extractors": 1,
    }
    artifacts = Artifacts(load_config(scene / "tiny.toml"), tmp_path, scene)
    assert before["stamp"] == artifacts.features("momentum", "test", "Test0").stamp
    both = Artifacts(artifacts.config, tmp_path, scene, version="appearance_momentum")
    names = [
        *extract_stage_names(both),
        *visualize_anomalies.reported(both, "Test0", form="video"),
        *visualize_anomalies.reported(both, "Test0", form="frames"),
        *write_report.reported(both, "tiny"),
        *write_report.reported(both, "tiny", single_file=True),
    ]
    assert len(set(names)) == 6


def extract_stage_names(artifacts: Artifacts) -> list[str]:
    """Names of the reports of the extraction of a sequence."""
    from feature_extraction.extract_features import stage

    extraction = stage("test")
    names = extraction.reported(artifacts, "Test0")
    assert len(names) == len(extraction.outputs(artifacts, "Test0"))
    return names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "the following arguments are required: --config"),
        (["--config", "a.toml", "--version", "none"], "invalid choice: 'none'"),
    ],
)
def test_unusable_arguments_are_one_line(options: list[str], words: str) -> None:
    done = run("vadloc.run", *options)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("python -m vadloc.run: error: ")
    assert words in line


def test_results_that_cannot_be_written_are_noticed_before_work(
    scene: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = run("vadloc.run", *scene_options(scene, tmp_path / "file"))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.endswith(f"{tmp_path}/file/tiny: cannot write (Not a directory); --results DIR "
                         "names another folder")  # fmt: skip


def test_what_the_system_says_of_a_file_begins_with_the_file() -> None:
    denied = PermissionError(13, "Permission denied", "a/b.mp4")
    assert about_file(denied) == "a/b.mp4: Permission denied; give yourself the right to it"
    assert about_file(OSError("no disk")) == "no disk"
