"""The JSON of py-ssvad-metrics: what is read, kept, written and refused."""

import contextlib
import copy
import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats_helpers import draw, drawn, example, same_truth
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from vadloc.annotations import READERS
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.ssvad_document import (
    mask_to_runs,
    runs_to_mask,
)
from vadloc.annotations.ssvad_json import read_ground_truth
from vadloc.annotations.ssvad_prediction import read_prediction
from vadloc.annotations.ssvad_writing import write_ground_truth
from vadloc.errors import VadlocError
from vadloc.scores import (
    BoxScores,
    ScoreMap,
)

Json = dict[str, Any]


def region(*box: float, **more: object) -> Json:
    return {"bounding_box": list(box), "score": 1.0, **more}


def document(*frames: Json, **more: object) -> Json:
    """A file as py-ssvad-metrics writes it, frames of 8 x 6 px."""
    return {
        "frames_count": len(frames),
        "is_anomalous_regions_available": True,
        "is_anomaly_track_id_available": True,
        "video_length_sec": None,
        "frame_width": 8,
        "frame_height": 6,
        "frame_rate": None,
        "frames": [
            {
                "frame_id": number,
                "frame_filename": f"{number:03d}.jpg",
                "video_time_sec": None,
                "anomaly_track_id": -1,
                "frame_level_score": None,
                "anomalous_regions": [],
                "frame_filepath": f"Test001/{number:03d}.jpg",
                **frame,
            }
            for number, frame in enumerate(frames, start=1)
        ],
        **more,
    }


def save(tmp_path: Path, content: Json) -> Path:
    path = tmp_path / "Test001_gt.json"
    path.write_text(json.dumps(content))
    return path


def truth_of(tmp_path: Path, *frames: Json, **more: object) -> GroundTruth:
    return read_ground_truth(save(tmp_path, document(*frames, **more)))


def test_regions_have_the_track_of_their_frame(tmp_path: Path) -> None:
    two = {"anomaly_track_id": 3, "anomalous_regions": [region(0, 1, 2, 3), region(5, 0, 8, 6)]}
    truth = truth_of(tmp_path, {}, two)
    assert truth.frame.tolist() == [1, 1]
    assert truth.track.tolist() == [3, 3]
    assert truth.box_xyxy_px.tolist() == [[0, 1, 2, 3], [5, 0, 8, 6]]
    assert truth.anomalous.tolist() == [False, True]
    assert (truth.height_px, truth.width_px, truth.derived) == (6, 8, False)


def test_a_regions_own_track_goes_before_its_frames(tmp_path: Path) -> None:
    regions = [region(0, 1, 2, 3, track_id=7), region(5, 0, 8, 6)]
    truth = truth_of(tmp_path, {"anomaly_track_id": 3, "anomalous_regions": regions})
    assert truth.track.tolist() == [7, 3]


def test_unknown_tracks_are_linked_by_overlap(tmp_path: Path) -> None:
    first = {"anomalous_regions": [region(0, 0, 2, 2), region(5, 0, 8, 6)]}
    second = {"anomalous_regions": [region(6, 0, 8, 6), region(1, 1, 3, 3)]}
    truth = truth_of(tmp_path, first, second, is_anomaly_track_id_available=False)
    assert truth.track.tolist() == [0, 1, 1, 0]
    assert truth.derived


def test_frames_are_placed_by_their_id(tmp_path: Path) -> None:
    content = document({}, {"anomaly_track_id": 0, "anomalous_regions": [region(0, 1, 2, 3)]})
    content["frames"].reverse()
    assert read_ground_truth(save(tmp_path, content)).frame.tolist() == [1]


def test_frame_labels_alone(tmp_path: Path) -> None:
    frames = [{"frame_level_score": s, "anomalous_regions": None} for s in (0, 1.0, 0.0)]
    truth = truth_of(tmp_path, *frames, is_anomalous_regions_available=False)
    assert truth.region_count == 0
    assert truth.anomalous.tolist() == [False, True, False]


PICTURE = ["##......", "##...###", ".....#.#", ".....###", "........", "#......."]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bool"])
def test_a_map_goes_before_boxes_and_gives_exact_pixels(tmp_path: Path, dtype: str) -> None:
    (tmp_path / "maps").mkdir()
    np.save(tmp_path / "maps" / "1.npy", (draw(PICTURE) > 0).astype(dtype))
    frame = {
        "anomaly_track_id": 4,
        "anomalous_regions": [region(0, 0, 8, 6), region(5, 1, 8, 4, track_id=9)],
        "pixel_level_scores_map": "maps/1.npy",
    }
    truth = truth_of(tmp_path, frame)
    assert drawn(truth, 0) == [
        "44......",
        "44...999",
        ".....9.9",
        ".....999",
        "........",
        "4.......",
    ]


@pytest.mark.parametrize("suffix", [".tif", ".tiff"])
def test_tiff_maps_are_read(tmp_path: Path, suffix: str) -> None:
    values = (draw(PICTURE) > 0).astype(np.float32) / 4
    Image.fromarray(values).save(tmp_path / f"map{suffix}")
    path = save(tmp_path, document({"pixel_level_scores_map": f"map{suffix}"}))
    scores = read_prediction(path).scores
    assert isinstance(scores, ScoreMap)
    assert np.array_equal(scores.scores[0], values)


def test_predicted_boxes_keep_their_scores_and_are_cut_at_the_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    boxes = [{"bounding_box": [6, 4, 12, 9.5], "score": 0.25}, region(0, 0, 1, 1)]
    path = save(tmp_path, document({}, {"anomalous_regions": boxes}))
    with caplog.at_level(logging.WARNING):
        prediction = read_prediction(path, sequence="Test001")
    scores = prediction.scores
    assert isinstance(scores, BoxScores)
    assert (scores.sequence, scores.frame_count, scores.frame.tolist()) == ("Test001", 2, [1, 1])
    assert scores.box_xyxy_px.tolist() == [[6, 4, 8, 6], [0, 0, 1, 1]]
    assert scores.score.tolist() == [0.25, 1.0]
    assert prediction.frame_score is None
    assert "frame 2, anomalous_regions[0]: 1 of 2 boxes" in caplog.text


def test_predicted_frame_scores(tmp_path: Path) -> None:
    frames = [{"frame_level_score": s, "anomalous_regions": None} for s in (0.5, 1, 0)]
    prediction = read_prediction(
        save(tmp_path, document(*frames, is_anomalous_regions_available=False))
    )
    assert prediction.scores is None
    assert prediction.frame_score is not None
    assert prediction.frame_score.tolist() == [0.5, 1.0, 0.0]


def test_predicted_maps_are_read_when_asked_for(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    np.save(tmp_path / "1.npy", values)
    (tmp_path / "3.npy").write_bytes(b"damaged")
    frames: list[Json] = [
        {"pixel_level_scores_map": "1.npy"},
        {"anomalous_regions": []},
        {"pixel_level_scores_map": "3.npy"},
    ]
    prediction = read_prediction(save(tmp_path, document(*frames)))
    assert isinstance(prediction.scores, ScoreMap)
    assert prediction.scores.frame_count == 3
    assert np.array_equal(prediction.scores.cells(0).scores, values)
    assert not prediction.scores.cells(1).scores.any()
    with pytest.raises(VadlocError, match=r"3\.npy: not a readable \.npy"):
        prediction.scores.cells(2)


GOOD = document(
    {"anomaly_track_id": 0, "anomalous_regions": [region(0, 0, 2, 2)]},
    {"anomaly_track_id": 0, "anomalous_regions": [region(0, 0, 2, 2), region(4, 4, 6, 6)]},
)
FIRST_REGION = ("frames", 0, "anomalous_regions", 0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("frames_count",), 3, "frames_count is 3, but 2 frames are listed"),
        (("frames_count",), 0, "frames_count: .*, not 0"),
        (("frames_count",), 2.5, "frames_count: "),
        (("frame_width",), -8, "frame_width: .*, not -8"),
        (("frame_height",), 10**9, "frame_width x frame_height is 8 x 1000000000"),
        (("frame_rate",), 0, "frame_rate: "),
        (("is_anomalous_regions_available",), "yes", "is_anomalous_regions_available: "),
        (("frames",), {}, "frames: "),
        (("frames", 1, "frame_id"), 1, "frame 1: frame_id is listed twice"),
        (("frames", 1, "frame_id"), 3, "frame 3: frame_id, but there are 2 frames"),
        (("frames", 1, "frame_id"), 0, r"frames\[1\]\.frame_id: "),
        (("frames", 1, "frame_level_score"), 1.5, r"frames\[1\]\.frame_level_score: .*, not 1.5"),
        (("frames", 1, "anomaly_track_id"), -2, r"frames\[1\]\.anomaly_track_id: "),
        (("frames", 1, "anomaly_track_id"), -1, r"frame 2, anomalous_regions\[0\]: a region, but"),
        (("frames", 1, "anomalous_regions"), None, "frame 2: neither anomalous_regions nor"),
        ((*FIRST_REGION, "score"), float("nan"), r"regions\[0\]\.score: .*, not nan"),
        ((*FIRST_REGION, "score"), -0.5, r"frames\[0\]\.anomalous_regions\[0\]\.score: "),
        ((*FIRST_REGION, "score"), 0.5, r"frame 1, anomalous_regions\[0\]\.score: 0.5, in ground"),
        ((*FIRST_REGION, "track_id"), -1, r"regions\[0\]\.track_id: "),
        ((*FIRST_REGION, "bounding_box"), [0, 0, 2], r"regions\[0\]\.bounding_box"),
        (
            (*FIRST_REGION, "bounding_box"),
            [0, 0, float("nan"), 2],
            r"bounding_box\[2\]: .*, not nan",
        ),
        (
            (*FIRST_REGION, "bounding_box"),
            [2, 0, 0, 2],
            r"frame 1, anomalous_regions\[0\]: the box .* is empty or inverted",
        ),
        ((*FIRST_REGION, "bounding_box"), [0, 0, 0, 2], "is empty or inverted"),
        ((*FIRST_REGION, "bounding_box"), [-4, -4, -2, -2], "lies outside the frame of 8 x 6"),
        ((*FIRST_REGION, "bounding_box"), [-4, 0, 0, 2], "outside the frame of 8 x 6 px, where"),
        ((*FIRST_REGION, "mask_runs"), [0, 5], r"mask_runs: 5 pixels, the box has 4"),
        ((*FIRST_REGION, "mask_runs"), [9, -5], r"mask_runs\[1\]: "),
        (("frames", 0, "pixel_level_scores_map"), 7, "pixel_level_scores_map: "),
        (("frames", 0, "pixel_level_scores_map"), "x.npy", "frame 1: .*x.npy.* is no file"),
    ],
)
def test_bad_ground_truth_is_refused_by_frame_and_field(
    tmp_path: Path, place: tuple[str | int, ...], value: object, message: str
) -> None:
    content = copy.deepcopy(GOOD)
    parent: Any = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    with pytest.raises(VadlocError, match=r"Test001_gt\.json.*" + message):
        read_ground_truth(save(tmp_path, content))


@pytest.mark.parametrize(
    "name", ["frames_count", "frame_width", "frames", "is_anomaly_track_id_available"]
)
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    content = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(VadlocError, match=f"{name}: Field required"):
        read_ground_truth(save(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null", b'{"frames": 1' + b"0" * 9999],
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(VadlocError, match=r"a\.json: "):
        read_ground_truth(path)


def test_a_disagreement_with_the_frames_names_both(tmp_path: Path) -> None:
    save(tmp_path, GOOD)
    for size, words in (
        ((3, 6, 8), "2 frames, but the sequence has 3 frames"),
        ((2, 8, 6), "2 frames of 8 x 6 px, but .* 2 frames of 6 x 8 px"),
    ):
        count, height, width = size
        with pytest.raises(VadlocError, match=words):
            READERS["json"](
                tmp_path, "Test001", frame_count=count, height_px=height, width_px=width
            )


@pytest.mark.parametrize("name", ["../out.npy", "maps/../../out.npy", "link.npy", "dir/out.npy"])
def test_a_map_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "json"
    (inside / "maps").mkdir(parents=True)
    np.save(tmp_path / "out.npy", np.zeros((6, 8), np.float32))
    (inside / "link.npy").symlink_to(tmp_path / "out.npy")
    (inside / "dir").symlink_to(tmp_path, target_is_directory=True)
    path = save(inside, document({"pixel_level_scores_map": name}))
    for read in (read_ground_truth, read_prediction):
        with pytest.raises(VadlocError, match=r"frame 1: pixel_level_scores_map .* is not below "):
            read(path)


def test_a_whole_path_is_read_if_it_lies_inside(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    inside, outside = tmp_path / "json", tmp_path / "out.npy"
    inside.mkdir()
    for path in (inside / "in.npy", outside):
        np.save(path, values)
    path = save(inside, document({"pixel_level_scores_map": str(inside / "in.npy")}))
    scores = read_prediction(path).scores
    assert isinstance(scores, ScoreMap)
    np.testing.assert_array_equal(scores.frame_scores(0), values)
    path = save(inside, document({"pixel_level_scores_map": str(outside)}))
    with pytest.raises(VadlocError, match=r"out\.npy', which is not below .*json;"):
        read_prediction(path)
    assert read_prediction(path, maps=tmp_path).frame_count == 1


def test_maps_that_are_no_regular_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    for name in ("pipe.npy", "loop.npy", "absent.npy", "a\0b.npy", ".", "x" * 5000 + ".npy"):
        path = save(tmp_path, document({"pixel_level_scores_map": name}))
        with pytest.raises(VadlocError, match="frame 1: pixel_level_scores_map"):
            read_prediction(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((8, 6), np.float32), r"shape \(8, 6\), expected \(6, 8\)"),
        (np.zeros((6, 8, 1), np.float32), r"shape \(6, 8, 1\)"),
        (np.zeros((6, 8), np.uint8), "array of uint8, expected float32, float64, bool"),
        (np.zeros((6, 8), np.complex64), "array of complex64"),
        (np.full((6, 8), np.nan, np.float32), "score nan at x = 0, y = 0"),
        (np.full((6, 8), 1.5), "score 1.5 at x = 0, y = 0"),
        (np.full((6, 8), -1e-3), "score -0.001.* at x = 0, y = 0"),
        (np.full((6, 8), None), "array of Python objects"),
    ],
)
def test_a_bad_map_is_refused(tmp_path: Path, values: NDArray[Any], message: str) -> None:
    np.save(tmp_path / "1.npy", values, allow_pickle=True)
    scores = read_prediction(save(tmp_path, document({"pixel_level_scores_map": "1.npy"}))).scores
    assert isinstance(scores, ScoreMap)
    with pytest.raises(VadlocError, match=r"1\.npy: .*" + message):
        scores.cells(0)


def test_a_map_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", np.zeros((6, 8), np.float32))
    content = (tmp_path / "1.npy").read_bytes()
    (tmp_path / "1.npy").write_bytes(content[:-4])
    scores = read_prediction(save(tmp_path, document({"pixel_level_scores_map": "1.npy"}))).scores
    assert isinstance(scores, ScoreMap)
    with pytest.raises(VadlocError, match="cut off, 4 bytes are missing"):
        scores.cells(0)


def test_a_tiff_map_must_be_float(tmp_path: Path) -> None:
    Image.fromarray(draw(PICTURE)).save(tmp_path / "1.tif")
    scores = read_prediction(save(tmp_path, document({"pixel_level_scores_map": "1.tif"}))).scores
    assert isinstance(scores, ScoreMap)
    with pytest.raises(VadlocError, match=r"1\.tif: pixels of mode L, expected 32-bit float"):
        scores.cells(0)


def test_boxes_beside_maps_of_other_frames_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", np.zeros((6, 8), np.float32))
    frames: list[Json] = [
        {"pixel_level_scores_map": "1.npy"},
        {"anomalous_regions": [region(0, 0, 1, 1)]},
    ]
    with pytest.raises(VadlocError, match="frame 2: anomalous_regions without a pixel_level"):
        read_prediction(save(tmp_path, document(*frames)))


@pytest.mark.parametrize("masked", [False, True])
def test_written_ground_truth_is_read_back_whole(tmp_path: Path, masked: bool) -> None:
    truth = example(masked=masked)
    write_ground_truth(tmp_path / "Test001.json", truth)
    again = READERS["json"](tmp_path, "Test001", frame_count=4, height_px=6, width_px=8)
    assert same_truth(truth, again)


def test_written_file_has_the_fields_of_py_ssvad_metrics(tmp_path: Path) -> None:
    write_ground_truth(tmp_path / "a.json", example(masked=False))
    content = json.loads((tmp_path / "a.json").read_text())
    frame = content["frames"][1]
    fields = ("frames_count", "frame_width", "frame_height", "is_gt", "frame_rate")
    assert [content[field] for field in fields] == [4, 8, 6, True, None]
    assert content["is_anomalous_regions_available"] is True
    assert content["is_anomaly_track_id_available"] is True
    assert [f["frame_id"] for f in content["frames"]] == [1, 2, 3, 4]
    assert [f["anomaly_track_id"] for f in content["frames"]] == [-1, 2, -1, 2]
    assert frame["anomalous_regions"] == [
        {"bounding_box": [0, 0, 2, 2], "score": 1.0, "track_id": 2},
        {"bounding_box": [1, 0, 3, 1], "score": 1.0, "track_id": 0},
    ]
    assert frame["pixel_level_scores_map"] is None


def test_runs_of_a_drawn_mask() -> None:
    assert mask_to_runs(draw(["..##", "#..#"]) > 0) == [2, 3, 2, 1]
    assert mask_to_runs(draw(["##", ".."]) > 0) == [0, 2, 2]


@given(arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_runs_give_every_mask_back(mask: NDArray[np.bool_]) -> None:
    assert np.array_equal(runs_to_mask(mask_to_runs(mask), mask.shape), mask)


@settings(deadline=None, max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda children: st.lists(children, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from([*GOOD, "frame_id", "anomaly_track_id", "anomalous_regions", "score"]),
)
def test_any_value_in_any_field_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object, name: str
) -> None:
    content = copy.deepcopy(GOOD)
    frame = content["frames"][0]
    parent: Json = next(p for p in (content, frame, frame["anomalous_regions"][0]) if name in p)
    parent[name] = value
    path = save(tmp_path_factory.mktemp("json"), content)
    with contextlib.suppress(VadlocError):
        assert read_ground_truth(path).frame_count == 2
