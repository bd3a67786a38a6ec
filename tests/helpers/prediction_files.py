"""A small test set, and its predictions in every format that can be read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT_PX, WIDTH_PX, FRAMES = 12, 16, 6
BOX = (4, 4, 8, 8)
OTHER_BOX = (8, 8, 12, 12)
Boxes = Sequence[tuple[tuple[float, float, float, float], float]]
Json = dict[str, Any]


def document(frames: Sequence[Mapping[str, Any]], **more: object) -> Json:
    """A JSON of py-ssvad-metrics."""
    return {
        "is_gt": None,
        "frames_count": len(frames),
        "is_anomalous_regions_available": True,
        "is_anomaly_track_id_available": True,
        "video_length_sec": None,
        "frame_rate": None,
        "frame_width": WIDTH_PX,
        "frame_height": HEIGHT_PX,
        "frames": [
            {
                "frame_id": number,
                "frame_filepath": None,
                "video_time_sec": None,
                "anomaly_track_id": -1,
                "frame_level_score": None,
                "anomalous_regions": [],
                **frame,
            }
            for number, frame in enumerate(frames, start=1)
        ],
        **more,
    }


def save_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def truth_frames() -> list[Json]:
    """Ground truth of six frames: the last three are anomalous and belong to one track."""
    region = {"bounding_box": list(BOX), "score": 1.0}
    return [{}] * 3 + [{"anomaly_track_id": 7, "anomalous_regions": [region]}] * 3


def save_truth(folder: Path, *names: str) -> Path:
    for name in names:
        save_json(folder / f"{name}.json", document(truth_frames()))
    return folder


def save_rows(folder: Path, *names: str) -> Path:
    """The same ground truth as Street Scene rows."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{frame:03d}.jpg 7 6 6 4 4\n" for frame in (4, 5, 6))
    for name in names:
        (folder / f"{name}_gt.txt").write_text(rows)
    return folder


def box_frames(frames: Sequence[Boxes]) -> list[Json]:
    return [
        {"anomalous_regions": [{"bounding_box": list(b), "score": s} for b, s in boxes]}
        for boxes in frames
    ]


def cell_maps(seed: int) -> NDArray[np.float32]:
    """``(6, 3, 4)`` scores of cells of 4 x 4 px, multiples of 1/8."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 9, (FRAMES, 3, 4)) / 8).astype(np.float32)


def full_maps(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return cells.repeat(4, axis=1).repeat(4, axis=2)


def save_array(path: Path, array: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return path


def save_as_cells(folder: Path, name: str, cells: NDArray[np.float32]) -> None:
    save_array(folder / f"{name}.npy", cells)
    details = {"cell_height_px": 4, "cell_width_px": 4}
    size = {"frame_height_px": HEIGHT_PX, "frame_width_px": WIDTH_PX}
    save_json(folder / f"{name}.json", {**details, **size})


def save_as_array(folder: Path, name: str, cells: NDArray[np.float32]) -> None:
    save_array(folder / f"{name}.npy", full_maps(cells))


def save_as_npy_folder(folder: Path, name: str, cells: NDArray[np.float32]) -> None:
    for frame, scores in enumerate(full_maps(cells)):
        save_array(folder / name / f"{frame}.npy", scores)


def save_as_tiff_folder(folder: Path, name: str, cells: NDArray[np.float32]) -> None:
    (folder / name).mkdir(parents=True)
    for frame, scores in enumerate(full_maps(cells)):
        Image.fromarray(scores).save(folder / name / f"{frame}.tiff")


def save_as_json(folder: Path, name: str, cells: NDArray[np.float32]) -> None:
    save_as_npy_folder(folder, name, cells)
    frames = [{"pixel_level_scores_map": f"{name}/{frame}.npy"} for frame in range(FRAMES)]
    save_json(folder / f"{name}.json", document(frames))


MAP_FORMS = {
    "cells": save_as_cells,
    "array": save_as_array,
    "npy folder": save_as_npy_folder,
    "tiff folder": save_as_tiff_folder,
    "json": save_as_json,
}


def same_result(first: Json, second: Json) -> bool:
    """Whether two results agree in every number and curve."""
    curves, others = first["curves"], second["curves"]
    same = [np.array_equal(curves[name], others[name], equal_nan=True) for name in curves]
    numbers, other_numbers = (
        {k: v for k, v in r.items() if k != "curves"} for r in (first, second)
    )
    return all(same) and numbers == other_numbers
