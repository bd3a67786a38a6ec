"""The systemd unit: systemd itself reads it, and it says what a camera's service needs."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from repository import ROOT

UNIT = ROOT / "scripts" / "watch.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_understands_it(tmp_path: Path) -> None:
    """Only the program is another one: the one of the unit is not installed here."""
    unit = tmp_path / "watch.service"
    unit.write_text(UNIT.read_text().replace("/opt/vadloc/.venv/bin/python", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    wrong = tmp_path / "wrong.service"
    wrong.write_text(unit.read_text().replace("Restart=on-failure", "Restart=perhaps"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(wrong)], capture_output=True, text=True
    )
    assert "wrong.service" in done.stderr


def test_what_the_service_may() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["User"] not in {"", "root"}
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["RestartPreventExitStatus"] == "2"
    assert "MemoryDenyWriteExecute" not in service  # Numba and OpenVINO could not start
    command = service["ExecStart"]
    assert "--source env:" in command  # no list of processes shows a password
    assert "://" not in command
    for option, folder in (("--out", "/var/lib"), ("NUMBA_CACHE_DIR=", "/var/cache")):
        name = service["StateDirectory" if option == "--out" else "CacheDirectory"]
        assert f"{folder}/{name}" in UNIT.read_text().split(option, 1)[1].split("\n")[0]
