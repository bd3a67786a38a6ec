"""Video files: their frames as arrays, their size as shown, and the time of every frame.

Frames are what the file stores, in the order of presentation and turned as its metadata says.
Pixels are not stretched where the file says that they are not square, because annotation speaks of
pixels as they are stored, and the two fields of an interlaced frame stay woven into one picture.
What a decoder conceals (a few damaged blocks, packets lost on the way) gives no error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, counted, one_line
from vadloc.video.truncation import missing_bytes

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".avi", ".mkv", ".webm", ".ts", ".mpg", ".mpeg", ".wmv"}
    | {".flv"}
)
MAX_FRAME_PX = 8192 * 8192
"""Frames that claim more are refused before anything is allocated."""

# Without the lists, a text file may name other files or addresses to be read in its place.
_OPEN_OPTIONS = {
    "format_whitelist": "mov,mp4,avi,matroska,webm,mpegts,mpeg,mpegvideo,asf,flv",
    "protocol_whitelist": "file",
}
_INDEXED = ("mov", "avi")
"""Formats with an index of every sample."""
_REMEDY = "copy the file again, or repair it (ffmpeg -i OLD -c copy NEW)"
Colour = Literal["grey", "rgb"]
_BT601, _RESERVED_MATRIX, _UNSPECIFIED_MATRIX = 5, 3, 2
_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)
"""Matrices of ISO/IEC 23091-4 that are converted to RGB; unspecified is read as BT.601."""


_ONE_FRAME_A_PACKET = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg2video"})
_SKIPPED_FRAME_BYTES = 8
"""MPEG-4 has packets of at most this size that say "as before" and give no frame."""
_PROGRESSIVE = (0, 1)
"""Field orders, unknown and progressive, in which no packet holds one field of two."""
_DEFAULT_RATE = 25
"""FFmpeg's, for streams without times and without a rate."""


@dataclass(frozen=True)
class VideoInfo:
    """What the beginning of a video says.

    Attributes:
        height_px: Height of a frame as it is shown, that is after a rotation.
        width_px: Width of a frame as it is shown.
        frames_per_second: Average rate; None where the file does not say.
    """

    height_px: int
    width_px: int
    frames_per_second: float | None


def video_info(path: Path) -> VideoInfo:
    """Size and rate of a video from its header and first frame.

    Raises:
        VadlocError: The file cannot be read or is cut off, holds no video, is turned by an odd
            angle, or its frames are too large.
    """
    with open_video(path) as video:
        frame = next(video.decode())
        stored = np.broadcast_to(np.uint8(0), (frame.height, frame.width))
        height, width = _as_shown(f"{path}, frame 0", stored, frame).shape
        rate = video.stream.average_rate
        return VideoInfo(height, width, float(rate) if rate else None)


def read_video(
    path: Path, colours: tuple[Colour, ...]
) -> Iterator[tuple[str, tuple[NDArray[np.uint8], ...]]]:
    """Frames of a video in the order of presentation.

    Grey is the luma that the video stores, 0 (black) to 255 (white) whatever its range and depth,
    and ITU-R 601 luma where it stores RGB. A video of nothing but grey is read as full range, as
    FFmpeg writes it whatever the tag says. RGB follows the tags for matrix and range; without tags
    it is BT.601 of limited range. Alpha is left out.

    Yields:
        File and number of the frame, for messages, and the frame in each of the colours:
        contiguous uint8 ``(height, width)`` for grey, ``(height, width, 3)`` for rgb. Frames of
        several sizes are yielded as they are.

    Raises:
        VadlocError: The video cannot be decoded, is cut off, or is turned by an odd angle.
    """
    from av.video.reformatter import VideoReformatter

    reformatters = [VideoReformatter() for _ in colours]  # each is fast for one kind of work
    with open_video(path) as video:
        for number, frame in enumerate(video.decode()):
            where = f"{path}, frame {number}"
            stored = [
                _to_array(where, frame, colour, reformatter)
                for colour, reformatter in zip(colours, reformatters, strict=True)
            ]
            shown = (_as_shown(where, array, frame) for array in stored)
            yield where, tuple(np.ascontiguousarray(array, np.uint8) for array in shown)


def sample_video(
    path: Path, start_s: float, span_s: float, count: int
) -> Iterator[NDArray[np.uint8]]:
    """A few frames out of a video, without decoding what lies before them.

    Args:
        path: The video.
        start_s: Start of the part; reading begins at the key frame before it.
        span_s: Length of the part.
        count: Number of frames to take, at equal distances; fewer if the video ends first.

    Yields:
        Grey frames, as ``read_video`` gives them.

    Raises:
        VadlocError: As ``read_video``.
    """
    from av.video.reformatter import VideoReformatter

    first_s, taken, reformatter = None, 0, VideoReformatter()
    with open_video(path) as video:
        video.stream.thread_type = "AUTO"
        if start_s:
            video.container.seek(round(start_s * 1e6))
        for frame in video.container.decode(video.stream):
            time_s = frame.time or 0.0
            first_s = time_s if first_s is None else first_s
            if time_s - first_s >= taken * span_s / count:
                taken += 1
                where = f"{path}, at {time_s:g} s"
                grey = _to_array(where, frame, "grey", reformatter)
                yield np.ascontiguousarray(_as_shown(where, grey, frame), np.uint8)
            if taken == count:
                return


def video_streams(path: Path) -> int:
    """Number of video streams of a file, without cover pictures; only one of them is read.

    Raises:
        VadlocError: The file cannot be read.
    """
    from av.stream import Disposition

    with open_video(path) as video:
        streams = video.container.streams.video
        return sum(not stream.disposition & Disposition.attached_pic for stream in streams)


def frame_times_s(path: Path, *, frame_count: int | None = None) -> NDArray[np.float64]:
    """Presentation time of every frame that ``read_video`` yields.

    Where each packet gives one frame, the times come from the packets, without decoding. Where the
    stream has no usable times (none, or times that decrease), they follow from its average rate.

    Args:
        path: The video.
        frame_count: Number of frames that were read from it, if it is known. If the number of
            packets is another one, the frames are decoded once more.

    Returns:
        ``(n,)`` seconds, the first 0, strictly increasing.

    Raises:
        VadlocError: The video cannot be read or is cut off.
    """
    with open_video(path) as video:
        ticks: list[int] | list[int | None] | None = _packet_ticks(video)
        unit = video.stream.time_base
        rate = video.stream.average_rate or video.stream.guessed_rate or _DEFAULT_RATE
    if ticks is None or len(ticks) != (frame_count or len(ticks)):
        with open_video(path) as video:
            ticks = [frame.pts for frame in video.decode()]
    known = np.array([tick for tick in ticks if tick is not None], np.int64)
    if unit and len(known) == len(ticks) and (np.diff(known) > 0).all():
        return np.asarray((known - known[0]) * float(unit), np.float64)
    return np.arange(len(ticks)) / float(rate)


@dataclass
class OpenVideo:
    """An open video.

    Attributes:
        path: The file.
        container: The open container.
        stream: The video stream that is read.
        frame_count: Number of frames that were decoded so far.
    """

    path: Path
    container: "InputContainer"
    stream: "VideoStream"
    frame_count: int = 0

    def packets(self) -> Iterator["Packet[VideoStream]"]:
        """Packets of the stream that are not empty.

        Raises:
            VadlocError: One is cut off, or there are fewer than the file's own index has.
        """
        name, count = self.container.format.name, 0
        for packet in self.container.demux(self.stream):
            # MPEG-TS marks what follows a gap in its numbering, as where two files were joined.
            if packet.is_corrupt and name != "mpegts":
                raise VadlocError(f"{self.path}: cut off in frame {count}; {_REMEDY}")
            count += packet.dts is not None or packet.size > 0
            if packet.size:  # an empty one would end the decoding
                yield packet
        promised = len(self.stream.index_entries) if name.startswith(_INDEXED) else 0
        if count < promised:
            raise VadlocError(
                f"{self.path}: {count} frames in it, {promised} promised by its index; cut off, "
                f"{_REMEDY}"
            )

    def decode(self) -> Iterator["VideoFrame"]:
        """All frames, at least one.

        Raises:
            VadlocError: As ``packets``, or there is no frame.
        """
        for packet in self.packets():
            for frame in packet.decode():
                self.frame_count += 1
                yield frame
        for frame in self.stream.decode(None):
            self.frame_count += 1
            yield frame
        if not self.frame_count:
            raise VadlocError(f"{self.path}: no frame in it; {_REMEDY}")


@contextmanager
def open_video(path: Path) -> Iterator[OpenVideo]:
    """Open a video; any error of a damaged file becomes a `VadlocError` of one line.

    Raises:
        VadlocError: It cannot be opened, is cut off, has no video stream or too large a frame, or
            decoding fails.
    """
    import av

    if not path.is_file():  # a named pipe would be waited for
        raise VadlocError(f"{path}: no regular file; restore the video or remove it")
    if not path.stat().st_size:
        raise VadlocError(f"{path}: an empty file; copy it again, or remove it")
    video = None
    try:
        # Without "file:", a colon in the name would be read as the end of a protocol's name.
        with av.open(f"file:{path}", container_options=_OPEN_OPTIONS) as container:
            stream = container.streams.best("video")  # not the picture of a cover
            if not isinstance(stream, av.VideoStream):
                raise VadlocError(f"{path}: no video stream in it; replace or remove it")
            video = OpenVideo(path, container, stream)
            _check(video)
            yield video
    except VadlocError:
        raise
    except PermissionError:
        raise VadlocError(f"{path}: no permission to read it; give yourself the right") from None
    except Exception as error:  # a damaged video can fail in any way
        failed = "not readable as a video"
        if video:
            failed = f"decoding failed after {counted(video.frame_count, 'frame')}"
        reason = one_line(getattr(error, "strerror", None) or error)
        raise VadlocError(f"{path}: {failed}: {reason}; {_REMEDY}") from None


def _check(video: OpenVideo) -> None:
    stream = video.stream
    if stream.codec_context is None:
        raise VadlocError(
            f"{video.path}: no known codec, or the header is cut off; encode it again as H.264"
        )
    if stream.width * stream.height > MAX_FRAME_PX:
        raise VadlocError(
            f"{video.path}: claims {stream.width} x {stream.height} px, the limit is "
            f"{MAX_FRAME_PX} px"
        )
    missing = missing_bytes(video.path, video.container.format.name, stream.index_entries)
    if missing:
        raise VadlocError(
            f"{video.path}: cut off, at least {missing} bytes are missing at its end; {_REMEDY}"
        )


def _packet_ticks(video: OpenVideo) -> list[int] | None:
    """Times of the frames in the order of presentation, from the packets alone.

    Returns:
        None where packets give no certain answer: they may hold one field, no frame or several
        frames, or begin with frames that cannot be decoded.
    """
    context = video.stream.codec_context
    codec = context.codec
    one_each = codec.intra_only or codec.canonical_name in _ONE_FRAME_A_PACKET
    if not one_each or context.field_order not in _PROGRESSIVE:
        return None
    smallest = _SKIPPED_FRAME_BYTES if codec.canonical_name == "mpeg4" else 0
    shown: list[int] = []
    first = last_dts = None
    for packet in video.packets():
        if first is None:
            first = packet.pts
            if not packet.is_keyframe:
                return None
        pts, dts = packet.pts, packet.dts
        if first is None or pts is None or pts < first or packet.size <= smallest:
            return None
        if dts is None or (last_dts is not None and dts <= last_dts):
            return None
        last_dts = dts
        if not packet.is_discard:
            shown.append(pts)
    return sorted(shown) or None


def _to_array(
    where: str, frame: "VideoFrame", colour: Colour, reformatter: "VideoReformatter"
) -> NDArray[np.uint8]:
    """A frame as it is stored, uint8 but not always contiguous."""
    if colour == "grey":
        # The same matrix on both sides, so that luma is scaled and nothing else.
        converted = reformatter.reformat(
            frame, format="gray", src_colorspace=_BT601, dst_colorspace=_BT601, threads=1
        )
        return converted.to_ndarray().astype(np.uint8, copy=False)
    if frame.colorspace == _RESERVED_MATRIX:
        frame.colorspace = _UNSPECIFIED_MATRIX
    if frame.colorspace not in _MATRICES:
        raise VadlocError(
            f"{where}: colours in matrix {frame.colorspace} of ISO/IEC 23091-4, which is not read; "
            "encode the video again in BT.709"
        )
    converted = reformatter.reformat(frame, format="rgb24", threads=1)
    return converted.to_ndarray().astype(np.uint8, copy=False)


def _as_shown(where: str, array: NDArray[np.uint8], frame: "VideoFrame") -> NDArray[np.uint8]:
    """A view of the array, turned and mirrored as the frame's display matrix says.

    The matrix is that of ISO/IEC 14496-12, 8.3.2.3: a pixel at column p, row q is shown at column
    a p + c q, row b p + d q.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return array
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    along, across = sorted([abs(a * d), abs(b * c)])[::-1]
    if not along:  # some programs write nothing but zeros
        return array
    if across > along / 1e4:
        raise VadlocError(
            f"{where}: to be shown turned by {-frame.rotation} degrees, but only multiples of 90 "
            "are read; encode the video again, turned (ffmpeg does it by itself)"
        )
    if abs(b * c) > abs(a * d):
        array, a, d = array.swapaxes(0, 1), c, b
    return array[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
