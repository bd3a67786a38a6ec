"""The rendered sample scene: picture, ground truth, traffic rules, files."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import vadloc.sample_scene as sample_scene
from vadloc.errors import UsageError, VadlocError
from vadloc.sample_scene import encoding, files, film, options
from vadloc.sample_scene.camera import cast_on_ground
from vadloc.sample_scene.people import Cyclist, Person
from vadloc.sample_scene.routes import Actor, Clock, Route, Script
from vadloc.sample_scene.scenes import street, street_traffic
from vadloc.sample_scene.scenes.street import CAMERA
from vadloc.sample_scene.shapes import Layer, Shape, shapes_to_layer
from vadloc.sample_scene.vehicles import Car

WIDTH_PX, HEIGHT_PX = 320, 240
FRAME_COUNT = street_traffic.CLOCK.frame_count
SMALL = files.SEQUENCES["sample"][0]

ANOMALIES = {  # track, frames in which the whole figure is to be seen
    ("Test001", 0): (60, 110),
    ("Test001", 1): (105, 140),
    ("Test002", 0): (80, 110),
    ("Test002", 1): (115, 150),
}


def script_named(name: str, seed: int = 0) -> Script:
    return next(script for script in street_traffic.write_scripts(seed) if script.name == name)


def shoot(script: Script, *frames: int, seed: int = 0) -> list[film.Shot]:
    return list(film.shoot(script, street.build(seed), frames, seed=seed))


def render(datasets: Path, *, seed: int = 0, overwrite: bool = False, jobs: int = 1) -> Path:
    two_frames = replace(options.usual_options("street", seed), seconds=2 / 15)
    return files.render(two_frames, datasets, overwrite=overwrite, jobs=jobs)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# The camera


def test_camera_projects_by_similar_triangles() -> None:
    # 64 m away one metre is 640 / 64 = 10 px; the camera hangs 16.5 m above the ground.
    points = np.array([[0.0, 64.0, 0.0], [3.0, 64.0, 0.0], [-2.0, 64.0, 1.5]])
    np.testing.assert_allclose(CAMERA.project(points), [[160, 29], [190, 29], [140, 14]])
    assert CAMERA.half_width_m(64.0) == 16.0


def test_shadow_lies_on_the_ground_to_the_right_and_behind() -> None:
    np.testing.assert_allclose(
        cast_on_ground(np.array([[1.0, 40.0, 2.0]]), street.SUN), [[2.5, 40.6, 0.0]]
    )


# Drawing


def test_rectangle_covers_its_pixels_and_half_of_those_on_its_edge() -> None:
    # At 64 m the pixel columns 150..159 and half of 160, rows 19..28.
    corners = [(-1.0, 64.0, 1.0), (0.05, 64.0, 1.0), (0.05, 64.0, 0.0), (-1.0, 64.0, 0.0)]
    layer = shapes_to_layer([Shape(corners, (200.0, 100.0, 50.0))], 64.0, CAMERA)
    assert layer is not None
    opacity = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    opacity[layer.place] = layer.opacity[..., 0]
    expected = np.zeros_like(opacity)
    expected[19:29, 150:160] = 1
    expected[19:29, 160] = 0.5
    # cv2 paints the pixels on the outline too: a quarter of a pixel, the oversampling.
    assert np.abs(opacity - expected).max() <= 0.26
    inside = layer.colour[5, 3]
    np.testing.assert_array_equal(inside, [200, 100, 50])


def test_what_lies_outside_the_picture_has_no_layer() -> None:
    assert shapes_to_layer([Shape([(40.0, 50.0, 0.0)], (9, 9, 9), 1.0)], 50.0, CAMERA) is None


def opaque(left: int, top: int, width: int, height: int, depth_m: float) -> Layer:
    ones = np.ones((height, width, 3), np.float32)
    return Layer(left, top, 90 * ones, ones, depth_m)


def regions_of(
    picture: NDArray[np.float32], layers: list[tuple[Layer, int | None]]
) -> list[film.Region]:
    window = film._Window(0, 0.0, 0.0)
    found = [film._visible_to_region(v, window) for v in film._lay(picture, layers)]
    return [region for region in found if region is not None]


def test_region_is_what_nearer_objects_leave_visible() -> None:
    behind, before = opaque(30, 20, 10, 10, 50.0), opaque(28, 10, 6, 40, 40.0)
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    for layers in ([(before, None), (behind, 3)], [(behind, 3), (before, None)]):
        assert regions_of(picture, layers) == [film.Region(3, (34, 20, 40, 30))]
    [region] = regions_of(picture, [(behind, None), (before, 1)])
    assert region == film.Region(1, (28, 10, 34, 50))


@pytest.mark.parametrize(("hidden_columns", "regions"), [(8, 1), (9, 0)])
def test_fewer_than_20_visible_pixels_are_no_region(hidden_columns: int, regions: int) -> None:
    behind, before = opaque(30, 20, 10, 10, 50.0), opaque(30, 20, hidden_columns, 10, 40.0)
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    assert len(regions_of(picture, [(behind, 0), (before, None)])) == regions


# Ground truth against pixels


def change_without(script: Script, track: int, frame: int) -> NDArray[np.int64]:
    """By how much the actor changes each pixel, ``(height, width, 3)``."""
    others = tuple(actor for actor in script.actors if actor.track != track)
    with_actor = shoot(script, frame)[0].image.astype(np.int64)
    return with_actor - shoot(replace(script, actors=others), frame)[0].image


@pytest.mark.parametrize(
    ("name", "track", "frame"), [(*key, frame) for key, f in ANOMALIES.items() for frame in f]
)
def test_box_is_tight_around_the_pixels_an_anomaly_changes(
    name: str, track: int, frame: int
) -> None:
    script = script_named(name)
    box = next(r for r in shoot(script, frame)[0].regions if r.track == track).box_xyxy_px
    x0, y0, x1, y1 = box
    change = change_without(script, track, frame)
    strength = np.abs(change).max(axis=2)
    # Inside: much changes, and something in the two outermost lines of each side.
    assert (strength[y0:y1, x0:x1] >= 8).mean() > 0.25
    for edge in (
        strength[y0 : y0 + 2, x0:x1],
        strength[y1 - 2 : y1, x0:x1],
        strength[y0:y1, x0 : x0 + 2],
        strength[y0:y1, x1 - 2 : x1],
    ):
        assert edge.max() >= 8
    # Outside, but for the soft outline, the shadow alone: it darkens and lies right of the feet.
    change[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = 0
    assert change.max() <= 0
    assert not change[: y0 - 2].any()
    assert not change[:, : x0 - 6].any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_test_scripts_have_two_tracks_and_normal_frames(seed: int) -> None:
    for script in street_traffic.write_scripts(seed)[:SMALL]:
        frames_of_track = {
            actor.track: anomalous_frames(actor)
            for actor in script.actors
            if actor.track is not None
        }
        if script.name.startswith("Train"):
            assert not frames_of_track
            continue
        assert sorted(frames_of_track) == [0, 1]
        assert min(len(frames) for frames in frames_of_track.values()) >= 40
        anomalous = set.union(*frames_of_track.values())
        assert len(anomalous) <= 0.7 * FRAME_COUNT


def anomalous_frames(actor: Actor) -> set[int]:
    """Frames in which the middle of an actor is to be seen where it must not be."""
    poses = {frame: actor.route.pose(frame) for frame in range(FRAME_COUNT)}
    return {
        frame
        for frame, pose in poses.items()
        if pose is not None
        and actor.is_anomalous(pose)
        and abs(pose.ground_m[0]) < CAMERA.half_width_m(float(pose.ground_m[1]))
    }


def test_jaywalker_is_anomalous_on_the_road_only() -> None:
    jaywalker = next(a for a in script_named("Test001").actors if a.track == 0)
    anomalous = anomalous_frames(jaywalker)
    depth_m = jaywalker.route.places_m[:, 1]
    on_road = {f for f in range(FRAME_COUNT) if 38.0 <= depth_m[f] <= 48.2}
    assert anomalous == on_road
    assert np.isfinite(depth_m[[min(on_road) - 1, max(on_road) + 1]]).all()


def test_ground_truth_rows_state_the_regions(tmp_path: Path) -> None:
    script = script_named("Test002")
    (tmp_path / "Test" / "Test002").mkdir(parents=True)
    rows = files._render_part(script, range(110, 112), tmp_path, options.usual_options("street"))
    shots = shoot(script, 110, 111)
    expected = [(shot.frame, region) for shot in shots for region in shot.regions]
    assert len(rows) == len(expected) == 4
    for row, (frame, region) in zip(rows, expected, strict=True):
        name, track, *numbers = row.split(" ")
        x, y, width, height = map(float, numbers)
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        assert (name, int(track), box) == (f"{frame + 1}.jpg", region.track, region.box_xyxy_px)
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= WIDTH_PX
        assert box[3] <= HEIGHT_PX
        assert (tmp_path / "Test" / "Test002" / name).stat().st_size > 0


# Traffic


def normal_moves(script: Script) -> Iterator[tuple[Actor, NDArray[np.float64]]]:
    """Normal actors and their visible picture points ``(n, 2)`` in successive frames."""
    for actor in script.actors:
        places = actor.route.places_m[np.isfinite(actor.route.places_m).all(axis=1)]
        seen = CAMERA.project(np.column_stack([places, np.zeros(len(places))]))
        seen = seen[(seen[:, 0] >= 0) & (seen[:, 0] < WIDTH_PX)]
        if actor.track is None and len(seen) > 1:
            yield actor, seen


SPEED_PX = {Person: (0.65, 1.55), Cyclist: (2.5, 4.0), Car: (4.0, 7.0)}


@pytest.mark.parametrize("seed", [0, 1])
def test_normal_traffic_keeps_its_place_direction_and_speed(seed: int) -> None:
    for script in street_traffic.write_scripts(seed)[:6]:  # in the last one a suitcase is left
        for actor, seen in normal_moves(script):
            depth_m = float(actor.route.places_m[np.isfinite(actor.route.places_m[:, 1])][0, 1])
            step_px = float(np.diff(seen[:, 0]).mean())
            slowest, fastest = SPEED_PX[type(actor.figure)]
            assert slowest <= abs(step_px) <= fastest
            if isinstance(actor.figure, Person):
                assert 48.2 < depth_m < 53 or 31 < depth_m < 38
            elif isinstance(actor.figure, Cyclist):
                assert 38 < depth_m < 40.4
                assert step_px > 0
            else:
                assert 40.4 < depth_m < 48.2
                assert (step_px > 0) == (depth_m < 44.4)


def test_training_covers_every_lane_and_both_directions_of_the_pavements() -> None:
    visited: set[tuple[str, bool, int]] = set()
    for script in street_traffic.write_scripts(0)[:3]:
        for actor, seen in normal_moves(script):
            depth_m = float(actor.route.places_m[np.isfinite(actor.route.places_m[:, 1])][0, 1])
            part = ("near", "bike", "near lane", "far lane", "far")[
                int(np.searchsorted([38, 40.4, 44.4, 48.2], depth_m))
            ]
            to_right = bool(seen[-1, 0] > seen[0, 0])
            visited |= {(part, to_right, int(x) // 32) for x in seen[:, 0]}
    columns = range(WIDTH_PX // 32)
    one_way = {("bike", True), ("near lane", True), ("far lane", False)}
    both_ways = {(part, way) for part in ("near", "far") for way in (True, False)}
    assert visited == {(*way, column) for way in one_way | both_ways for column in columns}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nobody_walks_or_drives_through_another(seed: int) -> None:
    for script in street_traffic.write_scripts(seed)[:6]:  # in the last one a suitcase is left
        for one, other in combinations(script.actors, 2):
            reach = np.add(one.figure.footprint_m, other.figure.footprint_m) / 2
            apart = np.abs(one.route.places_m - other.route.places_m)
            assert not (apart < reach).all(axis=1).any()


def test_route_goes_round_corners_at_constant_speed() -> None:
    route = Route(
        np.array([[0.0, 40.0], [6.0, 40.0], [6.0, 48.0]]),
        1.5,
        first_frame=10.0,
        clock=Clock(200, 15),
    )
    assert route.pose(9) is None
    places = route.places_m
    np.testing.assert_allclose(places[40], [3.0, 40.0])  # 2 s at 1.5 m/s
    np.testing.assert_allclose(places[110], [6.0, 44.0])  # 10 m: 6 m across, 4 m away
    pose = route.pose(110)
    assert pose is not None
    np.testing.assert_allclose(pose.heading, [0.0, 1.0], atol=1e-9)
    assert math.isclose(pose.distance_m, 10.0)
    assert route.pose(151) is None  # 14 m are over after 140 frames


# Light and noise


def test_pixels_follow_the_seed_and_nothing_else() -> None:
    first, again = (shoot(script_named("Train001"), 50)[0].image for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = shoot(script_named("Train001", seed=1), 50, seed=1)[0].image
    assert (first != other).mean() > 0.5


def test_noise_is_gaussian_and_its_own_in_each_frame() -> None:
    one, other = (
        shot.image.astype(np.float64)
        for shot in shoot(Script("Empty", 0, (), Clock(200, 15)), 0, 1)
    )
    walls = (one - other)[:12]  # above the trees nothing moves
    # Two independent noises of deviation 2, each rounded (variance 1/12).
    assert math.isclose(walls.std(), math.sqrt(2 * (4 + 1 / 12)), rel_tol=0.05)
    assert abs(walls.mean()) < 0.5


# Files


def test_bytes_depend_on_the_seed_alone(tmp_path: Path) -> None:
    scene = render(tmp_path / "one")
    beside = render(tmp_path / "two", jobs=2)
    assert files_in(scene) == files_in(beside)
    names = sorted(files_in(scene))
    assert names == sorted(
        [
            "sample.json",
            "causes.json",
            "Test/Test001/Test001_gt.txt",
            "Test/Test002/Test002_gt.txt",
            *(f"Train/Train00{n}/00{frame}.jpg" for n in (1, 2, 3) for frame in (1, 2)),
            *(f"Test/Test00{n}/00{frame}.jpg" for n in (1, 2) for frame in (1, 2)),
        ]
    )


def test_complete_scene_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scene = render(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in scene.rglob("*")}
    with caplog.at_level("INFO"):
        assert render(tmp_path) == scene
    assert "already there" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in scene.rglob("*")} == before


@pytest.mark.parametrize("spoil", ["other seed", "frame lost", "stamp lost"])
def test_other_or_incomplete_scene_is_refused_then_replaced(tmp_path: Path, spoil: str) -> None:
    scene = tmp_path / "sample"
    scene.mkdir()
    (scene / "README.md").write_text("kept", encoding="utf-8")
    render(tmp_path, seed=1 if spoil == "other seed" else 0)
    lost = {"frame lost": scene / "Train/Train002/001.jpg", "stamp lost": scene / "sample.json"}
    if spoil in lost:
        lost[spoil].unlink()
    before = files_in(scene)
    with pytest.raises(VadlocError, match=r"sample/Train: .*seed 0; --overwrite replaces it"):
        render(tmp_path)
    assert files_in(scene) == before
    render(tmp_path, overwrite=True)
    assert files_in(scene) == {**files_in(render(tmp_path / "new")), "README.md": b"kept"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "sample"]


def test_failed_render_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, image: NDArray[np.uint8]) -> None:
        if path.parent.name == "Test001":
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(encoding, "write_picture", fail)
    with pytest.raises(VadlocError, match=r"No space left on device; .*--datasets"):
        render(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_killed_render_leaves_no_sequences(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vadloc.sample_scene", "--datasets", str(tmp_path)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob(".sample.*/Train/*/*.jpg")):
            assert process.poll() is None, "the render ended before its first frame"
            time.sleep(0.05)
    finally:
        # Ends Python at once, nothing is tidied; joblib's tracker of semaphores alone survives.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    assert not (tmp_path / "sample").exists()


def test_unusable_seed_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--seed -1: expected 0 or more"):
        sample_scene.render_sample_scene(tmp_path, seed=-1)
    (tmp_path / "file").touch()
    with pytest.raises(VadlocError, match=r"file: .*--datasets"):
        render(tmp_path / "file")


def test_main_prints_the_folder_and_fails_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    short = replace(options.SCENES["street"], frames_per_second=1, seconds=1)
    monkeypatch.setitem(options.SCENES, "street", short)
    arguments = ["--datasets", str(tmp_path)]
    sample_scene.main(arguments)
    command = f"python -m vadloc.run --config configs/sample.toml --datasets {tmp_path}"
    said = f"{tmp_path / 'sample'}\nconfig: configs/sample.toml\nnext: {command}\n"
    assert capsys.readouterr().out == said
    with pytest.raises(SystemExit) as failed:
        sample_scene.main([*arguments, "--seed", "7"])
    assert failed.value.code == 1
    assert "--overwrite" in caplog.messages[-1]
    with pytest.raises(SystemExit) as unusable:
        sample_scene.main([*arguments, "--seed", "-7"])
    assert unusable.value.code == 2


def test_help_needs_no_heavy_import() -> None:
    code = "import sys, vadloc.sample_scene; sys.exit(bool({'numpy', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
