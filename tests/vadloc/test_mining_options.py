"""Options of mining that would teach something else than they say are refused in one line."""

import logging
from pathlib import Path

import pytest
from tiny_scene import CONFIG

from anomaly_detection import explain_anomalies, score_anomalies, train_detector
from exemplar_selection import merge_exemplars, mine_normal
from feature_extraction import extract_features
from vadloc import run, status
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.mining import MinedModel

NEW = MinedModel("split", "New", round=1)


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


@pytest.mark.parametrize("given", ["Test", "./Test/", "Test/Test0", ".", "Linked"])
def test_other_video_is_not_the_test_set(
    folder: Path, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    (folder / "Linked").symlink_to("Test")
    line = refused(caplog, run.main, words(folder, "--rounds", 1, "--mine-split", given))
    assert "[dataset] test" in line
    assert "--mine-from transductive" in line
    assert not (folder / "r").exists()


def test_other_video_is_not_linked_test_video(folder: Path) -> None:
    (folder / "New" / "Later").symlink_to(folder / "Test" / "Test0")
    model = Artifacts(load_config(folder / "tiny.toml"), datasets=folder, mined=NEW)
    with pytest.raises(UsageError, match=r"New/Later: .*--mine-from transductive"):
        model.sequences("mined")


def test_other_video_is_not_the_training_set(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = words(folder, "--mine-split", "Train")
    line = refused(caplog, mine_normal.main, options)
    assert "[dataset] train" in line
    assert "learnt already" in line


def test_features_of_the_test_set_are_not_those_of_other_video(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = refused(caplog, extract_features.main, words(folder, "--split", "Test"))
    assert "[dataset] test" in line


@pytest.mark.parametrize(
    ("version", "detector"), [("pseudo_anomalies", "pseudo_anomalies"), ("fused_mlad", "combined")]
)
@pytest.mark.parametrize(
    "main", [train_detector.main, score_anomalies.main, merge_exemplars.main, status.main]
)
def test_other_detectors_learn_nothing_from_mined_video(
    folder: Path, caplog: pytest.LogCaptureFixture, main: object, version: str, detector: str
) -> None:
    options = [*words(folder), "--version", version, "--mined", "1"]
    line = refused(caplog, main, options)
    assert line.startswith(
        f"version {version!r}: its detector {detector!r} cannot learn from what is mined; those of "
    )
    assert "mlad" in line.split("; those of ")[1]


def test_a_run_refuses_rounds_of_other_detectors_before_any_work(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = refused(caplog, run.main, words(folder, "--version", "pseudo_anomalies", "--rounds", 1))
    assert "cannot learn from what is mined" in line
    assert not (folder / "r").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--mine-from", "transductive"],
        ["--mine-split", "New"],
        ["--mine-set", "alpha=1"],
        ["--marks", "marks.json"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("main", [score_anomalies.main, explain_anomalies.main, status.main])
def test_options_of_mining_need_a_round(
    folder: Path, caplog: pytest.LogCaptureFixture, main: object, options: list[str]
) -> None:
    line = refused(caplog, main, words(folder, *options))
    assert line == (
        "--mine-from, --mine-split, --mine-set and --marks choose a model that has mined; "
        "give --mined ROUND with them"
    )


def test_scores_to_mine_in_need_no_round(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = "--mining", "--mine-from", "transductive", "--mine-set", "alpha=1"
    with pytest.raises(SystemExit) as end:
        score_anomalies.main(words(folder, *options))
    assert end.value.code == 1
    assert "a sequence without frames" in caplog.text  # the folders are empty
