"""Combine the stored scores of several versions into those of a combined version.

    python -m anomaly_detection.combine_scores --config configs/ped2.toml --version fused_pseudo

reads the score maps of the versions that are the members of the combined one, divides each by what
it reaches on normal video, and adds them (``anomaly_detection.detectors.combined``). It writes
``scores/<version>/<sequence>.npy`` and ``.json`` as ``anomaly_detection.score_anomalies`` does.
``vadloc.run --version fused_pseudo`` makes the scores of the members first.
"""

from collections.abc import Iterator
from typing import Any

from anomaly_detection import score_anomalies
from vadloc.arguments import stage_parser
from vadloc.artifact import Artifact
from vadloc.artifacts import Artifacts
from vadloc.errors import UsageError
from vadloc.stage import Stage, Work, stage_main
from vadloc.stamps import SCHEMAS
from vadloc.versions import VERSIONS

COMMAND = "anomaly_detection.combine_scores"


def outputs(artifacts: Artifacts, sequence: str) -> list[Artifact]:
    """Score map and details.

    Raises:
        UsageError: The version is not a combined one.
    """
    if not artifacts.members:
        combined = [name for name, version in VERSIONS.items() if version.members]
        raise UsageError(
            f"version {artifacts.version!r} combines nothing; expected one of {combined}"
        )
    return score_anomalies.outputs(artifacts, sequence)


def prepare(artifacts: Artifacts, *, overwrite: bool) -> None:
    """Measure, once for all sequences, what each member reaches on normal video."""
    from anomaly_detection.detectors.combined import CombinedDetector  # --help needs no NumPy

    file = artifacts.member_divisors()
    if not file.is_done(overwrite=overwrite):
        measured = CombinedDetector(artifacts).measure_divisors()
        file.save({"schema": SCHEMAS["member_divisors"], **measured})


def compute(work: Work) -> Iterator[tuple[Artifact, Any]]:
    """Combine the scores of one test sequence."""
    prepare(work.artifacts, overwrite=work.overwrite)
    yield from score_anomalies.compute(work)


STAGE = Stage(COMMAND, outputs, compute, "test", prepare=prepare)


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = stage_parser("Combine the scores of several versions.", sequences=True)
    stage_main(STAGE, parser.parse_args(argv))


if __name__ == "__main__":
    main()
