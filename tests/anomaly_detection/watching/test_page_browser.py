"""The live page in a real browser: Chromium asks a real server, which goes away and comes back."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from watching_samples import (
    TOKEN,
    alarm,
    port_of,
    serve_state,
    show,
    some_state,
    wait_until,
)

from anomaly_detection.watching.live_state import LiveState
from anomaly_detection.watching.server import Server
from exemplar_selection.marks import read_marks

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
EVIL = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def state() -> LiveState:
    return some_state()


@pytest.fixture
def server(tmp_path: Path, state: LiveState) -> Iterator[Server]:
    made = serve_state(tmp_path, state)
    yield made
    made.close()


class Viewer:
    """Somebody at the page, who notices errors and requests to other places."""

    def __init__(self, page: "Page", server: Server, path: str = "") -> None:
        self.page = page
        page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(server.url + path)
        page.wait_for_selector("html[data-ready]")

    def _hear(self, message: Any) -> None:
        is_ours = (
            "willReadFrequently" in message.text
        )  # `pixel` reads the canvas, the page does not
        if message.type in ("error", "warning") and not is_ours:
            self.errors.append(message.text)

    def sees(self, selector: str, text: str | re.Pattern[str]) -> None:
        """Wait until an element has a text."""
        from playwright.sync_api import expect

        expect(self.page.locator(selector).first).to_contain_text(text, timeout=20_000)

    def waits_for(self, script: str) -> None:
        """Wait until a script gives something true; the page's policy allows no ``eval`` in it."""

        def is_true() -> bool:
            self.page.wait_for_timeout(20)
            return bool(self.page.evaluate(script))

        wait_until(is_true)

    def pixel(self, x: float, y: float) -> list[int]:
        """Red, green and blue of the picture at a place, 0 to 1 across and down."""
        place = "[Math.floor(x * c.width), Math.floor(y * c.height), 1, 1]"
        found: list[int] = self.page.evaluate(
            "([x, y]) => { const c = document.getElementById('screen');"
            f" return [...c.getContext('2d').getImageData(...{place}).data].slice(0, 3); }}",
            [x, y],
        )
        return found


def at_page(
    browser: "Browser", server: Server, path: str = "", *, may_fail: bool = False, **options: Any
) -> Iterator[Viewer]:
    context = browser.new_context(**({"viewport": {"width": 1400, "height": 900}} | options))
    viewer = Viewer(context.new_page(), server, path)
    yield viewer
    assert may_fail or viewer.errors == []
    own = server.url, "data:image/", "data:,"
    assert [url for url in viewer.requests if not url.startswith(own)] == []
    context.close()


@pytest.fixture
def viewer(browser: "Browser", server: Server) -> Iterator[Viewer]:
    yield from at_page(browser, server)


def film(path: Path) -> None:
    """A short clip."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in range(20):
            picture = np.full((48, 64, 3), 10 * grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


def test_picture_heat_and_outlines(viewer: Viewer, state: LiveState) -> None:
    viewer.sees("#clock", "Frame 3 ·")
    viewer.sees("#name", "gate")
    show(state, 3, 2.0, grey=200)
    viewer.sees("#clock", "Frame 4 ·")
    hot, cold = (
        (0.625, 0.5),
        (0.125, 0.125),
    )  # cell in row 1, column 2 of 3 x 4; and row 0, column 0
    assert all(abs(part - 200) < 4 for part in viewer.pixel(*cold))
    red, green, blue = viewer.pixel(*hot)
    assert min(red, green) > blue + 50  # the top of the colours is yellow
    viewer.page.keyboard.press("h")
    assert all(abs(part - 200) < 4 for part in viewer.pixel(*hot))
    before = viewer.page.locator("#screen").screenshot()
    state.add_alarm(alarm(2, state="begun", ended=None, last_frame=None, box=[0, 16, 32, 48]))
    viewer.sees(".alarm", "goes on")
    show(state, 4, 2.0, grey=200)
    viewer.sees("#clock", "Frame 5 ·")
    assert viewer.page.locator("#screen").screenshot() != before
    viewer.page.keyboard.press("b")
    assert viewer.page.locator("#screen").screenshot() == before


def test_strip_threshold_and_alarms(viewer: Viewer, state: LiveState) -> None:
    viewer.sees("#strip-caption", "now 0.500, threshold 1.000")
    for frame in range(3, 100):
        show(state, frame, 4.0 if frame == 50 else 0.5)
    state.add_alarm(alarm(5))  # frames 50 to 55
    viewer.waits_for("document.querySelectorAll('.plot .found').length === 2")
    viewer.waits_for("document.querySelector('.plot').viewBox.baseVal.width > 9.8")
    drawn = viewer.page.evaluate(
        "[...document.querySelectorAll('.plot .found')].map((e) => e.x.baseVal.value)"
    )
    # The strip spans at least 10 s; it ends at 9.9 s, so that it begins at -0.1 s.
    assert sorted(round(x, 2) for x in drawn) == [1.1, 5.1]
    line = viewer.page.evaluate("document.querySelector('.plot .threshold').y1.baseVal.value")
    assert abs(line - (2 + 84 * (1 - 1 / 4))) < 0.01  # the top is the highest score, 4


def test_marks_reach_the_file_of_the_mining_command(
    viewer: Viewer, state: LiveState, tmp_path: Path
) -> None:
    path = tmp_path / "marks.json"
    state.add_alarm(alarm(2))
    viewer.sees("#tally", "the last 2 alarms · 0 real, 0 false")
    viewer.page.locator(".alarm .mark.false").first.click()
    viewer.sees("#tally", "0 real, 1 false")
    viewer.page.keyboard.press("j")
    viewer.page.keyboard.press("r")
    viewer.sees("#tally", "1 real, 1 false")
    read = read_marks(path, dataset="yard", version="momentum")
    assert {m.first_frame: m.mark for m in read} == {20: "false", 10: "real"}
    viewer.page.reload()
    viewer.sees("#tally", "1 real, 1 false")
    assert viewer.page.locator(".alarm .mark[aria-pressed=true]").count() == 2
    viewer.page.locator(".alarm .mark.false").first.click()
    viewer.sees("#tally", "1 real, 0 false")
    viewer.waits_for("!document.querySelector('.mark.false[aria-pressed=true]')")


def test_a_mark_that_cannot_be_kept_is_told(
    browser: "Browser", server: Server, tmp_path: Path
) -> None:
    (tmp_path / "marks.json").mkdir()
    for viewer in at_page(browser, server, may_fail=True):
        viewer.page.locator(".alarm .mark.real").first.click()
        viewer.sees("#status", "cannot write")
        assert viewer.page.locator(".mark[aria-pressed=true]").count() == 0


def test_clips_play_and_go_on_while_alarms_come(
    viewer: Viewer, state: LiveState, tmp_path: Path
) -> None:
    film(tmp_path / "clips" / "a.mp4")
    state.add_alarm(alarm(2, clip="a.mp4"))
    viewer.page.locator(".clip-button:visible").click()
    viewer.waits_for("document.querySelector('video')?.currentTime > 0.2")
    viewer.page.evaluate("document.querySelector('video').same = true")
    state.add_alarm(alarm(3, sentence="later"))
    viewer.sees(".alarm", "later")
    assert viewer.page.evaluate("document.querySelector('video').same") is True
    viewer.page.keyboard.press("c")
    assert viewer.page.locator("video").count() == 0


def test_alarms_of_the_camera_have_no_marks(viewer: Viewer, state: LiveState) -> None:
    nothing = dict.fromkeys(["first_frame", "last_frame", "peak_frame", "region", "box", "score"])
    state.add_alarm(alarm(2, kind="frozen", sentence="It stands still.", **nothing))
    viewer.sees(".alarm .row-name", "Picture frozen")
    assert viewer.page.locator(".alarm").first.locator("button:visible").count() == 0


def test_names_and_sentences_are_text(browser: "Browser", tmp_path: Path) -> None:
    state = some_state(name=EVIL)
    state.add_alarm(alarm(2, sentence=EVIL, kind=EVIL, id=EVIL, began=EVIL))
    server = serve_state(tmp_path, state)
    for viewer in at_page(browser, server):
        viewer.sees(".alarm .text", EVIL)
        viewer.sees("#name", EVIL)
        assert viewer.page.title() == f"{EVIL} - vadloc"
        assert viewer.page.locator("img, script:not([src])").count() == 0
    server.close()


def test_the_page_goes_on_when_the_watch_is_started_again(
    browser: "Browser", tmp_path: Path
) -> None:
    state = some_state()
    show(state, 9)
    server = serve_state(tmp_path, state)
    for viewer in at_page(browser, server, may_fail=True):
        viewer.sees("#live", "live")
        server.close()
        viewer.sees("#live", "the watch does not answer; asking again")
        again = some_state(name="gate again")
        server = serve_state(tmp_path, again, port=port_of(server))
        viewer.sees("#name", "gate again")
        show(again, 41)
        viewer.sees("#clock", "Frame 42 ·")
        viewer.sees("#live", "live")
    server.close()


def test_what_is_wrong_is_told(viewer: Viewer, state: LiveState) -> None:
    viewer.sees("#live", re.compile("^live$"))
    state.measure("source_up", 0)
    viewer.sees("#live", "the camera gives no picture")
    state.measure("source_up", 1)
    viewer.sees("#live", "no new picture for")
    state.count("frames_dropped", 7)
    viewer.sees("#counts .bad", "7")


def test_a_token_opens_the_page_once(browser: "Browser", tmp_path: Path) -> None:
    server = serve_state(tmp_path, token=TOKEN)
    for viewer in at_page(browser, server, f"?token={TOKEN}"):
        assert viewer.page.url == server.url
        viewer.page.goto(server.url)
        viewer.sees("#clock", "Frame 3 ·")
        viewer.page.locator(".alarm .mark.real").first.click()
        viewer.sees("#tally", "1 real")
        assert viewer.page.evaluate("document.cookie") == ""
    server.close()


def test_another_page_learns_nothing_and_marks_nothing(
    browser: "Browser", server: Server, tmp_path: Path
) -> None:
    """A page of another origin in the same browser asks by script, picture, form and frame."""
    other = tmp_path / "other"
    other.mkdir()
    stranger = serve_state(other, some_state(name="stranger"))
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(stranger.url)
    url, name = server.url, alarm()["id"]
    asked = "(u) => fetch(u, {mode: 'no-cors'}).then((r) => r.text()).catch((e) => 'refused')"
    told = [page.evaluate(asked, url + path) for path in ("state", "picture", "metrics")]
    assert [text for text in told if text not in ("", "refused")] == []
    post = "fetch(u + 'marks', {method: 'POST', headers: {'Content-Type': type}, body: body})"
    sent = page.evaluate(
        "([u, body]) => Promise.all(['text/plain', 'application/json'].map((type) => "
        f"{post}.then((r) => r.status).catch(() => 'refused')))",
        [url, f'{{"id": "{name}", "mark": "real"}}'],
    )
    assert sent == ["refused", "refused"]
    page.evaluate("(u) => { document.body.innerHTML = `<iframe src=${u}></iframe>`; }", url)
    wait_until(lambda: len(page.frames) == 2)
    page.wait_for_timeout(500)
    assert page.frames[1].locator("#name").count() == 0
    assert not (tmp_path / "marks.json").exists()
    context.close()
    stranger.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_cut_off(
    browser: "Browser", server: Server, state: LiveState, theme: Any, width: int
) -> None:
    state.add_alarm(alarm(2, sentence="A long word: " + "x" * 200))
    size = {"width": width, "height": 844}
    for viewer in at_page(browser, server, viewport=size, color_scheme=theme):
        viewer.sees("#clock", "Frame 3 ·")
        assert viewer.page.get_attribute("html", "data-theme") == theme
        assert viewer.page.evaluate("document.documentElement.scrollWidth") == width
        for selector in ("#screen", ".plot", ".alarm .mark.real"):
            box = viewer.page.locator(selector).first.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
