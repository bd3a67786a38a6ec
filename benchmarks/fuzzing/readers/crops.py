"""Crops on which the appearance network is trained."""

import io
import zipfile
from pathlib import Path

from PIL import Image

from feature_extraction.appearance.classes import LABELS
from feature_extraction.appearance.crops import read_crops
from fuzzing.reader import Reader
from fuzzing.readers.archives import ZIP_METHODS


def make_crops(folder: Path) -> None:
    """A zip of pictures for each class."""
    for method in ZIP_METHODS:
        for label in LABELS:
            path = folder / str(method) / "train" / f"{label}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w", method) as archive:
                for suffix in ("png", "jpeg"):
                    file = io.BytesIO()
                    Image.new("RGB", (64, 64), (len(label), 90, 200)).save(file, suffix)
                    archive.writestr(f"1.{suffix}", file.getvalue())


CROPS = Reader(make_crops, lambda folder: read_crops(folder, "train"))
