"""Read video files: frames as arrays, the displayed size, and the time of every frame.

Frames come in the order of presentation and are rotated as the metadata says. Pixels are never
stretched, even if the file says that they are not square, because annotations count stored pixels.
The two fields of an interlaced frame stay in one picture. Errors that the decoder conceals (a few
damaged blocks, lost packets) are not reported.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

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
"""Larger frames are refused before memory is allocated."""

# Without these lists, a text file could make FFmpeg read other files or network addresses.
_OPEN_OPTIONS = {
    "format_whitelist": "mov,mp4,avi,matroska,webm,mpegts,mpeg,mpegvideo,asf,flv",
    "protocol_whitelist": "file",
}
_INDEXED = ("mov", "avi")
"""Formats with an index of all samples."""
_REMEDY = "copy the file again, or repair it (ffmpeg -i OLD -c copy NEW)"
Colour = Literal["grey", "rgb"]
_BT601, _RESERVED_MATRIX, _UNSPECIFIED_MATRIX = 5, 3, 2
_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)
"""Matrices of ISO/IEC 23091-4 that are converted to RGB; unspecified is read as BT.601."""

_ONE_FRAME_A_PACKET = frozenset({"h264", "hevc", "vp9", "av1", "mpeg4", "mpeg2video"})
_SKIPPED_FRAME_BYTES = 8
"""MPEG-4 packets of at most this size may mean "same as before" and give no frame."""
_PROGRESSIVE = (0, 1)  # field orders (unknown, progressive): no packet holds a single field
_DEFAULT_RATE = 25  # frames per second of streams without times and rate, as in FFmpeg


@dataclass(frozen=True)
class VideoInfo:
    """Size and rate of a video, from its beginning.

    Attributes:
        height_px: Height of a displayed frame, after the rotation of the metadata.
        width_px: Width of a displayed frame.
        frames_per_second: Average rate; None if the file does not give it.
    """

    height_px: int
    width_px: int
    frames_per_second: float | None


def video_info(path: Path) -> VideoInfo:
    """Size and rate of a video from its header and first frame.

    Raises:
        VadlocError: The file cannot be read or is cut off, holds no video, its frames are too
            large, or its rotation is not a multiple of 90 degrees.
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

    Grey is the stored luma, scaled to 0 (black) to 255 (white) for every range and depth; of RGB
    videos it is the ITU-R 601 luma. A video that stores only grey is read as full range, because
    FFmpeg writes such videos so, whatever the tag says. RGB follows the tags for matrix and range;
    without tags it is BT.601 of limited range. Alpha is ignored.

    Yields:
        File and number of the frame, for messages, and the frame in each of the colours:
        contiguous uint8 ``(height, width)`` for grey, ``(height, width, 3)`` for rgb. Frames of
        different sizes are yielded without an error.

    Raises:
        VadlocError: The video cannot be decoded, is cut off, or its rotation is not a multiple of
            90 degrees.
    """
    from av.video.reformatter import VideoReformatter

    reformatters = {colour: VideoReformatter() for colour in colours}  # fast for one conversion
    with open_video(path) as video:
        for number, frame in enumerate(video.decode()):
            where = f"{path}, frame {number}"
            yield where, frame_to_pictures(where, frame, reformatters)


def frame_to_pictures(
    where: str, frame: "VideoFrame", reformatters: Mapping[Colour, "VideoReformatter"]
) -> tuple[NDArray[np.uint8], ...]:
    """A decoded frame as it is shown, in several colours, as ``read_video`` gives it.

    Args:
        where: Name of the frame, for messages.
        frame: The frame.
        reformatters: For each colour a reformatter that is used for nothing else.

    Raises:
        VadlocError: Its rotation or its colours are not read.
    """
    stored = [_to_array(where, frame, *of_colour) for of_colour in reformatters.items()]
    shown = (_as_shown(where, array, frame) for array in stored)
    return tuple(np.ascontiguousarray(array, np.uint8) for array in shown)


def sample_video(
    path: Path, start_s: float, span_s: float, count: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8] | None]]:
    """Some frames of a video and the frame after each, without decoding all frames before them.

    Args:
        path: The video.
        start_s: Start of the sampled part; decoding begins at the key frame before it.
        span_s: Length of the sampled part.
        count: Number of frames, at equal distances; fewer if the video ends first.

    Yields:
        A grey frame, as ``read_video`` gives it, and the next one; ``None`` at the video's end.

    Raises:
        VadlocError: As ``read_video``.
    """
    from av.video.reformatter import VideoReformatter

    first_s, taken, reformatter = None, 0, VideoReformatter()
    before: NDArray[np.uint8] | None = None
    with open_video(path) as video:
        video.stream.thread_type = "AUTO"
        if start_s:
            video.container.seek(round(start_s * 1e6))
        for frame in video.container.decode(video.stream):
            time_s = frame.time or 0.0
            first_s = time_s if first_s is None else first_s
            is_due = taken < count and time_s - first_s >= taken * span_s / count
            if not is_due and before is None:
                continue
            where = f"{path}, at {time_s:g} s"
            stored = _to_array(where, frame, "grey", reformatter)
            grey = np.ascontiguousarray(_as_shown(where, stored, frame), np.uint8)
            if before is not None:
                yield before, grey
            before = grey if is_due else None
            taken += is_due
            if taken == count and not is_due:
                return
    if before is not None:
        yield before, None


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
        frame_count: Number of frames that were read from the video, if known. If the number of
            packets differs from it, the frames are decoded again.

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
            VadlocError: A packet is cut off, or there are fewer packets than in the file's index.
        """
        name, count = self.container.format.name, 0
        for packet in self.container.demux(self.stream):
            # MPEG-TS marks packets after a gap in the numbering, as where two files were joined.
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
        VadlocError: The file cannot be opened, is cut off, has no video stream or too large a
            frame, or decoding fails.
    """
    import av

    if not path.is_file():  # opening a named pipe would wait for ever
        raise VadlocError(f"{path}: no regular file; restore the video or remove it")
    if not path.stat().st_size:
        raise VadlocError(f"{path}: an empty file; copy it again, or remove it")
    video = None
    try:
        # Without "file:", a colon in the name would be read as the end of a protocol's name.
        with av.open(f"file:{path}", container_options=_OPEN_OPTIONS) as container:
            stream = container.streams.best("video")  # not a cover picture
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
    """Times of the frames in the order of presentation, from the packets without decoding.

    Returns:
        The times; None where packets give no certain answer, because they may hold one field, no
        frame or several frames, or begin with frames that cannot be decoded.
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
        # The matrix is the same on both sides, so that the luma is only scaled.
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
    """A view of the array, rotated and mirrored by the frame's display matrix.

    The matrix is defined in ISO/IEC 14496-12, 8.3.2.3: a pixel at column p, row q is shown at
    column a p + c q, row b p + d q.
    """
    from av.sidedata import sidedata

    # `frame.side_data` is the same, but then the frame and it would keep each other in memory.
    matrix = cast("Any", sidedata).SideDataContainer(frame).get("DISPLAYMATRIX")
    if matrix is None:
        return array
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    along, across = sorted([abs(a * d), abs(b * c)])[::-1]
    if not along:  # some programs write a matrix of zeros
        return array
    if across > along / 1e4:
        raise VadlocError(
            f"{where}: to be shown turned by {-frame.rotation} degrees, but only multiples of 90 "
            "are read; encode the video again, turned (ffmpeg does it by itself)"
        )
    if abs(b * c) > abs(a * d):
        array, a, d = array.swapaxes(0, 1), c, b
    return array[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
