"""The command that shows predictions and ground truth, from its files to the decoded frames."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from evaluation.figures.views import (
    DARK_GREY,
    MARGIN_PX,
)
from evaluation.visualize_annotations import ViewOptions, main, visualize, visualize_dir
from vadloc.annotations.ground_truth import GroundTruth
from vadloc.annotations.ssvad_writing import write_ground_truth
from vadloc.errors import UsageError, VadlocError
from vadloc.files.storage import write_array
from vadloc.files.storage import write_json as write_stamped
from vadloc.video.drawing import (
    DETECTION_COLOUR,
    PLATE_COLOUR,
    TRUTH_COLOUR,
    RgbImage,
    draw_text,
    text_size,
)

HEIGHT, WIDTH, COUNT = 47, 61, 4
STRIP_PX = text_size("0")[1] + MARGIN_PX
STAMP = "0" * 16
PICTURES = ViewOptions(frames_out=True, zoom=1)
Json = dict[str, Any]


def write_truth(path: Path, *, count: int = COUNT, width: int = WIDTH) -> Path:
    """One box in the last two frames, track 5."""
    frame = np.array([count - 2, count - 1])
    boxes = np.array([[10.0, 20, 30, 40]] * 2)
    flags = np.arange(count) >= count - 2
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ground_truth(
        path, GroundTruth("s", count, HEIGHT, width, frame, np.array([5, 5]), boxes, flags)
    )
    return path


def document(*frames: Json, **more: object) -> Json:
    return {
        "is_gt": False,
        "frames_count": len(frames),
        "is_anomalous_regions_available": True,
        "is_anomaly_track_id_available": False,
        "frame_width": WIDTH,
        "frame_height": HEIGHT,
        "frames": [{"frame_id": i, **frame} for i, frame in enumerate(frames, start=1)],
        **more,
    }


def write_boxes(path: Path, *scores: float) -> Path:
    """A box in the first frame for each score, side by side; nothing in the others."""
    boxes = [
        {"bounding_box": [20 * i, 5, 20 * i + 10, 15], "score": score}
        for i, score in enumerate(scores)
    ]
    empty: Json = {"anomalous_regions": []}
    content = document({"anomalous_regions": boxes}, *[empty] * (COUNT - 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_map(path: Path, scores: NDArray[np.float32], **more: object) -> Path:
    """A score map as the pipeline stores it, in cells of 16 px."""
    details = {"frame_height_px": HEIGHT, "frame_width_px": WIDTH}
    cells = {"cell_height_px": 16, "cell_width_px": 16}
    write_array(path, scores, stamp=STAMP)
    write_stamped(path.with_suffix(".json"), {**details, **cells, **more}, stamp=STAMP)
    return path


def ramp_map() -> NDArray[np.float32]:
    """Cell (1, 2) scores 0, 0.2, 0.4, 0.6 in the four frames, all others 0."""
    scores = np.zeros((COUNT, 3, 4), np.float32)
    scores[:, 1, 2] = np.arange(COUNT) * 0.2
    return scores


def write_frames(folder: Path, *, count: int = COUNT, width: int = WIDTH) -> Path:
    """Frames whose grey level is 60, 70, 80, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture = Image.fromarray(np.full((HEIGHT, width), 60 + 10 * i, np.uint8))
        picture.save(folder / f"{i + 1:03d}.png")
    return folder


def pictures_of(folder: Path) -> list[RgbImage]:
    """The frames of a folder of pictures without the two strips of text."""
    images = [np.asarray(Image.open(p)) for p in sorted(folder.iterdir())]
    assert all(image.shape == (HEIGHT + 2 * STRIP_PX, WIDTH, 3) for image in images)
    return [image[STRIP_PX:-STRIP_PX] for image in images]


def decoded(path: Path) -> Iterator[RgbImage]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.uint8)


def test_an_odd_size_becomes_a_video_of_all_frames(tmp_path: Path) -> None:
    path = visualize(
        write_truth(tmp_path / "s_gt.json"),
        write_boxes(tmp_path / "s.json", 0.7),
        tmp_path / "s.mp4",
        options=ViewOptions(zoom=1),
    )
    height = HEIGHT + 2 * STRIP_PX
    shapes = [frame.shape for frame in decoded(path)]
    assert shapes == [(height + height % 2, WIDTH + 1, 3)] * COUNT


def test_small_frames_are_magnified_until_they_can_be_read(tmp_path: Path) -> None:
    path = visualize(write_truth(tmp_path / "s.json"), None, tmp_path / "s.mp4")
    assert next(decoded(path)).shape[1] == 8 * WIDTH  # 8 x 47 is the first above 360


def test_without_frames_the_background_is_dark(tmp_path: Path) -> None:
    out = visualize(write_truth(tmp_path / "s.json"), None, tmp_path / "out", options=PICTURES)
    first, *_, last = pictures_of(out)
    assert (first == DARK_GREY).all()
    assert (last[20, 10:30] == TRUTH_COLOUR).all()
    assert (last[39, 10:30] == TRUTH_COLOUR).all()
    assert (last[41:] == DARK_GREY).all()


def test_frames_are_shown_under_what_is_drawn(tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "frames")
    truth = write_truth(tmp_path / "s.json")
    out = visualize(truth, None, tmp_path / "out", frames=frames, options=PICTURES)
    assert [p.name for p in sorted(out.iterdir())] == ["001.png", "002.png", "003.png", "004.png"]
    assert [int(image[45, 55, 0]) for image in pictures_of(out)] == [60, 70, 80, 90]
    video = visualize(truth, None, tmp_path / "s.mp4", frames=frames, options=ViewOptions(zoom=1))
    again = visualize(truth, None, tmp_path / "2", frames=video_of(tmp_path), options=PICTURES)
    assert len(list(decoded(video))) == COUNT
    levels = [int(image[45, 55, 0]) for image in pictures_of(again)]
    assert np.abs(np.array(levels) - [60, 70, 80, 90]).max() <= 2


def video_of(folder: Path) -> Path:
    """The same frames as a lossless video, which keeps odd sizes."""
    path = folder / "frames.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray"
        for i in range(COUNT):
            image = np.full((HEIGHT, WIDTH), 60 + 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        container.mux(stream.encode(None))
    return path


def test_a_score_map_colours_its_cell_by_the_same_scale_in_all_frames(tmp_path: Path) -> None:
    scores = write_map(tmp_path / "s.npy", ramp_map())
    options = ViewOptions(frames_out=True, zoom=1, scale=(0.0, 0.4))
    images = pictures_of(visualize(None, scores, tmp_path / "out", options=options))
    cell = np.zeros((HEIGHT, WIDTH), np.bool_)
    cell[16:32, 32:48] = True
    for image in images:
        assert (image[~cell] == DARK_GREY).all()
        assert (image[cell] == image[20, 40]).all()
    assert (images[0] == DARK_GREY).all()
    assert (images[1][cell] != images[2][cell]).any()
    np.testing.assert_array_equal(images[2], images[3])  # 0.6 is beyond the scale


def test_the_threshold_outlines_what_reaches_it(tmp_path: Path) -> None:
    scores = write_map(tmp_path / "s.npy", ramp_map())
    options = ViewOptions(frames_out=True, zoom=1, threshold=0.3)
    images = pictures_of(visualize(None, scores, tmp_path / "out", options=options))
    outlined = [bool((image[16, 32:48] == DETECTION_COLOUR).all()) for image in images]
    assert outlined == [False, False, True, True]


def test_boxes_below_the_threshold_are_left_out(tmp_path: Path) -> None:
    boxes = write_boxes(tmp_path / "s.json", 0.7, 0.2)
    for threshold, expected in ((None, [True, True]), (0.7, [True, False]), (0.9, [False] * 2)):
        options = ViewOptions(frames_out=True, zoom=1, threshold=threshold)
        first, *others = pictures_of(
            visualize(None, boxes, tmp_path / f"{threshold}", options=options)
        )
        corners = first[5, 0], first[5, 20]
        assert [bool((corner == DETECTION_COLOUR).all()) for corner in corners] == expected
        assert all((image == DARK_GREY).all() for image in others)


def header_of(path: Path, text: str) -> bool:
    """Whether a picture begins with this text."""
    image = np.asarray(Image.open(path))
    strip = np.full((STRIP_PX, image.shape[1], 3), PLATE_COLOUR, np.uint8)
    expected = draw_text(strip, text, (MARGIN_PX, MARGIN_PX // 2), colour=(200, 200, 200))
    width = MARGIN_PX + text_size(text)[0]
    return bool((image[:STRIP_PX, :width] == expected[:, :width]).all())


def test_name_number_and_score_stand_above(tmp_path: Path) -> None:
    options = ViewOptions(frames_out=True, zoom=8)
    scores = write_map(tmp_path / "Test007.npy", ramp_map())
    out = visualize(None, scores, tmp_path / "map", options=options)
    assert header_of(out / "003.png", "Test007   frame 3 of 4   frame score 0.400")
    boxes = write_boxes(tmp_path / "b.json", 0.7, 0.2)
    out = visualize(None, boxes, tmp_path / "boxes", options=options)
    assert header_of(out / "001.png", "b   frame 1 of 4   frame score 0.700")
    assert header_of(out / "002.png", "b   frame 2 of 4   no detection")


def test_frame_scores_without_places_are_shown_as_text(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    frames = [{"frame_level_score": 0.25}, {"frame_level_score": 0.75}]
    path.write_text(json.dumps(document(*frames, is_anomalous_regions_available=False)))
    options = ViewOptions(frames_out=True, zoom=8)
    out = visualize(None, path, tmp_path / "out", options=options)
    assert header_of(out / "002.png", "f   frame 2 of 2   frame score 0.750")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    scores = write_map(tmp_path / "s.npy", ramp_map())
    truth = write_truth(tmp_path / "s_gt.json")
    runs = [visualize(truth, scores, tmp_path / name) for name in ("a.mp4", "b.mp4")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two sequences: ground truth, score maps of which one scores double, frames."""
    for name, factor in (("Test2", 1), ("Test10", 2)):
        write_truth(tmp_path / "gt" / f"{name}_gt.json")
        write_map(tmp_path / "scores" / f"{name}.npy", ramp_map() * np.float32(factor))
        write_frames(tmp_path / "frames" / name)
    return tmp_path / "gt", tmp_path / "scores", tmp_path / "frames"


def test_a_folder_is_shown_in_the_same_colours(tmp_path: Path) -> None:
    """Test2 scores 0.4 in frame 3, Test10 in frame 2: one score, one colour."""
    truth, scores, _ = folders(tmp_path)
    out = visualize_dir(
        truth, scores, tmp_path / "out", gt_name_suffix="_gt", options=PICTURES, show_progress=False
    )
    assert [p.name for p in out] == ["Test2", "Test10"]
    first, second = (pictures_of(folder) for folder in out)
    np.testing.assert_array_equal(first[2][16:32, 32:48], second[1][16:32, 32:48])
    assert (first[2][16:32, 32:48] != first[3][16:32, 32:48]).any()


def test_one_sequence_of_a_folder_has_the_colours_of_all(tmp_path: Path) -> None:
    _, scores, frames = folders(tmp_path)
    every = visualize_dir(None, scores, tmp_path / "a", frames_dir=frames, options=PICTURES)
    (one,) = visualize_dir(
        None, scores, tmp_path / "b", frames_dir=frames, sequence="Test2", options=PICTURES
    )
    for a, b in zip(sorted(every[0].iterdir()), sorted(one.iterdir()), strict=True):
        assert a.read_bytes() == b.read_bytes()
    with pytest.raises(UsageError, match=r"'Test3' is unknown; there are Test2, Test10"):
        visualize_dir(None, scores, tmp_path / "c", sequence="Test3")


def test_the_default_scale_ends_at_the_mean_over_the_sequences(tmp_path: Path) -> None:
    for name, score in (("a", 0.5), ("b", 1.5)):
        write_map(tmp_path / "in" / f"{name}.npy", np.full((COUNT, 3, 4), score, np.float32))
    shown = [
        visualize_dir(
            None,
            tmp_path / "in",
            tmp_path / str(scale),
            options=ViewOptions(frames_out=True, zoom=8, scale=scale),
        )
        for scale in (None, (0.0, 1.0), (0.0, 1.1))
    ]
    default, mean, other = ((folders[0] / "001.png").read_bytes() for folders in shown)
    assert default == mean != other


def test_predictions_and_ground_truth_may_share_a_folder(tmp_path: Path) -> None:
    write_truth(tmp_path / "in" / "s_gt.json")
    write_boxes(tmp_path / "in" / "s.json", 0.5)
    folder = tmp_path / "in"
    out = visualize_dir(folder, folder, tmp_path / "out", gt_name_suffix="_gt", options=PICTURES)
    assert [p.name for p in out] == ["s"]
    first, *_, last = pictures_of(out[0])
    assert (first[5, 0:10] == DETECTION_COLOUR).all()
    assert (last[39, 10:30] == TRUTH_COLOUR).all()


def test_other_formats_are_found_by_the_names_of_the_sequences(tmp_path: Path) -> None:
    _, scores, frames = folders(tmp_path)
    for name in ("Test2", "Test10"):
        (frames / name / f"{name}_gt.txt").write_text("001.png 3 20 30 20 20\n")
    options = ViewOptions(ground_truth_format="street_scene", frames_out=True, zoom=1)
    with_scores = visualize_dir(frames, scores, tmp_path / "a", options=options)
    without = visualize_dir(frames, None, tmp_path / "b", frames_dir=frames, options=options)
    for folder in (*with_scores, *without):
        image = pictures_of(folder)[0]
        assert (image[39, 10:30] == TRUTH_COLOUR).all()
    with pytest.raises(UsageError, match="nothing to show"):
        visualize_dir(frames, None, tmp_path / "c", options=options)


def test_a_sequence_without_partner_is_named(tmp_path: Path) -> None:
    truth, scores, frames = folders(tmp_path)
    (truth / "Test10_gt.json").unlink()
    with pytest.raises(VadlocError, match=r"no ground truth for Test10; there is for Test2"):
        visualize_dir(truth, scores, tmp_path / "out", gt_name_suffix="_gt")
    write_boxes(truth / "Test3_gt.json", 0.5)
    with pytest.raises(VadlocError, match=r"no prediction for Test3;"):
        visualize_dir(truth, scores, tmp_path / "out", gt_name_suffix="_gt")
    for file in (frames / "Test10").iterdir():
        file.unlink()
    (frames / "Test10").rmdir()
    with pytest.raises(VadlocError, match=r"no frames for Test10;"):
        visualize_dir(None, scores, tmp_path / "out", frames_dir=frames)
    assert not (tmp_path / "out").exists()


def test_counts_and_sizes_that_disagree_are_named(tmp_path: Path) -> None:
    scores = write_map(tmp_path / "s.npy", ramp_map())
    out = tmp_path / "s.mp4"
    longer = write_truth(tmp_path / "gt.json", count=COUNT + 1)
    with pytest.raises(VadlocError, match=r"gt\.json: 5 frames, but the sequence has 4 frames"):
        visualize(longer, scores, out)
    wider = write_truth(tmp_path / "wide.json", width=WIDTH + 1)
    with pytest.raises(VadlocError, match=r"wide\.json: .*62 x 47 px, but the sequence .*61 x 47"):
        visualize(wider, scores, out)
    for count in (COUNT - 1, COUNT + 1):
        frames = write_frames(tmp_path / f"frames{count}", count=count)
        with pytest.raises(VadlocError, match=rf"{count} frames, but .*s\.npy speaks of 4"):
            visualize(None, scores, out, frames=frames)
    frames = write_frames(tmp_path / "wide", width=WIDTH + 1)
    with pytest.raises(VadlocError, match=r"frames of 62 x 47 px, but .* speaks of 61 x 47 px"):
        visualize(None, scores, out, frames=frames)
    assert not out.exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    missing = tmp_path / "no.json"
    for truth, scores in ((missing, None), (None, missing), (None, tmp_path / "no.npy")):
        with pytest.raises(VadlocError, match=r"no\.(json|npy): (no such file|missing)"):
            visualize(truth, scores, out)
    with pytest.raises(VadlocError, match="no: no such folder"):
        visualize_dir(None, tmp_path / "no", out)
    with pytest.raises(VadlocError, match=r"no file in it whose name ends in _gt\.json"):
        visualize_dir(tmp_path, None, out, gt_name_suffix="_gt")
    with pytest.raises(VadlocError, match="no frames at"):
        visualize(write_truth(tmp_path / "s.json"), None, out, frames=tmp_path / "gone")
    with pytest.raises(UsageError, match="nothing to show"):
        visualize(None, None, out)


def test_a_score_map_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "s.mp4"
    scores = write_map(tmp_path / "s.npy", ramp_map(), cell_width_px="16")
    with pytest.raises(VadlocError, match=r"s\.json: expected whole numbers for cell_height_px"):
        visualize(None, scores, out)
    scores = write_map(tmp_path / "s.npy", ramp_map(), frame_width_px=200)
    with pytest.raises(VadlocError, match=r"scores have shape \(4, 3, 4\), expected"):
        visualize(None, scores, out)
    np.save(scores, ramp_map())
    with pytest.raises(VadlocError, match=r"s\.npy: cut off or damaged"):
        visualize(None, scores, out)


def test_a_constant_map_has_a_scale(tmp_path: Path) -> None:
    scores = write_map(tmp_path / "s.npy", np.zeros((COUNT, 3, 4), np.float32))
    images = pictures_of(visualize(None, scores, tmp_path / "out", options=PICTURES))
    assert all((image == DARK_GREY).all() for image in images)


def test_what_exists_is_replaced_only_if_asked(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "s.json")
    out = visualize(truth, None, tmp_path / "out", options=PICTURES)
    (out / "005.png").write_bytes(b"of a longer run")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(VadlocError, match="out: exists already; --overwrite"):
        visualize(truth, None, out, options=PICTURES)
    assert (out / "005.png").read_bytes() == b"of a longer run"
    visualize(truth, None, out, options=ViewOptions(frames_out=True, zoom=1, overwrite=True))
    names = [p.name for p in sorted(out.iterdir())]
    assert names == ["001.png", "002.png", "003.png", "004.png", "notes.txt"]


@pytest.mark.parametrize("options", [{"zoom": 0}, {"threshold": float("nan")}])
def test_unusable_options_are_refused(options: Json) -> None:
    with pytest.raises(UsageError, match="expected a"):
        ViewOptions(**options)
    with pytest.raises(UsageError, match=r"'fancy' is unknown; known are .*street_scene"):
        ViewOptions(ground_truth_format="fancy")


def test_the_command_shows_a_folder_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, scores, frames = folders(tmp_path)
    out = tmp_path / "out"
    given = ["--ground-truth", truth, "--predictions", scores, "--frames", frames, "--output", out]
    main([*map(str, given), "--ground-truth-suffix", "_gt", "--scale", "0", "1", "--zoom", "1"])
    assert capsys.readouterr().out == f"{out / 'Test2.mp4'}\n{out / 'Test10.mp4'}\n"
    assert [len(list(decoded(out / f"{name}.mp4"))) for name in ("Test2", "Test10")] == [COUNT] * 2
    one = ["--predictions", str(scores / "Test2.npy"), "--output", str(out), "--frames-out"]
    main(one)
    assert capsys.readouterr().out == f"{out / 'Test2'}\n"
    assert len(list((out / "Test2").iterdir())) == COUNT


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--predictions", "no.json"], 1),
        ([], 2),
        (["--predictions", "no", "--zoom", "0"], 2),
        (["--predictions", "no", "--scale", "1"], 2),
        (["--predictions", "no", "--unknown"], 2),
    ],
)
def test_the_exit_status_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--output", "out"])
    assert stopped.value.code == status


def test_help_imports_nothing_heavy() -> None:
    heavy = {"numpy", "scipy", "cv2", "PIL", "av", "matplotlib", "numba", "pydantic", "torch"}
    code = (
        "import sys\n"
        "from evaluation.visualize_annotations import main\n"
        "try:\n    main(['--help'])\n"
        f"except SystemExit:\n    print('LOADED', sorted({heavy} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("LOADED []\n")
    assert "--ground-truth-format" in run.stdout
