"""Looks up extractors by their names in ``vadloc.versions.EXTRACTORS``."""

from collections.abc import Collection
from importlib import import_module

from feature_extraction.extractor_kind import ComponentWords, ExtractorKind
from vadloc.config import Config
from vadloc.features import MOVING
from vadloc.versions import EXTRACTORS, extractor_of

_MOVING_WORDS = ComponentWords("share of moving pixels", ("moving_share",))


def kind_of(extractor: str) -> ExtractorKind:
    """The description of an extractor from its module, which is imported when first used."""
    kind: ExtractorKind = import_module(EXTRACTORS[extractor].module).EXTRACTOR
    return kind


def networks_among(extractors: Collection[str]) -> list[str]:
    """The extractors that run a network, among the given ones."""
    return [name for name in extractors if kind_of(name).is_network]


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
