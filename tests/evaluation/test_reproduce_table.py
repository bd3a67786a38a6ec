"""Published tables: what is printed is what was measured, and nothing where nothing was."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT
from tiny_scene import CONFIG, copy_scene, one_line, run, scene_options

from evaluation import evaluate_folder
from evaluation.preparation import LAYOUTS
from evaluation.preparation.layout import Census
from evaluation.preparation.scenes import write_scene_configs
from evaluation.prepare_dataset import _files_below
from evaluation.published import METRICS, list_tables, read_table
from evaluation.reproduce_table import Outcome, evaluate_dataset, table_to_text
from vadloc.config import AreaRule
from vadloc.errors import UsageError

VALUE = """
[[values]]
dataset = "{dataset}"
metric = "{metric}"
published_percent = 50.0
source = "a paper"
read = "quoted"
"""


def table_text(*datasets: str, rule: str = "envelope") -> str:
    head = f'title = "A table"\ncitation = "Somebody"\nrule = "{rule}"\n'
    values = (VALUE.format(dataset=d, metric=m) for d in datasets for m in METRICS)
    return head + "".join(values)


@pytest.fixture(scope="module")
def tiny(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene with scores in ``results``; not to be written to."""
    folder = copy_scene(scene, tmp_path_factory.mktemp("table") / "tiny")
    done = run("vadloc.run", *scene_options(folder, folder / "results"))
    assert done.returncode == 0, done.stderr
    return folder


def evaluated(name: str, folder: Path, *, rule: AreaRule = "envelope") -> Outcome:
    return evaluate_dataset(name, rule, configs=folder, datasets=folder, results=folder / "results")


def summary_of(folder: Path) -> dict[str, Any]:
    path = folder / "results/tiny/evaluation/momentum/summary.json"
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("rule", ["envelope", "grid100"])
def test_ours_is_what_the_evaluation_says(tiny: Path, tmp_path: Path, rule: str) -> None:
    path = tmp_path / "table.toml"
    path.write_text(table_text("tiny", rule=rule))
    table = read_table(path)
    text = table_to_text(table, {"tiny": evaluated("tiny", tiny, rule=table.rule)})
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    stage = summary_of(tiny)
    numbers = {**stage, **stage["areas_by_rule"][rule]}
    assert rows[0] == ["dataset", "metric", "published", "ours", "difference", "frames"]
    assert [row[1] for row in rows[2:]] == list(METRICS.values())
    for name, row in zip(METRICS, rows[2:], strict=True):
        assert row[3] == f"{100 * numbers[name]:.2f}"
        assert row[4] == f"{100 * numbers[name] - 50:+.2f}"
        assert row[5] == "48"


def test_what_was_not_run_is_not_filled(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(table_text("tiny", "avenue"))
    shutil.copy(ROOT / "configs/avenue.toml", tmp_path)
    shutil.copy(tiny / "tiny.toml", tmp_path)
    done = run(
        "evaluation.reproduce_table", tmp_path / "table.toml", "--configs", tmp_path,
        "--datasets", tiny, "--results", tmp_path / "results",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 2 * len(METRICS)
    assert all("not run" in row and "%" not in row for row in rows)
    assert "tiny: not run: scores of 2 sequences are missing" in done.stdout
    assert "python -m evaluation.prepare_dataset avenue" in done.stdout
    assert f"python -m vadloc.run --config {tmp_path}/tiny.toml" in done.stdout


def test_scores_of_another_config_are_an_error(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "table.toml").write_text(table_text("tiny"))
    (tmp_path / "tiny.toml").write_text(CONFIG + "[exemplars]\nthreshold = 0.3\n")
    done = run(
        "evaluation.reproduce_table", tmp_path / "table.toml", "--configs", tmp_path,
        "--datasets", tiny, "--results", tiny / "results",
    )  # fmt: skip
    assert done.returncode == 1
    assert "made from another config" in done.stdout


@pytest.fixture(scope="module")
def scenes(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes of a dataset with scenes, with scores; sequences have names of their own."""
    folder = tmp_path_factory.mktemp("scenes")
    template = CONFIG.replace('"tiny"', '"shanghaitech_01"')
    for split in ("Train", "Test"):
        template = template.replace(f'"{split}"', f'"shanghaitech/01/{split}"')
    (folder / "shanghaitech.toml").write_text(template)
    for number, left_out in (("01", "Test1"), ("02", "Test0")):
        copy = copy_scene(scene, folder / "shanghaitech" / number)
        (copy / "tiny.toml").unlink()
        shutil.rmtree(copy / "Test" / left_out)
    census = Census.of(_files_below(folder / "shanghaitech"))
    configs = write_scene_configs("shanghaitech", census, configs=folder, datasets=folder)
    for config in configs:
        done = run(
            "vadloc.run", "--config", config, "--datasets", folder, "--results", folder / "results"
        )
        assert done.returncode == 0, done.stderr
    return folder


def test_scenes_are_pooled_and_not_averaged(scenes: Path, tmp_path: Path) -> None:
    """The same as the evaluation of all score files and annotations in one folder."""
    for number in ("01", "02"):
        scores = scenes / f"results/shanghaitech_{number}/scores/momentum"
        shutil.copytree(scores, tmp_path / "scores", dirs_exist_ok=True)
        for rows in (scenes / "shanghaitech" / number / "Test").glob("*/*_gt.txt"):
            (tmp_path / "truth").mkdir(exist_ok=True)
            shutil.copy(rows, tmp_path / "truth")
    together = evaluate_folder(tmp_path / "truth", tmp_path / "scores", gt_format="street_scene")
    outcome = evaluated("shanghaitech", scenes)
    assert outcome.summary is not None, outcome.reason
    names = ["frame_roc_auc", "region_roc_auc", "track_roc_auc", "pixel_roc_auc", "counts"]
    assert {n: outcome.summary[n] for n in names} == {n: together[n] for n in names}
    assert outcome.summary["counts"]["sequences"] == 2
    alone = [
        json.loads(
            (scenes / f"results/shanghaitech_{n}/evaluation/momentum/summary.json").read_text()
        )
        for n in ("01", "02")
    ]
    mean = sum(summary["region_roc_auc"] for summary in alone) / 2
    assert outcome.summary["region_roc_auc"] != pytest.approx(mean, abs=1e-6)


def test_scenes_with_other_criteria_are_not_pooled(scenes: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(scenes, tmp_path / "copy"))
    with (copy / "shanghaitech/02/shanghaitech_02.toml").open("a") as file:
        file.write("[evaluation]\nbeta = 0.5\n")
    outcome = evaluated("shanghaitech", copy)
    assert outcome.failed
    assert "[evaluation] differs" in outcome.reason


@pytest.mark.parametrize("name", sorted(list_tables()))
def test_shipped_tables(name: str) -> None:
    table = read_table(list_tables()[name])
    assert table.values
    for value in table.values:
        assert table.command or value.dataset in LAYOUTS
        assert value.source.startswith("https://") or value.read == "quoted"
    assert len({(v.dataset, v.row, v.metric) for v in table.values}) == len(table.values)


def test_shipped_tables_are_part_of_the_package() -> None:
    assert {"ai_vad", "eval", "hf2_vad", "ssmtl"} <= set(list_tables())
    assert all(path.is_relative_to(ROOT / "evaluation/tables") for path in list_tables().values())


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("= 50.0", "= 150.0"), "published_percent"),
        (('"region_roc_auc"', '"rbdc"'), "metric"),
        (("read =", "raed ="), "raed|read"),
        (('rule = "envelope"', 'rule = "best"'), "rule"),
        (("title", "[title"), "not a table"),
    ],
)
def test_a_table_with_a_slip_is_refused(
    tmp_path: Path, change: tuple[str, str], match: str
) -> None:
    (tmp_path / "t.toml").write_text(table_text("ped2").replace(*change))
    with pytest.raises(UsageError, match=match):
        read_table(tmp_path / "t.toml")


def test_unknown_table() -> None:
    line = one_line(run("evaluation.reproduce_table", "nothing"), status=2)
    assert "expected one of ai_vad, eval" in line


MINED = """
[[values]]
dataset = "tiny"
row = "alpha"
metric = "{metric}"
{unit} = 10
rounds = 1
source = "a paper"
read = "source"
{more}
"""


@pytest.fixture(scope="module")
def mined(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a round of transductive mining; the ground truth names frames 8 to 15."""
    folder = tmp_path_factory.mktemp("mined") / "tiny"
    shutil.copytree(tiny, folder)
    text = (folder / "tiny.toml").read_text()
    (folder / "tiny.toml").write_text(text + "[mining]\nleast_run = 2\n")
    words = "--rounds", 1, "--mine-from", "transductive"
    done = run("vadloc.run", *scene_options(folder, folder / "results"), *words)
    assert done.returncode == 0, done.stderr
    return folder


def test_rows_of_mining_stand_beside_mined_results(mined: Path, tmp_path: Path) -> None:
    units = {"selected_frames": "published_frames", "frame_roc_auc": "published_percent"}
    units |= {"selected_normal_frames": "published_frames"}
    path = tmp_path / "table.toml"
    rows = [MINED.format(metric=metric, unit=unit, more="") for metric, unit in units.items()]
    rows.append(MINED.format(metric="frame_eer", unit="published_percent", more='not_run = "why"'))
    text = table_text() + "".join(rows)
    path.write_text(text.replace("published_percent = 10", "published_percent = 10.0"))
    options = "--datasets", mined, "--configs", mined, "--results", mined / "results"
    done = run("evaluation.reproduce_table", path, *options)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert [row[0] for row in cells] == ["tiny, alpha"] * 4
    kept, auc, normal, not_run = cells
    results = mined / "results" / "tiny"
    name = "momentum+mined1-transductive"
    summary = json.loads((results / "mined" / name / "mined.json").read_text())
    assert int(kept[3]) == summary["kept_normal_frames"]
    assert int(kept[4]) == summary["kept_normal_frames"] - 10
    assert 0 < int(normal[3]) <= int(kept[3])
    curve = json.loads((results / "evaluation" / name / "summary.json").read_text())
    assert auc[3] == f"{100 * curve['frame_roc_auc']:.2f}"
    assert not_run[3:] == ["not run", "", ""]
    assert "tiny, alpha: not run: why." in done.stdout


def test_rows_of_settings_that_were_not_run_say_how(mined: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    more = 'changes = ["alpha=3.5"]'
    row = MINED.format(metric="selected_frames", unit="published_frames", more=more)
    path.write_text(table_text() + row)
    options = "--datasets", mined, "--configs", mined, "--results", mined / "results"
    done = run("evaluation.reproduce_table", path, *options)
    assert "scores of 2 sequences are missing" in done.stdout
    assert "--rounds 1 --mine-from transductive --mine-set alpha=3.5" in done.stdout


@pytest.mark.parametrize("metric", ["selected_frames", "frame_roc_auc"])
def test_a_number_has_the_unit_of_its_metric(tmp_path: Path, metric: str) -> None:
    path = tmp_path / "table.toml"
    unit = "published_percent" if metric == "selected_frames" else "published_frames"
    path.write_text(table_text() + MINED.format(metric=metric, unit=unit, more=""))
    with pytest.raises(UsageError, match="not a table of published values"):
        read_table(path)
