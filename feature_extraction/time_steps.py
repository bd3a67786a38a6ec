"""Time steps put together: those of a whole sequence, or the latest one of a stream."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import Extracted, TimeStep


class CollectedSteps:
    """The time steps of a sequence, collected as they are finished."""

    def __init__(self) -> None:
        self._index: list[NDArray[np.int32]] = []
        self._components: dict[str, list[NDArray[Any]]] = {}
        self._descriptors: dict[str, list[NDArray[Any]]] = {}

    def add(self, steps: Iterable[TimeStep]) -> None:
        """Keep the next time steps."""
        for step in steps:
            self._index.append(step.index.astype(np.int32))
            for kept, rows in (
                (self._components, step.components),
                (self._descriptors, step.descriptors),
            ):
                for name, new in rows.items():
                    if len(new):  # always true in the first time step
                        kept.setdefault(name, []).append(new)

    def extracted(self) -> Extracted:
        """The features of all time steps, at least one; they are removed from this object."""
        return Extracted(
            {name: np.concatenate(self._components.pop(name)) for name in [*self._components]},
            {name: np.concatenate(self._descriptors.pop(name)) for name in [*self._descriptors]},
            np.stack(self._index),
        )


class LatestFeatures:
    """The features of all volumes of the latest time step of a stream.

    Attributes:
        components: Component to ``(regions, width)``; empty before the first time step.
        descriptors: Name to ``(regions, width)``.
    """

    def __init__(self) -> None:
        self.components: dict[str, NDArray[np.floating]] = {}
        self.descriptors: dict[str, NDArray[np.floating]] = {}

    def update(self, step: TimeStep) -> None:
        """Take the next time step; none may be left out. Arrays given out before do not change.

        A volume without new features keeps those of its region.
        """
        is_new = step.index >= step.first_row
        rows = step.index[is_new] - step.first_row
        for latest, new in (
            (self.components, step.components),
            (self.descriptors, step.descriptors),
        ):
            for name, values in new.items():
                shape = len(step.index), values.shape[1]
                array = latest[name].copy() if name in latest else np.empty(shape, values.dtype)
                array[is_new] = values[rows]
                latest[name] = array
