"""Rendered scenes of a fixed camera, with ground truth, to try every command.

    python -m vadloc.sample_scene
    python -m vadloc.sample_scene --scene walkway --light sudden --name walkway_sudden

Without options the scene is a small street: three training sequences with normal traffic, and two
test sequences in which somebody crosses the road, a bicycle is on the pavement, a car drives in the
wrong direction, and somebody runs. With ``--weak`` there are also training videos with anomalies.
"""

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from vadloc.console import CommandParser, add_verbose_option
from vadloc.sample_scene.files import config_path, render
from vadloc.sample_scene.options import (
    LIGHTS,
    SCENES,
    SMALL_NAME,
    Options,
    checked,
    usual_options,
)

__all__ = ["main", "render_sample_scene", "render_scene"]


def render_sample_scene(datasets: Path, *, seed: int = 0, overwrite: bool = False) -> Path:
    """Render the sample data set, 1000 frames of 320 x 240 pixels, unless it exists already.

    Frames are in ``sample/<split>/<sequence>/<frame>.jpg``, with frame numbers from 001. The ground
    truth of a test sequence is in ``<sequence>_gt.txt`` beside its frames, in the format of Street
    Scene. The same seed gives the same bytes on the same machine and versions.

    Args:
        datasets: Folder of all data sets; made if missing.
        seed: Seeds traffic, textures, light and noise; 0 or more.
        overwrite: Whether to replace other or incomplete sequences.

    Returns:
        The folder of the data set, ``datasets/sample``.

    Raises:
        VadlocError: The folder holds other sequences, or the files cannot be written.
    """
    return render_scene(usual_options("street", seed), datasets, overwrite=overwrite)


def render_scene(
    options: Options,
    datasets: Path,
    *,
    overwrite: bool = False,
    jobs: int = 2,
    origin: str = "vadloc.sample_scene",
) -> Path:
    """Render a scene with any options, unless it exists already.

    Args:
        options: The options of the scene.
        datasets: Folder of all data sets; made if missing.
        overwrite: Whether to replace other or incomplete sequences.
        jobs: Number of processes; it changes no byte.
        origin: The command line, for a comment in the config.

    Returns:
        The folder of the data set.

    Raises:
        VadlocError: Options contradict each other, the folder holds other sequences, or the files
            cannot be written.
    """
    return render(checked(options), datasets, overwrite=overwrite, jobs=jobs, origin=origin)


def main(argv: list[str] | None = None) -> None:
    """Command line of the sample scene; prints its folder, its config and what to do next."""
    words = sys.argv[1:] if argv is None else argv
    args = _parser().parse_args(words)
    origin = shlex.join(["python", "-m", "vadloc.sample_scene", *words])
    from vadloc.process import emit, exit_status

    with exit_status(verbose=args.verbose):
        options = checked(_options_of(args))
        scene = render(
            options, args.datasets, overwrite=args.overwrite, jobs=args.jobs, origin=origin
        )
        config = config_path(options, args.datasets)
        command = ["python", "-m", "vadloc.run", "--config", str(config)]
        if options.weak:
            command += ["--version", "weak_regions"]
        if args.datasets != Path("datasets"):
            command += ["--datasets", str(args.datasets)]
        emit(f"{scene}\nconfig: {config}\nnext: {shlex.join(command)}")


def _options_of(args: argparse.Namespace) -> Options:
    """The options of the command line; a street other than the small scene is named ``street``."""
    usual = usual_options(args.scene, args.seed)
    given = {
        name: value
        for name, value in vars(args).items()
        if name in Options.__dataclass_fields__ and value is not None
    }
    options = replace(usual, **given)
    if args.name is None and options.weak:
        return replace(options, name=f"{options.scene}_weak")
    if args.name is None and options.is_small and options != usual:
        return replace(options, name="street")
    return options


def _size(text: str) -> tuple[int, int]:
    width, x, height = text.partition("x")
    if not (x and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT, such as 640x480")
    return int(width), int(height)


def _parser() -> CommandParser:
    parser = CommandParser(description=__doc__)
    add = parser.add_argument
    add("--datasets", type=Path, default=Path("datasets"), metavar="DIR")
    add("--scene", choices=SCENES, default="street", help="street from the side, walkway along its "
        "length, junction from above, hall indoors; default: %(default)s")  # fmt: skip
    add("--name", help=f"name of the data set; default: the scene, or {SMALL_NAME} without options")
    add("--seed", type=int, default=0, help="seed of traffic, textures, light and noise")
    add("--overwrite", action="store_true", help="replace what is there")
    add("--jobs", type=int, default=2, metavar="N", help="number of processes; it changes no byte")
    add("--size", type=_size, dest="size_px", metavar="WxH", help="size of frames in pixels")
    add("--frames-per-second", type=float, metavar="X", help="5 to 30 are usual")
    add("--seconds", type=float, metavar="X", help="length of a sequence")
    colour = parser.add_mutually_exclusive_group()
    colour.add_argument("--grey", action="store_true", default=None, help="pictures without colour")
    colour.add_argument("--colour", action="store_false", dest="grey", help="with colour")
    add("--noise", type=float, metavar="X", help="standard deviation of the noise in grey levels")
    add("--shake", type=float, dest="shake_px", metavar="PX",
        help="standard deviation of the camera's jitter; its drift is larger")  # fmt: skip
    add("--light", choices=LIGHTS, help="sudden: clouds come and go at once; gain: an automatic "
        "gain that varies; default: steady")  # fmt: skip
    add("--density", type=float, metavar="X", help="factor of the amount of traffic")
    add("--mp4", type=int, dest="kbit_per_s", metavar="KBIT",
        help="write videos of this bit rate instead of pictures")  # fmt: skip
    add("--weak", type=int, metavar="N", help="N normal training videos, and N that hold an "
        "anomaly somewhere, for versions that learn from labels of whole videos")  # fmt: skip
    add_verbose_option(parser)
    return parser
