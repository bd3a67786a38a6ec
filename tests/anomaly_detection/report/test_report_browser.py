"""The report in a real browser: Chromium opens the folder from disk, as its reader does."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from report_samples import (
    GRID,
    HEIGHT_PX,
    TEST_NAMES,
    WIDTH_PX,
    explanation,
    report_of,
    save_films,
    writer_of,
)

from anomaly_detection.report.data import SequenceReport
from anomaly_detection.report.page import (
    FolderSink,
    SingleSink,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
COUNTS = (45, 3, 0)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages by kind: a folder, a single file, and one without detections."""
    films = tmp_path_factory.mktemp("films")
    save_films(films)
    pages = {}
    for kind, counts in (("folder", COUNTS), ("single", COUNTS), ("empty", (0, 0, 0))):
        sizes = zip(TEST_NAMES, counts, strict=True)
        writer = writer_of(films, [explanation(n, detections=k, seed=k) for n, k in sizes])
        path = tmp_path_factory.mktemp(kind) / "index.html"
        sink = SingleSink() if kind == "single" else FolderSink(path.parent)
        writer.write(sink)
        path.write_text(sink.page("<script>name"))
        pages[kind] = path
    return pages


def explained() -> list[dict[str, Any]]:
    """All detections of the reports that have some, sequence by sequence."""
    sizes = zip(TEST_NAMES, COUNTS, strict=True)
    return [d for n, k in sizes for d in explanation(n, detections=k, seed=k)["detections"]]


class Reader:
    """Somebody at the page, who notices errors."""

    def __init__(self, page: "Page", path: Path) -> None:
        self.page = page
        page.set_default_timeout(20_000)
        self.errors: list[str] = []
        page.on("console", lambda m: m.type in ("error", "warning") and self.errors.append(m.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(f"dialog {dialog.message}"))
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def loaded(self) -> None:
        """Wait until the clip shows a frame."""
        self.sees("#screen", attribute=("aria-label", re.compile("frame")))

    def sees(self, selector: str, text: Any = None, *, attribute: Any = None) -> None:
        """Wait until an element has a text or an attribute."""
        from playwright.sync_api import expect

        found = expect(self.page.locator(selector))
        if attribute:
            found.to_have_attribute(*attribute, timeout=20_000)
        else:
            found.to_contain_text(text, timeout=20_000)

    def chosen(self) -> str:
        return self.page.inner_text(".row[aria-selected=true]")


@pytest.fixture(params=["folder", "single"])
def reader(
    request: pytest.FixtureRequest, browser: "Browser", reports: dict[str, Path]
) -> Iterator[Reader]:
    yield from open_report(browser, reports[request.param])


def open_report(browser: "Browser", path: Path, **options: Any) -> Iterator[Reader]:
    size = {"width": 1400, "height": 900}
    context = browser.new_context(**{"viewport": size, "reduced_motion": "reduce", **options})
    reader = Reader(context.new_page(), path)
    yield reader
    assert reader.errors == []
    assert {url.split(":")[0] for url in reader.requests} <= {"file", "blob", "data"}
    context.close()


def test_the_first_alarm_is_open(reader: Reader) -> None:
    reader.loaded()
    assert 0 < reader.page.locator(".row").count() < sum(COUNTS)
    best = max(explained(), key=lambda d: d["score"])
    assert reader.text("#sentence") == best["sentence"]
    assert "upper left" in reader.text("#sentence")
    assert "<script>alert(1)</script>" in reader.text("#sentence")
    assert reader.page.inner_text("h1") == "<script>name"
    assert f"Nearest normal: {best['nearest']['sequence']}, " in reader.text("#known-caption")


def test_rows_lead_to_other_alarms(reader: Reader) -> None:
    before = reader.text("#detail-when")
    reader.page.locator(".row").nth(3).click()
    assert reader.page.get_attribute(".row[aria-selected=true]", "aria-posinset") == "4"
    assert reader.text("#detail-when") != before
    for key, place in (("j", 5), ("ArrowDown", 6), ("k", 5), ("End", 48), ("Home", 1)):
        reader.page.keyboard.press(key)
        assert reader.page.get_attribute(".row[aria-selected=true]", "aria-posinset") == str(place)
    active = reader.page.get_attribute("#list", "aria-activedescendant")
    assert reader.page.get_attribute(f"#{active}", "aria-selected") == "true"


def test_clips_show_frame_heat_and_box(reader: Reader) -> None:
    reader.loaded()
    page = reader.page
    seen = [page.locator("#screen").screenshot()]
    for key in ("h", "b", "."):
        page.keyboard.press(key)
        seen.append(page.locator("#screen").screenshot())
    assert len(set(seen)) == 4
    assert page.is_checked("#heat") is False
    assert page.evaluate("document.querySelector('#screen').width") % WIDTH_PX == 0
    ratio = "document.querySelector('#screen').height / document.querySelector('#screen').width"
    assert page.evaluate(ratio) == pytest.approx(HEIGHT_PX / WIDTH_PX)


def test_clips_play(reader: Reader) -> None:
    reader.loaded()
    clock = reader.text("#clock")
    reader.page.keyboard.press(" ")
    assert reader.page.get_attribute("#play", "aria-label") == "Pause"
    reader.sees("#clock", re.compile(f"^(?!{re.escape(clock)})"))
    reader.page.click("#play")
    assert reader.page.get_attribute("#play", "aria-label") == "Play"


def test_clips_keep_the_time_of_the_video(browser: "Browser", tmp_path: Path) -> None:
    """1.5 s without a frame before the last frame of the clip."""
    save_films(tmp_path / "films")
    content = explanation("Test000", detections=1, seed=0)
    found = content["detections"][0] | {"first_frame": 0, "last_frame": 9, "peak_frame": 4}
    found["boxes_xyxy_px"] = [found["boxes_xyxy_px"][0]] * 10
    even = [frame / 10 for frame in range(content["frame_count"])]
    content |= {"detections": [found], "times_s": [*even[:9], *(s + 1.5 for s in even[9:])]}
    sink = FolderSink(tmp_path)
    writer_of(tmp_path / "films", [content]).write(sink)
    (tmp_path / "index.html").write_text(sink.page("x"))
    for reader in open_report(browser, tmp_path / "index.html"):
        reader.loaded()
        assert reader.text("#detail-when").count("0.0 s – 2.5 s") == 1
        seek = """place => { const slider = document.querySelector('#seek');
            slider.value = place; slider.dispatchEvent(new Event('input')); }"""
        reader.page.evaluate(seek, 6)
        assert "Frame 7 · 0.6 s" in reader.text("#clock")
        time = reader.page.clock
        time.install()
        time.pause_at(2**31)
        reader.page.keyboard.press(" ")
        played = [(150, "Frame 8 · 0.7 s"), (1600, "Frame 9 · 0.8 s"), (100, "Frame 10 · 2.4 s")]
        for ms, words in played:
            time.run_for(ms)
            assert words in reader.text("#clock")


def set_threshold(reader: Reader, value: float) -> None:
    script = """value => { const slider = document.querySelector('#threshold');
        slider.value = value; slider.dispatchEvent(new Event('input')); }"""
    reader.page.evaluate(script, value)


def test_the_threshold_hides_lower_scores(reader: Reader) -> None:
    above = sum(d["score"] >= 0.9 for d in explained())
    assert 0 < above < sum(COUNTS)
    set_threshold(reader, 0.9)
    reader.sees("#counts", f"{above} of 48")
    assert reader.page.get_attribute(".row", "aria-setsize") == str(above)
    shown = [float(t) for t in reader.page.locator(".row-score").all_inner_texts()]
    assert min(shown) >= 0.9
    reader.page.click(".views button[data-view=timelines]")
    reader.page.wait_for_selector("#timeline-list .plot .found")
    found = reader.page.locator("#timeline-list .plot").nth(0).locator(".found").count()
    assert found == sum(d["score"] >= 0.9 for d in explained()[: COUNTS[0]])


def mark_two(reader: Reader) -> None:
    page = reader.page
    page.keyboard.press("r")
    assert "✓ real" in reader.chosen()
    page.keyboard.press("j")
    page.click("#mark-false")
    assert page.get_attribute("#mark-false", "aria-pressed") == "true"
    assert "1 real, 1 false, 46 not marked" in reader.text("#counts")


def reload(page: "Page") -> None:
    page.reload()
    page.wait_for_selector("html[data-ready]")


def keeps_storage(page: "Page") -> bool:
    """Whether the browser keeps what any page stores: under load its storage can be gone."""
    page.evaluate("localStorage.setItem('probe', 'kept')")
    reload(page)
    return bool(page.evaluate("localStorage.getItem('probe') === 'kept'"))


def test_marks_are_kept_exported_and_taken_back(reader: Reader, tmp_path: Path) -> None:
    page = reader.page
    mark_two(reader)
    with page.expect_download() as download:
        page.keyboard.press("e")
    path = tmp_path / "marks.json"
    download.value.save_as(path)
    content = json.loads(path.read_text())
    assert content["dataset"] == "made-up"
    assert [m["mark"] for m in content["marks"]] == ["real", "false"]
    best = max(explained(), key=lambda d: d["score"])
    keys = ("id", "score", "first_frame", "last_frame", "peak_frame")
    assert {k: content["marks"][0][k] for k in keys} == {k: best[k] for k in keys}

    reload(page)
    if "0 real, 0 false" in reader.text("#counts"):
        if not keeps_storage(page):
            pytest.skip("this browser keeps nothing that a page stores")
        mark_two(reader)
        reload(page)
    assert "1 real, 1 false" in reader.text("#counts")
    for _ in range(2):
        page.keyboard.press("u")
        page.keyboard.press("j")
    assert "0 real, 0 false" in reader.text("#counts")
    page.set_input_files("#import-file", path)
    reader.sees("#counts", "1 real")
    assert "2 of 2 marks taken" in reader.text("#status")


def test_files_that_are_no_marks_are_refused(reader: Reader, tmp_path: Path) -> None:
    for name, text in (
        ("a.json", "{"),
        ("b.json", '{"schema": 1, "dataset": "other", "marks": []}'),
    ):
        (tmp_path / name).write_text(text)
        reader.page.set_input_files("#import-file", tmp_path / name)
        said = {"a.json": "not a file of exported marks", "b.json": "marks are of other"}[name]
        reader.sees("#status", said)


def test_marked_alarms_leave_the_list_of_unmarked_ones(reader: Reader) -> None:
    reader.page.select_option("#mark-filter", "none")
    first = reader.text("#detail-when")
    reader.page.click("#mark-false")
    assert "47 of 48" in reader.text("#counts")
    assert reader.text("#detail-when") != first
    assert reader.page.get_attribute(".row[aria-selected=true]", "aria-posinset") == "1"


def test_the_scene_tells_what_is_normal_at_a_click(reader: Reader) -> None:
    page = reader.page
    page.click(".views button[data-view=scene]")
    page.wait_for_selector("#normal h2")
    reader.sees("#scene-chosen", "")
    box = page.locator("#scene-picture").bounding_box()
    assert box
    page.mouse.click(box["x"] + 9, box["y"] + 9)
    assert reader.text("#normal h2") == "Normal at x 0–16, y 0–16"
    page.mouse.click(box["x"] + box["width"] - 9, box["y"] + box["height"] - 9)
    assert reader.text("#normal h2") == "Normal at x 48–64, y 32–48"
    page.focus("#scene-map")
    page.keyboard.press("ArrowLeft")
    assert reader.text("#normal h2") == "Normal at x 40–56, y 32–48"
    assert page.locator(".exemplar").count() == 2
    assert page.locator("#normal .rose .known").count() == 1
    assert re.match(r"× \d+", reader.text(".exemplars b"))


def test_timelines_lead_to_alarms(reader: Reader) -> None:
    page = reader.page
    page.click(".views button[data-view=timelines]")
    page.wait_for_selector("#timeline-list .plot")
    assert page.locator("#timeline-list .plot").nth(0).locator(".truth").count() == 1
    assert "no anomaly" in (
        page.locator("#timeline-list .plot").nth(1).get_attribute("aria-label") or ""
    )
    page.locator("#timeline-list .plot").nth(1).click()
    assert page.is_visible("#detail")
    assert reader.text("#detail-title") == TEST_NAMES[1]


def test_light_and_dark(reader: Reader) -> None:
    page = reader.page
    assert page.get_attribute("html", "data-theme") == "light"
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-theme=dark]")
    page.click("#theme")
    assert page.get_attribute("html", "data-theme") == "light"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["alarms", "timelines", "scene"])
def test_texts_stand_out(
    browser: "Browser", reports: dict[str, Path], theme: Any, view: str
) -> None:
    """Contrast of 4.5 to 1, as WCAG AA asks of texts, between each text and what is behind it."""
    for reader in open_report(browser, reports["folder"], color_scheme=theme):
        reader.page.click("#mark-false")
        reader.page.click(f".views button[data-view={view}]")
        reader.page.wait_for_selector(f"#{view} :is(.plot, .exemplar)")
        pairs = reader.page.evaluate(TEXT_COLOURS)
        assert len(pairs) > 10
        low = [(text, round(contrast(a, b), 2)) for text, a, b in pairs if contrast(a, b) < 4.5]
        assert low == []


TEXT_COLOURS = """() => [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility() && !e.closest('.status, dialog, svg, :disabled')
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
).map((e) => {
    let behind = e;
    const clear = (x) => getComputedStyle(x).backgroundColor;
    while (clear(behind) === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    return [e.textContent.slice(0, 30), getComputedStyle(e).color, clear(behind)];
})"""


def contrast(first: str, second: str) -> float:
    """Ratio of two CSS colours after WCAG 2."""
    bright, dark = sorted(map(luminance, (first, second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_of_known_colours() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(118, 118, 118)", "rgb(255, 255, 255)") == pytest.approx(4.54, abs=0.01)


def test_a_phone_shows_list_or_alarm(browser: "Browser", reports: dict[str, Path]) -> None:
    phone = {"width": 390, "height": 844}
    for reader in open_report(browser, reports["folder"], viewport=phone, has_touch=True):
        page = reader.page
        assert page.is_visible("#list")
        assert not page.is_visible("#detail")
        page.locator(".row").nth(1).tap()
        assert page.is_visible("#screen")
        assert not page.is_visible("#list")
        page.tap("#mark-real")
        page.tap("#back")
        assert "✓ real" in page.locator(".row").nth(1).inner_text()
        for view in ("alarms", "timelines", "scene"):
            page.tap(f".views button[data-view={view}]")
            wide = "document.documentElement.scrollWidth"
            assert page.evaluate(wide) <= 390


def test_everything_has_a_name_for_screen_readers(reader: Reader) -> None:
    reader.loaded()
    nameless = """() => [...document.querySelectorAll('button, input, select, canvas, svg, img')]
        .filter((e) => e.checkVisibility() && !e.closest('button svg, #scene-regions'))
        .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.alt))
        .map((e) => e.outerHTML)"""
    for view in ("alarms", "timelines", "scene"):
        reader.page.click(f".views button[data-view={view}]")
        assert reader.page.evaluate(nameless) == []
    roles = {"main", "header", "nav", "h1", "h2", "[role=listbox]", "[role=status]"}
    assert all(reader.page.locator(role).count() for role in roles)


def test_a_report_without_alarms_says_so(browser: "Browser", reports: dict[str, Path]) -> None:
    for reader in open_report(browser, reports["empty"]):
        page = reader.page
        assert reader.text("#nothing").startswith("No alarms: nothing scored above the threshold.")
        assert not page.is_visible("#detail")
        for key in ("j", "r", " ", "End", "e"):
            page.keyboard.press(key)
        page.click(".views button[data-view=timelines]")
        page.wait_for_selector("#timeline-list .plot .scores")
        page.click(".views button[data-view=scene]")
        page.wait_for_selector(".exemplar")


def test_many_alarms_are_drawn_as_they_are_looked_at(
    browser: "Browser", reports: dict[str, Path], tmp_path: Path
) -> None:
    """20,000 alarms; no pictures are made for them, and the errors for that are overlooked."""
    content = explanation("Test000", detections=100, seed=0)
    sequence = SequenceReport(0, content, report_of([content]))
    folder = tmp_path / "many"
    shutil.copytree(reports["folder"].parent, folder)
    script = (folder / "data" / "index.js").read_text()
    index = json.loads(script[script.index("{") : script.rindex("}") + 1])
    index["detections"] = sorted(sequence.rows() * 200, key=lambda row: -row["score"])
    index["sequences"] = [sequence.overview(None)]
    sink = FolderSink(folder)
    sink.add_data("index", index)
    sink.add_data(sequence.key, sequence.details([None] * GRID.region_count))
    for reader in open_report(browser, folder / "index.html"):
        page = reader.page
        assert "20,000 of 20,000 alarms" in reader.text("#counts")
        assert page.locator(".row").count() < 40
        page.keyboard.press("End")
        last = page.locator(".row[aria-posinset='20000']")
        assert last.get_attribute("aria-selected") == "true"
        assert page.locator(".row").count() < 40
        reader.errors = [e for e in reader.errors if "ERR_FILE_NOT_FOUND" not in e]
