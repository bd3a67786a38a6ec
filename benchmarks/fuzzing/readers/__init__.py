"""Every reader that is tried, by name: a module for each kind of file."""

from fuzzing.reader import Reader
from fuzzing.readers.archives import ARCHIVES
from fuzzing.readers.artifacts import JOBLIB, JSON, NPY
from fuzzing.readers.configs import CONFIG
from fuzzing.readers.crops import CROPS
from fuzzing.readers.curves import CURVES
from fuzzing.readers.ground_truth import truth_reader
from fuzzing.readers.pictures import PICTURES
from fuzzing.readers.predictions import PREDICTIONS
from fuzzing.readers.results import RESULTS
from fuzzing.readers.videos import VIDEOS
from fuzzing.readers.weights import WEIGHTS
from vadloc.annotations import READERS as TRUTH_READERS

READERS: dict[str, Reader] = {
    "config": CONFIG,
    "joblib": JOBLIB,
    "npy": NPY,
    "json": JSON,
    "pictures": PICTURES,
    "videos": VIDEOS,
    "predictions": PREDICTIONS,
    "weights": WEIGHTS,
    "archives": ARCHIVES,
    "crops": CROPS,
    "results": RESULTS,
    "curves": CURVES,
    **{f"truth_{name}": truth_reader(name) for name in TRUTH_READERS},
}
