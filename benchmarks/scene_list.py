"""The rendered scenes on which versions are compared: their names and options."""

import shlex

OPTIONS = {
    "sample": "",
    "street": "--size 240x180",
    "street_gain": "--size 240x180 --light gain --seed 1",
    "street_mp4": "--size 240x180 --mp4 60 --seed 2",
    "walkway": "--scene walkway",
    "walkway_crowded": "--scene walkway --density 2 --seed 1",
    "walkway_shake": "--scene walkway --shake 0.5 --seed 2",
    "walkway_sudden": "--scene walkway --light sudden --seed 3",
    "walkway_small": "--scene walkway --size 180x120 --frames-per-second 5 --density 0.5 --seed 4",
    "junction": "--scene junction --size 240x180",
    "junction_mp4": "--scene junction --size 240x180 --mp4 60 --seed 1",
    "junction_noise": "--scene junction --size 240x180 --noise 6 --grey --seed 2",
    "hall": "--scene hall --size 240x180",
    "hall_gain": "--scene hall --size 240x180 --light gain --seed 1",
    "hall_shake": "--scene hall --size 240x180 --shake 0.5 --seed 2",
    "hall_fast": "--scene hall --size 180x120 --frames-per-second 25 --seconds 10 --seed 3",
}
"""Name of a data set to the options of ``python -m vadloc.sample_scene``."""


def words(name: str) -> list[str]:
    """The options that render a scene under its name."""
    return ["--name", name, *shlex.split(OPTIONS[name])]
