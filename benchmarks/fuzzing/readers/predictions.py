"""Predictions of other programs."""

from pathlib import Path

import numpy as np

from evaluation.predictions.known_size import KnownSize
from evaluation.predictions.readers import list_folder, open_prediction
from fuzzing.reader import SEQUENCE, Reader


def make_predictions(folder: Path) -> None:
    """Maps in all their forms, frame scores and boxes as JSON and as rows."""
    from prediction_files import MAP_FORMS, box_frames, cell_maps, document, save_json

    for name, save in MAP_FORMS.items():
        (folder / name).mkdir()
        save(folder / name, SEQUENCE, cell_maps(0))
    boxes = box_frames([[((1.0, 2, 5, 6.5), 0.5)]] * 6)
    save_json(folder / "boxes" / f"{SEQUENCE}.json", document(boxes))
    scored = [{"frame_level_score": number / 6} for number in range(6)]
    save_json(folder / "frames" / f"{SEQUENCE}.json", document(scored))
    for name in ("rows", "frame scores"):
        (folder / name).mkdir()
    (folder / "rows" / f"{SEQUENCE}.csv").write_text("0,1,2,5,6.5,0.5\n3,0,0,16,12,-2e3\n")
    np.save(folder / "frame scores" / f"{SEQUENCE}.npy", np.linspace(0, 1, 6))


def read_predictions(folder: Path) -> None:
    """Every frame of every prediction."""
    for sequence, path in list_folder(folder).predictions.items():
        scores = open_prediction(path, sequence, KnownSize(6, 12, 16)).scores
        for frame in range(scores.frame_count if scores else 0):
            assert scores
            scores.cells(frame)


PREDICTIONS = Reader(make_predictions, read_predictions)
