"""The description of an extractor by its module, which ``vadloc.versions.EXTRACTORS`` names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Extractor
from vadloc.config import Config
from vadloc.regions import RegionGrid
from vadloc.video.frames import Sequence

ReadOut = Callable[
    [Mapping[str, NDArray[np.float32]], Mapping[str, NDArray[np.float32]]],
    Mapping[str, NDArray[np.float32]],
]
"""Function from components ``(n, width)`` and descriptors ``(n, k)`` of n volumes, by name, to some
of the fields of ``attributes.Attributes``, by name."""


class Learn(Protocol):
    """Learns from training sequences what an extractor needs; see `ExtractorKind`."""

    def __call__(
        self, config: Config, sequences: list[Sequence], *, limit: int | None = None
    ) -> dict[str, Any]:
        """The content of the file that holds it."""


@dataclass(frozen=True)
class ComponentWords:
    """How explanations speak of a component.

    Attributes:
        label: The name of the component in sentences.
        attributes: The attributes that are read from the component: ``speed``, ``direction``,
            ``moving_share``, ``class``, ``new_still``. An unusual attribute is explained by this
            component.
    """

    label: str
    attributes: tuple[str, ...] = ()


def _accept(_config: Config, _device: str) -> None:
    """The check of an extractor that runs everywhere."""


def _no_floor(_config: Config) -> float:
    """The speed floor of an extractor that has none."""
    return 0.0


@dataclass(frozen=True)
class ExtractorKind:
    """An extractor as the rest of the program uses it.

    Attributes:
        make: Makes the extractor of one sequence from the config, the grid of its frames, the
            threads and the device (``auto``, ``cpu`` or ``cuda``); one that learns from training
            video is also given what ``learn`` returned.
        width: Number of columns of each component.
        bytes_per_volume: Size of the features of a volume on disk, if every volume is computed.
        needs_colour: Whether it needs colour; grey frames are read faster.
        is_network: Whether it runs a network, which has weights, cuts crops and may use a GPU.
        check: Raises UsageError, before any frame is read, if the extractor cannot run. The device
            is ``cpu`` or ``cuda``. Only networks are checked.
        least_side_px: Smallest height and width of frames that it can process.
        method: What needs frames of at least that size, as messages name it.
        words: The words of explanations for each component. A component without an entry has no
            attributes, and its name is its label.
        read_out: Makes the function that reads attributes out of features. It returns ``None``
            where these settings allow no attributes.
        speed_floor: Gives the speed in px/frame below which nothing is measured; 0 for no limit.
        learn: Learns from the training sequences what the extractor needs, and returns it as a dict
            of arrays, numbers and strings. It must be there if the entry in
            ``vadloc.versions.EXTRACTORS`` has ``learning``. ``limit`` is the number of frames of
            each sequence that it uses.
        region_floors: Gives the speed floor of each region, ``(regions,)``, in place of
            ``speed_floor``, if the floor depends on what was learnt.
    """

    make: Callable[..., Extractor]
    width: int
    bytes_per_volume: int
    needs_colour: bool = False
    is_network: bool = False
    check: Callable[[Config, str], None] = _accept
    least_side_px: int = 1
    method: str = "this extractor"
    words: Mapping[str, ComponentWords] = field(default_factory=dict)
    read_out: Callable[[Config], ReadOut | None] | None = None
    speed_floor: Callable[[Config], float] = _no_floor
    learn: Learn | None = None
    region_floors: Callable[[Config, RegionGrid, Mapping[str, Any]], NDArray[np.float64]] | None = (
        None
    )
