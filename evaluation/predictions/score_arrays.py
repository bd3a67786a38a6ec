"""Predictions as one array per sequence.

* ``<sequence>.npy`` of shape ``(frames, rows, columns)``: score maps, of pixels or cells,
* ``<sequence>.npy`` of shape ``(frames,)``: a score for each frame.
"""

from pathlib import Path

import numpy as np

from evaluation.predictions.known_size import Details, KnownSize
from vadloc.annotations.arrays import map_numbers
from vadloc.annotations.ssvad_prediction import Prediction
from vadloc.errors import VadlocError
from vadloc.scores import ScoreMap

DTYPES = ("float16", "float32", "float64", "bool", "uint8", "uint16", "int32", "int64")
"""Allowed dtypes of scores."""


def read(path: Path, sequence: str, known: KnownSize, details: Details) -> Prediction:
    """Read maps or frame scores (an `evaluation.predictions.readers.FileReader`).

    Raises:
        VadlocError: The array is unusable.
    """
    array = map_numbers(path, dtypes=DTYPES)
    if array.ndim == 1:
        scores = array.astype(np.float64)
        if not np.isfinite(scores).all():
            bad = int(np.argmin(np.isfinite(scores)))
            raise VadlocError(f"{path}: the score of frame {bad} (0-based) is not a finite number")
        return Prediction(sequence, len(scores), None, scores)
    if array.ndim != 3 or not array.size:
        raise VadlocError(
            f"{path}: an array of shape {array.shape}, expected (frames, rows, columns) for maps "
            "or (frames,) for frame scores"
        )
    height_px, width_px = array.shape[1:]
    if (details.cell_height_px, details.cell_width_px) != (1, 1):
        _, height_px, width_px = known._replace(frame_count=len(array)).complete(where=str(path))
    cells = details.cell_height_px, details.cell_width_px
    score_map = ScoreMap(sequence, array, *cells, height_px=height_px, width_px=width_px)
    return Prediction(sequence, len(array), score_map, None)
