"""Sources of frames: cameras, files and folders of pictures."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.watching.source_names import SourceName
from vadloc.errors import UsageError, VadlocError, some_of
from vadloc.video.frames import (
    Sequence,
    list_frame_files,
    read_frames_as,
    sequence_times_s,
    what_is_read,
)
from vadloc.video.live import SCHEMES, read_camera
from vadloc.video.times import Clock

Frames = Iterator[tuple[NDArray[np.uint8], ...]]
DEVICES = "/dev/"


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        name: Its address, and what may be shown of it.
        frames_per_second: The rate of the config, for folders and cameras.
        timeout_s: The longest wait for a frame of a camera.
    """

    name: SourceName
    frames_per_second: float
    timeout_s: float = 10.0

    @property
    def is_live(self) -> bool:
        """Whether it is a camera, and no file or folder."""
        address = self.name.address
        return "://" in address or address.startswith(DEVICES)

    @cached_property
    def sequence(self) -> Sequence:
        """The file or folder."""
        path = Path(self.name.address)
        return Sequence(path.name if path.is_dir() else path.stem, path)

    def check(self) -> None:
        """Find before any work what is wrong with it.

        Raises:
            UsageError: The file is missing, or the kind of address is not read.
            VadlocError: The device is missing; it may come later, so that it is no `UsageError`,
                after which a service would not be started again.
        """
        address = self.name.address
        scheme = address.partition("://")[0].lower()
        if "://" in address and scheme not in SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in sorted(SCHEMES))
            raise UsageError(f"--source {self.name.shown}: expected {known}, a device or a file")
        if address.startswith(DEVICES):
            self._check_device()
        if self.is_live:
            return
        if not Path(address).exists():
            raise UsageError(f"--source {address}: no such file or folder")
        if not Path(address).is_dir() and not self.sequence.is_video:
            raise UsageError(f"--source {address}: no video; {what_is_read()}")

    def _check_device(self) -> None:
        address = self.name.address
        if not Path(address).exists():
            found = some_of(sorted(map(str, Path(DEVICES).glob("video*"))) or ["none"])
            raise VadlocError(f"--source {address}: no such device; there is {found}: plug it in")
        if not os.access(address, os.R_OK | os.W_OK):
            raise VadlocError(
                f"--source {address}: you may not read it; add your user to the group of it, which "
                f"is mostly video: sudo usermod -aG video USER"
            )

    def frames(self) -> Frames:
        """Frames in grey and in colour, as the stages read them.

        Raises:
            VadlocError: A frame cannot be read, or the camera cannot be reached.
        """
        if self.is_live:
            return read_camera(self.name.address, ("grey", "rgb"), timeout_s=self.timeout_s)
        return read_frames_as(self.sequence, ("grey", "rgb"))

    @cached_property
    def clock(self) -> Clock:
        """The times of the frames of a file or folder, as the stages know them."""
        times_s = sequence_times_s(self.sequence)
        return Clock.of(times_s, frames_per_second=self.frames_per_second)

    @cached_property
    def frame_count(self) -> int:
        """Number of frames of a file or folder: of a video, as its packets say."""
        if not self.sequence.is_video:
            return len(list_frame_files(self.sequence.path))
        times_s = sequence_times_s(self.sequence)
        return 0 if times_s is None else len(times_s)

    def seconds(self, number: int) -> float:
        """The time at which a frame of a file or folder begins.

        Args:
            number: Of the frame; it goes on counting when the file is read again.
        """
        loops, frame = divmod(number, self.frame_count)
        return loops * self.clock.seconds(self.frame_count) + self.clock.seconds(frame)
