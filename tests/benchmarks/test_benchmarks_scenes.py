"""The table of all scenes: what is worst, and what is chosen without a scene."""

import importlib
import json
from types import ModuleType

import numpy as np
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


@pytest.mark.parametrize("name", ["ped2_half", "ped2_far"])
@pytest.mark.parametrize(("x", "y"), [(120, 50), (200, 150), (170, 220)])
def test_boxes_of_distant_scenes_lie_where_the_pixels_are(
    scenes: ModuleType, name: str, x: int, y: int
) -> None:
    """A bright square of 24 px on black; its box is that of the pixels above half of the height."""
    view = scenes.VIEWS[name]
    picture = np.zeros((240, 360), np.uint8)
    picture[y - 12 : y + 12, x - 12 : x + 12] = 255
    rows, columns = np.nonzero(view.warp(picture) > 127)
    row = view.warp_row(f"001.jpg 7 {x} {y} 24 24", 240, 360)
    frame, track, *box = row.split()
    left, top, width, height = (float(number) for number in box)
    seen = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
    said = [left - width / 2, left + width / 2, top - height / 2, top + height / 2]
    assert (frame, track) == ("001.png", "7")
    assert said == pytest.approx(seen, abs=1.5)  # its lower edge is the wider one


def test_boxes_that_a_distant_view_does_not_show_are_left_out(scenes: ModuleType) -> None:
    assert scenes.VIEWS["ped2_far"].warp_row("001.jpg 0 5 230 10 10", 240, 360) is None
