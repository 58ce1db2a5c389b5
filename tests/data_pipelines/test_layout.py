import collections

import numpy as np
import pytest

from data_pipelines import layout
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError


def test_shares_of_the_splits():
    counts = collections.Counter(layout.split_of(f"person {i}", test=0.1, validation=0.2) for i in range(4000))
    assert counts["test"] == pytest.approx(400, abs=80) and counts["validation"] == pytest.approx(800, abs=120)
    assert layout.split_of("anna", 0.0, 0.0) == "train"


@pytest.mark.parametrize("text", ["s1_bbaf2n", "id00012_21Uxsk56VDQ_00001", "1.2-b"])
def test_plain_names_stay(text):
    assert layout.safe_name(text) == text


def test_other_names_become_fit_and_stay_apart():
    texts = ["a b", "a/b", "a:b", "-ab", ".ab", "", "é" * 200, "é" * 201, "x" * 300, "x" * 301]
    names = [layout.safe_name(text) for text in texts]
    assert len(set(names)) == len(texts) and all(name.isascii() and name[0] not in "-." for name in names)


def test_headers(tmp_path, video_writer):
    video_writer(tmp_path / "a.mp4", np.zeros((4, 48, 64, 3), np.uint8), np.zeros(4000), fps=30)
    assert layout.header(tmp_path / "a.mp4") == layout.Header(30.0, 64, 48)
    touch(tmp_path, "empty.mp4")
    write(tmp_path, {"text.mp4": "not a video"})
    assert layout.header(tmp_path / "empty.mp4") is layout.header(tmp_path / "text.mp4") is None
    assert layout.header(tmp_path / "absent.mp4") is None


def test_tables(tmp_path):
    write(tmp_path, {"a.txt": "\ufeffx 1  2\n\n  \ny\t3\n"})
    assert layout.table(tmp_path / "a.txt") == [["x", "1", "2"], ["y", "3"]]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("b.txt", "absent.txt"):
        with pytest.raises(InputError, match=f"{name}: cannot be read"):
            layout.table(tmp_path / name)
