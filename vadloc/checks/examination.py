"""Read every frame of the sequences: findings about each sequence, and about several together."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from vadloc.checks.rates import contradictions
from vadloc.errors import VadlocError, about_file, counted
from vadloc.inputs import Split
from vadloc.video.decoding import video_streams
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
    read_frames,
    sequence_times_s,
)
from vadloc.video.numbering import naming_findings
from vadloc.video.rates import Rate, describe_rate


@dataclass
class Examination:
    """The result of reading a sequence.

    Attributes:
        sequence: The sequence.
        split: Whether it is for training or test.
        size_px: Height and width of the frames; ``None`` if no frame could be read.
        digests: Digest of each frame that could be read, in order.
        findings: One line for each finding.
        is_unreadable: Whether reading stopped before the end.
        rate: Frame rate of a video; ``None`` for pictures.
    """

    sequence: Sequence
    split: Split
    size_px: tuple[int, int] | None = None
    digests: list[bytes] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    is_unreadable: bool = False
    rate: Rate | None = None

    @property
    def label(self) -> str:
        """Split and name of the sequence, with which each finding begins."""
        return f"{self.split} {self.sequence.name}"


def examine(sequence: Sequence, split: Split, *, frames_per_volume: int) -> Examination:
    """Read all frames of a sequence once."""
    found = Examination(sequence, split)
    try:
        times_s = sequence_times_s(sequence)
        if times_s is not None:
            found.rate = describe_rate(times_s)
        if sequence.is_video and (count := video_streams(sequence.path)) > 1:
            found.findings.append(
                f"{found.label}: {count} video streams, of which players show one, and one is "
                "read; make a file of each that is meant (ffmpeg -i OLD -map 0:v:1 -c copy NEW)"
            )
        if not sequence.is_video:
            names = [file.name for file in list_frame_files(sequence.path)]
            found.findings += (f"{found.label}: {text}" for text in naming_findings(names))
        for frame in read_frames(sequence):
            found.size_px = (frame.shape[0], frame.shape[1])
            found.digests.append(hashlib.blake2b(frame.tobytes(), digest_size=12).digest())
    except (VadlocError, OSError) as error:
        said = about_file(error) if isinstance(error, OSError) else str(error)
        found.findings.append(f"{found.label}: {said}")
        found.is_unreadable = True
        return found
    found.findings += _frame_findings(found, frames_per_volume)
    return found


def _frame_findings(found: Examination, frames_per_volume: int) -> Iterator[str]:
    """Findings about the frames of a sequence that can be read."""
    count = len(found.digests)
    if count < frames_per_volume:
        yield (
            f"{found.label}: {counted(count, 'frame')}, a video volume has {frames_per_volume}; "
            "too short"
        )
    repeated = [i for i, (a, b) in enumerate(pairwise(found.digests), start=2) if a == b]
    if repeated:
        yield (
            f"{found.label}: {len(repeated)} of {count} frames repeat the one before, the first "
            f"is frame {repeated[0]}; motion is measured as zero there"
        )
    if found.rate and not found.rate.is_constant:
        yield f"{found.label}: {_uneven(found.rate)}; seconds are counted by the times of the file"


def _uneven(rate: Rate) -> str:
    """Words for a rate that is not constant."""
    if rate.hole_after_frame is None:
        return "its frame rate varies, which looks like other speeds"
    return (
        f"{counted(rate.hole_count, 'hole')} between its frames, the longest of "
        f"{rate.longest_hole_s:.3g} s after frame {rate.hole_after_frame + 1}; lost frames look "
        "like motion"
    )


def compare_sizes(examinations: list[Examination]) -> Iterator[str]:
    """A finding for each sequence whose frames differ in size from those of the first."""
    sized = [e for e in examinations if e.size_px]
    for other in sized:
        if other.size_px != sized[0].size_px and other.size_px and sized[0].size_px:
            yield (
                f"{other.label}: frames of {other.size_px[1]} x {other.size_px[0]} px, those of "
                f"{sized[0].label} have {sized[0].size_px[1]} x {sized[0].size_px[0]}"
            )


def compare_rates(examinations: list[Examination], frames_per_second: float) -> Iterator[str]:
    """A finding for each frame rate of videos that differs from the config's."""
    rates = {e.label: e.rate.frames_per_second for e in examinations if e.rate}
    return contradictions(rates, frames_per_second)


def find_overlap(examinations: list[Examination]) -> Iterator[str]:
    """A finding for each test sequence that shares frames with a training sequence."""
    seen: dict[bytes, str] = {}
    for train in (e for e in examinations if e.split != "test"):
        seen.update(dict.fromkeys(train.digests, train.sequence.name))
    for test in (e for e in examinations if e.split == "test"):
        shared = [seen[digest] for digest in test.digests if digest in seen]
        if shared:
            yield (
                f"{test.label}: {len(shared)} of {len(test.digests)} frames are also frames of "
                f"training ({shared[0]}); test video must be new"
            )
