"""Exemplars of mined volumes, learnt after those of the training sequences by the same rule."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exemplar_selection.exemplars import Exemplars
from exemplar_selection.forgetting import forget
from exemplar_selection.merging import merge_exemplars
from exemplar_selection.mining import learnt_volumes
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError
from vadloc.features import SequenceFeatures, check_frame_size, load_features


def merge_mined(part: Artifacts) -> tuple[Exemplars, int]:
    """The exemplars of a version, or of one of its parts, after its latest round of mining.

    The mined volumes go through the rule of the training exemplars, after all exemplars that are
    there. So no exemplar is lost to them, and with the divisors of the training no score can rise.

    Args:
        part: The results of the version, or of its part.

    Returns:
        The exemplars, and the number of volumes that were learnt in this round.

    Raises:
        VadlocError: What was mined does not fit the features.
    """
    config, whole = part.config, part.whole or part
    before = Exemplars.from_content(part.at_round(part.round - 1).merged().load())
    model = forget(before, config.mining)
    volumes = 0
    for sequence in part.sequences("mined"):
        features = load_features(part, "mined", sequence.name)
        check_frame_size(features, model.height_px, model.width_px, "training")
        model.check_widths(features)
        learnt = newly_learnt(whole, features)
        volumes += int(learnt.sum())
        if learnt.any():
            model = learn_volumes(
                model, features, learnt, round_=part.round, threshold=config.exemplars.threshold
            )
    return forget(model, config.mining, days=0).without_unused_names(), volumes


def newly_learnt(whole: Artifacts, features: SequenceFeatures) -> NDArray[np.bool_]:
    """The volumes of a sequence that are learnt in this round, and were in none before it.

    Raises:
        VadlocError: The mined frames are of another number or grid than the features.
    """
    rounds = [whole.at_round(number) for number in range(1, whole.round + 1)]
    *before, now = (_learnt(model, features) for model in rounds)
    for earlier in before:
        now &= ~earlier
    return now


def _learnt(model: Artifacts, features: SequenceFeatures) -> NDArray[np.bool_]:
    content = model.mined_frames(features.sequence).load()
    grid = features.grid(model.config.regions)
    expected = features.frame_count, *grid.cells
    if content["fate"].shape != expected:
        raise VadlocError(
            f"{features.sequence}: mined maps of shape {content['fate'].shape}, its features "
            f"expect {expected}; nothing is learnt. Mine again: {model.mined_summary().command} "
            "--overwrite"
        )
    return learnt_volumes(
        content["fate"],
        content["confirmed"],
        features.first_frame,
        frames_per_volume=model.config.regions.frames_per_volume,
        cells_per_side=grid.cells_per_side,
    )


def learn_volumes(
    model: Exemplars,
    features: SequenceFeatures,
    learnt: NDArray[np.bool_],
    *,
    round_: int,
    threshold: float,
) -> Exemplars:
    """A model that has also learnt some volumes of a sequence.

    Args:
        model: The exemplars so far.
        features: The sequence.
        learnt: ``(v, regions)`` bool: the volumes.
        round_: The round of mining, 1 or more.
        threshold: Largest distance at which an exemplar stands for a volume.
    """
    regions, steps = np.nonzero(learnt.T)  # sorted by region, and then by time
    volumes = Exemplars(
        distance=model.distance,
        components=model.components,
        height_px=features.height_px,
        width_px=features.width_px,
        sequences=(features.sequence,),
        offsets=np.searchsorted(regions, np.arange(learnt.shape[1] + 1)),
        features=features.values[steps, regions],
        counts=np.ones(len(steps), np.int64),
        sequence=np.zeros(len(steps), np.int64),
        first_frame=features.first_frame[steps],
        descriptors={name: rows[steps, regions] for name, rows in features.descriptors.items()},
        mined_round=np.full(len(steps), round_, np.int64),
        mined_volumes=np.ones(len(steps)),
    )
    return merge_exemplars([with_origin(model), volumes], threshold=threshold)


def with_origin(model: Exemplars) -> Exemplars:
    """The exemplars with the round in which they were mined; 0 for those of training sequences."""
    if model.mined_round is not None:
        return model
    nothing = np.zeros(len(model.counts))
    return replace(model, mined_round=nothing.astype(np.int64), mined_volumes=nothing)


def mined_part(model: Exemplars) -> Exemplars | None:
    """The mined exemplars of a model alone; ``None`` if it has none."""
    if model.mined_round is None or not model.mined_round.any():
        return None
    return model.select(model.mined_round > 0)


def mined_volumes(artifacts: Artifacts) -> Iterator[tuple[str, NDArray[np.bool_], Any]]:
    """Name, learnt volumes ``(v, regions)`` of all rounds, and features, of each mined sequence."""
    from vadloc.features import load_fused_features

    rounds = [artifacts.at_round(number) for number in range(1, artifacts.round + 1)]
    for sequence in artifacts.sequences("mined"):
        fused = load_fused_features(artifacts, "mined", sequence.name)
        learnt = [_learnt(model, fused.parts[0]) for model in rounds]
        yield sequence.name, np.logical_or.reduce(learnt), fused
