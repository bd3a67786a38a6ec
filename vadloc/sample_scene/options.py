"""The options of a rendered scene."""

import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, get_args

from vadloc.errors import UsageError

SMALL_NAME: Final = "sample"
"""Name of the scene without options: few sequences, the same pictures in every version."""

Light = Literal["steady", "sudden", "gain"]
LIGHTS: Final = get_args(Light)
LEAST_SIDE_PX: Final = 64
LARGEST_SIDE_PX: Final = 4096
LEAST_WEAK: Final = 2
LARGEST_WEAK: Final = 500


@dataclass(frozen=True)
class Usual:
    """The defaults of a scene.

    Attributes:
        size_px: Width and height of frames.
        frames_per_second: Frame rate.
        seconds: Length of a sequence.
        grey: Whether pictures are grey.
        region_px: Side of the regions in the config.
    """

    size_px: tuple[int, int]
    frames_per_second: float
    seconds: float
    grey: bool
    region_px: int


SCENES: Final = {
    "street": Usual((320, 240), 15, 200 / 15, grey=False, region_px=32),
    "walkway": Usual((238, 158), 10, 20, grey=True, region_px=16),
    "junction": Usual((320, 240), 10, 20, grey=False, region_px=24),
    "hall": Usual((320, 240), 10, 20, grey=False, region_px=32),
}


@dataclass(frozen=True)
class Options:
    """The options of one data set.

    Attributes:
        scene: A key of ``SCENES``.
        name: Name of the data set.
        size_px: Width and height of frames.
        frames_per_second: Frame rate.
        seconds: Length of a sequence.
        grey: Whether pictures are grey.
        noise: Standard deviation of the sensor's noise, in grey levels.
        shake_px: Standard deviation of the camera's jitter.
        light: One of ``LIGHTS``.
        density: Factor of the amount of traffic; 1 is the usual amount.
        kbit_per_s: Bit rate of the videos that are written instead of pictures; 0 for pictures.
        weak: Training videos of each class, normal and with anomalies, for versions that learn
            from labels of whole videos; 0 for the usual scene, with normal training videos only.
        seed: Seed of everything that is random.
    """

    scene: str = "street"
    name: str = SMALL_NAME
    size_px: tuple[int, int] = (320, 240)
    frames_per_second: float = 15
    seconds: float = 200 / 15
    grey: bool = False
    noise: float = 2.0
    shake_px: float = 0.0
    light: Light = "steady"
    density: float = 1.0
    kbit_per_s: int = 0
    weak: int = 0
    seed: int = field(default=0, kw_only=True)

    @property
    def frame_count(self) -> int:
        """Number of frames of a sequence."""
        return max(1, round(self.seconds * self.frames_per_second))

    @property
    def is_small(self) -> bool:
        """Whether this is the small scene of fixed content."""
        return self.name == SMALL_NAME

    @property
    def region_px(self) -> int:
        """Side of regions that are about as high as a person in the middle of the scene."""
        from vadloc.camera_setup.moving_objects import round_down

        usual = SCENES[self.scene]
        scale = max(self.size_px[0] / usual.size_px[0], self.size_px[1] / usual.size_px[1])
        return round_down(usual.region_px * scale)

    def stamp(self) -> dict[str, Any]:
        """The options that affect the pictures."""
        found = {**asdict(self), "size_px": list(self.size_px)}
        if not self.weak:  # so that scenes of older versions count as complete
            del found["weak"]
        return found


def usual_options(scene: str, seed: int = 0) -> Options:
    """The options of a scene without any choice; for the street those of the small scene."""
    if scene not in SCENES:
        raise UsageError(f"--scene {scene}: expected one of {', '.join(SCENES)}")
    usual = SCENES[scene]
    name = SMALL_NAME if scene == "street" else scene
    return Options(
        scene,
        name,
        usual.size_px,
        usual.frames_per_second,
        usual.seconds,
        usual.grey,
        seed=seed,
    )


def checked(options: Options) -> Options:
    """The options, after a check that they can be used together.

    Raises:
        UsageError: The options contradict each other.
    """
    _check_name(options)
    _check_sizes(options)
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: expected 0 or more")
    if options.weak and not LEAST_WEAK <= options.weak <= LARGEST_WEAK:
        raise UsageError(
            f"--weak {options.weak}: expected {LEAST_WEAK} to {LARGEST_WEAK} videos of each class"
        )
    for name, value, least, largest in (
        ("frames-per-second", options.frames_per_second, 1, 120),
        ("seconds", options.seconds, 1, 600),
        ("noise", options.noise, 0, 50),
        ("shake", options.shake_px, 0, 10),
        ("density", options.density, 0.1, 5),
    ):
        if not least <= value <= largest:
            raise UsageError(f"--{name} {value:g}: expected {least} to {largest}")
    return options


def _check_name(options: Options) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", options.name):
        raise UsageError(
            f"--name {options.name!r}: a name has letters A to Z, digits, - and _, no other signs"
        )
    usual = replace(usual_options("street"), seed=options.seed)
    if options.is_small and options != usual:
        raise UsageError(
            f"--name {SMALL_NAME}: is the name of the scene without options; take another name"
        )


def _check_sizes(options: Options) -> None:
    width, height = options.size_px
    if not all(LEAST_SIDE_PX <= side <= LARGEST_SIDE_PX for side in options.size_px):
        raise UsageError(
            f"--size {width}x{height}: expected sides of {LEAST_SIDE_PX} to {LARGEST_SIDE_PX} px"
        )
    if options.kbit_per_s and (width % 2 or height % 2):
        raise UsageError(f"--size {width}x{height}: videos of --mp4 have even sides")
    if options.kbit_per_s < 0:
        raise UsageError(f"--mp4 {options.kbit_per_s}: expected a rate in kbit/s above 0")
