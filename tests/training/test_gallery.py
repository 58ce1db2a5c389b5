"""Samples become files, and a page that shows them and loads nothing from elsewhere."""

import json
import re

import numpy as np
import pytest
import soundfile

from vasa_jax import media
from vasa_jax.training import gallery


def test_the_page_shows_every_kind_of_sample(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"step": step, "loss": 1 / step, "eval/l1": 0.5, "other": 3.0} for step in (1, 5, 10)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    samples = {
        "grid": rng.random((8, 12, 3)),
        "turn": rng.random((4, 16, 16, 3)),
        "speech": 0.1 * rng.normal(size=1600),
    }
    gallery.update(tmp_path, 5, {"grid": samples["grid"] * np.nan})
    page = gallery.update(tmp_path, 10, samples).read_text()
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == 4 and all((tmp_path / source).is_file() for source in sources)
    assert "://" not in page and page.index("Step 10") < page.index("Step 5<")
    assert page.count("<polyline") == 2 and "eval/l1 <b>0.5</b>" in page and "<script" not in page
    assert soundfile.info(tmp_path / "pictures" / "0000010_speech.wav").samplerate == 16_000
    video = media.VideoReader(tmp_path / "pictures" / "0000010_turn.mp4")
    assert len(list(video)) == 4


def test_only_the_newest_evaluations_are_shown(tmp_path):
    for step in range(20):
        gallery.update(tmp_path, step, {"grid": np.zeros((2, 2, 3))})
    page = (tmp_path / gallery.NAME).read_text()
    assert page.count("<h2>") == 12 and len(list((tmp_path / "pictures").iterdir())) == 20


def test_other_shapes_are_told(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        gallery.save(tmp_path, 1, {"odd": np.zeros((2, 2))})
