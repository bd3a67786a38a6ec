"""Configs."""

from pathlib import Path

from fuzzing import ROOT
from fuzzing.reader import Reader, only_file
from vadloc.config import load_config


def make_configs(folder: Path) -> None:
    """A small config, and one that is shipped."""
    from tiny_scene import CONFIG

    for name, text in (("small", CONFIG), ("ped2", (ROOT / "configs/ped2.toml").read_text())):
        (folder / name).mkdir()
        (folder / name / "a.toml").write_text(text)


CONFIG = Reader(make_configs, lambda folder: load_config(only_file(folder)))
