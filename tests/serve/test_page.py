"""The page in a real browser: it loads, the video plays with sound, sliders and keys act, it fits a phone.

VASA_SCREENSHOTS=FOLDER keeps what it looked like.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="needs the extra `serve`")

import numpy as np
import soundfile
from PIL import Image

from tests.serve import browser

ROOT = Path(__file__).parents[2]
WATCH = """
window.sent = [];
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (typeof data === "string") sent.push(JSON.parse(data)); else sent.sound = data;
  send.call(this, data);
};
"""


@pytest.fixture
def page(tmp_path):
    if browser.found() is None:
        pytest.skip(f"needs a browser: none of {', '.join(browser.NAMES)} is installed")
    sound = 0.3 * np.sin(2 * np.pi * 300 / 16_000 * np.arange(32_000)) * (np.arange(32_000) % 6400 < 3200)
    soundfile.write(tmp_path / "speech.wav", sound, 16_000, "PCM_16")
    words = [sys.executable, "-m", "tests.serve.child", "--port=0", f"--folder={tmp_path / 'serve'}"]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True, "env": os.environ | {"JAX_PLATFORMS": "cpu"}}
    server = subprocess.Popen(words, **options)
    try:
        url = server.stdout.readline().split()[0]
        with browser.Browser(tmp_path / "profile", tmp_path / "speech.wav") as opened:
            opened.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            opened.call("Page.navigate", url=url + "/")
            yield opened
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow  # not seen to pass yet: on a loaded machine the stream did not reach its end
def test_it_works(page, tmp_path) -> None:
    page.until("document.readyState === 'complete' && document.images.length && $('still').naturalWidth > 0")
    page.until("fetch('/healthz').then((answer) => answer.ok)")
    badge = "(() => { const b = $('badge').getBoundingClientRect(); return b.width > 40 && b.top >= 0; })()"
    assert page.run(badge) and page.run("$('badge').textContent") == "AI-generated"

    page.run("$('start').focus()")
    page.key(" ", 32)
    page.until("$('video').currentTime > 1")
    assert page.until("$('video').webkitDecodedFrameCount > 10")
    assert page.until("$('video').webkitAudioDecodedByteCount > 0")
    assert page.run("$('still').hidden") and page.run(badge)
    page.until("$('t_decode').textContent !== '–' && $('t_network').textContent !== '–'")

    page.run("$('gaze_x').value = 0.4; $('gaze_x').dispatchEvent(new Event('input'))")
    told = page.run("sent.filter((message) => message.type === 'controls').pop()")
    assert told["gaze"] == [0.4, 0] and page.run("$('o_gaze_x').textContent") == "0.4"

    page.run("$('talk').click()")
    page.until("$('talk').getAttribute('aria-pressed') === 'true'")
    page.until("sent.sound && new Int16Array(sent.sound).some((value) => Math.abs(value) > 1000)")
    page.key("Escape", 27)
    page.until("$('said').textContent === 'Interrupted.'")
    at = page.run("$('video').currentTime")
    page.until(f"$('video').currentTime > {at} + 0.5")

    folder = Path(os.environ.get("VASA_SCREENSHOTS", tmp_path))
    views = {"desktop": (1200, 860, False, False), "phone": (390, 844, False, True), "dark": (1200, 860, True, False)}
    looks = {}
    for name, (width, height, dark, phone) in views.items():
        page.screenshot(folder / f"{name}.png", width, height, dark, phone)
        looks[name] = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), f"{name}: too wide"
        assert page.run(badge)
    assert looks["desktop"][-5:].mean() > 200 > 60 > looks["dark"][-5:].mean()
    heights = "[...document.querySelectorAll('button, .file')].map((b) => b.getBoundingClientRect().height)"
    assert min(page.run(heights)) >= 40, "large enough for a finger"
    page.run("$('start').click()")
    page.until("!socket && !$('still').hidden")
