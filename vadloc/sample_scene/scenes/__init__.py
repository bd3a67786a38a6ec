"""The scenes by name."""

from collections.abc import Callable
from dataclasses import dataclass

from vadloc.sample_scene.backdrop import Backdrop
from vadloc.sample_scene.camera import Camera
from vadloc.sample_scene.routes import Clock, Script
from vadloc.sample_scene.scenes import (
    hall,
    hall_traffic,
    junction,
    junction_traffic,
    street,
    street_traffic,
    walkway,
    walkway_traffic,
)


@dataclass(frozen=True)
class Scene:
    """A scene.

    Attributes:
        camera: The camera, with pictures of the usual size.
        build: Makes the backdrop from a seed and a camera.
        write_scripts: Makes all sequences, training first, from a seed, a clock and a factor of the
            amount of traffic.
    """

    camera: Camera
    build: Callable[[int, Camera], Backdrop]
    write_scripts: Callable[[int, Clock, float], list[Script]]


def scene_named(name: str) -> Scene:
    """A scene by its name in ``options.SCENES``."""
    return {
        "street": Scene(street.CAMERA, street.build, street_traffic.write_scripts),
        "walkway": Scene(walkway.CAMERA, walkway.build, walkway_traffic.write_scripts),
        "junction": Scene(junction.CAMERA, junction.build, junction_traffic.write_scripts),
        "hall": Scene(hall.CAMERA, hall.build, hall_traffic.write_scripts),
    }[name]
