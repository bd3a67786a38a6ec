"""An RTSP camera on the loopback address that plays an H.264 file, from its start for each client.

It is served by GStreamer's RTSP server, which runs under the Python of the system, because its
bindings belong to that. On Debian: ``apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad``.
"""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

USER, PASSWORD = "viewer", "s3cret-word"
SYSTEM_PYTHON = "/usr/bin/python3"
_IMPORTS = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
for name in ("qtdemux", "h264parse", "rtph264pay"):
    if Gst.ElementFactory.find(name) is None:
        sys.exit(f"no GStreamer element {name}")
"""
_SERVER = (
    _IMPORTS
    + """
file, port, user, password = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
auth = GstRtspServer.RTSPAuth()
token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", "viewer")
auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
server.set_auth(auth)
factory = GstRtspServer.RTSPMediaFactory()
permissions = GstRtspServer.RTSPPermissions()
permissions.add_permission_for_role("viewer", "media.factory.access", True)
permissions.add_permission_for_role("viewer", "media.factory.construct", True)
factory.set_permissions(permissions)
factory.set_launch(
    f'( filesrc location="{file}" ! qtdemux ! h264parse '
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)
server.get_mount_points().add_factory("/camera", factory)
if not server.attach(None):
    sys.exit("the port is taken")
print("ready", flush=True)
GLib.MainLoop().run()
"""
)


@cache
def missing() -> str:
    """Why there can be no such camera here; empty if there can."""
    if not shutil.which(SYSTEM_PYTHON):
        return f"no {SYSTEM_PYTHON}"
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", _IMPORTS], capture_output=True, text=True, timeout=60, check=False
    )
    lines = done.stderr.strip().splitlines()
    return f"no GStreamer RTSP server: {lines[-1]}" if done.returncode else ""


def free_port() -> int:
    """A port of the loopback address that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def address(port: int, *, password: str = PASSWORD) -> str:
    """The address of the camera, with its password."""
    return f"rtsp://{USER}:{password}@127.0.0.1:{port}/camera"


@contextmanager
def rtsp_camera(video: Path, port: int) -> Iterator[None]:
    """Serve a video while the block runs.

    Args:
        video: An MP4 file of H.264.
        port: A free port.
    """
    words = [SYSTEM_PYTHON, "-c", _SERVER, str(video), str(port), USER, PASSWORD]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield
        finally:
            server.kill()
