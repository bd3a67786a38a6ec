"""Files of another kind than expected: the message says what they are and what to do."""

import logging
from pathlib import Path

import numpy as np
import pytest
from formats_helpers import drawn, save
from numpy.typing import NDArray
from prediction_files import box_frames, document, save_array, save_json

from evaluation.api import evaluate, evaluate_folder
from evaluation.compute_auc import run as compute_auc
from vadloc.annotations import MODULES, READERS, format_module
from vadloc.annotations.context import Context
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.errors import VadlocError

ROW = "001.jpg 0 5 5 2 2\n"
SIZE = {"frame_count": 2, "height_px": 20, "width_px": 30}
PREDICTED = "1,2,2,6,6,0.9\n"


def read(name: str, folder: Path) -> GroundTruth:
    return READERS[name](folder, "a", **SIZE)


# Encodings


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", "text in UTF-16; save it as UTF-8"),
        ("utf-16-le", "text in UTF-16; save it as UTF-8"),
        ("utf-16-be", "text in UTF-16; save it as UTF-8"),
        ("utf-32", "text in UTF-32; save it as UTF-8"),
        ("latin-1", r"byte 3 is no text: text in Latin-1 or Windows-1252, perhaps; save it as UTF"),
    ],
)
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("street_scene", "a_gt.txt"),
        ("shanghaitech", "a.txt"),
        ("frame_labels", "a.txt"),
        ("frame_labels", "frame_labels.csv"),
        ("json", "a.json"),
    ],
)
def test_text_in_another_encoding_is_named(
    tmp_path: Path, name: str, file: str, encoding: str, message: str
) -> None:
    (tmp_path / file).write_bytes("001\u00e9,0,5\n".encode(encoding))
    with pytest.raises(VadlocError, match=rf"{file}: {message}"):
        read(name, tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_predictions_in_another_encoding_are_named(tmp_path: Path, encoding: str) -> None:
    gt = tmp_path / "gt"
    gt.mkdir()
    (gt / "a.txt").write_text("")
    (tmp_path / "pr").mkdir()
    save_json(tmp_path / "pr/a.json", {"frame_count": 2})
    (tmp_path / "pr/a.csv").write_bytes(f"{PREDICTED}\u00e9".encode(encoding))
    with pytest.raises(VadlocError, match=r"a\.csv: .*save it as UTF-8"):
        evaluate_sized(tmp_path)
    (tmp_path / "pr/a.csv").write_text(PREDICTED)
    (tmp_path / "pr/a.json").write_bytes('{"frame_count": 2, "x": "\u00e9"}'.encode(encoding))
    with pytest.raises(VadlocError, match=r"a\.json: .*save it as UTF-8"):
        evaluate_sized(tmp_path)


def evaluate_sized(folder: Path) -> float | None:
    result = evaluate_folder(
        folder / "gt", folder / "pr", gt_format="shanghaitech", size_px=(30, 20)
    )
    area: float | None = result["region_roc_auc"]
    return area


def test_json_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = save_json(tmp_path / "a.json", document([{}, {}]))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    size = {"frame_count": 2, "height_px": 12, "width_px": 16}
    assert READERS["json"](tmp_path, "a", **size).frame_count == 2


# Headers and separators


def save_pair(folder: Path, truth: str, predicted: str) -> Path:
    for name, text in (("gt/a.txt", truth), ("pr/a.csv", predicted)):
        path = folder / name
        path.parent.mkdir()
        path.write_text(text)
    save_json(folder / "pr/a.json", {"frame_count": 2})
    return folder


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        ("0,1,2,2,6,6\n", PREDICTED),
        ("Track_ID, Frame, x_min, y_min, x_max, y_max\n0,1,2,2,6,6\n", PREDICTED),
        ("frame,x_min,x_max,y_min,y_max,track_id\n1,2,6,2,6,0\n", PREDICTED),
        ("0,1,2,2,6,6\n", "score,frame,x_min,y_min,x_max,y_max\n0.9,1,2,2,6,6\n"),
        ("0,1,2,2,6,6\n", '"frame","x_min","y_min","x_max","y_max","score"\n1,2,2,6,6,.9\n'),
    ],
)
def test_known_names_in_any_order_are_a_header(tmp_path: Path, truth: str, predicted: str) -> None:
    assert evaluate_sized(save_pair(tmp_path, truth, predicted)) == 1


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        ("frame_id,x1,y1,x2,y2,conf\n", "line 1 is a header with other names: 'frame_id, x1, y1"),
        ("1;2;2;6;6;0.9\n", "line 1: 1 fields .* divided by semicolons, write commas"),
        ("1;2,5;2;6;6;0,9\n", r"line 1: 3 fields .* divided by semicolons, .* decimal points"),
        ("1 2 2 6 6 0.9\n", "line 1: 1 fields .* divided by blanks, write commas"),
    ],
)
def test_other_headers_and_separators_are_named(
    tmp_path: Path, predicted: str, message: str
) -> None:
    with pytest.raises(VadlocError, match=rf"a\.csv, {message}"):
        evaluate_sized(save_pair(tmp_path, "", predicted))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "001.jpg 0 5,5 5 2 2",
            "line 1: x_center is '5,5', expected a number with a decimal point",
        ),
        ("001.jpg,0,5,5,2,2", "line 1: 1 fields .* divided by commas, write blanks"),
    ],
)
def test_decimal_commas_are_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "a_gt.txt").write_text(row)
    with pytest.raises(VadlocError, match=message):
        read("street_scene", tmp_path)


def test_a_header_of_street_scene_rows(tmp_path: Path) -> None:
    names = "filename track_id x_center y_center width height"
    (tmp_path / "a_gt.txt").write_text(f"{names}\n{ROW}")
    assert read("street_scene", tmp_path).box_xyxy_px.tolist() == [[4, 4, 6, 6]]


# Arrays


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(200), r"it is a zip archive \(such as \.npz\); save the array with"),
        (b"\x80\x04\x95" + bytes(200), "it is a Python pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "it is an HDF5 file"),
    ],
)
@pytest.mark.parametrize("name", ["frame_labels", "frame_masks"])
def test_what_is_no_array_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(VadlocError, match=rf"a\.npy: not a readable \.npy file \({message}"):
        read(name, tmp_path)
    (tmp_path / "pr").mkdir()
    (tmp_path / "pr/a.npy").write_bytes(content)
    save_array(tmp_path / "a.npy", np.array([0, 1]))
    with pytest.raises(VadlocError, match=rf"pr/a\.npy: not a readable .* \({message}"):
        evaluate_folder(tmp_path, tmp_path / "pr", gt_format=name, size_px=(4, 4))


def objects(*values: object) -> NDArray[np.object_]:
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def test_python_objects_are_named_wherever_they_are(tmp_path: Path) -> None:
    words = r"Python objects.*np\.asarray"
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", objects(0, [1, 2]), allow_pickle=True)
    with pytest.raises(VadlocError, match=words):
        read("frame_labels", tmp_path)
    with pytest.raises(VadlocError, match=words):
        read("frame_masks", tmp_path)
    with pytest.raises(VadlocError, match=words):
        compute_auc(tmp_path / "a.npy", tmp_path / "b.npy")
    gt = save_json(tmp_path / "gt/a.json", document([{}, {}])).parent
    (tmp_path / "pr/a").mkdir(parents=True)
    for number in range(2):
        np.save(tmp_path / f"pr/a/{number}.npy", objects(0, 1), allow_pickle=True)
    with pytest.raises(VadlocError, match=rf"a/0\.npy: an array of {words}"):
        evaluate_folder(gt, tmp_path / "pr", gt_format="json")


# Counts


def test_scores_short_by_a_window_are_blamed_themselves(tmp_path: Path) -> None:
    save_array(tmp_path / "pr/a.npy", np.zeros(36))
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt/a.txt").write_text("0\n1\n" * 20)
    with pytest.raises(VadlocError, match=r"^.*pr/a\.npy has 36 frames, but .*gt/a\.txt has 40 la"):
        evaluate_folder(tmp_path / "gt", tmp_path / "pr", gt_format="frame_labels")
    save_array(tmp_path / "masks/a.npy", np.zeros((40, 2, 2)))
    with pytest.raises(VadlocError, match=r"pr/a\.npy has 36 frames, but .*a\.npy has 40 masks"):
        evaluate_folder(
            tmp_path / "masks", tmp_path / "pr", gt_format="frame_masks", size_px=(2, 2)
        )
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/a.txt").write_text("0,39,0,0,1,1\n")
    with pytest.raises(VadlocError, match=r"line 1: frame 39, but .*pr/a\.npy has 36 frames"):
        evaluate_folder(
            tmp_path / "rows", tmp_path / "pr", gt_format="shanghaitech", size_px=(2, 2)
        )
    save_json(tmp_path / "json/a.json", document([{}] * 40))
    with pytest.raises(VadlocError, match=r"a\.npy: frame_count is 36, but 40 .*json/a\.json; eve"):
        evaluate_folder(tmp_path / "json", tmp_path / "pr", gt_format="json")


# Levels of masks


def noisy(tmp_path: Path) -> NDArray[np.uint8]:
    """A bright square of 4 x 4 px whose surroundings have the noise of a lossy codec."""
    values = np.zeros((20, 30), np.uint8)
    values[::3, ::4], values[4:8, 4:8] = 3, 250
    values[5, 5] = 255
    save(tmp_path / "a_gt/1.png", np.zeros((20, 30), np.uint8))
    save(tmp_path / "a_gt/2.png", values)
    return np.stack([np.zeros_like(values), values])


def test_masks_of_many_levels_are_refused_or_cut(tmp_path: Path) -> None:
    stack = noisy(tmp_path)
    np.save(tmp_path / "a.npy", stack)
    for name, place in (("masks", r"2\.png"), ("frame_masks", r"frame 1 \(0-based\)")):
        message = rf"{place}: the masks have 4 levels .*\(0, 3, 250, 255\).*--mask-threshold 128"
        with pytest.raises(VadlocError, match=message):
            read(name, tmp_path)
        truth = READERS[name](tmp_path, "a", **SIZE, context=Context(mask_threshold=128))
        assert truth.box_xyxy_px.tolist() == [[4, 4, 8, 8]]
        assert truth.mask_threshold == 128


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([(0, 3), (0, 255)], r"levels by this frame \(0, 3, 255\)"),  # noise of two levels
        ([(1, 1), (1, 2)], "the levels 1 and 2, none of them 0 .*--mask-threshold 2"),
        ([(0, 1), (0, 1)], ""),
        ([(0, 0), (0, 2)], ""),
        ([(255, 255), (255, 255)], ""),  # all of it is anomalous
    ],
)
def test_levels_count_over_all_masks(
    tmp_path: Path, levels: list[tuple[int, int]], message: str
) -> None:
    for number, pair in enumerate(levels):
        save(tmp_path / f"a_gt/{number}.png", np.array([pair], np.uint8))
    size = {"frame_count": 2, "height_px": 1, "width_px": 2}
    if message:
        with pytest.raises(VadlocError, match=message):
            READERS["masks"](tmp_path, "a", **size)
    else:
        truth = READERS["masks"](tmp_path, "a", **size)
        expected = ["".join("0" if level else "." for level in pair) for pair in levels]
        assert [drawn(truth, frame)[0] for frame in range(2)] == expected


def test_the_threshold_stands_in_the_summary(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noisy(tmp_path / "gt")
    scores = np.zeros((2, 20, 30))
    scores[1, 4:8, 4:8] = 1
    save_array(tmp_path / "pr/a.npy", scores)
    with caplog.at_level(logging.INFO):
        result = evaluate_folder(
            tmp_path / "gt", tmp_path / "pr", gt_format="masks", mask_threshold=128
        )
    assert result["region_roc_auc"] == result["pixel_roc_auc"] == 1
    assert result["stands_on"]["pixel"]["mask_thresholds"] == [128]
    assert "anomalous from level 128 on" in caplog.text


# Boxes beyond the frame


def test_boxes_beyond_the_frame_are_those_cut_by_hand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Frames of 16 x 12 px; boxes reach 5 px below and 3 px to the right of them."""
    beyond, cut = (10, 8, 19, 17), (10, 8, 16, 12)
    results = []
    for name, box in (("beyond", beyond), ("cut", cut)):
        region = {"bounding_box": list(box), "score": 1.0}
        truth = [{}, {"anomaly_track_id": 0, "anomalous_regions": [region]}]
        gt = save_json(tmp_path / name / "gt.json", document(truth))
        pr = save_json(
            tmp_path / name / "pr.json", document(box_frames([[((0, 0, 4, 4), 0.4)], [(box, 0.9)]]))
        )
        results.append(evaluate(gt, pr, boxes="map"))
    for number in ("region_roc_auc", "track_roc_auc", "pixel_roc_auc", "frame_roc_auc"):
        assert results[0][number] == results[1][number] == 1
    assert results[0]["counts"]["regions_cut_to_frame"] == 1
    assert results[0]["counts"]["detections_cut_to_frame"] == 1
    assert results[1]["counts"]["regions_cut_to_frame"] == 0
    assert "1 of 1 boxes stick out of the frame of 16 x 12 px by up to 5 px" in caplog.text


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("street_scene", "a_gt.txt", "001.jpg 0 28 18 8 10\n"),
        ("shanghaitech", "a.txt", "0,0,24,13,32,23\n"),
    ],
)
def test_rows_beyond_the_frame_are_cut(tmp_path: Path, name: str, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    truth = read(name, tmp_path)
    assert truth.box_xyxy_px.tolist() == [[24, 13, 30, 20]]
    assert truth.cut_regions == 1


def test_masks_in_json_are_cut_pixel_by_pixel(tmp_path: Path) -> None:
    """The box begins one column left of the frame; the runs draw '#.#' over '.##'."""
    region = {"bounding_box": [-1, 0, 2, 2], "score": 1.0, "mask_runs": [0, 1, 1, 1, 1, 2]}
    frames = [{"anomaly_track_id": 0, "anomalous_regions": [region]}]
    save_json(tmp_path / "a.json", document(frames))
    size = {"frame_count": 1, "height_px": 12, "width_px": 16}
    truth = READERS["json"](tmp_path, "a", **size)
    assert truth.box_xyxy_px.tolist() == [[0, 0, 2, 2]]
    assert truth.masks is not None
    assert truth.masks[0].tolist() == [[False, True], [True, True]]
    assert truth.cut_regions == 1


@pytest.mark.parametrize("name", MODULES)
def test_every_format_has_what_a_format_needs(name: str) -> None:
    module = format_module(name)
    assert all(callable(getattr(module, n)) for n in ("read", "annotation_of", "annotated"))
    assert module.places("scene_1_clip_1")
