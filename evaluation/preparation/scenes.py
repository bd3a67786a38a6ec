"""Datasets of several cameras: one config for each camera (scene), made from a template.

The template is the shipped config of the dataset, which is that of scene ``01``. The other configs
differ only in the two digits and are written beside the data, so that settings are changed only in
the template.
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
    """The text of the template for the configs of all scenes.

    Args:
        name: Name of the dataset.
        configs: Folder of the shipped configs.

    Raises:
        UsageError: The template is missing, unusable or not that of scene 01.
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
        census: The sequences; scenes without training or test video get no config.
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
    """The configs of a dataset: one, or one for each prepared scene.

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
