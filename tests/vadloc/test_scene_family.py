"""The family of rendered scenes: cameras, routes, sensors, ground truth, causes, files."""

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import vadloc.sample_scene as sample_scene
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.sample_scene import film
from vadloc.sample_scene.camera import Camera
from vadloc.sample_scene.options import SCENES, Options, checked, usual_options
from vadloc.sample_scene.poses import Pose
from vadloc.sample_scene.routes import Clock, Script, Spot, passing
from vadloc.sample_scene.scenes import scene_named
from vadloc.sample_scene.sensor import Exposure, Sensor
from vadloc.sample_scene.things import box
from vadloc.video.frames import (
    list_sequences,
    read_frames,
)

CAUSES = {"speed", "direction", "place", "kind", "left behind", "standing"}
CLASSES = {"person", "cyclist", "car", "dog", "thing"}


@cache
def scripts_of(scene: str) -> list[Script]:
    usual = SCENES[scene]
    rate = usual.frames_per_second
    clock = Clock(round(usual.seconds * rate), rate)
    return scene_named(scene).write_scripts(0, clock, 1.0)


# Cameras


def test_tilted_camera_sees_the_point_straight_ahead_in_its_centre() -> None:
    # 10 m up, looking down by 45 degrees: the ground straight ahead is 10 m away, 14.14 m off.
    camera = Camera(200, 100, 300.0, 10.0, (100.0, 50.0), tilt=math.pi / 4)
    points = np.array([[0.0, 10.0, 0.0], [math.sqrt(2), 10.0, 0.0]])
    np.testing.assert_allclose(camera.project(points), [[100, 50], [130, 50]])
    assert math.isclose(camera.half_width_m(10.0), 100 / 300 * 10 * math.sqrt(2))


@pytest.mark.parametrize("scene", ["walkway", "junction", "hall"])
def test_ground_is_found_again_from_the_picture(scene: str) -> None:
    camera = scene_named(scene).camera
    ground = np.array([[-2.0, 14.0, 0.0], [3.0, 30.0, 0.0]])
    x_m, depth_m = camera.ground_m(*camera.project(ground).T)
    np.testing.assert_allclose(np.stack([x_m, depth_m], axis=1), ground[:, :2])


def test_larger_pictures_show_the_same_things() -> None:
    camera = scene_named("walkway").camera
    points = np.array([[1.0, 20.0, 1.75], [-3.0, 40.0, 0.0]])
    np.testing.assert_allclose(camera.resized(476, 316).project(points), 2 * camera.project(points))
    # Of another shape: the middle stays, as much as fits is seen.
    square = camera.resized(158, 158).project(points)
    np.testing.assert_allclose(square, camera.project(points) - [40, 0])


def test_people_on_the_walkway_are_10_to_30_px_high() -> None:
    camera = scene_named("walkway").camera
    for row, height_px in ((4, 11), (150, 32)):
        depth_m = float(camera.ground_m(np.array(119.0), np.array(float(row)))[1])
        ends = camera.project(np.array([[0.0, depth_m, 0.0], [0.0, depth_m, 1.75]]))
        assert math.isclose(ends[0, 1] - ends[1, 1], height_px, abs_tol=1.5)


# Routes and figures


def test_route_halts_where_it_should() -> None:
    clock = Clock(200, 10)
    route = passing([(0.0, 10.0), (20.0, 10.0)], 2.0, clock, at_m=6.0, at_s=5.0, halt_s=4.0)
    places = route.places_m[:, 0]
    np.testing.assert_allclose(places[[40, 50, 70, 90, 100]], [4.0, 6.0, 6.0, 6.0, 8.0])
    moving = [pose.moving for frame in (30, 70, 110) if (pose := route.pose(frame))]
    np.testing.assert_allclose(moving, [1.0, 0.0, 1.0], atol=1e-9)


def test_spot_is_there_for_its_time() -> None:
    spot = Spot((1.0, 9.0), math.pi / 2, Clock(50, 10), (2.0, 3.0))
    there = [frame for frame in range(50) if spot.pose(frame)]
    assert there == list(range(20, 30))
    pose = spot.pose(20)
    assert pose is not None
    np.testing.assert_allclose(pose.heading, [0, 1], atol=1e-12)


def test_eye_in_a_figures_own_axes() -> None:
    # It looks away from the camera, which is therefore 20 m behind it and to its left.
    pose = Pose(np.array([3.0, 20.0]), np.array([0.0, 1.0]), 0.0, eye_m=(0.0, 0.0, 9.0))
    assert pose.eye_from_figure_m == (-20.0, 3.0, 9.0)
    assert pose.far_side == -1
    faces = box((-1, 1), (-1, 1), (0, 1), (90, 90, 90), pose)
    seen = {tuple(np.mean(face.points_m, axis=0).tolist()) for face in faces}
    assert seen == {(-1.0, 0.0, 0.5), (0.0, 1.0, 0.5), (0.0, 0.0, 1.0)}  # back, left, top


# Scripts


@pytest.mark.parametrize("scene", SCENES)
def test_tests_alone_have_anomalies_and_every_one_is_seen(scene: str) -> None:
    usual = SCENES[scene]
    camera = scene_named(scene).camera
    for script in scripts_of(scene):
        tracks = sorted(actor.track for actor in script.actors if actor.track is not None)
        assert tracks == list(range(len(tracks)))
        assert bool(tracks) == script.name.startswith("Test")
        anomalous: set[int] = set()
        for actor in script.actors:
            if actor.anomaly is None:
                continue
            assert actor.anomaly.causes
            assert set(actor.anomaly.causes) <= CAUSES
            assert actor.anomaly.class_name in CLASSES
            poses = ((f, actor.route.pose(f)) for f in range(script.clock.frame_count))
            shown = {
                frame
                for frame, pose in poses
                if pose is not None and actor.is_anomalous(pose) and in_picture(camera, pose)
            }
            assert len(shown) >= 1.5 * usual.frames_per_second
            anomalous |= shown
        assert len(anomalous) <= 0.75 * script.clock.frame_count


def in_picture(camera: Camera, pose: Pose) -> bool:
    x, y = camera.project(np.array([[*pose.ground_m, 0.8]]))[0]
    return bool(0 <= x < camera.width_px and 0 <= y < camera.height_px)


def test_the_family_has_every_cause() -> None:
    chief = {
        actor.anomaly.causes[0]
        for scene in SCENES
        for script in scripts_of(scene)
        for actor in script.actors
        if actor.anomaly
    }
    assert chief >= CAUSES - {"standing"}
    assert "standing" in chief


@pytest.mark.parametrize("scene", ["walkway", "street"])
def test_density_is_how_much_traffic_there_is(scene: str) -> None:
    clock = Clock(20, 2)
    counts = [
        len(scene_named(scene).write_scripts(0, clock, density)[0].actors) for density in (0.4, 1.0)
    ]
    assert counts[0] < 0.7 * counts[1]


# Pictures and ground truth


@pytest.mark.parametrize(
    ("scene", "name", "track"),
    [("walkway", "Test001", 0), ("walkway", "Test003", 1), ("junction", "Test002", 0),
     ("hall", "Test002", 1)],
)  # fmt: skip
def test_box_is_tight_around_the_pixels_that_change(scene: str, name: str, track: int) -> None:
    script = next(script for script in scripts_of(scene) if script.name == name)
    frame, box_px = a_box(scene, script, track)
    others = tuple(actor for actor in script.actors if actor.track != track)
    pair = [
        shot(scene, s, frame).image.astype(int) for s in (script, replace(script, actors=others))
    ]
    change = np.abs(pair[0] - pair[1]).max(axis=2)
    x0, y0, x1, y1 = box_px
    assert (change[y0:y1, x0:x1] >= 8).mean() > 0.25
    edges = change[y0 : y0 + 2, x0:x1], change[y1 - 2 : y1, x0:x1]
    edges += change[y0:y1, x0 : x0 + 2], change[y0:y1, x1 - 2 : x1]
    assert min(edge.max() for edge in edges) >= 8
    # To the left of it there is no shadow: nothing changes.
    assert not change[:, : x0 - 2].any()


def shot(scene: str, script: Script, frame: int) -> film.Shot:
    made = scene_named(scene)
    return next(film.shoot(script, made.build(0, made.camera), [frame], seed=0))


def a_box(scene: str, script: Script, track: int) -> tuple[int, tuple[int, int, int, int]]:
    """A frame in which a track is well inside the picture, and its box."""
    camera = scene_named(scene).camera
    for frame in range(10, script.clock.frame_count, 10):
        for region in shot(scene, script, frame).regions:
            x0, y0, x1, y1 = region.box_xyxy_px
            inside = x0 > 8 and y0 > 8 and x1 < camera.width_px - 8 and y1 < camera.height_px - 8
            if region.track == track and inside:
                return frame, region.box_xyxy_px
    raise AssertionError("never well inside the picture")


# Sensors


def textured(seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 60, (120, 160, 3)).astype(np.float32)
    return np.asarray(128 + cv2.GaussianBlur(noise, (0, 0), 2), np.float32)


def test_shaken_picture_and_boxes_move_alike() -> None:
    window = film._Window(12, 3.0, -2.0)
    still = film._Window(12, 0.0, 0.0)
    picture = textured()
    # By whole pixels: what the moved camera shows at (x, y), the still one shows at (x - 3, y + 2).
    np.testing.assert_allclose(window.cut(picture)[:-2, 3:], still.cut(picture)[2:, :-3], atol=1e-3)
    share = np.zeros((120, 160), np.float32)
    share[40:60, 50:80] = 1
    region = film._visible_to_region(film._Visible(0, share), window)
    assert region is not None
    assert region.box_xyxy_px == (50 - 12 + 3, 40 - 12 - 2, 80 - 12 + 3, 60 - 12 - 2)


def test_shake_is_as_large_as_asked_for_and_stays_in_its_margin() -> None:
    sensor = Sensor(shake_px=0.5)
    exposure = Exposure(sensor, 0, 0, 10.0)
    shifts = np.array([exposure.shift_px(frame) for frame in range(600)])
    assert np.abs(shifts).max() <= sensor.margin_px - 1
    slow = np.array([np.convolve(axis, np.full(15, 1 / 15), "same") for axis in shifts.T]).T
    fast = (shifts - slow)[15:-15]
    assert 0.25 < fast.std() < 0.6
    assert Exposure(Sensor(), 0, 0, 10.0).shift_px(7) == (0.0, 0.0)


@pytest.mark.parametrize(("light", "largest"), [("steady", 0.02), ("sudden", 0.5), ("gain", 0.3)])
def test_light_changes_as_asked_for(light: str, largest: float) -> None:
    gains = np.array([Exposure(Sensor(light=light), 0, 3, 10.0).gain(f) for f in range(300)])  # type: ignore[arg-type]
    step = np.abs(np.diff(gains)).max()
    assert largest / 8 < step / gains.mean() < largest or light == "steady"
    assert step < largest
    assert 0.6 < gains.min() < gains.max() < 1.5


def test_grey_sensor_and_its_noise() -> None:
    exposure = Exposure(Sensor(noise=6.0, grey=True), 0, 0, 10.0)
    flat = np.full((200, 200, 3), 100, np.float32)
    images = [exposure.expose(flat, frame, 0.45).astype(float) for frame in (0, 1)]
    assert images[0].shape == (200, 200)
    gain = exposure.gain(1) / exposure.gain(0)
    noise = (images[1] - gain * images[0]).std()
    assert math.isclose(noise, 6 * math.sqrt(2), rel_tol=0.05)


# Files


def tiny(name: str, **changes: object) -> Options:
    usual = replace(usual_options("walkway"), name=name, size_px=(120, 80), seconds=1.0)
    return replace(usual, frames_per_second=2, **changes)  # type: ignore[arg-type]


def test_pictures_config_and_causes(tmp_path: Path) -> None:
    scene = sample_scene.render_scene(tiny("w"), tmp_path, jobs=1)
    config = load_config(scene / "w.toml")
    assert (config.dataset.frames_per_second, config.dataset.train) == (2, "w/Train")
    sequences = list_sequences(tmp_path / config.dataset.test)
    assert [s.name for s in sequences] == [f"Test00{n}" for n in range(1, 6)]
    picture = cv2.imread(str(scene / "Test/Test001/002.jpg"), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (80, 120)
    causes = json.loads((scene / "causes.json").read_text())["sequences"]
    assert causes["Test003"]["0"] == {"what": "runs", "class": "person", "causes": ["speed"]}
    assert {len(tracks) for tracks in causes.values()} == {2, 3}


def test_videos_have_all_frames_and_their_annotation(tmp_path: Path) -> None:
    scene = sample_scene.render_scene(tiny("v", kbit_per_s=100), tmp_path, jobs=1)
    [*sequences] = list_sequences(scene / "Test")
    assert [s.path.name for s in sequences] == [f"Test00{n}.mp4" for n in range(1, 6)]
    frames = list(read_frames(sequences[0], colour="grey"))
    assert [frame.shape for frame in frames] == [(80, 120)] * 2
    assert (scene / "Test" / "Test001_gt.txt").exists()
    again = sample_scene.render_scene(tiny("v", kbit_per_s=100), tmp_path, jobs=1)
    assert again == scene


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_px": (32, 80)}, "--size 32x80: expected sides of 64 to 4096 px"),
        (
            {"size_px": (121, 80), "kbit_per_s": 90},
            "--size 121x80: videos of --mp4",
        ),
        ({"name": "a/b"}, "--name 'a/b': a name has letters"),
        ({"name": "sample"}, "--name sample: is the name of the scene without options"),
        ({"density": 0.0}, "--density 0: expected 0.1 to 5"),
        ({"frames_per_second": float("nan")}, "--frames-per-second nan: expected 1 to 120"),
        ({"kbit_per_s": -4}, "--mp4 -4: expected a rate in kbit/s above 0"),
        ({"seed": -1}, "--seed -1: expected 0 or more"),
    ],
)
def test_what_cannot_be_rendered_is_said_before_work_begins(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        checked(replace(tiny("w"), **change))  # type: ignore[arg-type]


def test_command_line_names_a_street_with_options_street() -> None:
    parse = sample_scene._parser().parse_args
    small = sample_scene._options_of(parse([]))
    assert small == usual_options("street")
    street = sample_scene._options_of(parse(["--light", "gain", "--size", "180x120"]))
    assert (street.name, street.light, street.size_px) == ("street", "gain", (180, 120))
    colour = sample_scene._options_of(parse(["--scene", "walkway", "--colour"]))
    assert (colour.name, colour.grey) == ("walkway", False)
    with pytest.raises(SystemExit):
        parse(["--size", "180"])
