"""Looks up extractors by their names in ``vadloc.versions.EXTRACTORS``."""

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

from feature_extraction.extractor import Extractor
from feature_extraction.extractor_kind import ComponentWords, ExtractorKind
from feature_extraction.workers import Workers
from vadloc.config import Config
from vadloc.errors import VadlocError
from vadloc.features import MOVING
from vadloc.regions import RegionGrid
from vadloc.versions import EXTRACTORS, extractor_of
from vadloc.video.frames import Sequence

_MOVING_WORDS = ComponentWords("share of moving pixels", ("moving_share",))


def kind_of(extractor: str) -> ExtractorKind:
    """The description of an extractor from its module, which is imported when first used."""
    kind: ExtractorKind = import_module(EXTRACTORS[extractor].module).EXTRACTOR
    return kind


def networks_among(extractors: Collection[str]) -> list[str]:
    """The extractors that run a network, among the given ones."""
    return [name for name in extractors if kind_of(name).is_network]


def make_extractors(
    names: Collection[str],
    config: Config,
    grid: RegionGrid,
    *,
    workers: Workers,
    device: str,
    learnt: Mapping[str, Mapping[str, Any]],
) -> dict[str, Extractor]:
    """The extractors of one sequence, by name.

    Args:
        names: Names of the extractors.
        config: The config.
        grid: The regions of the frames.
        workers: Threads that the extractors share.
        device: Where networks run: ``auto``, ``cpu`` or ``cuda``.
        learnt: For each extractor that learns from training video, what it learnt.
    """
    given = {name: [learnt[name]] if kind_of(name).learn else [] for name in names}
    return {
        name: kind_of(name).make(config, grid, workers, device, *more)
        for name, more in given.items()
    }


def learn_from(
    config: Config, sequences: list[Sequence], extractors: Collection[str], *, limit: int
) -> dict[str, dict[str, Any]]:
    """What extractors would learn from the first frames of sequences, by extractor.

    Args:
        config: The config.
        sequences: The sequences.
        extractors: Names of extractors; those that learn nothing are left out.
        limit: Number of frames of each sequence that are looked at.
    """
    learns = {name: kind_of(name).learn for name in extractors}
    return {name: learn(config, sequences, limit=limit) for name, learn in learns.items() if learn}


def check_frame_side(sequence: str, extractor: str, height: int, width: int) -> None:
    """Refuse frames that are too small for an extractor.

    Raises:
        VadlocError: They are.
    """
    kind = kind_of(extractor)
    if min(height, width) < kind.least_side_px:
        raise VadlocError(
            f"{sequence}: frames of {width} x {height} px, but {kind.method} needs "
            f"{kind.least_side_px} px on each side; enlarge the frames"
        )


def words_of(component: str) -> ComponentWords:
    """The words of explanations for a component of the distance."""
    if component == MOVING:
        return _MOVING_WORDS
    words = kind_of(extractor_of(component)).words
    return words.get(component, ComponentWords(component))


def check_networks(config: Config, extractors: Collection[str], *, device: str) -> str:
    """Check, before any frame is read, that networks can run.

    Args:
        config: The config.
        extractors: The extractors that will run; those that are no networks are ignored.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The device on which networks will run: ``cpu`` or ``cuda``.

    Raises:
        UsageError: A package or the device is missing, crops cannot be cut from these regions, or
            a network cannot run with these settings.
    """
    from feature_extraction.devices import device_of
    from feature_extraction.network_extractor import check_crops

    check_crops(config.regions)
    found = device_of(device)
    for name in networks_among(extractors):
        kind_of(name).check(config, found)
    return found
