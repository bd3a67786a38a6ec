"""The scenes by name."""

from collections.abc import Callable
from dataclasses import dataclass

from vadloc.sample_scene.backdrop import Backdrop
from vadloc.sample_scene.camera import Camera
from vadloc.sample_scene.routes import Clock, Script


@dataclass(frozen=True)
class Scene:
    """A scene.

    Attributes:
        camera: Its camera, with pictures of their usual size.
        build: Makes what stands behind the traffic from a seed and a camera.
        write_scripts: Makes all sequences, training first, from a seed, a clock and how many times
            as much traffic as usual there is.
    """

    camera: Camera
    build: Callable[[int, Camera], Backdrop]
    write_scripts: Callable[[int, Clock, float], list[Script]]


def scene_named(name: str) -> Scene:
    """A scene by its name in ``options.SCENES``."""
    if name == "street":
        from vadloc.sample_scene.scenes import street as place
        from vadloc.sample_scene.scenes import street_traffic as traffic
    elif name == "walkway":
        from vadloc.sample_scene.scenes import walkway as place
        from vadloc.sample_scene.scenes import walkway_traffic as traffic
    elif name == "junction":
        from vadloc.sample_scene.scenes import junction as place
        from vadloc.sample_scene.scenes import junction_traffic as traffic
    else:
        from vadloc.sample_scene.scenes import hall as place
        from vadloc.sample_scene.scenes import hall_traffic as traffic
    return Scene(place.CAMERA, place.build, traffic.write_scripts)
