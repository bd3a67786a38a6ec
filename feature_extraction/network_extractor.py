"""Features by networks, which run on crops of changed volumes, in batches.

A volume gets the features of the last computed volume of its region, unless it differs by more
than noise. It differs if the mean of some block of 8 x 8 pixels at crop scale has changed by more
than ``reuse_below`` grey levels. The comparison is with the last volume that was *computed*, so
that slow changes add up until they count. With ``reuse_below = 0`` every volume is computed.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_extraction.extractor import TimeStep
from feature_extraction.frame import BLOCK_PX, CROP_PX, Frame, region_windows
from feature_extraction.workers import Workers
from vadloc.config import Regions
from vadloc.errors import UsageError
from vadloc.regions import RegionGrid

Embed = Callable[[NDArray[Any]], NDArray[np.float16]]
"""A network: function from a batch of crops ``(batch, ...)`` to features ``(batch, width)``."""

Describe = Callable[[NDArray[np.float16]], dict[str, NDArray[np.floating]]]
"""Function from the features of a batch to its descriptors, name to ``(batch, width)``."""


CROPS = 1024
"""Crops that are cut at a time, since many of them take much memory."""

Crops = Callable[[Sequence[Frame], RegionGrid, NDArray[np.int64]], Iterator[NDArray[Any]]]
"""Function from the frames of volumes, their grid and some regions to the crops of these, in parts
of at most ``CROPS``: their pixels, or what the network has made of them."""


def in_parts(cut: Callable[..., NDArray[Any]]) -> Crops:
    """Cuts crops in parts; ``cut`` gives those of all regions that it is given at a time."""

    def crops(
        frames: Sequence[Frame], grid: RegionGrid, regions: NDArray[np.int64]
    ) -> Iterator[NDArray[Any]]:
        for some in parts_of(regions):
            yield cut(frames, grid, some)

    return crops


def parts_of(regions: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Regions in parts of at most ``CROPS``."""
    return np.split(regions, range(CROPS, len(regions), CROPS))


def region_blocks(frames: Sequence[Frame], grid: RegionGrid) -> NDArray[np.int16]:
    """Block means of each region in all given frames, ``(regions, 64 * frames)``."""
    side = CROP_PX // BLOCK_PX
    blocks = np.stack([region_windows(f.blocks, grid, side=side) for f in frames], axis=2)
    return blocks.reshape(grid.region_count, -1).astype(np.int16)


def check_crops(regions: Regions) -> None:
    """Refuse regions that cannot be cut from a frame at crop scale.

    Raises:
        UsageError: Their cells are not whole blocks at that scale.
    """
    side = regions.size_px // regions.stride_px
    if CROP_PX // BLOCK_PX % side:
        raise UsageError(
            f"[regions] size_px = {regions.size_px} is {side} times stride_px; networks need "
            "1, 2, 4 or 8 times"
        )


@dataclass(frozen=True)
class _Computed:
    """Rows of features that the network has computed.

    Attributes:
        features: ``(n, width)``.
        descriptors: Name to ``(n, width)``.
    """

    features: NDArray[np.float16]
    descriptors: dict[str, NDArray[np.floating]]

    def part(self, first: int, end: int | None) -> "_Computed":
        """Some of the rows, as views."""
        some = slice(first, end)
        return _Computed(self.features[some], {k: v[some] for k, v in self.descriptors.items()})


@dataclass(frozen=True)
class _Waiting:
    """A time step that has not been returned yet.

    Attributes:
        first_row: Number of rows of all time steps before it.
        count: Number of its new rows.
        index: ``(regions,)``: the row of each volume.
    """

    first_row: int
    count: int
    index: NDArray[np.int64]


def _joined(parts: list[_Computed]) -> _Computed:
    """The rows of all parts; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].descriptors
    return _Computed(
        np.concatenate([part.features for part in parts]),
        {name: np.concatenate([part.descriptors[name] for part in parts]) for name in names},
    )


class NetworkExtractor:
    """Extractor that runs a network on crops.

    A batch always has the same size; unused crops are black. The features of a crop depend neither
    on its position nor on the rest of the batch, so that ``flush`` changes no byte. Tests check
    this for networks on a CPU; PyTorch does not guarantee it on a GPU.

    Args:
        embed: The network: ``(batch, ...)`` crops to ``(batch, 128 * components)``.
        components: Names of the components, each with 128 columns of the features.
        crops: Cuts the crops of changed regions.
        grid: The grid of the frames.
        batch: Number of crops in each call of the network.
        reuse_below: Largest change in grey levels that does not count; see the module's docstring.
        middle_only: Whether the network sees only the middle frame of a volume.
        workers: Threads that run the network.
        describe: Function that computes descriptors from features.
    """

    def __init__(
        self,
        embed: Embed,
        components: tuple[str, ...],
        crops: Crops,
        grid: RegionGrid,
        *,
        batch: int,
        reuse_below: float,
        middle_only: bool,
        workers: Workers,
        describe: Describe | None = None,
    ) -> None:
        self._embed = embed
        self._components = components
        self._crops = crops
        self._grid = grid
        self._batch = batch
        self._reuse_below = reuse_below
        self._middle_only = middle_only
        self._workers = workers
        self._describe = describe
        self._compared: NDArray[np.int16] | None = None
        self._row = np.zeros(grid.region_count, np.int64)
        self._count = 0  # number of rows, computed or not
        self._buffer: NDArray[Any] | None = None
        self._used = 0  # number of crops in the buffer
        self._running: deque[Future[_Computed]] = deque()
        self._computed: list[_Computed] = []
        self._waiting: deque[_Waiting] = deque()

    def add_frame(self, frame: Frame) -> None:
        """Do nothing; volumes are processed in ``add_volumes``."""

    def add_volumes(self, frames: Sequence[Frame]) -> None:
        """Queue the volumes that have changed."""
        changed = self._changed(frames)
        self._row[changed] = self._count + np.arange(len(changed))
        self._waiting.append(_Waiting(self._count, len(changed), self._row.copy()))
        self._count += len(changed)
        if len(changed):
            for crops in self._crops(frames, self._grid, changed):
                self._queue(crops)

    def take(self) -> list[TimeStep]:
        """The time steps whose new volumes are all computed."""
        while self._running and self._running[0].done():
            self._computed.append(self._running.popleft().result())
        if not (self._waiting and self._computed):
            return []
        rows = _joined(self._computed)
        steps: list[TimeStep] = []
        first = 0
        while self._waiting and first + self._waiting[0].count <= len(rows.features):
            step = self._waiting.popleft()
            steps.append(self._finished(step, rows.part(first, first + step.count)))
            first += step.count
        self._computed = [rows.part(first, None)]
        return steps

    def flush(self) -> None:
        """Run the network on an incomplete batch, if there is one, and wait for all batches."""
        if self._buffer is not None:
            self._buffer[self._used :] = 0
            self._submit(self._buffer)
        for batch in self._running:
            batch.result()

    def _finished(self, step: _Waiting, rows: _Computed) -> TimeStep:
        """The time step with copies of its rows; views would keep whole batches in memory."""
        parts = np.split(rows.features, len(self._components), axis=1)
        components = {n: part.copy() for n, part in zip(self._components, parts, strict=True)}
        descriptors = {name: values.copy() for name, values in rows.descriptors.items()}
        return TimeStep(step.first_row, step.index, components, descriptors)

    def _changed(self, frames: Sequence[Frame]) -> NDArray[np.int64]:
        """Regions whose volumes must be computed."""
        looked_at = [frames[len(frames) // 2]] if self._middle_only else frames
        blocks = region_blocks(looked_at, self._grid)
        if self._compared is None or not self._reuse_below:
            self._compared = blocks
            return np.arange(self._grid.region_count)
        change = np.abs(blocks - self._compared).max(axis=1)
        changed = np.flatnonzero(change > self._reuse_below)
        self._compared[changed] = blocks[changed]
        return changed

    def _queue(self, crops: NDArray[Any]) -> None:
        """Put crops into the current batch; full batches go to the network."""
        while len(crops):
            if self._buffer is None:
                self._buffer = np.empty((self._batch, *crops.shape[1:]), crops.dtype)
            end = min(self._used + len(crops), self._batch)
            count = end - self._used
            self._buffer[self._used : end] = crops[:count]
            self._used = end
            crops = crops[count:]
            if self._used == self._batch:
                self._submit(self._buffer)

    def _submit(self, buffer: NDArray[Any]) -> None:
        """Run the network on the current batch in a worker."""
        self._running.append(self._workers.submit(self._run, buffer, self._used))
        self._buffer, self._used = None, 0

    def _run(self, buffer: NDArray[Any], used: int) -> _Computed:
        """The rows of the first ``used`` crops of a batch."""
        features = self._embed(buffer)
        # For the whole batch, since a matrix product may differ in the last bit with the number
        # of its rows.
        descriptors = self._describe(features) if self._describe else {}
        return _Computed(features, descriptors).part(0, used)
