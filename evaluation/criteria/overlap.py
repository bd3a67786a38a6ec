"""Exact pixel areas shared by annotated regions and the cells of a grid."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vadloc.annotations.ground_truth import GroundTruth


class RegionOverlaps(NamedTuple):
    """Overlap of ``n`` regions with a grid of cells, stored only for cells near each region.

    Attributes:
        window: ``(n, 4)`` int64, the cells that each region can touch: first row, end row, first
            column, end column (ends are exclusive).
        start: ``(n,)`` int64, index in ``value`` at which the window of each region begins.
        value: float64, shared areas in pixels, window after window, row by row.
        area_px: ``(n,)`` float64, whole area of each region.
    """

    window: NDArray[np.int64]
    start: NDArray[np.int64]
    value: NDArray[np.float64]
    area_px: NDArray[np.float64]


def region_overlaps(
    truth: GroundTruth,
    regions: slice,
    row_edges_px: NDArray[np.float64],
    column_edges_px: NDArray[np.float64],
) -> RegionOverlaps:
    """Overlap of each region of a frame with each cell of a grid.

    Args:
        truth: Ground truth of the sequence.
        regions: Rows of the frame's regions, from ``truth.regions_of(frame)``.
        row_edges_px: ``(rows + 1,)`` edges of the cells, ascending.
        column_edges_px: ``(columns + 1,)`` edges of the cells, ascending.

    Returns:
        Areas in the order of ``regions``; element ``i`` belongs to row ``regions.start + i``.
    """
    windows, values, areas = [], [], []
    for region in range(regions.start, regions.stop):
        x0, y0, x1, y1 = truth.box_xyxy_px[region].tolist()
        top, bottom = _touched(row_edges_px, y0, y1)
        left, right = _touched(column_edges_px, x0, x1)
        rows, columns = row_edges_px[top : bottom + 1], column_edges_px[left : right + 1]
        if truth.masks is None:
            shared = np.outer(_lengths(rows, y0, y1), _lengths(columns, x0, x1))
            areas.append((x1 - x0) * (y1 - y0))
        else:
            mask = truth.masks[region].astype(np.float64)
            shared = _integrals(_integrals(mask, rows - y0).T, columns - x0).T
            areas.append(float(mask.sum()))
        windows.append((top, bottom, left, right))
        values.append(shared.ravel())
    starts = np.cumsum([0, *(len(value) for value in values)])[: len(values)]
    return RegionOverlaps(
        np.array(windows, np.int64).reshape(-1, 4),
        starts.astype(np.int64),
        np.concatenate([np.empty(0), *values]),
        np.array(areas, np.float64),
    )


def union_areas(
    truth: GroundTruth,
    regions: slice,
    row_edges_px: NDArray[np.float64],
    column_edges_px: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Area of the part of each cell that is inside at least one region of the frame.

    Args:
        truth: Ground truth of the sequence.
        regions: Rows of the frame's regions, from ``truth.regions_of(frame)``.
        row_edges_px: ``(rows + 1,)`` edges of the cells, ascending.
        column_edges_px: ``(columns + 1,)`` edges of the cells, ascending.

    Returns:
        ``(rows, columns)`` float64, areas in pixels.
    """
    areas = np.zeros((len(row_edges_px) - 1, len(column_edges_px) - 1))
    if regions.start < regions.stop:
        low, high = truth.box_xyxy_px[regions].min(axis=0), truth.box_xyxy_px[regions].max(axis=0)
        top, bottom = _touched(row_edges_px, low[1], high[3])
        left, right = _touched(column_edges_px, low[0], high[2])
        rows, columns = row_edges_px[top : bottom + 1], column_edges_px[left : right + 1]
        areas[top:bottom, left:right] = _union_areas(truth, regions, rows, columns)
    return areas


def _union_areas(
    truth: GroundTruth,
    regions: slice,
    row_edges_px: NDArray[np.float64],
    column_edges_px: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The areas of `union_areas`, for the part of the grid that regions can touch."""
    boxes = truth.box_xyxy_px[regions]
    # The grid is cut along all edges, so that a region covers a cell completely or not at all.
    fine_rows = _all_edges(row_edges_px, boxes[:, 1::2], pixels=truth.masks is not None)
    fine_columns = _all_edges(column_edges_px, boxes[:, 0::2], pixels=truth.masks is not None)
    covered = np.zeros((len(fine_rows) - 1, len(fine_columns) - 1), np.bool_)
    for region in range(regions.start, regions.stop):
        x0, y0, x1, y1 = truth.box_xyxy_px[region]
        top, bottom = np.searchsorted(fine_rows, [y0, y1])
        left, right = np.searchsorted(fine_columns, [x0, x1])
        if truth.masks is None:
            covered[top:bottom, left:right] = True
        else:
            pixel_rows = np.floor(fine_rows[top:bottom] - y0).astype(np.intp)
            pixel_columns = np.floor(fine_columns[left:right] - x0).astype(np.intp)
            covered[top:bottom, left:right] |= truth.masks[region][
                np.ix_(pixel_rows, pixel_columns)
            ]
    areas = covered * np.outer(np.diff(fine_rows), np.diff(fine_columns))
    first_rows = np.searchsorted(fine_rows, row_edges_px[:-1])
    first_columns = np.searchsorted(fine_columns, column_edges_px[:-1])
    by_row = np.add.reduceat(areas, first_rows, axis=0)
    return np.asarray(np.add.reduceat(by_row, first_columns, axis=1), np.float64)


def _touched(edges: NDArray[np.float64], low: float, high: float) -> tuple[int, int]:
    """First (inclusive) and last (exclusive) interval that ``[low, high)`` can touch."""
    first = int(np.searchsorted(edges, low, side="right")) - 1
    last = int(np.searchsorted(edges, high, side="left"))
    first = min(max(first, 0), len(edges) - 2)
    return first, min(max(last, first + 1), len(edges) - 1)


def _lengths(edges: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Length of the part of ``[low, high)`` in each interval between consecutive edges."""
    return np.diff(np.clip(edges, low, high))


def _integrals(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrals over rows, between consecutive edges, of values that are constant in each row.

    Args:
        values: ``(height, width)``, the values in pixel rows ``[i, i + 1)``; 0 outside.
        edges: ``(n + 1,)`` ascending, in the same coordinates.

    Returns:
        ``(n, width)`` float64.
    """
    height = len(values)
    up_to = np.zeros((height + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=up_to[1:])
    edges = np.clip(edges, 0, height)
    pixel = np.minimum(edges.astype(np.intp), height - 1)
    up_to_edges: NDArray[np.float64] = up_to[pixel] + (edges - pixel)[:, None] * values[pixel]
    return up_to_edges[1:] - up_to_edges[:-1]


def _all_edges(
    cell_edges: NDArray[np.float64], region_edges: NDArray[np.float64], *, pixels: bool
) -> NDArray[np.float64]:
    """Edges of the cells and regions, and of all pixels if regions are masks."""
    every_pixel = np.arange(np.floor(cell_edges[0]), cell_edges[-1] + 1) if pixels else np.empty(0)
    edges = np.concatenate([cell_edges, region_edges.ravel(), every_pixel])
    return np.unique(np.clip(edges, cell_edges[0], cell_edges[-1]))
