"""The ground truth of one test sequence, the same for all file formats."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError


@dataclass(frozen=True)
class GroundTruth:
    """Annotated anomalous regions of one sequence; ``n`` is their number over all frames.

    Attributes:
        sequence: Name of the sequence.
        frame_count: Number of frames of the sequence.
        height_px: Frame height.
        width_px: Frame width.
        frame: ``(n,)`` int64, 0-based frame of each region, not decreasing.
        track: ``(n,)`` int64, track id of each region; regions of one track share it.
        box_xyxy_px: ``(n, 4)`` float64, half-open box ``[x0, x1) x [y0, y1)`` inside the frame.
        masks: ``None`` when regions are boxes. Otherwise one boolean array per region: the exact
            pixels of the region inside its box, shape ``(y1 - y0, x1 - x0)``; the box is then
            integer.
        anomalous: ``(frame_count,)`` bool, frame-level labels. A frame with a region is anomalous;
            formats that also label frames may mark more frames.
        derived: True when regions or tracks were computed and not annotated by people.
        source: File or folder the annotation was read from, for messages and summaries.
        cut_regions: Number of annotated regions that stuck out of the frame and were cut to it.
        mask_threshold: Lowest level (pixel value) of masks that counts as anomalous, if given.
    """

    sequence: str
    frame_count: int
    height_px: int
    width_px: int
    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    box_xyxy_px: NDArray[np.float64]
    anomalous: NDArray[np.bool_]
    masks: tuple[NDArray[np.bool_], ...] | None = None
    derived: bool = False
    source: str = ""
    cut_regions: int = 0
    mask_threshold: float | None = None

    def __post_init__(self) -> None:
        """Check what the attributes promise; readers check earlier and name the file."""
        n = len(self.frame)
        where = self.source or self.sequence
        if not (len(self.track) == len(self.box_xyxy_px) == n):
            raise VadlocError(f"{where}: frame, track and box lists differ in length")
        if self.masks is not None and len(self.masks) != n:
            raise VadlocError(f"{where}: {len(self.masks)} masks for {n} regions")
        if self.anomalous.shape != (self.frame_count,):
            raise VadlocError(
                f"{where}: {self.anomalous.size} frame labels for {self.frame_count} frames"
            )
        if n and (self.frame[0] < 0 or self.frame[-1] >= self.frame_count):
            raise VadlocError(
                f"{where}: regions reach frame {self.frame.max()} (0-based), "
                f"the sequence has {self.frame_count} frames"
            )
        if n and np.any(np.diff(self.frame) < 0):
            raise VadlocError(f"{where}: regions are not in the order of frames")

    @property
    def region_count(self) -> int:
        """Number of annotated regions."""
        return len(self.frame)

    @property
    def track_ids(self) -> NDArray[np.int64]:
        """Distinct track ids, ascending."""
        return np.unique(self.track)

    def regions_of(self, frame: int) -> slice:
        """Rows of the regions of a 0-based frame."""
        first, last = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(first), int(last))
