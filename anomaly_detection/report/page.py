"""The HTML page of the report, as a folder of files or as a single file.

The page asks for data by name. In the folder each piece of data is a script that registers its
content (a page from disk may load scripts, but not read files), and each picture is a file. The
single file holds both in blocks, which the browser keeps as text until the page asks for them.
"""

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

SOURCES = "anomaly_detection.report", "web"
"""Package and folder of the HTML, CSS and JavaScript of the page."""
SCRIPTS = (
    *("words", "theme", "outline", "loading", "list", "detail", "clip", "timelines", "scene"),
    "start",
)
"""The parts of the page's script in their order; they share one scope."""


class Sink(Protocol):
    """Takes the data and pictures that the page shows, and makes the page."""

    def add_data(self, name: str, content: Any) -> None:
        """Take a JSON-able piece of data; ``name`` has no suffix."""

    def add_picture(self, name: str, content: bytes) -> None:
        """Take a JPEG or PNG file; ``name`` has its suffix."""

    def page(self, title: str) -> str:
        """The HTML of the page, after all data and pictures have been added."""


class FolderSink:
    """Writes data, pictures, style and script as files below a folder.

    Args:
        folder: An existing folder. The caller writes the page itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add_data(self, name: str, content: Any) -> None:
        """Write ``data/<name>.js``."""
        call = f"vadlocData({json.dumps(name)}, {to_json(content)});\n"
        self._write(f"data/{name}.js", call.encode())

    def add_picture(self, name: str, content: bytes) -> None:
        """Write the file."""
        self._write(name, content)

    def page(self, title: str) -> str:
        """The page; style and script are written as files beside it."""
        self._write("report.css", source("report.css").encode())
        self._write("report.js", script().encode())
        # Browsers differ in whether 'self' covers pages from disk; file: does in all of them.
        return fill_page(
            title,
            style='<link rel="stylesheet" href="report.css">',
            scripts='<script src="report.js"></script>',
            style_from="'self' file:",
            script_from="'self' file:",
            image_from="'self' file: data: blob:",
        )

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class SingleSink:
    """Keeps everything for one file."""

    def __init__(self) -> None:
        self.blocks: list[str] = []

    def add_data(self, name: str, content: Any) -> None:
        """Keep a block of JSON."""
        self._add(f"data/{name}", to_json(content))

    def add_picture(self, name: str, content: bytes) -> None:
        """Keep a block of base64."""
        self._add(name, base64.b64encode(content).decode())

    def page(self, title: str) -> str:
        """The page with style, script and all blocks in it."""
        style, code = source("report.css"), script()
        return fill_page(
            title,
            style=f"<style>{style}</style>",
            scripts="\n".join([*self.blocks, f"<script>{code}</script>"]),
            style_from=f"'sha256-{_digest(style)}'",
            script_from=f"'sha256-{_digest(code)}'",
            image_from="data: blob:",
        )

    def _add(self, name: str, text: str) -> None:
        self.blocks.append(f'<script type="text/plain" id="{html.escape(name)}">{text}</script>')


def to_json(content: Any) -> str:
    """JSON in ASCII that is safe inside a script element, whatever names it holds."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source(name: str) -> str:
    """One of the files in the folder ``web``."""
    package, folder = SOURCES
    return files(package).joinpath(folder, name).read_text()


def script() -> str:
    """The script of the page: all its parts inside one function."""
    parts = "\n".join(source(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def fill_page(
    title: str, *, style: str, scripts: str, style_from: str, script_from: str, image_from: str
) -> str:
    """The HTML of the page, filled with what differs between folder and single file.

    Args:
        title: Title as plain text.
        style: Tag of the style sheet.
        scripts: Tags of the data and the script.
        style_from: Allowed sources of styles, in the syntax of Content-Security-Policy.
        script_from: Allowed sources of scripts.
        image_from: Allowed sources of pictures.
    """
    policy = (
        f"default-src 'none'; img-src {image_from}; style-src {style_from}; "
        f"script-src {script_from}; form-action 'none'; base-uri 'none'"
    )
    page = source("index.html")
    for mark, text in (("policy", policy), ("title", html.escape(title)), ("style", style)):
        page = page.replace(f"<!--{mark}-->", text)
    head, _, tail = page.partition("<!--scripts-->")  # last, since data may hold such marks
    return head + scripts + tail


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
