"""Select the exemplars of a training sequence: the few volumes that stand for all its volumes.

    python -m exemplar_selection.select_exemplars --config configs/ped2.toml

reads the features of each training sequence and writes ``exemplars/<version>/<sequence>.joblib``.
The divisors Z_k of the distance come from the features of all training sequences. The first process
that needs them writes ``exemplars/<version>/scales.joblib`` (each would write the same bytes).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.distance import (
    GATE,
    FeatureDistance,
)
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.greedy import greedy_selection
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.features import MOVING, SequenceFeatures, check_frame_size, load_features
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS
from vadloc.versions import extractors_of, fixed_scales, is_motion

COMMAND = "exemplar_selection.select_exemplars"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """The exemplars of a sequence, of the version or of each of its parts."""
    return [part.exemplars(sequence) for part in artifacts.parts]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Select the exemplars of one training sequence."""
    scale(work.artifacts, overwrite=work.overwrite)
    volumes = count = 0
    for part in work.artifacts.parts:
        file = part.exemplars(work.unit)
        if work.lacks(file):
            exemplars = sequence_to_exemplars(part, work.unit)
            yield file, exemplars.to_content(schema=SCHEMAS["exemplars"])
            volumes += int(exemplars.counts.sum())
            count += len(exemplars.counts)
    work.count(volumes=volumes, exemplars=count)


def sequence_to_exemplars(artifacts: Artifacts, sequence: str) -> Exemplars:
    """The exemplars of one training sequence, from its stored features.

    Raises:
        VadlocError: They do not fit the divisors of the distance.
    """
    scales = artifacts.scales().load()
    features = load_features(artifacts, "train", sequence)
    check_frame_size(features, scales["height_px"], scales["width_px"], "the first sequence")
    _check_scales(features, scales["scales"])
    distance = components_to_distance(features, tuple(scales["scales"]), weights=artifacts.weights)
    threshold = artifacts.config.exemplars.threshold
    return features_to_exemplars(features, distance=distance, threshold=threshold)


def _check_scales(features: SequenceFeatures, scales: list[float]) -> None:
    if len(scales) != len(features.components):
        raise VadlocError(
            f"{features.sequence}: {len(features.components)} components, but {len(scales)} "
            "divisors of their distance; make them again with --overwrite"
        )


def scale(artifacts: Artifacts, *, overwrite: bool = False) -> None:
    """Compute the divisors Z_k of the distance, of each part, unless they are there."""
    for part in artifacts.parts:
        if not part.scales().is_done(overwrite=overwrite):
            _measure_scales(part)


def _measure_scales(artifacts: Artifacts) -> None:
    names = [sequence.name for sequence in artifacts.sequences("train")]
    first = load_features(artifacts, "train", names[0])
    scales = largest_distances(_random_pairs(artifacts, names), first.widths)
    fixed = fixed_scales(artifacts.version)
    artifacts.scales().save(
        {
            "schema": SCHEMAS["scales"],
            "components": list(first.components),
            "scales": [
                fixed.get(name, measured)
                for name, measured in zip(first.components, scales, strict=True)
            ],
            "height_px": first.height_px,
            "width_px": first.width_px,
        }
    )


def components_to_distance(
    features: SequenceFeatures, scales: tuple[float, ...], *, weights: Mapping[str, float]
) -> FeatureDistance:
    """The distance between volumes of these components.

    Args:
        features: The features of any sequence.
        scales: Z_k of each component.
        weights: w_k by the name of the component.
    """
    names = features.components
    if MOVING not in names:
        return FeatureDistance(features.widths, scales, tuple(weights[name] for name in names))
    return FeatureDistance(
        features.widths,
        (*scales[:-1], 1.0),
        (*(weights[name] for name in names[:-1]), GATE),
        tuple(is_motion(name) for name in names),
    )


def largest_distances(pairs: NDArray[np.float32], widths: tuple[int, ...]) -> list[float]:
    """Z_k: the largest distance of each component over pairs of volumes.

    Args:
        pairs: ``(2, n, dimension)`` features.
        widths: Number of columns of each component.
    """
    plain = FeatureDistance(widths, (1.0,) * len(widths), (1.0,) * len(widths))
    parts = plain.parts(plain.scaled(pairs[0]), plain.scaled(pairs[1]))
    return [float(largest) for largest in parts.max(axis=0)]


def _random_pairs(artifacts: Artifacts, names: list[str]) -> NDArray[np.float32]:
    """Features ``(2, n, dimension)`` of random pairs of all training volumes, file by file."""
    extractor = extractors_of(artifacts.version)[-1]  # all have the same volumes
    sizes = [artifacts.features(extractor, "train", n).load()["index"].size for n in names]
    ends = np.cumsum(sizes)
    settings = artifacts.config.distance
    random = np.random.default_rng(settings.seed)
    chosen = random.integers(ends[-1], size=(2, settings.pairs))
    rows = None
    for name, end, size in zip(names, ends, sizes, strict=True):
        volumes = _volumes(artifacts, name)
        if rows is None:
            rows = np.empty((*chosen.shape, volumes.shape[1]), np.float32)
        here = (chosen >= end - size) & (chosen < end)
        rows[here] = volumes[chosen[here] - (end - size)]
    assert rows is not None
    return rows


def _volumes(artifacts: Artifacts, name: str) -> NDArray[np.float32]:
    values = load_features(artifacts, "train", name).values
    return values.reshape(-1, values.shape[2])


def features_to_exemplars(
    features: SequenceFeatures, *, distance: FeatureDistance, threshold: float
) -> Exemplars:
    """Exemplars of all regions of one sequence."""
    steps, region_count, _ = features.values.shape
    ones = np.ones(steps, np.int64)
    chosen = [
        greedy_selection(features.values[:, r], ones, distance=distance, threshold=threshold)
        for r in range(region_count)
    ]
    rows = np.concatenate([rows for rows, _ in chosen])
    region = np.repeat(np.arange(region_count), [len(rows) for rows, _ in chosen])
    return Exemplars(
        distance=distance,
        components=features.components,
        height_px=features.height_px,
        width_px=features.width_px,
        sequences=(features.sequence,),
        offsets=np.searchsorted(region, np.arange(region_count + 1)),
        features=features.values[rows, region],
        counts=np.concatenate([counts for _, counts in chosen]),
        sequence=np.zeros(len(rows), np.int64),
        first_frame=features.first_frame[rows],
        descriptors={name: all_[rows, region] for name, all_ in features.descriptors.items()},
    )


STAGE = Stage(COMMAND, outputs, compute, "train", prepare=scale)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser(
        "Select the exemplars of training sequences.", sequences=True, mining=False
    )
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
