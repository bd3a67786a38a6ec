"""The report's files: complete, harmless whatever things are called, the same in both forms."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_samples import (
    FRAMES,
    GRID,
    HEIGHT_PX,
    HOSTILE,
    TEST_NAMES,
    WIDTH_PX,
    explanation,
    made_up_scene,
    pixels,
    report_of,
    save_films,
    writer_of,
)
from tiny_scene import film

from anomaly_detection.report.data import (
    SequenceReport,
    exemplars_to_rose,
)
from anomaly_detection.report.page import (
    SCRIPTS,
    FolderSink,
    SingleSink,
    script,
    source,
    to_json,
)
from anomaly_detection.report.pictures import Clip
from anomaly_detection.report.scene import (
    SceneReport,
    spread_evenly,
)
from anomaly_detection.report.writer import ReportWriter
from vadloc.video.view import frames_to_background

COUNTS = (45, 3, 0)
"""Detections of the test sequences: two sheets of thumbnails, a few, none."""


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> ReportWriter:
    folder = tmp_path_factory.mktemp("films")
    save_films(folder)
    sizes = zip(TEST_NAMES, COUNTS, strict=True)
    explained = [explanation(name, detections=n, seed=i) for i, (name, n) in enumerate(sizes)]
    return writer_of(folder, explained)


@pytest.fixture(scope="module")
def folder(writer: ReportWriter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    sink = FolderSink(path)
    writer.write(sink)
    (path / "index.html").write_text(sink.page(HOSTILE))
    return path


def read_data(folder: Path, name: str) -> Any:
    text = (folder / "data" / f"{name}.js").read_text()
    match = re.fullmatch(r'vadlocData\("(.*?)", (.*)\);\n', text)
    assert match
    assert match[1] == name
    return json.loads(match[2])


def test_rows_are_sorted_by_score(folder: Path) -> None:
    scores = [row["score"] for row in read_data(folder, "index")["detections"]]
    assert len(scores) == sum(COUNTS)
    assert scores == sorted(scores, reverse=True)


def test_the_index_has_ground_truth_where_it_is_known(folder: Path) -> None:
    bands = [sequence["bands"] for sequence in read_data(folder, "index")["sequences"]]
    assert bands == [[[8, 15]], [], None]


def test_details_are_those_of_the_explanations(writer: ReportWriter, folder: Path) -> None:
    explained = writer.sequences[0].detections
    for detail, record in zip(read_data(folder, "000")["detections"], explained, strict=True):
        assert detail["unusual"] == record["unusual"]
        assert record["peak"].items() <= detail["peak"].items()
        assert record["nearest"].items() <= detail["nearest"].items()
        first, last = detail["clip"]
        shown = range(max(first, record["first_frame"]), min(last, record["last_frame"]) + 1)
        assert detail["boxes_from"] == shown.start
        boxes = [record["boxes_xyxy_px"][f - record["first_frame"]] for f in shown]
        assert np.reshape(detail["boxes"], (-1, 4)).tolist() == boxes


def test_every_picture_that_data_names_is_there(folder: Path) -> None:
    index = read_data(folder, "index")
    for sequence, count in zip(index["sequences"], COUNTS, strict=True):
        content = read_data(folder, sequence["key"])
        for detail in content["detections"]:
            assert (folder / detail["peak"]["strip"]).is_file()
            assert (folder / detail["nearest"]["strip"]).is_file()
        shown = sum(last - first + 1 for first, last in content["shown"])
        assert len(list(folder.glob(f"clips/{sequence['key']}-*"))) == -(-shown // 16)
        assert len(list(folder.glob(f"heat/{sequence['key']}-*"))) == -(-shown // 16)
        assert len(list(folder.glob(f"thumbnails/{sequence['key']}-*"))) == -(-count // 40)
    scene = read_data(folder, "scene")
    assert len(list(folder.glob("scene/*.jpg"))) == len(scene["normal"]) == GRID.region_count


def test_clips_show_the_frames_they_say(folder: Path) -> None:
    content = read_data(folder, "000")
    assert content["shown"] == [[0, FRAMES - 1]]
    frames = film(seed=0, anomaly_column=20)
    for sheet in range(2):
        picture = pixels(folder / f"clips/000-{sheet:04d}.jpg")
        for place, frame in enumerate(frames[16 * sheet :][:16]):
            y, x = HEIGHT_PX * (place // 4), WIDTH_PX * (place % 4)
            tile = picture[y : y + HEIGHT_PX, x : x + WIDTH_PX].astype(int)
            distance = [np.abs(tile - other).mean() for other in frames]
            assert int(np.argmin(distance)) == 16 * sheet + place
            assert np.abs(tile - frame).mean() < 12


def test_names_are_escaped_wherever_they_stand(folder: Path) -> None:
    page = (folder / "index.html").read_text()
    assert HOSTILE not in page
    assert page.count(html.escape(HOSTILE)) == 2
    data = "".join(path.read_text() for path in (folder / "data").iterdir())
    assert "<" not in data
    assert "\\u003cscript" in data
    names = {row["name"] for row in read_data(folder, "index")["sequences"]}
    assert names == set(TEST_NAMES)


def test_json_survives_escaping() -> None:
    content = {"a": HOSTILE, "b": "\u2028é", "c": [1.5, None]}
    assert json.loads(to_json(content)) == content
    assert to_json(content).isascii()


def test_the_single_file_holds_the_same(writer: ReportWriter, folder: Path) -> None:
    sink = SingleSink()
    writer.write(sink)
    page = sink.page(HOSTILE)
    found = re.findall(r'<script type="text/plain" id="(.*?)">(.*?)</script>', page)
    blocks = {html.unescape(name): text for name, text in found}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.suffix in {".jpg", ".png"}:
            assert base64.b64decode(blocks.pop(name)) == path.read_bytes()
        elif path.parent.name == "data":
            assert json.loads(blocks.pop(f"data/{path.stem}")) == read_data(folder, path.stem)
    assert blocks == {}


def test_the_single_file_allows_its_own_script_and_style_alone() -> None:
    page = SingleSink().page("x")
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy
    for text, tag in ((script(), "script"), (source("report.css"), "style")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
        assert f"<{tag}>{text}</{tag}>" in page
    assert "default-src 'none'" in policy[1]


@pytest.mark.parametrize("name", ["index.html", "report.css", *(f"{s}.js" for s in SCRIPTS)])
def test_the_page_names_no_address_of_a_network(name: str) -> None:
    text = source(name).replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z][\w-]*\.\w+", text) == []
    assert "innerHTML" not in text
    assert "</script" not in text or name == "index.html"


def test_all_marks_of_the_page_are_filled() -> None:
    assert re.findall(r"<!--\w+-->", SingleSink().page("x")) == []


def test_frames_are_left_out_evenly_above_the_rate() -> None:
    content = explanation("x", detections=6, seed=3)
    report = report_of([content])
    thin = SequenceReport(
        0, content, type(report)(**{**vars(report), "clip_frames_per_second": 2.0})
    )
    whole = SequenceReport(0, content, report)
    frames = {f for c in whole.shown for f in range(c.first, c.last + 1)}
    assert thin.shown_frames() == sorted(f for f in frames if f % 5 == 0)


def test_overviews_are_maxima() -> None:
    content = explanation("x", detections=0, seed=0)
    content["frame_scores"] = np.sin(np.arange(1501)).tolist()
    content["frame_count"] = 1501
    overview = SequenceReport(0, content, report_of([content])).overview(None)
    step = overview["frames_a_point"]
    assert step == 3
    parts = [content["frame_scores"][i : i + step] for i in range(0, 1501, step)]
    assert overview["scores"] == [round(max(part), 4) for part in parts]


def test_a_camera_that_has_moved_is_named() -> None:
    content = explanation("x", detections=0, seed=0)
    report = report_of([content])

    def words(**changes: float) -> list[str]:
        names = ("median_px", "high_px", "largest_px", "undone_share", "lost_share")
        camera = dict.fromkeys(names, 0.0) | changes
        return SequenceReport(0, {**content, "camera": camera}, report).camera_words()

    assert SequenceReport(0, content, report).camera_words() == []
    assert words() == words(largest_px=0.2) == []
    [line] = words(undone_share=0.5, median_px=1, high_px=2)
    assert line == "camera shifts: median 1.00 px, 99 % up to 2.00 px, undone in 50 % of the frames"
    assert "match no view before them: the camera" in words(lost_share=0.3)[0]
    assert "shifted by up to 4 px" in words(largest_px=4, undone_share=0.5)[1]


def test_a_detection_of_one_frame_is_shown() -> None:
    content = explanation("x", detections=1, seed=0)
    detection = content["detections"][0]
    peak = detection["peak"] | {"first_frame": 5, "last_frame": 8}
    detection |= {"first_frame": 6, "last_frame": 6, "peak_frame": 6, "peak": peak}
    detection["boxes_xyxy_px"] = detection["boxes_xyxy_px"][:1]
    sequence = SequenceReport(0, content, report_of([content]))
    assert sequence.clips == [Clip(1, 12)]
    assert sequence.details([None] * GRID.region_count)["detections"][0]["boxes_from"] == 6


def test_roses_weigh_exemplars_by_their_counts() -> None:
    shares = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    assert exemplars_to_rose(shares, np.array([3, 1])) == [0.75, 0.125, 0.125]
    assert exemplars_to_rose(np.zeros((2, 3)), np.array([3, 1])) is None
    assert exemplars_to_rose(None, np.array([3, 1])) is None


def test_scenes_show_frequent_exemplars_first() -> None:
    scene = made_up_scene()
    content = SceneReport(scene, report_of([explanation("x", detections=0, seed=0)])).content()
    for region, normal in enumerate(content["normal"]):
        counts = scene.model.counts[2 * region : 2 * region + 2]
        assert [e["count"] for e in normal["shown"]] == sorted(counts.tolist(), reverse=True)
        assert normal["volumes"] == counts.sum()
        assert all(0 <= share <= 1 for share in normal["region_in_tile"])
    assert content["normal"][0]["region_in_tile"] == [0, 0, 0.5, 0.5]


def test_the_picture_of_the_scene_has_nothing_that_moves() -> None:
    frames = film(seed=4, anomaly_column=30)
    empty = frames_to_background(list(frames))
    assert np.abs(empty[30:].astype(int) - frames[0, 30:]).max() == 0


def test_frames_of_the_background_are_spread_evenly() -> None:
    assert spread_evenly(list(range(0, 100, 10)), 4) == {0, 30, 60, 90}
    assert spread_evenly([3, 7], 31) == {3, 7}
    assert spread_evenly([], 31) == set()
