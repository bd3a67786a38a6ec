"""Merge the exemplars of all training sequences into the model of the scene.

    python -m exemplar_selection.merge_exemplars --config configs/ped2.toml

applies the greedy rule of ``select_exemplars`` again, to the exemplars of all sequences in the
order of the sequences, and adds up their counts. It writes ``exemplars/<version>/merged.joblib``
and prints the number of exemplars per region. For a version of parts it does so for each part,
writes the divisors of their distances, see ``exemplar_selection.divisors``, and what training video
shows in each region, see ``exemplar_selection.sightings``.

    python -m exemplar_selection.merge_exemplars --config configs/ped2.toml --mined 1

adds what ``mine_normal`` has found, see ``exemplar_selection.mined_exemplars``. The result lies
beside that of the training sequences, which it does not change.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from exemplar_selection.divisors import measure_divisors
from exemplar_selection.exemplars import Exemplars
from exemplar_selection.left_out import read_exemplars
from exemplar_selection.merging import merge_exemplars
from exemplar_selection.mined_exemplars import merge_mined
from exemplar_selection.sightings import add_sightings, count_sightings
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import counted
from vadloc.process import one_blas_thread
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS
from vadloc.versions import VERSIONS

COMMAND = "exemplar_selection.merge_exemplars"


def outputs(artifacts: Artifacts, _dataset: str) -> list[Artifact]:
    """The model; of a version of parts what they share, and the model of each part."""
    models = [part.merged() for part in artifacts.parts]
    if not VERSIONS[artifacts.version].parts:
        return models
    if artifacts.round:
        return [artifacts.sightings(), *models]
    return [artifacts.divisors(), artifacts.sightings(), *models]


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Merge the exemplars of all training sequences, or add those that were mined."""
    with one_blas_thread():
        yield from _compute_mined(work) if work.artifacts.round else _compute_trained(work)


def _compute_trained(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Merge the exemplars of all training sequences, and measure what parts share."""
    sequences = work.artifacts.sequences("train")
    totals = np.zeros(3, np.int64)
    for part in work.artifacts.parts:
        if work.lacks(part.merged()):
            selected = [read_exemplars(part, s.name) for s in sequences]
            merged = merge_exemplars(selected, threshold=work.config.exemplars.threshold)
            yield part.merged(), merged.to_content(schema=SCHEMAS["merged"])
            before = sum(len(exemplars.counts) for exemplars in selected)
            totals += before, len(merged.counts), merged.counts.sum()
    if VERSIONS[work.artifacts.version].parts:
        yield from _shared_by_parts(work)
    before, after, volumes = totals.tolist()
    work.count(
        sequences=len(sequences), sequences_exemplars=before, exemplars=after, volumes=volumes
    )


def _compute_mined(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Add what was mined in the latest round to the model of the round before."""
    artifacts, exemplars, learnt = work.artifacts, 0, 0
    for part in artifacts.parts:
        if work.lacks(part.merged()):
            merged, learnt = merge_mined(part)
            yield part.merged(), merged.to_content(schema=SCHEMAS["merged"])
            exemplars += len(merged.counts)
    if VERSIONS[artifacts.version].parts and work.lacks(artifacts.sightings()):
        content = add_sightings(artifacts)
        yield artifacts.sightings(), {"schema": SCHEMAS["sightings"], **content}
    sequences = len(artifacts.sequences("mined"))
    work.count(sequences=sequences, exemplars=exemplars, volumes=learnt)


def _shared_by_parts(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """What is made of all parts of a version together."""
    divisors, sightings = work.artifacts.divisors(), work.artifacts.sightings()
    if work.lacks(divisors):
        least = [part.least_divisor for part in VERSIONS[work.artifacts.version].parts]
        content = measure_divisors(work.artifacts.parts, least)
        yield divisors, {"schema": SCHEMAS["divisors"], **content}
    if work.lacks(sightings):
        yield sightings, {"schema": SCHEMAS["sightings"], **count_sightings(work.artifacts)}


def region_table(model: Exemplars) -> str:
    """One line: the number of regions, and the spread of the number of exemplars per region."""
    numbers = np.diff(model.offsets)
    volumes = counted(int(model.counts.sum()), "volume")
    mined = 0 if model.mined_round is None else int((model.mined_round > 0).sum())
    return (
        f"{counted(len(model.counts), 'exemplar')} of {volumes} in "
        f"{counted(model.region_count, 'region')}; per region: least {numbers.min()}, "
        f"median {np.median(numbers):g}, most {numbers.max()}"
        + (f"; {mined} mined" if mined else "")
    )


def describe(artifacts: Artifacts, _dataset: str) -> str:
    """Exemplars per region of the model that is there, and the divisors of parts."""
    models = [Exemplars.from_content(part.merged().load()) for part in artifacts.parts]
    tables = [region_table(model) for model in models]
    if not VERSIONS[artifacts.version].parts:
        return tables[0]
    divisors = artifacts.divisors().load()["divisors"]
    named = zip(artifacts.parts, divisors, tables, strict=True)
    return "\n".join(f"{part.version}: divisor {d:.4f}; {table}" for part, d, table in named)


STAGE = Stage(COMMAND, outputs, compute, describe=describe)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Merge exemplars into the model of the scene.", sequences=False)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
