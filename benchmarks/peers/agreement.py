"""Whether vadloc and the plain program of the published algorithm agree on the same frames.

    python benchmarks/peers/agreement.py VERSION CONFIG PLAIN_STATE VADLOC_RESULTS

reads what both left; the frames lie beside the config. Networks give slightly other numbers for a
batch than for each crop, so that first the plain rules are applied to the features that vadloc
stored.
"""

import sys
from pathlib import Path

import numpy as np
import plain_eval
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from vadloc.artifacts import Artifacts
from vadloc.config import load_config
from vadloc.features import SequenceFeatures, load_features


def to_plain(features: SequenceFeatures) -> plain_eval.SequenceVolumes:
    """Features that vadloc stored, volume by volume."""
    ends = np.cumsum(features.widths)[:-1]
    steps = [
        [dict(zip(features.components, np.split(v, ends), strict=True)) for v in regions]
        for regions in features.values
    ]
    shape = features.height_px, features.width_px
    return plain_eval.SequenceVolumes(shape, features.frame_count, steps)


def from_plain(model: plain_eval.Model) -> tuple[NDArray[np.float32], list[int], list[int]]:
    """Features of all exemplars, their counts, and the number of exemplars of each region."""
    flat = [exemplar for region in model[1] for exemplar in region]
    rows = np.stack([np.concatenate(list(volume.values())) for volume, _ in flat])
    return rows, [count for _, count in flat], [len(region) for region in model[1]]


def model_difference(model: plain_eval.Model, ours: Exemplars) -> str:
    """In which exemplars, or counts, a plain model and ours differ."""
    rows, counts, numbers = from_plain(model)
    if numbers != np.diff(ours.offsets).tolist():
        return f"{len(counts)} and {len(ours.counts)} exemplars, DIFFERENT ONES"
    difference = float(np.abs(rows - ours.features).max())
    same = "all counts the same" if counts == ours.counts.tolist() else "COUNTS DIFFER"
    return f"{len(counts)} exemplars, {same}, features differ by at most {difference:.1e}"


def agreement(version: str, config_file: Path, plain: Path, results: Path) -> dict[str, str]:
    """Differences, by what is compared.

    Args:
        version: Of both.
        config_file: Of both, beside the folders ``Train`` and ``Test``.
        plain: Where the plain program left its model and scores.
        results: Where vadloc left its results.
    """
    config, weights = load_config(config_file), plain_eval.version_weights(version)
    artifacts = Artifacts(config, results, config_file.parent, version=version)
    ours = Exemplars.from_content(artifacts.merged().load())
    volumes = {
        split: [
            to_plain(load_features(artifacts, split, s.name)) for s in artifacts.sequences(split)
        ]
        for split in ("train", "test")
    }
    our_scores = [artifacts.scores(s.name).load() for s in artifacts.sequences("test")]
    model = plain_eval.train(volumes["train"], weights, config)
    same_features = [plain_eval.score(sequence, model, config) for sequence in volumes["test"]]
    own_scores = [np.load(plain / f"{s.name}.npy") for s in artifacts.sequences("test")]
    own_model = plain_eval.load_model(plain / "model.npz", weights)
    return {
        "plain selection from vadloc's features": model_difference(model, ours),
        "plain scores from vadloc's features": largest_difference(same_features, our_scores),
        "plain from the frames on, exemplars": model_difference(own_model, ours),
        "plain from the frames on, scores": largest_difference(own_scores, our_scores),
    }


def largest_difference(plain: list[NDArray[np.float32]], ours: list[NDArray[np.float32]]) -> str:
    """Of two lists of score maps."""
    difference = max(float(np.abs(a - b).max()) for a, b in zip(plain, ours, strict=True))
    return f"differ by at most {difference:.1e}, largest score {max(map(np.max, ours)):.3g}"


def main() -> None:
    """Print the differences."""
    version, *paths = sys.argv[1:]
    for what, difference in agreement(version, *map(Path, paths)).items():
        print(f"`{version}`, {what}: {difference}")


if __name__ == "__main__":
    main()
