"""Rounds of mining on the tiny scene, by the commands that users give."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_scene import (
    CONFIG,
    artifact_bytes,
    copy_scene,
    film,
    one_line,
    run,
    run_scene,
    save_frames,
    scene_options,
)

from exemplar_selection.exemplars import Exemplars
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.mining import MinedModel, Protocol

ALARMS = "\n[alarms]\nthreshold = 0.2\n"
MINING = "[mining]\nleast_run = 4\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, scene: Path) -> tuple[Path, Path]:
    """A scene with a low threshold, and its results after all stages; not to be written to."""
    folder = copy_scene(scene, tmp_path_factory.mktemp("mining") / "scene")
    (folder / "tiny.toml").write_text(CONFIG + ALARMS + MINING)
    save_frames(folder / "New" / "Later", film(seed=30))
    results = tmp_path_factory.mktemp("base") / "results"
    run_scene("vadloc.run", folder, results)
    return folder, results


@pytest.fixture(scope="module")
def mined(base: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results after two rounds of each protocol, and what the commands printed."""
    folder, before = base
    results = tmp_path_factory.mktemp("mined") / "results"
    shutil.copytree(before, results)
    options = {
        "first_half": (), "transductive": ("--mine-from", "transductive"),
        "split": ("--mine-split", "New"),
    }  # fmt: skip
    printed = {
        name: run_scene("vadloc.run", folder, results, "--rounds", 2, *words)
        for name, words in options.items()
    }
    return {"folder": folder, "results": results, "printed": printed, "before": before}


def artifacts(mined: dict[str, Any], protocol: Protocol, round_: int) -> Artifacts:
    config = load_config(mined["folder"] / "tiny.toml")
    folder = "New" if protocol == "split" else ""
    model = MinedModel(protocol, folder, round_)
    return Artifacts(config, mined["results"], mined["folder"], mined=model)


def test_results_without_mining_stay_as_they_are(mined: dict[str, Any]) -> None:
    before, after = artifact_bytes(mined["before"]), artifact_bytes(mined["results"])
    assert {name: after.get(name) for name in before} == before


def test_rounds_and_protocols_have_folders_of_their_own(mined: dict[str, Any]) -> None:
    folders = {path.name for path in (mined["results"] / "tiny" / "evaluation").iterdir()}
    assert {
        f"momentum+mined{round_}-{place}"
        for round_ in (1, 2)
        for place in ("first_half", "transductive", "split_New")
    } < folders


def test_the_summary_says_what_was_mined(mined: dict[str, Any]) -> None:
    for protocol, words in (
        ("first_half", "from the first half of the test sequences; the others are evaluated"),
        ("transductive", "from the test sequences that are evaluated (transductive)"),
        ("split", "from the unlabelled video in New"),
    ):
        summary = artifacts(mined, protocol, 2).evaluation("summary.json").load()  # type: ignore[arg-type]
        assert words in summary["mined"]
        assert f"mined in 2 rounds {words}" in mined["printed"][protocol]


def test_only_what_was_not_mined_is_evaluated(mined: dict[str, Any]) -> None:
    half = artifacts(mined, "first_half", 1).evaluation("summary.json").load()
    assert half["stands_on"]["frame"]["sequences"] == ["Test1"]
    printed = mined["printed"]["first_half"]
    assert "before mining, on the same 1 test sequences:" in printed
    assert "a part of the test set: 1 of 2 sequences (Test1)" in printed
    every = artifacts(mined, "transductive", 1).evaluation("summary.json").load()
    assert every["stands_on"]["frame"]["sequences"] == ["Test0", "Test1"]
    split = artifacts(mined, "split", 1).evaluation("summary.json").load()
    assert split["stands_on"]["frame"]["sequences"] == ["Test0", "Test1"]
    assert "before mining" not in mined["printed"]["split"]


@pytest.mark.parametrize("protocol", ["first_half", "transductive", "split"])
def test_no_score_rises_from_round_to_round(mined: dict[str, Any], protocol: Protocol) -> None:
    models = [artifacts(mined, protocol, number) for number in range(3)]
    for sequence in models[2].sequences("test"):
        maps = [model.scores(sequence.name).load() for model in models]
        assert (maps[1] <= maps[0] + 1e-6).all()
        assert (maps[2] <= maps[1] + 1e-6).all()


def test_mined_exemplars_say_where_they_come_from(mined: dict[str, Any]) -> None:
    model = Exemplars.from_content(artifacts(mined, "split", 1).merged().load())
    assert model.mined_round is not None
    sources = {model.source_of(row) for row in range(len(model.counts))}
    assert {("Later", 1)} == {source for source in sources if source[1]}
    trained = Exemplars.from_content(artifacts(mined, "split", 0).merged().load())
    np.testing.assert_array_equal(model.select(model.mined_round == 0).features, trained.features)


def test_a_volume_is_counted_in_one_round_only(mined: dict[str, Any]) -> None:
    models = [artifacts(mined, "transductive", number).merged().load() for number in range(3)]
    counts = [int(model["counts"].sum()) for model in models]
    volumes = 2 * 8 * artifacts(mined, "transductive", 1).config.regions.size_px  # an upper bound
    assert counts[0] < counts[1] <= counts[2] <= counts[0] + volumes * 10


def test_the_same_commands_give_the_same_bytes(
    mined: dict[str, Any], base: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    run_scene("vadloc.run", folder, results, "--rounds", 1)
    again, first = artifact_bytes(results), artifact_bytes(mined["results"])
    assert again == {name: first[name] for name in again}


def test_stage_by_stage_gives_the_same_as_a_run(
    mined: dict[str, Any], base: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    where = "--mine-split", "New"
    run_scene("feature_extraction.extract_features", folder, results, "--split", "New")
    run_scene("anomaly_detection.score_anomalies", folder, results, "--mining", *where)
    run_scene("anomaly_detection.score_left_out", folder, results)
    printed = run_scene("exemplar_selection.mine_normal", folder, results, *where)
    assert "round 1: 24 frames seen" in printed
    for module in (
        "exemplar_selection.merge_exemplars",
        "anomaly_detection.score_anomalies",
        "evaluation.evaluate_scores",
        "anomaly_detection.explain_anomalies",
        "anomaly_detection.write_report",
    ):
        run_scene(module, folder, results, "--mined", *where)
    again, first = artifact_bytes(results), artifact_bytes(mined["results"])
    assert again == {name: first[name] for name in again}


def test_the_picture_shows_what_was_kept(mined: dict[str, Any]) -> None:
    from PIL import Image

    picture = artifacts(mined, "first_half", 1).mined_picture()
    with Image.open(picture) as image:
        assert image.size[0] >= 700
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    green = (colours[:, 1] > colours[:, 0] + 30) & (colours[:, 1] > colours[:, 2] + 5)
    assert green.mean() > 0.02


# Bad inputs: each a line, and nothing is learnt.


def fails(mined: dict[str, Any], tmp_path: Path, *options: object, config: str = "") -> str:
    """The error line of mining with another config, and check that nothing was written."""
    folder = mined["folder"]
    (tmp_path / "other.toml").write_text(CONFIG + ALARMS + config)
    results = tmp_path / "results"
    shutil.copytree(mined["before"], results)
    words = ["--config", tmp_path / "other.toml", "--datasets", folder, "--results", results]
    if config:
        run("anomaly_detection.score_left_out", *words)
    done = run("exemplar_selection.mine_normal", *words, *options)
    assert not list(results.rglob("*mined*"))
    return one_line(done, status=done.returncode or -1)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[mining]\nalpha = 0\n", "T = alpha (X - X^2) is 0, with [mining] alpha = 0"),
        (
            "[mining]\nmost_kept = 0.01\n",
            "frames are trusted and kept, more than [mining] most_kept",
        ),
        ("[mining]\nleast_run = 999\n", "nothing is kept"),
        ("[mining]\nframe_threshold = 0.001\n", "every frame is abnormal by [mining]"),
        ("[mining]\nalpha = 5\n", "[mining] alpha: 5: Input should be less than or equal to 4"),
        ("[mining]\nbeta = 5\n", "[mining] beta: unknown key"),
    ],
)
def test_bad_settings(mined: dict[str, Any], tmp_path: Path, config: str, message: str) -> None:
    assert message in fails(mined, tmp_path, config=config)


def test_missing_scores_of_left_out_video(mined: dict[str, Any], tmp_path: Path) -> None:
    line = fails(mined, tmp_path, "--mine-from", "first_half")
    assert "missing; make it first: python -m anomaly_detection.score_left_out" in line


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("Nowhere", "Nowhere: no such folder"),
        ("../elsewhere", "expected a folder below the datasets folder"),
        ("", "expected a folder below the datasets folder"),
    ],
)
def test_other_video(mined: dict[str, Any], tmp_path: Path, folder: str, message: str) -> None:
    assert message in fails(mined, tmp_path, "--mine-split", folder)


def test_one_test_sequence_has_no_first_half(base: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    shutil.copytree(base[0], folder)
    shutil.rmtree(folder / "Test" / "Test1")
    done = run("vadloc.run", *scene_options(folder, tmp_path / "r"), "--rounds", 1)
    assert "a single test sequence has no first half" in one_line(done, status=1)


def test_options_of_mining_need_rounds(base: tuple[Path, Path], tmp_path: Path) -> None:
    words = scene_options(base[0], tmp_path / "r")
    done = run("vadloc.run", *words, "--mine-from", "transductive")
    assert "need --rounds" in one_line(done, status=2)


def test_maps_of_another_grid(mined: dict[str, Any], tmp_path: Path) -> None:
    from exemplar_selection.mine_normal import check_one_grid
    from vadloc.errors import VadlocError

    maps = [np.zeros((3, 2, 2)), np.zeros((3, 2, 3))]
    with pytest.raises(VadlocError, match="b: a score map of 2 x 3 cells, that of a has 2 x 2"):
        check_one_grid(maps, ["a", "b"])
    results = tmp_path / "results"
    shutil.copytree(mined["results"], results)
    before = replace(artifacts(mined, "transductive", 0), results=results)
    details = before.score_details("Test0", "mined")
    details.save({**details.load(), "cell_width_px": 4})
    done = run(
        "exemplar_selection.mine_normal", *scene_options(mined["folder"], results),
        "--mine-from", "transductive", "--mined", 1,
    )  # fmt: skip
    assert done.returncode == 0  # the stamp is that of the config: what was mined stays
    shutil.rmtree(results / "tiny" / "mined")
    done = run(
        "exemplar_selection.mine_normal", *scene_options(mined["folder"], results),
        "--mine-from", "transductive",
    )  # fmt: skip
    line = one_line(done, status=1)
    assert "Test0: a score map with cells of 4 x 8 px, but [regions] stride_px is 8" in line


# Marks close the loop between the person and the model.


def exported_marks(results: Path, judged: dict[tuple[str, int], str], **changes: Any) -> str:
    """What the page exports for some alarms, given by sequence and number."""
    folder = results / "tiny" / "explanations" / "momentum"
    listed = []
    for (sequence, number), mark in judged.items():
        alarm = json.loads((folder / f"{sequence}.json").read_text())["detections"][number]
        keys = ("id", "first_frame", "last_frame", "peak_frame", "score")
        named = {"sequence": sequence, "region": alarm["peak"]["region"], "mark": mark}
        listed.append({key: alarm[key] for key in keys} | named)
    content = {"schema": 1, "dataset": "tiny", "version": "momentum", "marks": listed}
    return json.dumps({**content, **changes})


def alarms(results: Path, version: str) -> list[dict[str, Any]]:
    files = sorted((results / "tiny" / "explanations" / version).glob("*.json"))
    return [alarm for file in files for alarm in json.loads(file.read_text())["detections"]]


@pytest.mark.parametrize("mark", ["false", "real"])
def test_marked_alarms_are_learnt_or_never(
    base: tuple[Path, Path], tmp_path: Path, mark: str
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    every = {
        (f"Test{i}", n): mark
        for i in range(2)
        for n in range(len(json.loads(
            (results / f"tiny/explanations/momentum/Test{i}.json").read_text())["detections"]))
    }  # fmt: skip
    assert len(every) >= 2
    path = tmp_path / "marks.json"
    path.write_text(exported_marks(results, every))
    words = "--rounds", 1, "--mine-from", "transductive"
    printed = run_scene("vadloc.run", folder, results, *words, "--marks", path)
    left = alarms(results, "momentum+mined1-transductive-marks")
    if mark == "false":
        assert "confirmed by marks" in printed
        assert left == []
    else:
        assert len(left) >= len(every)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "other"}, "marks of another report: of other"),
        ({"version": "fused"}, "marks of another report: of tiny, version fused"),
        ({"marks": []}, "no alarm is marked"),
    ],
)
def test_marks_of_another_report(
    base: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    path = tmp_path / "marks.json"
    path.write_text(exported_marks(results, {("Test0", 0): "false"}, **changes))
    words = "--rounds", 1, "--marks", path
    done = run("vadloc.run", *scene_options(folder, results), *words)
    assert message in one_line(done, status=1)
    assert artifact_bytes(results) == artifact_bytes(before)


def test_marks_of_what_is_not_mined_teach_nothing(base: tuple[Path, Path], tmp_path: Path) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    path = tmp_path / "marks.json"
    path.write_text(exported_marks(results, {("Test1", 0): "false"}))
    done = run("vadloc.run", *scene_options(folder, results), "--rounds", 1, "--marks", path)
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert "none of the marked alarms is of a sequence that is mined; those are Test0" in line
    assert not list(results.rglob("mined.json"))


def test_the_status_shows_a_round(mined: dict[str, Any]) -> None:
    words = "--mined", 2, "--mine-from", "transductive"
    text = run_scene("vadloc.status", mined["folder"], mined["results"], *words)
    assert "version momentum+mined2-transductive" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines()[2:]}
    assert rows["exemplar_selection.mine_normal"][1:3] == ["1", "0"]


def test_marks_of_alarms_that_have_changed(base: tuple[Path, Path], tmp_path: Path) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    content = json.loads(exported_marks(results, {("Test0", 0): "false"}))
    content["marks"][0]["peak_frame"] += 1
    path = tmp_path / "marks.json"
    path.write_text(json.dumps(content))
    done = run("vadloc.run", *scene_options(folder, results), "--rounds", 1, "--marks", path)
    line = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "no alarm of Test0 has the marked frames" in line
    assert not list(results.rglob("mined.json"))


# Settings of the command line, and versions of parts.


def test_changed_settings_have_folders_of_their_own(
    mined: dict[str, Any], base: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    words = "--rounds", 1, "--mine-from", "transductive", "--mine-set", "alpha=3", "kinds=normal"
    printed = run_scene("vadloc.run", folder, results, *words)
    name = "momentum+mined1-transductive-alpha_3-kinds_normal"
    assert f"{name}: mined in 1 round, with alpha=3, kinds=normal from the test" in printed
    summary = json.loads((results / "tiny" / "mined" / name / "mined.json").read_text())
    plain = artifacts(mined, "transductive", 1).mined_summary().load()
    x = plain["mean_coarse"]
    assert summary["threshold"] == pytest.approx(3 * (x - x**2))
    assert plain["threshold"] == pytest.approx(2 * (x - x**2))
    assert summary["kept_abnormal_frames"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("alpha", "--mine-set alpha: expected KEY=VALUE with a KEY of scale"),
        ("beta=2", "--mine-set beta=2: expected KEY=VALUE"),
        ("alpha=../x", "expected KEY=VALUE"),
        ("alpha=9", "--mine-set: alpha: Input should be less than or equal to 4"),
        ("scale=loud", "--mine-set: scale: Input should be"),
    ],
)
def test_wrong_changes(mined: dict[str, Any], tmp_path: Path, change: str, message: str) -> None:
    assert message in fails(mined, tmp_path, "--mine-set", change)


def test_all_parts_of_a_version_learn_the_same_volumes(scene: Path, tmp_path: Path) -> None:
    folder = copy_scene(scene, tmp_path / "scene")
    config = CONFIG.replace('version = "momentum"', 'version = "fused"')
    (folder / "tiny.toml").write_text(config + MINING)
    results = tmp_path / "results"
    words = "--rounds", 1, "--mine-from", "transductive"
    run_scene("vadloc.run", folder, results, *words)
    model = MinedModel("transductive", round=1)
    after = Artifacts(load_config(folder / "tiny.toml"), results, folder, mined=model)
    before = after.at_round(0)
    assert after.divisors().path == before.divisors().path
    learnt = []
    for old, new in zip(before.parts, after.parts, strict=True):
        counts = [int(part.merged().load()["counts"].sum()) for part in (old, new)]
        learnt.append(counts[1] - counts[0])
    assert len(set(learnt)) == 1
    assert learnt[0] > 0
    seen = [int(made.sightings().load()["counts"].sum()) for made in (before, after)]
    assert seen[1] - seen[0] == learnt[0]
    for sequence in ("Test0", "Test1"):
        assert (after.scores(sequence).load() <= before.scores(sequence).load() + 1e-6).all()


def test_marks_of_a_report_with_a_threshold_of_its_own(
    base: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, before = base
    results = tmp_path / "results"
    shutil.copytree(before, results)
    words = "--threshold", 0.1
    run_scene("anomaly_detection.explain_anomalies", folder, results, *words, "--overwrite")
    path = tmp_path / "marks.json"
    path.write_text(exported_marks(results, {("Test0", 0): "false"}))
    run_scene("anomaly_detection.score_left_out", folder, results)
    mined = "--mine-from", "transductive", "--marks", path
    done = run("exemplar_selection.mine_normal", *scene_options(folder, results), *mined)
    assert "made from another config" in one_line(done, status=1)  # its alarms are of another one
    printed = run_scene("exemplar_selection.mine_normal", folder, results, *mined, *words)
    assert "confirmed by marks" in printed
    for module in ("exemplar_selection.merge_exemplars", "anomaly_detection.score_anomalies"):
        run_scene(module, folder, results, "--mined", *mined)  # no alarms are read here
    model = MinedModel("transductive", round=1, marks=path)
    made = Artifacts(load_config(folder / "tiny.toml"), results, folder, mined=model)
    assert made.mined_summary().state()[0] == made.scores("Test0").state()[0] == "done"
    of_report = replace(made, alarm_options=("--threshold", "0.1"))
    assert "--threshold 0.1" in of_report.mined_summary().command
    unmarked = replace(of_report, mined=replace(model, marks=None))
    assert "--threshold" not in unmarked.mined_summary().command
    run_scene("anomaly_detection.explain_anomalies", folder, results, "--overwrite")
    again = Artifacts(made.config, results, folder, mined=model)
    assert again.mined_summary().state()[0] == "stale"  # other alarms lie there now


def test_a_threshold_without_marks_mines_nothing(base: tuple[Path, Path], tmp_path: Path) -> None:
    options = scene_options(base[0], tmp_path / "r")
    done = run("exemplar_selection.mine_normal", *options, "--threshold", 0.1)
    assert "--threshold and --false-alarms-per-hour are those of the report" in done.stderr
    assert done.returncode == 2
