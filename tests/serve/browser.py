"""Chromium without a window, by its own debugging protocol: what the page's test needs of it, and no more."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page. A context manager.

    Args:
      folder: for its profile.
      microphone: a WAV that it plays as what a microphone hears.
    """

    def __init__(self, folder: Path, microphone: Path) -> None:
        self._folder, self._numbers, self._stack = folder, itertools.count(1), contextlib.ExitStack()
        self._process = subprocess.Popen(
            [
                found(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio",
                f"--user-data-dir={folder}", "--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required",
                "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                f"--use-file-for-fake-audio-capture={microphone}", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self) -> "Browser":
        port_file = self._folder / "DevToolsActivePort"
        end = time.monotonic() + 120
        while not (port_file.is_file() and port_file.read_text().count("\n")):
            assert time.monotonic() < end and self._process.poll() is None, "the browser does not start"
            time.sleep(0.05)
        port, path = port_file.read_text().split("\n")[:2]
        address = f"ws://127.0.0.1:{port}{path}"
        self._socket = self._stack.enter_context(connect(address, max_size=None, open_timeout=60))
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()
        self._process.terminate()
        self._process.wait()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and its result."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while (answer := json.loads(self._socket.recv(timeout=120))).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression in the page; promises are waited for."""
        made = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in made, made
        return made["result"].get("value")

    def until(self, script: str, seconds: float = 120.0) -> Any:
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script}: {self.run('document.getElementById(`said`).textContent')}"
            time.sleep(0.05)
        return value

    def key(self, key: str, code: int) -> None:
        """Presses a key."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def choose(self, selector: str, path: Path) -> None:
        """Gives a file to a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def screenshot(self, path: Path, width: int, height: int, dark: bool = False, phone: bool = False) -> None:
        """The window as PNG."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
