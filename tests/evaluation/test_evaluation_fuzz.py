"""Damaged files through the folder evaluation: one line that says why, or valid numbers.

    VADLOC_FUZZ_EXAMPLES=10000 pytest tests/evaluation/test_evaluation_fuzz.py

tries more examples. Each one is a small valid test set of which one file is damaged: a value of a
JSON replaced, a field of a row, the header or the values of an array, or bytes of any file.
"""

import copy
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prediction_files import (
    BOX,
    FRAMES,
    OTHER_BOX,
    box_frames,
    cell_maps,
    document,
    save_array,
    save_as_array,
    save_as_cells,
    save_as_json,
    save_as_npy_folder,
    save_as_tiff_folder,
    save_json,
    save_rows,
    truth_frames,
)

from evaluation.api import evaluate_folder
from vadloc.errors import VadlocError

EXAMPLES = int(os.environ.get("VADLOC_FUZZ_EXAMPLES", "400"))
BATCHES = 4
NUMBERS = ("_auc", "_eer", "_precision", "_rate")
VALUES: list[Any] = [None, True, -1, 0, 1, 2, 7, 1e9, 1e308, -0.5, 0.5, float("nan"), float("inf")]
VALUES += ["", "x", "../a.npy", "a/0.npy", "\0", [], [[]], [1, 2, 3, 4], [4, 4, 4, 4], {}, 10**30]
FIELDS = ["", "-1", "0", "5", "6", "1e9", "nan", "inf", "-inf", "x", "0x1", "1e400", "½", "1_0"]
SHAPES = [
    (),
    (0,),
    (FRAMES,),
    (FRAMES + 1,),
    (FRAMES, 12),
    (FRAMES, 12, 16),
    (1, 12, 16),
    (6, 0, 16),
]
DTYPES = ["float32", "float64", "bool", "uint8", ">f4", "complex64", "S3", "M8[s]", "O"]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value))
    found = []
    for key in keys:
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def damage_json(path: Path, rng: random.Random) -> None:
    content = json.loads(path.read_text())
    for _ in range(rng.randint(1, 3)):
        container, key = rng.choice(places(content))
        if rng.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(rng.choice(VALUES))
        if not places(content):
            break
    path.write_text(json.dumps(content))


def damage_rows(path: Path, rng: random.Random) -> None:
    separator = "," if path.suffix == ".csv" else " "
    rows = [row.split(separator) for row in path.read_text().splitlines()]
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = rng.choice(FIELDS)
    if rng.random() < 0.2:
        row.append(rng.choice(FIELDS))
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")


def damage_array(path: Path, rng: random.Random) -> None:
    if rng.random() < 0.5:
        array = np.array(np.load(path), np.float32)
        array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, -np.inf, -1, 3e38])
        np.save(path, array)
        return
    array = np.zeros(rng.choice(SHAPES)).astype(rng.choice(DTYPES))
    np.save(path, array, allow_pickle=True)


def damage_bytes(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1) if rng.random() < 0.5 else rng.randrange(130)
        kind = rng.randrange(4)
        if kind == 0:
            content[at : at + 1] = rng.randbytes(1)
        elif kind == 1:
            del content[at : at + rng.randint(1, 40)]
        elif kind == 2:
            content[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            content[at : at + 1] = rng.choice(b'-09.e"[]{},:').to_bytes()
    path.write_bytes(content)


DAMAGES: dict[str, list[Callable[[Path, random.Random], None]]] = {
    ".json": [damage_json, damage_json, damage_bytes],
    ".csv": [damage_rows, damage_bytes],
    ".txt": [damage_rows, damage_bytes],
    ".npy": [damage_array, damage_bytes],
    ".tiff": [damage_bytes],
}


def save_boxes(folder: Path, rng: random.Random) -> None:
    frames = box_frames(
        [[(OTHER_BOX, rng.random())], [], [], [(BOX, 0.9), (OTHER_BOX, 0.2)], [], []]
    )
    save_json(folder / "a.json", document(frames))


def save_frame_levels(folder: Path, rng: random.Random) -> None:
    frames = [{"frame_level_score": rng.random()} for _ in range(FRAMES)]
    save_json(folder / "a.json", document(frames, is_anomalous_regions_available=False))


def save_csv(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(f"3,4,4,8,8,0.9\n0,8,8,12,12,{rng.random()}\n4,0,0,16,12,0.1\n")
    size = {"frame_height_px": 12, "frame_width_px": 16, "frame_count": FRAMES}
    save_json(folder / "a.json", size)


def save_frame_scores(folder: Path, rng: random.Random) -> None:
    save_array(folder / "a.npy", np.array([rng.random() for _ in range(FRAMES)]))


def save_maps(folder: Path, rng: random.Random) -> None:
    forms = save_as_cells, save_as_array, save_as_npy_folder, save_as_tiff_folder, save_as_json
    rng.choice(forms)(folder, "a", cell_maps(rng.randrange(100)))


PREDICTIONS = [save_boxes, save_frame_levels, save_csv, save_frame_scores, save_maps, save_maps]


def make_damaged(folder: Path, rng: random.Random) -> str:
    """A test set with one damaged file; the format of its ground truth."""
    rng.choice(PREDICTIONS)(folder / "pred", rng)
    gt_format = rng.choice(["json", "street_scene"])
    if gt_format == "json":
        save_json(folder / "gt/a.json", document(truth_frames()))
    else:
        save_rows(folder / "gt", "a")
    part = rng.choice(["pred", "pred", "gt"])
    path = rng.choice(sorted(p for p in (folder / part).rglob("*") if p.is_file()))
    rng.choice(DAMAGES[path.suffix])(path, rng)
    return gt_format


def check_numbers(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if name.endswith(NUMBERS):
            assert (value is None) == (name in result["undefined"]), name
            assert value is None or "_thresh_" in name or 0 <= value <= 1, name
    json.dumps({name: value for name, value in result.items() if name != "curves"}, allow_nan=False)


def refusal_or_result(folder: Path, rng: random.Random) -> str | dict[str, Any]:
    """The message of the error, or the result."""
    gt_format = make_damaged(folder, rng)
    boxes: Any = rng.choice(["regions", "map"])
    try:
        return evaluate_folder(
            folder / "gt", folder / "pred", gt_format=gt_format, size_px=(16, 12), boxes=boxes
        )
    except VadlocError as error:
        return str(error)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_damaged_files_are_refused_in_one_line_or_give_numbers(tmp_path: Path, batch: int) -> None:
    refused = 0
    for example in range(batch, EXAMPLES, BATCHES):
        folder = tmp_path / str(example)
        found = refusal_or_result(folder, random.Random(example))
        if isinstance(found, str):
            refused += 1
            assert "\n" not in found, example
            assert str(folder) in found or found.startswith("a: "), (example, found)
        else:
            check_numbers(found)
        shutil.rmtree(folder)
    assert 0 < refused < EXAMPLES / BATCHES
