"""From alarms that a person judges in the browser to fewer alarms of the next run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_scene import CONFIG, copy_scene, run_scene

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LEARNT = "momentum+mined1-transductive-marks"


def alarms(results: Path, version: str) -> list[dict[str, Any]]:
    files = sorted((results / "tiny" / "explanations" / version).glob("*.json"))
    return [alarm for file in files for alarm in json.loads(file.read_text())["detections"]]


def export_marks(page_path: Path, path: Path) -> list[str]:
    """Mark the highest alarm as real and all others as false, and export; the marks in order."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(accept_downloads=True)
        page.set_default_timeout(20_000)
        page.goto(page_path.as_uri())
        page.wait_for_selector(".row-mark", state="attached")
        count = int(page.evaluate("document.querySelectorAll('.row-mark').length"))
        for number in range(count):
            page.keyboard.press("f" if number else "r")
            page.keyboard.press("j")
        with page.expect_download() as download:
            page.keyboard.press("e")
        download.value.save_as(path)
        chromium.close()
    return [mark["mark"] for mark in json.loads(path.read_text())["marks"]]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_what_is_marked_as_false_is_no_alarm_of_the_next_run(scene: Path, tmp_path: Path) -> None:
    folder = copy_scene(scene, tmp_path / "scene")
    mining = "[mining]\nleast_run = 4\n"
    (folder / "tiny.toml").write_text(f"{CONFIG}\n[alarms]\nthreshold = 0.15\n{mining}")
    results, path = tmp_path / "results", tmp_path / "marks.json"
    run_scene("vadloc.run", folder, results)
    before = alarms(results, "momentum")
    assert len(before) > 2
    page = results / "tiny" / "report" / "momentum" / "index.html"
    assert export_marks(page, path) == ["real", *["false"] * (len(before) - 1)]
    run_scene(
        "vadloc.run", folder, results,
        "--rounds", 1, "--mine-from", "transductive", "--marks", path,
    )  # fmt: skip
    after = alarms(results, LEARNT)
    assert len(after) < len(before)
    real = max(before, key=lambda alarm: alarm["score"])
    assert any(alarm["peak"]["region"] == real["peak"]["region"] for alarm in after)
    for alarm in after:
        mined = "mined in round 1" in alarm["sentence"]
        assert mined == (alarm["nearest"].get("mined_round") == 1)
