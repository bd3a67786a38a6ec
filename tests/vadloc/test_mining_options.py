"""Options of mining that would teach something else than they say are refused in one line."""

import logging
import shutil
from pathlib import Path

import pytest
from tiny_scene import CONFIG

from anomaly_detection import explain_anomalies, score_anomalies, score_left_out, train_detector
from exemplar_selection import merge_exemplars, mine_normal
from vadloc import run, status
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.mining import MinedModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of empty folders: nothing here is read."""
    for name in ("Train", "Test", "New"):
        (tmp_path / "data" / name / f"{name}0").mkdir(parents=True)
    (tmp_path / "data" / "tiny.toml").write_text(CONFIG)
    return tmp_path / "data"


def words(folder: Path, *options: object) -> list[str]:
    """The words of a command on the dataset."""
    shared = ["--config", folder / "tiny.toml", "--datasets", folder, "--results", folder / "r"]
    return [*map(str, shared), *map(str, options)]


def refused(caplog: pytest.LogCaptureFixture, main: object, arguments: list[str]) -> str:
    """The error line of a command that refuses its options."""
    assert callable(main)
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    return errors[0]


@pytest.mark.parametrize("main", [run.main, mine_normal.main, merge_exemplars.main])
def test_marks_are_of_test_video_and_teach_nothing_of_other_video(
    folder: Path, caplog: pytest.LogCaptureFixture, main: object
) -> None:
    rounds = {run.main: ["--rounds", 1], mine_normal.main: []}.get(main, ["--mined"])  # type: ignore[call-overload]
    options = words(folder, *rounds, "--mine-split", "New", "--marks", "marks.json")
    line = refused(caplog, main, options)
    assert line.startswith("--marks marks.json: ")
    assert "of the test sequences" in line
    assert "--mine-split New" in line
