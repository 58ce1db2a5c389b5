"""The page in a real browser: it loads, the video plays with audio, sliders and keys act, it fits a phone.

VASA_SCREENSHOTS=FOLDER keeps what it looked like.
"""

import os
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="needs the extra `serve`")
pytest.importorskip("uvicorn", reason="needs the extra `serve`")

import numpy as np
import soundfile
from PIL import Image

from tests.inference.stand_ins import live_face
from tests.serve import browser
from tests.serve.running import served
from vasa_jax.serve.engine import Engine
from vasa_jax.serve.settings import Settings

WATCH = """
window.watched = [];
window.failed = [];
addEventListener("error", (event) => failed.push(event.message));
addEventListener("unhandledrejection", (event) => failed.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => failed.push(event.violatedDirective + " " + event.blockedURI));
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (typeof data === "string") watched.push(JSON.parse(data));
  else if (new Int16Array(data).some((value) => Math.abs(value) > 1000)) watched.heard = true;
  send.call(this, data);
};
"""


@pytest.fixture
def seats(monkeypatch):
    """Those that were opened."""
    opened, enter = [], Engine.open
    monkeypatch.setattr(Engine, "open", lambda *args: opened.append(enter(*args)) or opened[-1])
    return opened


@pytest.fixture
def url(look, seats, found, tmp_path):
    """Of a server of stand-ins."""
    engine = Engine(live_face(), sessions=4, warm=lambda: look)
    with served(live_face(), Settings(sessions=4, folder=tmp_path / "serve"), engine) as address:
        yield address


@pytest.fixture
def page(url, tmp_path):
    if browser.found() is None:
        pytest.skip(f"needs a browser: none of {', '.join(browser.NAMES)} is installed")
    at = np.arange(32_000)
    soundfile.write(tmp_path / "speech.wav", 0.3 * np.sin(2 * np.pi * 300 / 16_000 * at) * (at % 6400 < 3200), 16_000)
    with browser.Browser(tmp_path / "profile", tmp_path / "speech.wav") as opened:
        opened.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        opened.call("Page.navigate", url=url + "/")
        yield opened


BADGE = """(() => {
  const b = $("badge").getBoundingClientRect(), top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);
  return b.width > 40 && b.top >= 0 && b.left >= 0 && top === $("badge") && $("badge").textContent;
})()"""
PONG = """new Promise((done) => {
  socket.addEventListener("message", ({ data }) => typeof data === "string" && JSON.parse(data).t === -1 && done());
  socket.send(JSON.stringify({ type: "ping", t: -1 }));
})"""
VIEWS = {"desktop": (1280, 800, False, False), "phone": (390, 844, False, True), "dark": (1280, 800, True, False)}


def test_it_works(page, seats, tmp_path) -> None:
    page.until("document.readyState === 'complete'")
    page.until("$('face_painting').naturalWidth > 0 && $('still').naturalWidth > 0")
    page.until("fetch('/healthz').then((answer) => answer.ok)")
    assert page.run(BADGE) == "AI-generated"

    # A portrait is chosen, and the face starts, by keyboard alone.
    page.run("document.querySelector('[name=face]').focus()")
    page.key("ArrowRight", 39)
    assert page.run("portrait") == "photo" and page.run("$('still').src === $('face_photo').src")
    page.run("$('start').focus()")
    page.key(" ", 32)
    page.until("$('video').currentTime > 1")
    assert page.until("$('video').webkitDecodedFrameCount > 10 && $('video').webkitAudioDecodedByteCount > 0")
    assert page.run("$('video').videoWidth") == 64 and page.run("$('video').muted") is False
    assert page.run("watched[0].type + watched[0].portrait") == "startphoto"
    assert page.run("$('still').hidden") and page.run(BADGE)
    page.until("$('t_decode').textContent !== '–' && $('t_network').textContent !== '–'")

    # Sliders act at once, by keyboard too.
    (seat,) = seats
    page.run("$('gaze_x').value = 0.4; $('gaze_x').dispatchEvent(new Event('input'))")
    page.run("$('distance').focus()")
    page.key("ArrowRight", 39)
    page.run("$('mood').value = 'anger'; $('emotion').value = 0.5; $('emotion').dispatchEvent(new Event('input'))")
    told = page.run("watched.filter((message) => message.type === 'controls').pop()")
    assert told["gaze"] == [0.4, 0] and told["distance"] == 0.05 and told["emotion"] == {"anger": 0.5}
    assert page.run("$('o_gaze_x').textContent + $('o_emotion').textContent") == "0.40.5"
    page.run(PONG)  # by then the server has read what was sent before
    assert seat.session.controls.gaze == (0.4, 0.0) and seat.session.controls.emotion == {"anger": 0.5}

    # The microphone is heard, and Escape interrupts; it goes on afterwards.
    page.run("$('talk').click()")
    page.until("$('talk').getAttribute('aria-pressed') === 'true' && watched.heard")
    page.key("Escape", 27)
    page.until("$('said').textContent === 'Interrupted.'")
    at = page.run("$('video').currentTime")
    page.until(f"$('video').currentTime > {at} + 0.5")

    # So is a recording.
    page.run("$('talk').click(); watched.heard = false")
    page.choose("#audio", tmp_path / "speech.wav")
    page.until("watched.heard && $('said').textContent === 'It says your recording.'")

    folder = Path(os.environ.get("VASA_SCREENSHOTS", tmp_path))
    looks = {}
    for name, (width, height, dark, phone) in VIEWS.items():
        page.screenshot(folder / f"{name}.png", width, height, dark, phone)
        looks[name] = np.asarray(Image.open(folder / f"{name}.png").convert("RGB"))
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), f"{name}: too wide"
        for place in ("document.body.scrollHeight", "0"):
            page.run(f"scrollTo(0, {place})")
            assert page.run(BADGE), f"{name}: no badge at {place}"
    assert looks["desktop"][-5:].mean() > 200 > 60 > looks["dark"][-5:].mean()
    heights = "[...document.querySelectorAll('button, .file')].map((b) => b.getBoundingClientRect().height)"
    assert min(page.run(heights)) >= 40, "large enough for a finger"
    page.run("$('start').click()")
    page.until("!socket && !$('still').hidden")
    assert page.run("failed") == []
