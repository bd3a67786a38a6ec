"""No user, password or query of an address is shown."""

from pathlib import Path

import pytest

from anomaly_detection.watching.source_names import SourceName
from vadloc.errors import UsageError

ADDRESS = "rtsp://admin:p%40ss-word@cam.example:8554/live/1?token=abc123def&x=1"


def test_an_address_is_shown_without_its_secrets() -> None:
    name = SourceName.of(ADDRESS)
    assert name.address == ADDRESS
    assert name.shown == "rtsp://cam.example:8554/live/1"
    assert name.short == "cam.example-live-1"
    assert repr(name) == "SourceName('rtsp://cam.example:8554/live/1')"


@pytest.mark.parametrize(
    "text",
    [
        f"[Errno 5] Input/output error: '{ADDRESS}'; last error log: [rtsp] method DESCRIBE",
        "admin:p%40ss-word@cam.example failed",
        "user admin, password p@ss-word",
        "GET /live/1?token=abc123def&x=1 401",
        "token abc123def is not valid",
    ],
)
def test_what_libraries_say_is_redacted(text: str) -> None:
    shown = SourceName.of(ADDRESS).redact(text)
    for secret in ("p@ss-word", "p%40ss-word", "abc123def"):
        assert secret not in shown


def test_a_file_keeps_its_name() -> None:
    name = SourceName.of("videos/my street (1).mp4")
    assert (name.shown, name.short) == ("videos/my street (1).mp4", "my-street-1")
    assert name.redact("videos/my street (1).mp4: cut off") == "videos/my street (1).mp4: cut off"
    assert SourceName.of("/dev/video0", short="door").short == "door"


def test_a_folder_is_named_as_its_sequence(tmp_path: Path) -> None:
    (tmp_path / "scene.1").mkdir()
    assert SourceName.of(str(tmp_path / "scene.1")).short == "scene.1"


def test_an_address_of_six_parts_keeps_its_brackets() -> None:
    assert SourceName.of("rtsp://me:secret@[fe80::1]:554/s").shown == "rtsp://[fe80::1]:554/s"


@pytest.mark.parametrize("name", ["入口", "a/b", "../up", 'a"b', "x" * 61])
def test_a_name_that_cannot_be_part_of_a_file_name(name: str) -> None:
    with pytest.raises(UsageError, match=r"--name .*expected at most 60"):
        SourceName.of("/dev/video0", short=name)


def test_an_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMERA_ADDRESS", ADDRESS)
    assert SourceName.of("env:CAMERA_ADDRESS") == SourceName.of(ADDRESS)
    with pytest.raises(UsageError, match="the variable NOT_SET is not set"):
        SourceName.of("env:NOT_SET")


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="not a readable address") as failure:
        SourceName.of("rtsp://admin:secret@host:99999999/x")
    assert "secret" not in str(failure.value)
