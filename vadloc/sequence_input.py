"""The input of a detector for one sequence: sizes, times, and features or frames."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.artifacts import Artifacts
from vadloc.config import Regions
from vadloc.errors import VadlocError
from vadloc.inputs import Split
from vadloc.regions import RegionGrid
from vadloc.video.camera_motion import CameraMotion
from vadloc.video.frames import Sequence, read_frames_as, sequence_size, sequence_times_s
from vadloc.video.times import Clock


@dataclass(frozen=True, kw_only=True)
class SequenceInput(ABC):
    """The input of a detector for one sequence.

    Attributes:
        sequence: Name of the sequence.
        frame_count: Number of frames.
        height_px: Frame height.
        width_px: Frame width.
        times_s: ``(frame_count,)`` float64, the time at which each frame of a video begins, 0 for
            the first; ``None`` for pictures, which have no times.
        components: Names of the feature components; none for frames.
        camera: How far the camera has moved, see `vadloc.video.camera_summary`; ``None`` if it is
            not known.
    """

    sequence: str
    frame_count: int
    height_px: int
    width_px: int
    times_s: NDArray[np.float64] | None = None
    components: tuple[str, ...] = ()
    camera: dict[str, float] | None = None

    @abstractmethod
    def steps(self) -> Iterator[Any]:
        """The steps that a ``ScoreStream`` gets, in the order of time."""

    @property
    def time_record(self) -> dict[str, float]:
        """``duration_s`` and ``frames_per_second`` of a video; empty for pictures."""
        clock = Clock.of_stream(self.times_s)
        if clock is None:
            return {}
        return {
            "duration_s": clock.seconds(self.frame_count),
            "frames_per_second": clock.frames_per_second,
        }

    def counts(self) -> dict[str, int]:
        """Counts of what is scored, for the stage report."""
        return {"frames": self.frame_count}

    def grid(self, regions: Regions) -> RegionGrid:
        """Regions and cells of the frames."""
        return RegionGrid(self.height_px, self.width_px, regions.size_px, regions.stride_px)


@dataclass(frozen=True, kw_only=True)
class SequenceFrames(SequenceInput):
    """The frames of a sequence, read when they are asked for.

    Attributes:
        source: The folder of pictures or the video.
        undo_shake: Whether shifts of the camera are undone.
    """

    source: Sequence
    undo_shake: bool = True

    def steps(self) -> Iterator[NDArray[np.uint8]]:
        """The frames in order, one in memory at a time, without the camera's shifts.

        Yields:
            uint8 RGB ``(height, width, 3)``.
        """
        camera = CameraMotion(undo=self.undo_shake)
        for grey, rgb in read_frames_as(self.source, ("grey", "rgb")):
            yield camera.follow(grey).undo(rgb)


@dataclass(frozen=True, kw_only=True)
class CombinedInput(SequenceInput):
    """The inputs of the members of a combined version, for one sequence.

    Attributes:
        members: The input of each.
    """

    members: tuple[SequenceInput, ...]

    @classmethod
    def of(cls, members: tuple[SequenceInput, ...]) -> "CombinedInput":
        """The input of a sequence, from those of all members.

        Raises:
            VadlocError: They differ in the number or the size of frames.
        """
        first = members[0]
        shapes = {(m.frame_count, m.height_px, m.width_px) for m in members}
        if len(shapes) > 1:
            raise VadlocError(
                f"{first.sequence}: the versions that are combined have read frames of different "
                f"number or size ({sorted(shapes)}); make their results again with --overwrite"
            )
        return cls(
            sequence=first.sequence,
            frame_count=first.frame_count,
            height_px=first.height_px,
            width_px=first.width_px,
            times_s=first.times_s,
            camera=next((m.camera for m in members if m.camera), None),
            members=members,
        )

    def steps(self) -> Iterator[Any]:
        """A combined version is scored from the scores of its members, not step by step.

        Raises:
            VadlocError: Always.
        """
        raise VadlocError(
            f"{self.sequence}: a combined version has no steps; its scores are combined from those "
            "of its members"
        )


def load_frames(artifacts: Artifacts, split: Split, sequence: str) -> SequenceFrames:
    """The frames of a sequence, with their number, size and times.

    Raises:
        VadlocError: The sequence does not exist, or a frame cannot be read.
    """
    source = artifacts.sequence(split, sequence)
    count, height, width = sequence_size(source)
    times_s = sequence_times_s(source, frame_count=count)
    if times_s is not None:  # if times are missing, the config's rate is used
        times_s = times_s[:count] if len(times_s) >= count else None
    return SequenceFrames(
        sequence=sequence,
        frame_count=count,
        height_px=height,
        width_px=width,
        times_s=times_s,
        source=source,
        undo_shake=artifacts.config.camera.undo_shake,
    )
