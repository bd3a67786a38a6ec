"""The table of all scenes: what is worst, and what is chosen without a scene."""

import importlib
import json
from types import ModuleType

import pytest
from repository import BENCHMARKS

from vadloc.sample_scene import _options_of, _parser
from vadloc.sample_scene.options import checked

TABLE = {  # two columns: the first is good at all but c, the second is fair everywhere
    "a": [[0.9, 0.9, 0.9], [0.8, 0.8, 0.8]],
    "b": [[0.9, 0.8, 0.7], [0.7, 0.7, 0.7]],
    "c": [[0.5, 0.1, 0.3], [0.6, 0.6, 0.6]],
}


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("scenes")


def test_choice_does_not_look_at_the_scene_it_is_reported_on(scenes: ModuleType) -> None:
    # Without c the first column's worst is .8, the second's .7; with it .3 against .6.
    assert [scenes.chosen_without(TABLE, name) for name in "abc"] == [1, 1, 0]
    columns = [scenes.Column("momentum"), scenes.Column("appearance")]
    lines = scenes.held_out(TABLE, columns)
    assert lines[3] == "| a | `appearance` | .800 / .800 / .800 |"
    assert lines[-1] == "| **worst** | c | .500 / .100 / .300 |"


def test_means_and_worst_scenes_of_each_column(scenes: ModuleType) -> None:
    mean, worst = scenes.summary(TABLE, [scenes.Column("momentum"), scenes.Column("appearance")])
    assert mean == "| **mean** | | .767 / .600 / .633 | .700 / .700 / .700 |"
    assert worst == "| **worst** | | c .500 / .100 / .300 | c .600 / .600 / .600 |"


def test_a_setting_is_a_column_of_its_own(scenes: ModuleType) -> None:
    column = scenes.Column("momentum", "features.momentum.flow_floor_px_per_frame=0.2")
    config = {"regions": {"size_px": 32, "stride_px": 16}}
    changed = column.apply(config)
    assert changed["features"]["momentum"] == {"flow_floor_px_per_frame": 0.2}
    assert changed["version"] == "momentum"
    assert "features" not in config


def test_numbers_for_programs_have_null_for_what_is_not_defined(scenes: ModuleType) -> None:
    text = scenes.to_json({"a": [[0.5, float("nan"), 0.25]]}, [scenes.Column("momentum")])
    assert json.loads(text) == {"`momentum`": {"a": [0.5, None, 0.25]}}


def test_every_listed_scene_can_be_rendered(scenes: ModuleType) -> None:
    for name in scenes.scene_list.OPTIONS:
        options = checked(_options_of(_parser().parse_args(scenes.scene_list.words(name))))
        assert options.name == name
