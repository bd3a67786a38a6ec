"""What the header of a video says, without decoding it."""

from pathlib import Path
from typing import NamedTuple

from vadloc.errors import VadlocError, one_line
from vadloc.frames import _open_video


class VideoInfo(NamedTuple):
    """Size and rate of a video.

    Attributes:
        height_px: Frame height.
        width_px: Frame width.
        frames_per_second: The average; 0 if the header does not say.
    """

    height_px: int
    width_px: int
    frames_per_second: float


def video_info(path: Path) -> VideoInfo:
    """Size and rate of a video.

    Raises:
        VadlocError: It is unreadable.
    """
    try:
        with _open_video(path) as (_, stream):
            return VideoInfo(stream.height, stream.width, float(stream.average_rate or 0))
    except VadlocError:
        raise
    except Exception as error:  # a damaged video can fail in any way
        raise VadlocError(
            f"{path}: not a readable video ({one_line(error)}); encode it again or leave it out"
        ) from None
