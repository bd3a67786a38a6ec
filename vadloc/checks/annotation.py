"""Whether the annotation of the test sequences can be read and fits their frames."""

from collections.abc import Iterator

from vadloc.annotations import find_reader
from vadloc.annotations.pairing import context_of, counts_if_needed, left_out
from vadloc.artifacts import Artifacts
from vadloc.checks.examination import Examination
from vadloc.config import GroundTruthSource
from vadloc.errors import VadlocError


def check_ground_truth(artifacts: Artifacts, examinations: list[Examination]) -> Iterator[str]:
    """A finding for each test sequence whose annotation is missing or does not fit its frames."""
    tests = {e.sequence.name: e for e in examinations if e.split == "test"}
    for source in artifacts.config.ground_truths:
        try:
            covered = [s.name for s in artifacts.covered(source) if s.name in tests]
            yield from _check_source(artifacts, source, {name: tests[name] for name in covered})
        except VadlocError as error:
            yield str(error)


def _check_source(
    artifacts: Artifacts, source: GroundTruthSource, tests: dict[str, Examination]
) -> Iterator[str]:
    """Findings about the sequences that one ground truth covers."""
    read, folder = find_reader(source.format), artifacts.truth_folder(source)
    if len(tests) == len(artifacts.sequences("test")):
        yield from left_out(folder, source.format, tests, what="test video")
    counts = counts_if_needed(
        source.format, folder, list(tests), lambda name: len(tests[name].digests)
    )
    for test in (e for e in tests.values() if e.size_px):
        height, width = test.size_px or (0, 0)
        try:
            read(
                folder,
                test.sequence.name,
                frame_count=len(test.digests),
                height_px=height,
                width_px=width,
                context=context_of(
                    test.sequence, counts=counts, mask_threshold=source.mask_threshold
                ),
            )
        except VadlocError as error:
            yield f"{test.label}: {error}"
