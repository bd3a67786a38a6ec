"""Merge the exemplars of all training sequences into the model of the scene.

    python -m exemplar_selection.merge_exemplars --config configs/ped2.toml

applies the greedy rule of ``select_exemplars`` again, to the exemplars of all sequences in the
order of the sequences, and adds up their counts. It writes ``exemplars/<version>/merged.joblib``
and prints the number of exemplars per region.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from exemplar_selection.exemplars import Exemplars
from exemplar_selection.greedy import greedy_selection
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import VadlocError, counted
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS

COMMAND = "exemplar_selection.merge_exemplars"


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """The model of the scene: the merged exemplars."""
    return [artifacts.merged()]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Merge the exemplars of all training sequences."""
    parts = [
        Exemplars.from_content(work.artifacts.exemplars(sequence.name).load())
        for sequence in work.artifacts.sequences("train")
    ]
    merged = merge_exemplars(parts, threshold=work.config.exemplars.threshold)
    yield work.artifacts.merged(), merged.to_content(schema=SCHEMAS["merged"])
    work.count(
        sequences=len(parts),
        sequences_exemplars=sum(len(part.counts) for part in parts),
        exemplars=len(merged.counts),
        volumes=int(merged.counts.sum()),
    )


def merge_exemplars(parts: list[Exemplars], *, threshold: float) -> Exemplars:
    """One model from the exemplars of several sequences, in their order.

    Raises:
        VadlocError: Their frames, regions or distances differ.
    """
    first = parts[0]
    for part in parts:
        if (part.height_px, part.width_px) != (first.height_px, first.width_px):
            raise VadlocError(
                f"{part.sequences[0]}: frames of {part.width_px} x {part.height_px} px, those of "
                f"{first.sequences[0]} have {first.width_px} x {first.height_px}"
            )
        if (part.distance, part.region_count) != (first.distance, first.region_count):
            raise VadlocError(
                f"{part.sequences[0]}: exemplars of another distance or of other regions than "
                f"those of {first.sequences[0]}; select both again with --overwrite"
            )
    joined = _join(parts)
    regions = np.concatenate(
        [np.repeat(np.arange(part.region_count), np.diff(part.offsets)) for part in parts]
    )
    rows, counts, offsets = [], [], [0]
    for region in range(first.region_count):
        here = np.flatnonzero(regions == region)
        kept, totals = greedy_selection(
            joined.features[here],
            joined.counts[here],
            distance=first.distance,
            threshold=threshold,
        )
        rows.append(here[kept])
        counts.append(totals)
        offsets.append(offsets[-1] + len(kept))
    order = np.concatenate(rows)
    return replace(
        joined,
        offsets=np.array(offsets),
        features=joined.features[order],
        counts=np.concatenate(counts),
        sequence=joined.sequence[order],
        first_frame=joined.first_frame[order],
        descriptors={name: rows[order] for name, rows in joined.descriptors.items()},
    )


def _join(parts: list[Exemplars]) -> Exemplars:
    """All exemplars, one sequence after the other; their offsets are not valid yet."""
    return replace(
        parts[0],
        sequences=tuple(name for part in parts for name in part.sequences),
        features=np.concatenate([part.features for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
        sequence=np.concatenate([part.sequence + i for i, part in enumerate(parts)]),
        first_frame=np.concatenate([part.first_frame for part in parts]),
        descriptors={
            name: np.concatenate([part.descriptors[name] for part in parts])
            for name in parts[0].descriptors
        },
    )


def region_table(model: Exemplars) -> str:
    """One line: the number of regions, and the spread of the number of exemplars per region."""
    numbers = np.diff(model.offsets)
    volumes = counted(int(model.counts.sum()), "volume")
    return (
        f"{counted(len(model.counts), 'exemplar')} of {volumes} in "
        f"{counted(model.region_count, 'region')}; per region: least {numbers.min()}, "
        f"median {np.median(numbers):g}, most {numbers.max()}"
    )


def describe(artifacts: Artifacts, _dataset: str) -> str:
    """One line on the exemplars per region of the model in the results; see ``region_table``."""
    return region_table(Exemplars.from_content(artifacts.merged().load()))


STAGE = Stage(COMMAND, outputs, compute, describe=describe)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Merge exemplars into the model of the scene.", sequences=False)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
