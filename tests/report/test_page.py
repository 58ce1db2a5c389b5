import dataclasses

import numpy as np

from tests.report.test_timeline import _clip
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.report import page


def _report(folder, **changes):
    video = folder / "v.mp4"
    video.write_bytes(b"video")
    texts = {
        field.name: field.name for field in dataclasses.fields(page.Report) if field.type is str or field.type == "str"
    }
    values = texts | {
        "video": video,
        "portrait": np.zeros((600, 900, 3), np.uint8),
        "box": FaceBox(450.0, 300.0, 90.0, tilt=20.0),
        "clip": _clip(10),
        "stats": [("what", "1 %")],
        "stages": [page.Stage("A", "first", 2.0), page.Stage("B", "second", 0.5, frames=10)],
        "facts": [("fact", "value")],
        "commands": [("do", "run me")],
        "intact": True,
    }
    return page.Report(**(values | changes))


def test_texts_are_escaped_and_the_sum_of_the_stages_is_shown(tmp_path):
    page.write(tmp_path / "r.html", _report(tmp_path, lede="<b>&", commands=[("x", "a < b")], facts=[("<i>", "<u>")]))
    text = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;&amp;" in text and "<span>a</span> <span>&lt;</span>" in text and "<u>" not in text
    assert ">2.5<" in text and ">20.0<" in text  # seconds in all; frames a second of B
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "v.mp4"]


def test_the_crop_is_drawn_on_the_shrunk_portrait(tmp_path):
    page.write(tmp_path / "r.html", _report(tmp_path))
    text = (tmp_path / "r.html").read_text()
    scale = 480 / 900
    assert 'viewBox="0 0 480 320"' in text
    assert f'x="{scale * 360:.1f}" y="{scale * 210:.1f}" width="{scale * 180:.1f}"' in text
    assert f"rotate(20 {scale * 450:.1f} {scale * 300:.1f})" in text
