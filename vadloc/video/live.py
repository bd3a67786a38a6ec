"""Read a camera: a stream of a network address, or a device of this machine.

What FFmpeg says about an address may contain it, with its password. So the messages here name no
address, and the caller says which camera is meant. The log of FFmpeg stays off, as PyAV has it by
default: with `av.logging.set_level`, threads of the decoder can wait for each other for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vadloc.errors import VadlocError, one_line
from vadloc.video.decoding import MAX_FRAME_PX, Colour, frame_to_pictures

_RTSP = {
    "rtsp_transport": "tcp",  # over UDP, lost packets make pictures of grey smears
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,udp,tls,srtp",
}
_HTTP = {"protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy"}
_OPTIONS = {"rtsp": _RTSP, "rtsps": _RTSP, "http": _HTTP, "https": _HTTP}
"""FFmpeg's options by the scheme of an address. A playlist cannot make FFmpeg read files."""
SCHEMES = frozenset(_OPTIONS)


def read_camera(
    address: str, colours: tuple[Colour, ...], *, timeout_s: float = 10.0
) -> Iterator[tuple[NDArray[np.uint8], ...]]:
    """Frames of a camera as they come, as `vadloc.video.decoding.read_video` gives those of files.

    Args:
        address: ``rtsp://...``, ``http://...`` or ``/dev/video...``.
        colours: What each frame is given in.
        timeout_s: The longest wait for the connection, and for data after that.

    Raises:
        VadlocError: There is no connection, it broke, or the pictures cannot be decoded. The end of
            the stream is no error.
    """
    from av.video.reformatter import VideoReformatter

    reformatters = {colour: VideoReformatter() for colour in colours}
    with _failures_as_errors(), _opened(address, timeout_s) as container:
        stream = container.streams.best("video")
        if stream is None:
            raise VadlocError("no video in it; give the address of a video stream")
        stream.thread_type = "SLICE"  # threads by frame would hold frames back
        for number, frame in enumerate(container.decode(stream)):
            if frame.width * frame.height > MAX_FRAME_PX:
                raise VadlocError(f"frames of {frame.width} x {frame.height} px are too large")
            yield frame_to_pictures(f"frame {number}", frame, reformatters)


def _opened(address: str, timeout_s: float) -> Any:
    import av

    scheme = address.partition("://")[0].lower() if "://" in address else ""
    if scheme:
        options = _OPTIONS[scheme] | {"analyzeduration": "1000000"}  # of the usual 5 s
        return av.open(address, options=options, timeout=timeout_s)
    return av.open(address, format="v4l2", timeout=timeout_s)


@contextmanager
def _failures_as_errors() -> Iterator[None]:
    """Turn errors of FFmpeg into errors of one line, without the address.

    Raises:
        VadlocError: Whatever failed.
    """
    try:
        yield
    except VadlocError:
        raise
    except Exception as error:  # a network can fail in any way
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise VadlocError(one_line(reason)) from None
