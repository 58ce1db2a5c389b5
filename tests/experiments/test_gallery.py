"""The gallery end to end on stand-in models."""

import pathlib
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from experiments import gallery
from tests.data_pipelines.files import touch
from tests.inference import stand_ins
from vasa_jax.errors import InputError, UsageError

PORTRAIT = pathlib.Path(gallery.__file__).parents[1] / "vasa_jax" / "assets" / "portrait.jpg"


def write_audio(path: pathlib.Path, seconds: float) -> pathlib.Path:
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, round(16_000 * seconds)), 16_000)
    return path


def test_a_page_that_holds_all_videos_and_names_what_failed(tmp_path):
    blank = tmp_path / "<blank>.png"
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(blank)
    sounds = [write_audio(tmp_path / f"{name}.wav", 0.4) for name in "ab"]
    out = tmp_path / "out"
    out.mkdir()
    report = gallery.run_gallery([PORTRAIT, blank, PORTRAIT], sounds, out, "mine", face=stand_ins.talking_face())
    assert [entry["recording"] for entry in report["faces"]] == ["a.wav", "b.wav", "a.wav"]
    assert ["failed" in entry for entry in report["faces"]] == [False, True, False]
    assert sorted(path.name for path in out.glob("*.mp4")) == ["01_portrait.mp4", "03_portrait.mp4"]
    page = (out / "gallery.html").read_text()
    assert page.count("data:video/mp4;base64,") == 2 and "&lt;blank&gt;.png" in page and "<blank>" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    with pytest.raises(InputError, match="none of 1 portraits"):
        gallery.run_gallery([blank], sounds, out, "mine", face=stand_ins.talking_face())


def test_recordings_that_are_too_long(tmp_path):
    with pytest.raises(UsageError, match="longer than 30 s; cut it"):
        gallery.run_gallery([PORTRAIT], [write_audio(tmp_path / "a.wav", 30.5)], tmp_path, "mine")


def test_people_who_did_not_agree_are_not_shown(tmp_path):
    touch(tmp_path, "london_set/a.jpg", "mine/b.jpg", "mine/c.jpg", "mine/d.jpg", "us_congress/e.jpg")
    assert [path.name for path in gallery.find_portraits(str(tmp_path), 2)] == ["b.jpg", "d.jpg"]
    with pytest.raises(InputError, match="did not agree"):
        gallery.find_portraits(str(tmp_path / "london_set"), 2)
    with pytest.raises(InputError, match="no image"):
        gallery.find_portraits(str(tmp_path / "absent"), 2)
