"""What the page shows of normal video: numbers and exemplars of each region of the scene."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.explanation.scene import RegionExemplars, Scene
from anomaly_detection.report.data import (
    Report,
    exemplars_to_rose,
)
from anomaly_detection.report.pictures import (
    Image,
    Strip,
    fit_size,
    tile,
)

SHOWN_EXEMPLARS = 12
"""Largest number of exemplars that are shown of a region: those that stand for most volumes."""
EXEMPLAR_SIDE_PX = 72
EXEMPLAR_COLUMNS = 4
BACKGROUND_FRAMES = 31
"""Number of frames whose median is the picture of the scene, without most moving objects."""


@dataclass(frozen=True)
class SceneReport:
    """The exemplars as the page shows them.

    Attributes:
        scene: The exemplars of all regions, with what they show.
        report: What all sequences of the report have in common.
    """

    scene: Scene
    report: Report

    @cached_property
    def roses(self) -> list[list[float] | None]:
        """Normal directions of each region."""
        regions = map(self.scene.exemplars_of, self._regions)
        counts = self.scene.model.counts
        return [
            exemplars_to_rose(region.shown.attributes.direction_share, counts[region.rows])
            for region in regions
        ]

    def content(self) -> dict[str, Any]:
        """What the page loads when it shows the scene."""
        grid = self.scene.grid
        height, width = self._tile_size(0)
        return {
            "regions": list(grid.regions),
            "size_px": grid.size_px,
            "stride_px": grid.stride_px,
            "tile": [height, width],
            "columns": EXEMPLAR_COLUMNS,
            "normal": [self.region(region) for region in self._regions],
        }

    def region(self, region: int) -> dict[str, Any]:
        """What is normal in one region, its most frequent exemplars first."""
        exemplars = self.scene.exemplars_of(region)
        return exemplars.known.ranges.record() | {
            "rose": self.roses[region],
            "region_in_tile": self._region_in_tile(region),
            "shown": [self._exemplar(exemplars, index) for index in self._shown(exemplars)],
        }

    def _region_in_tile(self, region: int) -> list[float]:
        """x0, y0, x1, y1 of the region in its tiles, as shares of their width and height."""
        box = self.scene.grid.box_xyxy_px(region)
        left, top, right, bottom = self.report.window(list(box))
        width, height = right - left, bottom - top
        shares = ((box[i] - (left, top)[i % 2]) / (width, height)[i % 2] for i in range(4))
        return [round(share, 4) for share in shares]

    def _exemplar(self, exemplars: RegionExemplars, index: int) -> dict[str, Any]:
        model, row = self.scene.model, exemplars.rows[index]
        attributes = exemplars.shown.record(index)
        first = int(model.first_frame[row])
        sequence, round_ = model.source_of(int(row))
        keys = ("speed", "direction", "moving_share", "classes")
        return {key: attributes[key] for key in keys} | {
            "count": int(model.counts[row]),
            "sequence": sequence,
            **({"mined_round": round_} if round_ else {}),
            "first_frame": first,
            "last_frame": first + self._frames_per_volume - 1,
        }

    def strips(self, source: tuple[str, bool]) -> list[Strip]:
        """The middle frame of each shown exemplar from one sequence.

        Args:
            source: Name of the sequence, and whether exemplars were mined in it.
        """
        rows = {row for region in self._regions for row in self._shown_rows(region)}
        of = ((row, self.scene.model.source_of(row)) for row in rows)
        return [self._strip(row) for row, (name, mined) in of if (name, mined > 0) == source]

    def _strip(self, row: int) -> Strip:
        region = self.scene.model.region_of(row)
        window = self.report.window(list(self.scene.grid.box_xyxy_px(region)))
        middle = int(self.scene.model.first_frame[row]) + self._frames_per_volume // 2
        return Strip(str(row), window, (middle,), self._tile_size(0))

    def sheets(self, pictures: dict[str, Image]) -> dict[str, Image]:
        """The sheet of each region, by file name.

        Args:
            pictures: The pictures of all ``strips``, by name.
        """
        images = {r: [pictures[str(row)] for row in self._shown_rows(r)] for r in self._regions}
        return {f"scene/{r:04d}.jpg": tile(images[r], EXEMPLAR_COLUMNS) for r in self._regions}

    @property
    def _regions(self) -> range:
        return range(self.scene.grid.region_count)

    @property
    def _frames_per_volume(self) -> int:
        return self.scene.config.regions.frames_per_volume

    def _shown(self, exemplars: RegionExemplars) -> NDArray[np.int64]:
        """Indices of the exemplars of a region that are shown, the most frequent first."""
        counts = self.scene.model.counts[exemplars.rows]
        return np.argsort(-counts, kind="stable")[:SHOWN_EXEMPLARS]

    def _shown_rows(self, region: int) -> list[int]:
        exemplars = self.scene.exemplars_of(region)
        rows: list[int] = exemplars.rows[self._shown(exemplars)].tolist()
        return rows

    def _tile_size(self, region: int) -> tuple[int, int]:
        x0, y0, x1, y1 = self.report.window(list(self.scene.grid.box_xyxy_px(region)))
        return fit_size(y1 - y0, x1 - x0, EXEMPLAR_SIDE_PX)


def spread_evenly(frames: list[int], count: int) -> set[int]:
    """About ``count`` of the frames, in even steps."""
    chosen = np.linspace(0, len(frames) - 1, min(count, len(frames))).round()
    return {frames[int(index)] for index in chosen}
