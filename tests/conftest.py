"""Fixtures of more than one test file."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from tiny_scene import make_scene

settings.register_profile("no-clock", deadline=None)  # a busy machine must not fail a test
settings.load_profile("no-clock")


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder that VADLOC_DATASETS names, with UCSD Ped2 in it."""
    folder = os.environ.get("VADLOC_DATASETS")
    if not folder:
        pytest.skip("VADLOC_DATASETS is not set; it names the folder that holds ped2/")
    if not (Path(folder) / "ped2" / "Train").is_dir():
        pytest.skip(f"no ped2/Train in {folder} (VADLOC_DATASETS)")
    return Path(folder)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny scene, see ``tiny_scene``; not to be written to."""
    return make_scene(tmp_path_factory.mktemp("scene"))
