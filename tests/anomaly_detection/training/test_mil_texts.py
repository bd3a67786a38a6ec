"""Features of texts from a file: what is refused, and which row belongs to a bag."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from anomaly_detection.detectors.bags import Bag
from anomaly_detection.training.mil_texts import class_row, read_texts
from anomaly_detection.training.multiple_instance import BagData, HeadTask
from vadloc.errors import UsageError
from vadloc.setting_files import named_file_digest
from vadloc.weak_settings import MultipleInstance

CLASSES = ["normal", "Abuse", "Fighting"]


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def bag(label: str, number: int = 0) -> Bag:
    values = np.random.default_rng(number).normal(size=(1, 6, 4)).astype(np.float16)
    return Bag(f"{label}{number}", label != "normal", values, 6, label)


def test_rows_of_classes() -> None:
    assert class_row(bag("Fighting"), CLASSES) == 2
    assert class_row(bag("Fighting"), ["normal", "anomalous"]) == 1
    with pytest.raises(UsageError, match="its class is 'Arson', expected one of classes: Abuse"):
        class_row(bag("Arson"), CLASSES)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 8)), "2 rows, classes names 3"),
        (np.zeros((3, 7)), "features of width 7, those of instances have 8"),
        (np.zeros(8), r"float64 of shape \(8,\), expected floats"),
        (np.zeros((3, 8), int), "expected floats"),
        (np.full((3, 8), np.nan), "not finite"),
        (np.array([{}]), "not a plain .npy array"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, array: Any, expected: str) -> None:
    path = saved(tmp_path / "t.npy", array)
    with pytest.raises(UsageError, match=expected):
        read_texts(MultipleInstance(text=path, classes=CLASSES), 8)


def test_texts_of_other_content_have_another_stamp(tmp_path: Path) -> None:
    one, two = (saved(tmp_path / f"{k}.npy", np.full((3, 8), k)) for k in (1, 2))
    assert named_file_digest("text", Path(one)) != named_file_digest("text", Path(two))
    with pytest.raises(UsageError, match="no such file; expected a"):
        named_file_digest("text", tmp_path / "absent.npy")


def test_features_are_trained_towards_their_texts(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.npy", np.eye(3, 8))
    settings = MultipleInstance.model_validate(
        {"text": path, "classes": CLASSES, "channels": (8, 4), "dropout": 0.0, "loss": "pel"}
        | {"head": "attention", "learning_rate": 0.01, "steps": 40}
    )
    bags = [bag(label, number) for label in CLASSES for number in range(4)]
    task = HeadTask(BagData(bags, bags), settings, device="cpu")
    losses = [task.advance()["text"] for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]


def test_a_class_without_a_text_is_refused_before_training(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.npy", np.eye(3, 8))
    settings = MultipleInstance.model_validate(
        {"text": path, "classes": CLASSES, "channels": (8, 4)}
    )
    bags = [bag("normal"), bag("Arson")]
    with pytest.raises(UsageError, match="Arson0: its class is 'Arson'"):
        HeadTask(BagData(bags, bags), settings, device="cpu")
