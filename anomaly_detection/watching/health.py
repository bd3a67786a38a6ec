"""Whether the picture of a camera is worth scoring: not black, not frozen, not of another view.

Each fault has a kind, which is that of its alarm. A fault is *suspected* from the first frame on
that shows it, and *certain* once it has lasted. While one is suspected, the scores are held back;
once it is certain, they are thrown away until it is gone.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomaly_detection.watching.pictures import Picture
from vadloc.video.view import View

BLACK_LEVEL, BLACK_QUANTILE = 24, 0.99
"""A picture is black if so large a share of its pixels is darker than this grey level."""
BLACK_S = 0.5
MOVED_S = 1.5
"""A hand or a lorry before the lens may hide the view for a shorter time."""
VIEW_EVERY_S = 0.2
WORDS = {
    "black": "the picture is black",
    "frozen": "the picture has stood still to the last pixel",
    "moved": "the picture is not that of the training video",
    "resized": "the frames have another size than those of the training video",
}


class Fault(NamedTuple):
    """What is wrong with the picture.

    Attributes:
        kind: ``black``, ``frozen``, ``moved`` or ``resized``.
        words: What was seen.
        since_s: Seconds since the source began, at the first frame that showed it.
        frame: The number of that frame.
        is_certain: Whether it has lasted long enough.
    """

    kind: str
    words: str
    since_s: float
    frame: int
    is_certain: bool


@dataclass(frozen=True)
class Limits:
    """What counts as a fault.

    Attributes:
        size_px: Height and width of training frames; ``None`` if they are not known.
        view: The training background; ``None`` to not compare with it.
        least_shift_px: Shorter shifts are no fault.
        frozen_s: Seconds of pictures that are the same to the last pixel; 0 to not look.
        can_be_black: Whether training video is itself as dark as a black picture.
    """

    size_px: tuple[int, int] | None
    view: View | None
    least_shift_px: float
    frozen_s: float
    can_be_black: bool = False


class Health:
    """Finds faults of the picture as frames come in.

    Args:
        limits: What counts as a fault.

    Attributes:
        good_until: Number of the last frame that was found without fault.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._same: Any = None  # the first of the pictures that are the same
        self._same_since: tuple[float, int] = (0.0, 0)
        self._begun: dict[str, tuple[float, int]] = {}
        self._view_s = -np.inf
        self._view_words = ""
        self.good_until = -1

    def look(self, picture: Picture) -> Fault | None:
        """The fault that a frame shows, or that was seen a moment ago and may last."""
        if self._limits.size_px not in (None, picture.grey.shape):
            height, width = self._limits.size_px or (0, 0)
            came = f"{picture.grey.shape[1]} x {picture.grey.shape[0]} px"
            words = f"{WORDS['resized']}: {came} instead of {width} x {height} px"
            return self._fault("resized", words, picture, 0.0)
        self._begun.pop("resized", None)
        if self._is_black(picture.grey):
            return self._fault("black", WORDS["black"], picture, BLACK_S)
        self._begun.pop("black", None)
        if frozen := self._frozen(picture):
            return frozen
        return self._moved(picture)

    def forget(self) -> None:
        """The next frame does not follow the last one."""
        self._same, self._view_s, self._view_words = None, -np.inf, ""
        self._begun.clear()

    def _fault(self, kind: str, words: str, picture: Picture, lasting_s: float) -> Fault:
        since_s, frame = self._begun.setdefault(kind, (picture.seconds, picture.number))
        return Fault(kind, words, since_s, frame, picture.seconds - since_s >= lasting_s)

    def _is_black(self, grey: NDArray[np.uint8]) -> bool:
        if self._limits.can_be_black:
            return False
        return is_black(grey)

    def _frozen(self, picture: Picture) -> Fault | None:
        if not self._limits.frozen_s:
            return None
        if self._same is None or not np.array_equal(self._same, picture.grey):
            self._same, self._same_since = picture.grey, (picture.seconds, picture.number)
            return None
        since_s, frame = self._same_since
        lasted_s = picture.seconds - since_s
        if lasted_s < self._limits.frozen_s:
            return None  # still pictures have no score that would have to be held back
        return Fault("frozen", f"{WORDS['frozen']} for {lasted_s:.0f} s", since_s, frame, True)

    def _moved(self, picture: Picture) -> Fault | None:
        """Whether the picture is of another view; it is compared a few times a second."""
        if self._limits.view is None:
            self.good_until = picture.number
            return None
        if picture.seconds - self._view_s >= VIEW_EVERY_S:
            self._view_s = picture.seconds
            self._view_words = self._compare(picture.grey, self._limits.view)
            if not self._view_words:
                self.good_until = picture.number
        if not self._view_words:
            self._begun.pop("moved", None)
            return None
        return self._fault("moved", self._view_words, picture, MOVED_S)

    def _compare(self, grey: NDArray[np.uint8], view: View) -> str:
        """How a picture differs from the training background; empty if it does not."""
        shift = view.shift_of(grey)
        if not shift.is_found:
            return f"{WORDS['moved']}: the camera was turned or moved, or something covers it"
        length = float(np.hypot(shift.right_px, shift.down_px))
        if length < self._limits.least_shift_px:
            return ""
        return f"{WORDS['moved']}: it is shifted by {length:.0f} px; the camera was moved"


def is_black(grey: NDArray[np.uint8]) -> bool:
    """Whether nearly all pixels of a picture are dark."""
    some = grey[::4, ::4]
    return bool((some < BLACK_LEVEL).mean() >= BLACK_QUANTILE)
