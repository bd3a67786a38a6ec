"""Training of the appearance network: its data, changes of crops, measures, and whole runs."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from feature_extraction.appearance.augmentation import (
    augment,
    enlarged_from,
    grey,
)
from feature_extraction.appearance.batches import balanced_shares, batches
from feature_extraction.appearance.classes import CLASSES, LABELS
from feature_extraction.appearance.crops import Crops, read_crops
from feature_extraction.appearance.precision_recall import (
    confusion_matrix,
    precision_recall,
)
from feature_extraction.appearance.settings import Settings
from feature_extraction.train_appearance import main
from vadloc.errors import UsageError, VadlocError

PER_CLASS = 4
SETTINGS = Settings("", "none", "mobilenet_v3_small", 2, 8, 0)


def png(colour: int, *, side: int = 64) -> bytes:
    picture = np.full((side, side, 3), (colour, 255 - colour, 90), np.uint8)
    return bytes(cv2.imencode(".png", picture[..., ::-1])[1])


def make_data(folder: Path) -> Path:
    """A plain colour for each class; the splits alike, half of the classes in archives."""
    for split in ("train", "val"):
        for index, name in enumerate(LABELS):
            pictures = {f"{i}.png": png(25 * index + i) for i in range(PER_CLASS)}
            target = folder / split / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if index % 2:
                zip_of(target.with_suffix(".zip"), pictures)
            else:
                target.mkdir()
                for member, content in pictures.items():
                    (target / member).write_bytes(content)
    return folder


def zip_of(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path / "crops")


def test_folders_and_archives_are_read_alike(data: Path) -> None:
    index = "split,class,member,source,origin\ntrain,car,1.png,street,x\nval,car,1.png,air,x\n"
    (data / "index.csv").write_text(index)
    crops = read_crops(data, "train")
    assert crops.pixels.shape == (9 * PER_CLASS, 64, 64, 3)
    assert crops.labels.tolist() == [label for label in range(9) for _ in range(PER_CLASS)]
    expected = [25 * label + i for label in range(9) for i in range(PER_CLASS)]
    assert crops.pixels[:, 5, 7, 0].tolist() == expected
    assert crops.pixels[:, 0, 0, 2].tolist() == [90] * 36
    assert dict(zip(range(36), crops.sources, strict=True))[5] == "street"
    assert sorted(set(crops.sources)) == ["street", "unknown"]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, "holds no .jpg"),
        ({"readme.txt": b"x"}, "holds no .jpg"),
        ({"a.png": png(0, side=32)}, "32 x 32 px, expected 64 x 64"),
        ({"a.png": png(0)[:100]}, "not a readable picture"),
        ({"a.jpg": b"no picture"}, "not a readable picture"),
        ({"../a.png": png(0)}, "has a folder in its name"),
        ({"/etc/a.png": png(0)}, "has a folder in its name"),
        ({"..\\a.png": png(0)}, "has a folder in its name"),
        ({"a.png": bytes(50_000_000)}, "50000000 bytes, far more than a crop"),
    ],
)
def test_archives_that_are_refused(data: Path, members: dict[str, bytes], expected: str) -> None:
    zip_of(data / "train" / "car.zip", members)
    with pytest.raises(VadlocError, match=expected):
        read_crops(data, "train")


def test_a_damaged_archive_is_named(data: Path) -> None:
    path = data / "train" / "car.zip"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(VadlocError, match=r"car\.zip: not a readable zip"):
        read_crops(data, "train")


def test_an_altered_member_is_noticed(data: Path) -> None:
    path = data / "train" / "car.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.png", png(3))
    content = bytearray(path.read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    with pytest.raises(VadlocError, match=r"car\.zip: not a readable zip"):
        read_crops(data, "train")


def test_a_class_without_crops_is_named(data: Path) -> None:
    (data / "val" / "car.zip").unlink()
    with pytest.raises(UsageError, match=r"has neither car/ nor car\.zip"):
        read_crops(data, "val")


def test_an_index_without_the_columns_is_refused(data: Path) -> None:
    (data / "index.csv").write_text("a,b\n1,2\n")
    with pytest.raises(VadlocError, match="split,class,member,source"):
        read_crops(data, "val")


def test_average_precision_of_a_hand_drawn_ranking() -> None:
    # Positives at ranks 1, 3 and 4 of 5: (1/1 + 2/3 + 3/4) / 3.
    positive = np.array([True, False, True, True, False])
    curve = precision_recall(positive, np.array([0.9, 0.8, 0.7, 0.6, 0.5]))
    assert curve.average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert curve.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1, 1])


def test_equal_scores_are_taken_together() -> None:
    positive = np.array([True, False, True, False])
    assert precision_recall(positive, np.zeros(4)).average_precision == 0.5
    assert precision_recall(positive[::-1], np.zeros(4)).average_precision == 0.5


def test_average_precision_equals_counting_at_every_threshold() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        scores = random.integers(0, 10, 30) / 10
        positive = random.random(30) < 0.3
        positive[0] = True
        total, recall = 0.0, 0.0
        for threshold in sorted(set(scores), reverse=True):
            chosen = scores >= threshold
            gained = positive[chosen].sum() / positive.sum() - recall
            recall += gained
            total += gained * positive[chosen].mean()
        assert precision_recall(positive, scores).average_precision == pytest.approx(total)


def test_average_precision_without_positives_is_undefined() -> None:
    assert np.isnan(precision_recall(np.zeros(3, bool), np.arange(3.0)).average_precision)


def test_confusion_matrix_by_hand() -> None:
    probabilities = np.array([[0.9, 0.2], [0.6, 0.7], [0.4, 0.3], [0.1, 0.5]])
    counts = confusion_matrix(np.array([0, 0, 2, 1]), probabilities)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def random_crops(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_augmentation_depends_on_its_seed_alone_and_leaves_its_input() -> None:
    crops, contexts = random_crops(40), random_crops(80)[40:]
    before = crops.copy(), contexts.copy()
    one, same, other = (augment(crops, contexts, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one.shape == crops.shape
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    np.testing.assert_array_equal(crops, before[0])
    np.testing.assert_array_equal(contexts, before[1])


def test_half_of_the_crops_are_grey() -> None:
    crops = np.full((400, 64, 64, 3), (200, 60, 90), np.uint8)
    changed = augment(crops, crops, np.random.default_rng(3)).astype(int)
    spread = np.ptp(changed.mean((1, 2)), axis=1)
    assert 0.4 < (spread < 5).mean() < 0.6  # 5 deviations of a fair coin are 0.125


def test_a_small_crop_keeps_flat_colour_and_loses_detail() -> None:
    flat = np.full((64, 64, 3), (10, 120, 240), np.uint8)
    np.testing.assert_array_equal(enlarged_from(flat, 24), flat)
    stripes = np.tile(np.array([0, 255], np.uint8), 32)[None, :, None].repeat(64, 0).repeat(3, 2)
    assert np.ptp(enlarged_from(stripes, 32)[:, 2:-2].astype(int)) <= 1


def test_grey_is_the_brightness() -> None:
    crop = np.full((64, 64, 3), (200, 100, 50), np.uint8)
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert np.abs(grey(crop) - expected).max() <= 0.5


def some_crops() -> Crops:
    """100 persons of one source; 25 cars, 16 of one source and 9 of another; 25 backgrounds."""
    labels = np.repeat([0, 1, 8], [100, 25, 25])
    sources = np.repeat(["a", "a", "b", "a"], [100, 16, 9, 25])
    return Crops(random_crops(150), labels, sources)


def test_classes_and_their_sources_are_drawn_by_the_roots_of_their_sizes() -> None:
    shares = balanced_shares(some_crops())
    by_group = [part.sum() for part in np.split(shares, [100, 116, 125])]
    # Classes 10 : 5 : 5; the cars' share of 5 splits into 4 : 3.
    assert by_group == pytest.approx(np.array([10, 5 * 4 / 7, 5 * 3 / 7, 5]) / 20)
    assert np.ptp(shares[:100]) == 0


def test_batches_of_an_epoch_can_be_made_again() -> None:
    crops = some_crops()
    first, again = (list(batches(crops, SETTINGS, 1)) for _ in range(2))
    assert len(first) == 150 // 8
    for (pixels, targets), (same_pixels, same_targets) in zip(first, again, strict=True):
        np.testing.assert_array_equal(pixels, same_pixels)
        np.testing.assert_array_equal(targets, same_targets)
        assert targets.shape == (8, 8)
    drawn = np.concatenate([targets for _, targets in first])
    assert set(drawn.sum(1)) == {0, 1}  # background is none of the classes
    assert drawn[:, 2:].sum() == 0
    other = next(iter(batches(crops, SETTINGS, 2)))
    assert (other[0] != first[0][0]).any()


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    pytest.importorskip("torch")
    from feature_extraction.appearance.training import rate_share

    shares = [rate_share(step, 200) for step in range(200)]
    assert shares[0] == pytest.approx(0.1)
    assert shares[9] == shares[10] == pytest.approx(1)
    assert shares[105] == pytest.approx(0.5)
    assert shares[-1] < 1e-3


def test_a_training_from_the_command_line(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    from feature_extraction.appearance.network import load_appearance

    out = tmp_path / "out"
    words = f"--data {data} --weights-from none --backbone mobilenet_v3_small --epochs 1"
    main([*words.split(), "--batch-size", "8", "--output", str(out), "--device", "cpu"])
    report = json.loads((out / "appearance.json").read_text())
    assert report["crops"] == 9 * PER_CLASS
    for view, mean in report["summary"].items():
        found = report["average_precision"][view]
        assert list(found) == list(CLASSES)
        assert mean == pytest.approx(np.mean(list(found.values())), abs=2e-4)
        assert np.sum(report["confusion"][view], axis=1).tolist() == [PER_CLASS] * 9
    assert "--weights-from none" in report["command"]
    for name in ("pr", "confusion"):
        assert cv2.imread(str(out / f"appearance_{name}.png")) is not None
    network = load_appearance(str(out / "appearance.safetensors"), "mobilenet_v3_small", "cpu")
    assert not network.training


def test_an_interrupted_training_continues_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchvision")
    from feature_extraction.appearance import train
    from feature_extraction.appearance.train import run
    from vadloc.weights import read_weights

    settings = Settings(str(data), "none", "mobilenet_v3_small", 2, 8, 0)
    whole = run(settings, tmp_path / "whole", device="cpu")
    save = train.save_checkpoint

    def save_and_stop(path: Path, state: dict[str, object]) -> None:
        save(path, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "save_checkpoint", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run(settings, tmp_path / "parts", device="cpu")
    monkeypatch.setattr(train, "save_checkpoint", save)
    parts = run(settings, tmp_path / "parts", device="cpu")
    one, other = read_weights(whole).tensors, read_weights(parts).tensors
    for name, tensor in one.items():
        np.testing.assert_array_equal(tensor, other[name], err_msg=name)
    with pytest.raises(UsageError, match=r"epochs|seed"):
        run(Settings(str(data), "none", "mobilenet_v3_small", 2, 8, 1), tmp_path / "parts")


@pytest.mark.parametrize("option", ["--epochs", "--batch-size"])
def test_numbers_out_of_range_are_refused(data: Path, tmp_path: Path, option: str) -> None:
    words = ["--data", str(data), "--weights-from", "none", "--output", str(tmp_path / "o")]
    with pytest.raises(SystemExit) as error:
        main([*words, option, "0"])
    assert error.value.code == 2
    assert not (tmp_path / "o").exists()
