"""The networks of MLAD by name, and what they read and write."""

from feature_extraction.codes import code_channels
from feature_extraction.footage import FLOW_CHANNELS
from vadloc.detector_settings import Mlad

NETWORKS = "flow", "frame"
"""Kinds of pictures, and what each generator of level 0 makes; the other one is its input."""


def other_kind(kind: str) -> str:
    """The kind of pictures from which a generator of level 0 makes this one."""
    return {"frame": "flow", "flow": "frame"}[kind]


def network_name(kind: str, level: int) -> str:
    """The name of a generator, and of the indicator that it gives."""
    return f"{kind}_{level}" if level else kind


def autoencoder_name(kind: str) -> str:
    """The name of the denoising autoencoder of a kind of pictures."""
    return f"{kind}_codes"


def generators(settings: Mlad) -> tuple[str, ...]:
    """The names of all generators, level by level."""
    return tuple(network_name(kind, level) for level in settings.levels for kind in NETWORKS)


def all_networks(settings: Mlad) -> tuple[str, ...]:
    """The names of all networks."""
    autoencoders = map(autoencoder_name, NETWORKS) if settings.levels[1:] else ()
    return *generators(settings), *autoencoders


def channels_of(kind: str, level: int, settings: Mlad) -> int:
    """Channels of the pictures of a kind at a level."""
    if level:
        return code_channels(settings.autoencoder, level)
    return {"frame": settings.frame_channels, "flow": FLOW_CHANNELS}[kind]
