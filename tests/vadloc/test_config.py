"""Configs: what is wrong is named in one line, with file, key, value and expectation."""

from pathlib import Path
from typing import get_args

import pytest
from repository import ROOT
from tiny_scene import CONFIG, one_line, run

from evaluation.criteria.areas import AREA_RULES
from vadloc.config import AreaRule, Config, load_config
from vadloc.errors import UsageError

CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def load(folder: Path, text: str | bytes) -> Config:
    path = folder / "some.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path)


def refusal(folder: Path, text: str | bytes) -> str:
    """The message with which a config is refused; it is one line that begins with the file."""
    with pytest.raises(UsageError) as caught:
        load(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder / 'some.toml'}: ")
    return message


def changed(key: str, value: str) -> str:
    """The tiny config with ``key = value`` in place of its line of that key."""
    lines = CONFIG.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith(f"{key} "))
    lines[place] = f"{key} = {value}"
    return "\n".join(lines)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_configs_load(path: Path) -> None:
    name = load_config(path).dataset.name
    assert name.removesuffix("_01") == path.stem  # of several cameras, the first one's


def test_there_are_shipped_configs() -> None:
    assert {"ped2", "sample"} <= {path.stem for path in CONFIGS}


def test_all_values_arrive_and_the_rest_has_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, CONFIG + "[scoring]\nneighbourhood = 1\n")
    assert config.dataset.train == "Train"
    assert config.dataset.frames_per_second == 10.0
    assert (config.regions.size_px, config.regions.frame_stride) == (16, 3)
    assert (config.scoring.neighbourhood, config.scoring.combine) == (1, "mean")
    assert (config.version, config.distance.seed) == ("momentum", 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CONFIG + "[regoins]\nsize_px = 1\n", ["regoins", "unknown key", "regions", "scoring"]),
        (CONFIG + "[scoring]\nneighborhood = 1\n", ["[scoring] neighborhood", "neighbourhood"]),
        (
            CONFIG + "floor = 1\n",  # its last table is [features.momentum]
            ["[features] momentum.floor", "flow_floor_px_per_frame"],
        ),
        ("path = 'x'\n" + CONFIG, ["path", "unknown key", "dataset"]),
        ("verison = 'momentum'\n" + CONFIG, ["verison", "unknown key", "version"]),
        (
            CONFIG.replace('version = "momentum"', 'version = "moment"'),
            ["version", "'moment'", "momentum"],
        ),
        (CONFIG.replace('name = "tiny"\n', ""), ["[dataset] name", "missing"]),
        ("", ["dataset: missing", "regions: missing"]),
        ("dataset = 5\n[regions]\nsize_px = 8\nstride_px = 8\n", ["dataset", "5"]),
    ],
)
def test_keys_out_of_place(tmp_path: Path, text: str, words: list[str]) -> None:
    message = refusal(tmp_path, text)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size_px", '"16"'),
        ("size_px", "true"),
        ("size_px", "16.0"),
        ("size_px", "0"),
        ("size_px", "-16"),
        ("size_px", "100000"),
        ("size_px", "nan"),
        ("frames_per_volume", "1"),
        ("frame_stride", "0"),
        ("frames_per_second", "0"),
        ("frames_per_second", "2000"),
        ("frames_per_second", "nan"),
        ("frames_per_second", "inf"),
        ("frames_per_second", '"10"'),
        ("name", "7"),
        ("name", '"a/b"'),
        ("name", '".."'),
        ("name", '""'),
        ("train", '"/etc"'),
        ("train", '"../other"'),
        ("test", '"a/../../b"'),
        ("test", '""'),
        ("ground_truth", '"/etc"'),
        ("ground_truth", "[1]"),
    ],
)
def test_bad_values(tmp_path: Path, key: str, value: str) -> None:
    message = refusal(tmp_path, changed(key, value))
    got = value.strip('"').replace("true", "True")
    assert f"] {key}: " in message
    assert got in message


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("size_px", "20", ["size_px = 20", "multiple of stride_px = 8"]),
        ("frame_stride", "5", ["frame_stride = 5", "frames_per_volume = 4"]),
    ],
)
def test_values_that_do_not_fit_together(
    tmp_path: Path, key: str, value: str, words: list[str]
) -> None:
    message = refusal(tmp_path, changed(key, value))
    assert [word for word in words if word not in message] == []


TABLE = '[[ground_truth]]\npath = "Test"\n'


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (TABLE, ["named twice", "[dataset] ground_truth", "[[ground_truth]]"]),
        (TABLE * 2, ["'frame' is served 2 times"]),
        (TABLE + 'criteria = ["frame", "frame"]\n', ["'frame' is served 2 times"]),
        (TABLE + "criteria = []\n", ["[[ground_truth]] number 1: criteria: ", "at least 1 item"]),
        (
            TABLE + 'criteria = ["frame"]\n' + TABLE + 'criteria = ["regions"]\n',
            ["[[ground_truth]] number 2: criteria.0: ", "'regions'", "'track'"],
        ),
        (TABLE + 'format = "mask"\n', ["[[ground_truth]] number 1: format: 'mask'", "'masks'"]),
        (TABLE + 'criterion = ["frame"]\n', ["number 1: criterion: unknown key; known: path, f"]),
        (TABLE.replace("Test", "../x"), ["number 1: path: '../x'", "below the datasets folder"]),
        ("[[ground_truth]]\n", ["[[ground_truth]] number 1: path: missing"]),
        ('[ground_truth]\npath = "Test"\n', ["ground_truth: ", "list"]),
    ],
)
def test_ground_truths_out_of_place(tmp_path: Path, tables: str, words: list[str]) -> None:
    named_there = "named twice" in words
    text = CONFIG if named_there else CONFIG.replace('ground_truth = "Test"\n', "")
    message = refusal(tmp_path, text + tables)
    assert [word for word in words if word not in message] == []


def test_one_ground_truth_has_a_short_form(tmp_path: Path) -> None:
    [short] = load(tmp_path, CONFIG).ground_truths
    text = CONFIG.replace('ground_truth = "Test"\n', "")
    assert load(tmp_path, text + TABLE).ground_truths == (short,)
    assert short.criteria == ["frame", "pixel", "region", "track"]
    assert load(tmp_path, text).ground_truths == ()


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed("size_px", "0").replace('"Train"', '"/x"'))
    assert "size_px" in message
    assert "'/x'" in message


@pytest.mark.parametrize(
    "text",
    [
        "this is no TOML",
        "[dataset\n",
        "a = 1\na = 2\n",
        b"\xff\xfe\x00",
        "[dataset]\nname = '\udcff'".encode("utf-8", "surrogatepass"),
        f"a = {'9' * 5000}\n",
        f"a = {'[' * 5000}",
        "\x00",
    ],
    ids=["words", "bracket", "twice", "utf-16", "surrogate", "long-number", "deep", "nul"],
)
def test_not_toml(tmp_path: Path, text: str | bytes) -> None:
    assert "not a TOML file" in refusal(tmp_path, text)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    shipped = CONFIGS[0].read_bytes()
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf" + shipped)
    marked = load_config(tmp_path / "marked.toml")
    assert marked.dataset == load_config(CONFIGS[0]).dataset


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "no.toml", tmp_path, tmp_path / "a" / "b.toml"):
        with pytest.raises(UsageError, match=r"cannot read the config .* configs/") as caught:
            load_config(path)
        assert str(path) in str(caught.value)


def test_a_command_refuses_a_bad_config_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text(changed("size_px", "0"))
    line = one_line(run("vadloc.run", "--config", path), status=2)
    assert line.startswith(f"{path}: [regions] size_px: 0: ")


def test_names_of_the_evaluation_are_those_it_knows() -> None:
    assert set(get_args(AreaRule)) == set(AREA_RULES)
