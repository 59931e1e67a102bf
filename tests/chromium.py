"""A real headless Chromium, driven over its DevTools protocol; shared by the tests of what is read in a browser."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio",
    "--remote-debugging-port=0",
)  # fmt: skip
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "Home": 36, "End": 35, "PageDown": 34, "ArrowLeft": 37, "ArrowUp": 38,
        "ArrowRight": 39, "ArrowDown": 40}  # fmt: skip


class PageError(AssertionError):
    """The page's script raised."""


class Page:
    """One page: its address, its script's answers, its keys and its looks. Every event of the browser is kept."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._last = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # as a window in front has it

    def call(self, method: str, **params: Any) -> Any:
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            if message.get("id") == self._last:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, url: str) -> None:
        """Go to ``url``; return when its script has drawn it."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && document.documentElement.dataset.ready === 'yes'")

    def js(self, expression: str) -> Any:
        """Return what ``expression`` gives, awaited where it is a promise."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise PageError(found["exceptionDetails"].get("exception", {}).get("description", found))
        return found["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> None:
        """Wait until ``expression`` holds."""
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never came true: {expression}; {self.problems()}"
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        for key in keys:
            said = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            text = {"text": "\r"} if key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **said, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **said)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        places = [("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)]
        for kind, (x, y) in places:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefers(self, **features: str) -> None:
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=listed)

    def problems(self) -> list[Any]:
        """Return what went wrong in the page: exceptions, errors on its console, violations of its policy."""
        self.js("1")  # whatever is on its way arrives before the answer
        wrong = [each["params"] for each in self.events if each["method"] == "Runtime.exceptionThrown"]
        entries = [each["params"]["entry"] for each in self.events if each["method"] == "Log.entryAdded"]
        return wrong + [entry for entry in entries if entry["level"] == "error"]

    def requests(self) -> list[str]:
        """Return the addresses of everything that the page asked for, itself included."""
        return [
            each["params"]["request"]["url"] for each in self.events if each["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save how the page looks."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """Run Chromium with an empty profile in ``folder``; yield its page."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "these tests need chromium: apt-get install chromium"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"], stdout=log, stderr=log
        )
    try:
        with connect(_page_of(folder, process), max_size=None, close_timeout=2) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(30)


def _page_of(folder: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address of the first page's socket; the browser writes its port into its profile."""
    told = folder / "DevToolsActivePort"
    end = time.monotonic() + 60
    while not told.exists() or not told.read_text().strip():
        log = (folder / "chromium.log").read_text(errors="replace")
        assert process.poll() is None and time.monotonic() < end, log[-2000:]
        time.sleep(0.05)
    port = told.read_text().split()[0]
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            pages = [each for each in json.load(answer) if each["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.05)
    raise AssertionError("Chromium opened no page")
