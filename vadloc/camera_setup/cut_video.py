"""Cut a video in two without decoding it: packets are copied as they are."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vadloc.errors import VadlocError, one_line
from vadloc.video.decoding import (
    open_video,
    video_info,
)

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


class Entry(NamedTuple):
    """A packet in the order of the file.

    Attributes:
        time: Presentation time of its frame, in units of the stream.
        is_key: Whether its frame can be decoded without other frames.
    """

    time: int
    is_key: bool


def cut_video(path: Path, beginning: Path, rest: Path, *, share: float) -> None:
    """Cut at a key frame near a share of the time; sound is left out.

    Args:
        path: The video.
        beginning: File for the first part; its suffix gives the format.
        rest: File for the second part.
        share: The first part's share of the time, between 0 and 1.

    Raises:
        VadlocError: There is no key frame to cut at, or the format cannot be written.
    """
    with open_video(path) as video:
        entries = [_entry(packet) for packet in video.packets()]
    place = cut_place(entries, share)
    if place is None:
        raise VadlocError(
            f"{path}: no key frame near {share:.0%} of its time at which it could be cut without "
            "encoding it anew; cut it with ffmpeg, and give the parts as --train and --test"
        )
    with open_video(path) as video:
        packets = video.packets()
        _write(beginning, video.stream, (next(packets) for _ in range(place)), 0)
        _write(rest, video.stream, packets, entries[place].time)


def cut_place(entries: list[Entry], share: float) -> int | None:
    """Index of the packet at which a video is best cut; ``None`` if no cut is possible.

    A cut is possible at a key frame, unless a later packet is shown before it: such a packet would
    need frames from before the cut. The smaller part must be 0.5 to 1.5 times as long as wanted.
    """
    earliest = list(accumulate((entry.time for entry in reversed(entries)), min))[::-1]
    places = [
        index
        for index, entry in enumerate(entries)
        if index and entry.is_key and earliest[index] >= entry.time
    ]
    times = [entry.time for entry in entries]
    length = max(times, default=0) - min(times, default=0)
    wanted, tolerance = min(times, default=0) + share * length, min(share, 1 - share) / 2 * length
    places = [index for index in places if abs(times[index] - wanted) <= tolerance]
    return min(places, key=lambda index: abs(times[index] - wanted), default=None)


def _entry(packet: "Packet[VideoStream]") -> Entry:
    time = packet.pts if packet.pts is not None else packet.dts
    return Entry(time or 0, packet.is_keyframe)


def _write(
    path: Path, source: "VideoStream", packets: Iterator["Packet[VideoStream]"], start: int
) -> None:
    """Copy packets, and count their times from ``start``."""
    import av

    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream_from_template(source)
            for packet in packets:
                packet.stream = stream
                for name in ("pts", "dts"):
                    time = getattr(packet, name)
                    setattr(packet, name, time if time is None else time - start)
                container.mux(packet)
        video_info(path)  # FFmpeg writes raw video into AVI, but cannot read it again
    except (av.FFmpegError, ValueError, VadlocError) as error:
        raise VadlocError(
            f"{path.name}: cannot be written without encoding it anew ({one_line(error)}); cut the "
            "video with ffmpeg, and give the parts as --train and --test"
        ) from None
