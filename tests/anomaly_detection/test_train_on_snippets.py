"""Features and labels that others share: readers, training without video, and evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation import evaluate_snippets
from evaluation.evaluate_snippets import ScoredVideo, evaluate_videos
from feature_extraction.snippet_files import find_files, read_snippets, read_video
from vadloc.errors import UsageError, VadlocError
from vadloc.weak_labels import (
    Labelled,
    frame_truth,
    name_to_label,
    read_intervals,
    read_labels,
)


def saved(path: Path, array: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.asarray(array))
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_crops_come_first(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).normal(size=(7, 10, 4)).astype(dtype)
    middle = read_snippets(saved(tmp_path / "a.npy", values))
    first = read_snippets(saved(tmp_path / "b.npy", values.transpose(1, 0, 2)))
    alone = read_snippets(saved(tmp_path / "c.npy", values[:, 2]))
    assert middle.dtype == np.float32
    np.testing.assert_array_equal(middle, first)
    np.testing.assert_array_equal(alone[0], middle[2])
    assert middle.shape == (10, 7, 4)


def test_text_and_npy_are_the_same(tmp_path: Path) -> None:
    values = np.array([[0.5, -1, 2], [3, 0.25, 1e-3]])
    (tmp_path / "a.txt").write_text("0.5 -1 2\n3 0.25 1e-3\n\n")
    expected = read_snippets(saved(tmp_path / "b.npy", values))
    np.testing.assert_array_equal(read_snippets(tmp_path / "a.txt"), expected)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((2, 3, 4, 5)), "expected \\(snippets, width\\)"),
        (np.zeros((10, 10, 4)), "either of the first two may be the 5 or 10 crops"),
        (np.zeros((7, 8, 4)), "neither of the first two"),
        (np.zeros((0, 4)), "holds no snippet"),
        (np.zeros((3, 4), int), "values of type int64, expected float"),
        (np.array([[0, 1], [np.nan, 0]]), "snippet 2, feature 1 is nan"),
        (np.array([{}], object), "arrays of objects are not read"),
    ],
)
def test_features_that_cannot_be_read(tmp_path: Path, array: object, expected: str) -> None:
    with pytest.raises(VadlocError, match=expected) as caught:
        read_snippets(saved(tmp_path / "video.npy", array))
    assert "video.npy" in str(caught.value)


def test_text_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "video.txt"
    path.write_text("1 2\n1 2 3\n")
    with pytest.raises(VadlocError, match="line 2 has 3 numbers, the lines before 2"):
        read_snippets(path)
    path.write_text("1 two\n")
    with pytest.raises(VadlocError, match="line 1: "):
        read_snippets(path)
    with pytest.raises(VadlocError, match="cannot be read"):
        read_snippets(tmp_path / "absent.npy")


def test_crops_in_files_of_their_own(tmp_path: Path) -> None:
    for crop in range(3):
        saved(tmp_path / "f" / f"v_label_A__{crop}.npy", np.full((4, 2), crop, np.float32))
    (tmp_path / "list").write_text("".join(f"f/v_label_A__{crop}.npy\n" for crop in range(3)))
    [video] = read_labels(tmp_path / "list")
    assert (video.name, video.label) == ("v_label_A", "normal")
    files = find_files(tmp_path, [video], tmp_path / "list")
    assert read_video(files["v_label_A"])[:, 0, 0].tolist() == [0, 1, 2]
    saved(tmp_path / "f" / "v_label_A__2.npy", np.zeros((5, 2), np.float32))
    with pytest.raises(VadlocError, match="all crops of a video have the same snippets"):
        read_video(files["v_label_A"])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Normal_Videos_003_x264", "normal"),
        ("Abuse001_x264", "Abuse"),
        ("RoadAccidents120_x264", "RoadAccidents"),
        ("Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6", "G"),
        ("v=8cTqh9tMz_I__#1_label_A", "normal"),
        ("01_0014", ""),
    ],
)
def test_labels_in_names(name: str, label: str) -> None:
    assert name_to_label(name) == label


def test_a_list(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# videos\nfolder/a.npy 0\nb.mp4 Robbery\n\nc,1\nNormal_Videos_1.txt\n")
    assert [(v.name, v.label, v.line) for v in read_labels(path)] == [
        ("a", "normal", 2),
        ("b", "Robbery", 3),
        ("c", "anomalous", 5),
        ("Normal_Videos_1", "normal", 6),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01_0014\n", "line 1: 01_0014 has no label, and its place in the list is not taken"),
        ("a 1\nb 0\na 1\n", "line 3: a was named in line 1 already"),
        ("# nothing\n", "names no video"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(UsageError, match=expected):
        read_labels(tmp_path / "list.txt")


def test_files_that_are_missing_or_there_twice(tmp_path: Path) -> None:
    videos = [Labelled("a", "normal", 1), Labelled("b", "normal", 2)]
    saved(tmp_path / "x" / "a.npy", np.zeros((2, 2)))
    with pytest.raises(UsageError, match=r"no features of b, which list names; expected b\.npy"):
        find_files(tmp_path, videos, Path("list"))
    saved(tmp_path / "y" / "a.npy", np.zeros((2, 2)))
    with pytest.raises(UsageError, match="are all named a; keep one"):
        find_files(tmp_path, videos[:1], Path("list"))
    with pytest.raises(UsageError, match="no such folder"):
        find_files(tmp_path / "z", videos, Path("list"))


def test_intervals(tmp_path: Path) -> None:
    path = tmp_path / "truth.txt"
    path.write_text(
        "Abuse028_x264.mp4  Abuse  3  5  -1  -1\nNormal_1 Normal -1 -1 -1 -1\nq 1 2 4 4\n"
    )
    truth = read_intervals(path)
    assert truth == {"Abuse028_x264": [(2, 5)], "Normal_1": [], "q": [(0, 2), (3, 4)]}
    shown = frame_truth("q", truth, frames=6, of=path)
    assert shown.tolist() == [True, True, False, True, False, False]
    with pytest.raises(UsageError, match="has no labels of r"):
        frame_truth("r", truth, frames=6, of=path)
    with pytest.raises(UsageError, match="an anomaly from frame 3 on, its snippets cover 2"):
        frame_truth("Abuse028_x264", truth, frames=2, of=path)
    with pytest.raises(UsageError, match="an anomaly up to frame 40, its snippets cover 7"):
        frame_truth("q", {"q": [(2, 40)]}, frames=7, of=path)
    for text in ("a Abuse 3\n", "a 5 3\n", "a 1 2\na 1 2\n"):
        path.write_text(text)
        with pytest.raises(UsageError, match="line "):
            read_intervals(path)


def test_labels_in_arrays(tmp_path: Path) -> None:
    saved(tmp_path / "v.npy", [0] * 20 + [1] * 18)
    assert frame_truth("v", tmp_path, frames=32, of=tmp_path).sum() == 12
    with pytest.raises(UsageError, match=r"labels of 38 frames, the snippets cover 160"):
        frame_truth("v", tmp_path, frames=160, of=tmp_path)
    saved(tmp_path / "w.npy", [0, 2])
    with pytest.raises(UsageError, match="values beside 0 and 1"):
        frame_truth("w", tmp_path, frames=2, of=tmp_path)


def test_numbers_by_hand() -> None:
    def video(label: str, scores: list[float], anomalous: list[int]) -> ScoredVideo:
        return ScoredVideo(label, np.array(scores), np.array(anomalous, bool))

    summary = evaluate_videos(
        {
            "a": video("Abuse", [0.9, 0.1], [1, 0]),
            "r": video("Robbery", [0.2, 0.6], [1, 0]),
            "n": video("normal", [0.5, 0.3], [0, 0]),
        }
    )
    # normal frames .1 .6 .5 .3; anomalous .9 (above all) and .2 (above one)
    assert summary["frame_roc_auc"] == pytest.approx((4 + 1) / 8)
    assert summary["frame_average_precision"] == pytest.approx(0.5 + 0.5 * 2 / 5)
    assert summary["false_alarm_rate"] == pytest.approx(2 / 4)
    assert summary["normal_video_false_alarm_rate"] == pytest.approx(1 / 2)
    # Abuse: .9 against .1 .5 .3; Robbery: .2 against .6 .5 .3
    assert summary["auc_by_class"] == {"Abuse": 1.0, "Robbery": 0.0}
    assert (summary["videos"], summary["normal_videos"], summary["frames"]) == (3, 1, 6)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Twelve training and four test videos, whose anomalies show in feature 0."""
    rng = np.random.default_rng(0)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    truth = []
    for number in range(16):
        split = "train" if number < 12 else "test"
        values = rng.normal(size=(20, 6)).astype(np.float16)
        values[:, 0] = 0
        name = f"Fall{number:03d}_x264" if number % 2 else f"Normal_{number}"
        if number % 2:
            first = int(rng.integers(1, 15))
            values[first : first + 4, 0] = 4
            truth.append(f"{name} {16 * first + 1} {16 * (first + 4)}\n")
        else:
            truth.append(f"{name} -1 -1\n")
        saved(tmp_path / "features" / f"{name}.npy", values)
        lists[split].append(f"{name}\n")
    for split, names in lists.items():
        (tmp_path / split).write_text("".join(names))
    (tmp_path / "truth.txt").write_text("".join(truth))
    return tmp_path


def options(folder: Path, **changed: object) -> list[str]:
    given = {name: folder / name for name in ("features", "train", "test", "output")}
    words = {**given, "steps": 200, "loss": "bce", "learning-rate": 0.01, "top": 2, **changed}
    return [str(word) for name, value in words.items() for word in (f"--{name}", value)]


def test_from_features_to_numbers(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from anomaly_detection import train_on_snippets

    train_on_snippets.main(options(shared))
    evaluate_snippets.main(
        [
            *("--scores", str(shared / "output" / "scores"), "--test", str(shared / "test")),
            *("--frame-labels", str(shared / "truth.txt")),
        ]
    )
    summary = json.loads((shared / "output" / "summary.json").read_text())
    assert summary["frame_roc_auc"] > 0.95
    assert summary["auc_by_class"].keys() == {"Fall"}
    assert "average precision" in capsys.readouterr().out
    plots = {path.name for path in (shared / "output" / "plots").iterdir()}
    assert {"grid.png", "Normal_12.png"} < plots
    assert np.load(shared / "output" / "scores" / "Normal_12.npy").shape == (320,)


def test_what_is_refused_before_training(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("torch")
    from anomaly_detection import train_on_snippets

    def refused(**changed: object) -> str:
        caplog.clear()
        with pytest.raises(SystemExit):
            train_on_snippets.main(options(shared, **changed))
        assert not (shared / "output" / "training.json").exists()
        return caplog.records[-1].getMessage()

    (shared / "one").write_text("Normal_0\nNormal_2\nFall001_x264\n")
    assert "1 anomalous videos; expected 2 or more of each class" in refused(train=shared / "one")
    assert "also in" in refused(test=shared / "train")
    assert "fewer than top = 999" in refused(top=999)
    assert "--loss most: Input should be" in refused(loss="most")
    saved(shared / "features" / "Normal_0.npy", np.zeros((4, 7)))
    assert "those of Normal_0 have 7" in refused()
    saved(shared / "features" / "Normal_0.npy", np.full((4, 6), 1e6))
    assert "Normal_0.npy: values beyond half precision (65504)" in refused()


def test_scores_that_do_not_fit(shared: Path) -> None:
    (shared / "scores").mkdir()
    with pytest.raises(UsageError, match="no scores of this test video"):
        evaluate_snippets.read_videos(shared / "scores", shared / "test", shared / "truth.txt")
    for line in (shared / "test").read_text().split():
        saved(shared / "scores" / f"{line}.npy", np.zeros(320, np.float32))
    (shared / "wrong").write_text((shared / "truth.txt").read_text().replace("-1 -1", "3 4"))
    with pytest.raises(UsageError, match=r"Normal_12 has anomalous frames, .* calls it normal"):
        evaluate_snippets.read_videos(shared / "scores", shared / "test", shared / "wrong")


def test_truth_that_does_not_fit_its_list(shared: Path) -> None:
    (shared / "scores").mkdir()
    for line in (shared / "test").read_text().split():
        saved(shared / "scores" / f"{line}.npy", np.zeros(320, np.float32))
    anomalous = [w for w in (shared / "truth.txt").read_text().splitlines() if "-1" not in w]
    (shared / "only").write_text("\n".join(anomalous))  # as XD-Violence has it
    videos = evaluate_snippets.read_videos(shared / "scores", shared / "test", shared / "only")
    assert not videos["Normal_12"].anomalous.any()
    (shared / "none").write_text("".join(f"{w.split()[0]} -1 -1\n" for w in anomalous))
    with pytest.raises(UsageError, match=r"Fall013_x264 has no anomalous frame, .* calls it Fall"):
        evaluate_snippets.read_videos(shared / "scores", shared / "test", shared / "none")
