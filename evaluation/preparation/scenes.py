"""Datasets of several cameras: a config for each, made from one template.

A config is one camera. The shipped config of such a dataset is that of its scene ``01``; the others
differ in the two digits alone and are written beside the data, so that a setting is changed in one
place.
"""

import logging
from pathlib import Path

from evaluation.preparation import LAYOUTS
from evaluation.preparation.layout import SPLITS, Census
from vadloc.config import load_config
from vadloc.errors import UsageError
from vadloc.files.storage import replacing

logger = logging.getLogger(__name__)
TEMPLATE_SCENE = "01"


def read_template(name: str, configs: Path) -> str:
    """The text of the config from which those of all scenes are made.

    Args:
        name: Name of the dataset.
        configs: Folder of the shipped configs.

    Raises:
        UsageError: It is missing, unusable or not that of scene 01.
    """
    path = configs / f"{name}.toml"
    if not path.is_file():
        raise UsageError(f"{path}: no such config; --configs names the folder of the shipped ones")
    expected = f"{name}_{TEMPLATE_SCENE}"
    found = load_config(path).dataset.name
    if found != expected:
        raise UsageError(f'{path}: [dataset] name = "{found}", expected "{expected}"')
    return path.read_text(encoding="utf-8")


def write_scene_configs(name: str, census: Census, *, configs: Path, datasets: Path) -> list[Path]:
    """Write ``<datasets>/<name>/<scene>/<name>_<scene>.toml`` for each scene.

    Args:
        name: Name of the dataset.
        census: Its sequences; scenes without training or test video get no config.
        configs: Folder of the shipped configs, with the template ``<name>.toml``.
        datasets: The datasets folder.

    Returns:
        The configs, in the order of the scenes.

    Raises:
        UsageError: The template is missing, unusable or not that of scene 01.
    """
    text = read_template(name, configs)
    train, test = ({key.partition("/")[0] for key in census.frames[split]} for split in SPLITS)
    for scene in sorted(train ^ test):
        logger.info("%s: scene %s has no %s video, no config", name, scene, _missing(scene, train))
    paths = []
    for scene in sorted(train & test):
        path = datasets / name / scene / f"{name}_{scene}.toml"
        with replacing(path) as file:
            file.write(f"# Made from the shipped {name}.toml: edit that one.\n".encode())
            file.write(_for_scene(text, name, scene).encode())
        load_config(path)
        paths.append(path)
    return paths


def _missing(scene: str, train: set[str]) -> str:
    return "test" if scene in train else "training"


def _for_scene(text: str, name: str, scene: str) -> str:
    return text.replace(f"{name}/{TEMPLATE_SCENE}/", f"{name}/{scene}/").replace(
        f'"{name}_{TEMPLATE_SCENE}"', f'"{name}_{scene}"'
    )


def find_configs(name: str, *, configs: Path, datasets: Path) -> list[Path]:
    """The configs of a dataset: one, or one for each scene that is prepared.

    Args:
        name: Name of the dataset.
        configs: Folder of the shipped configs.
        datasets: The datasets folder.
    """
    layout = LAYOUTS.get(name)
    if layout is not None and layout.with_scenes:
        return sorted((datasets / name).glob(f"[0-9][0-9]/{name}_[0-9][0-9].toml"))
    path = configs / f"{name}.toml"
    return [path] if path.is_file() else []
