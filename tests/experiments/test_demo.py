"""The demo end to end on stand-in models, and its errors before anything heavy is loaded."""

import dataclasses
import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import demo
from experiments.common import app
from tests.inference import stand_ins
from vasa_jax import files, images, media
from vasa_jax.inference import portrait
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.inference.talking_face import TalkingFace
from vasa_jax.provenance.verify import verify

ROOT = Path(__file__).parents[2]


class Face(stand_ins.StandInFace):
    """Reads a mouth out of the code, as the real model does."""

    def read_labels(self, dynamics):
        return {"mouth": dynamics[:, :2] * 0.1, "lids": dynamics[:, :2], "eyes": dynamics[:, :2]}


class Page(html.parser.HTMLParser):
    """Collects what a browser would load, and whether tags close."""

    VOID = {"meta", "image", "line", "rect", "br", "img", "link", "path"}

    def __init__(self, text):
        super().__init__()
        self.loaded, self.open, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.loaded += [given[name] for name in ("src", "poster", "srcset", "data") if given.get(name)]
        if tag in ("image", "link", "use"):
            self.loaded.append(given.get("href", ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture
def made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "keys"))
    monkeypatch.setattr(app, "compile_cache", lambda: None)
    face = TalkingFace(FaceRenderer(Face(), {}, stand_ins.SIZE), stand_ins.StandInMotion(), "0" * 64, "stand-in")
    (tmp_path / "out").mkdir()
    job = demo.Job(demo.PORTRAIT, demo.SPEECH, tmp_path / "out" / "talking.mp4", checkpoint=str(tmp_path / "none"))
    report = demo.run_demo(job, face)
    return job, report, capsys.readouterr().out


def test_a_photograph_and_a_painting_say_the_same(made, capsys):
    """Each its own signed video, and shown on the page with its source."""
    job, _, _ = made
    face = TalkingFace(FaceRenderer(Face(), {}, stand_ins.SIZE), stand_ins.StandInMotion(), "0" * 64, "stand-in")
    demo.run_demo(dataclasses.replace(job, others=tuple(demo.OTHERS)), face)
    text = job.page.read_text()
    for name in demo.OTHERS:
        assert verify(job.output.with_name(f"{name}.mp4")).intact
    assert text.count("<video") == 3 and "CC0" in text and "public domain" in text
    assert "photo.mp4" in capsys.readouterr().out


def test_writes_a_verified_video_and_a_page_that_loads_nothing(made):
    job, report, said = made
    assert sorted(path.name for path in job.output.parent.iterdir()) == ["report.html", "talking.mp4"]
    assert report["intact"] and report["generation"]["frames"] == media.AudioReader(demo.SPEECH).frames
    files.write_json(job.output.with_name("report.json"), report)
    assert json.loads(job.output.with_name("report.json").read_text())["measured"]["turn_range"] == 0
    text = job.page.read_text()
    page = Page(text)
    assert not page.open and len(page.loaded) >= 4
    assert all(source.startswith("data:") for source in page.loaded)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "marks intact" in text and f"frames, {report['generation']['seconds']:.1f} s of video" in said
    for number in range(1, 6):
        assert f"  {number}/5  " in said
    assert said.count("--output=") == 2 and "talking.mp4" in said.splitlines()[-1]


def test_seconds_of_the_stages_add_up(made):
    _, report, _ = made
    seconds = report["seconds"]
    assert all(value >= 0 for value in seconds.values())
    parts = sum(seconds[name] for name in ("load", "portrait", "compile", "generate", "measure"))
    assert parts <= seconds["total"] + 0.01
    assert seconds["motion"] + seconds["decode"] + seconds["write"] + seconds["sign"] <= seconds["generate"] + 0.01


def test_the_shipped_portrait_and_recording_serve():
    """The face is found without a model file; the recording has a pause that lets the mouth close."""
    image = images.read_image(demo.PORTRAIT)
    box = portrait.find_face(image)
    assert image.shape == (512, 512, 3) and box.faces == 1
    # Drawn at 0.8 of the size of a crop that spans -1.25..1.25 of the head's frame: half side 512 / 2 * 0.8 / 1.25.
    assert box.half == pytest.approx(164, rel=0.15) and np.hypot(box.x - 256, box.y - 256) < 0.15 * 164
    audio = np.concatenate(list(media.AudioReader(demo.SPEECH).mono()))
    assert 4 < len(audio) / 16_000 < 7
    loud = np.abs(audio).reshape(-1, 640).max(1) > 0.02
    starts = np.flatnonzero(np.diff(loud.astype(int)))
    longest = max(b - a for a, b in zip(starts, starts[1:]) if not loud[a + 1])
    assert longest > 0.5 * 25


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--portrait=absent.jpg"], 3, "absent.jpg does not exist"),
        (["--audio=."], 3, "is a folder"),
        (["--output=/proc/none"], 3, "--output=/proc/none"),
        (["--checkpoint=/nowhere"], 3, "/nowhere"),
        (["--colour=red"], 2, "colour"),
    ],
)
def test_one_line_that_says_what_is_wrong(tmp_path, flags, code, says):
    given = flags if any(flag.startswith("--output") for flag in flags) else [*flags, f"--output={tmp_path}/demo"]
    command = [sys.executable, "-m", "experiments.demo", *given]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "VASA_KEYS": str(tmp_path / "keys"), "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr[-2000:]
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and says in lines[0]
    assert not list(tmp_path.rglob("*.mp4"))
