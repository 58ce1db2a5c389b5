"""Tracks from CSV files: interpolation, what holds where nothing is said, and one line for every mistake."""

import numpy as np
import pytest

from vasa_jax.errors import InputError
from vasa_jax.inference import tracks
from vasa_jax.inference.controls import Controls


@pytest.fixture
def write(tmp_path):
    def make(text: str) -> str:
        path = tmp_path / "track.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def test_lines_between_rows_and_the_first_and_last_hold(write):
    found = tracks.read(write("frame,gaze_theta,happiness\n2, 0.2,0\n\n4,0.4,1\n"))
    np.testing.assert_allclose(found["gaze_theta"], [0.2, 0.2, 0.2, 0.3, 0.4, 0.4], atol=1e-6)
    np.testing.assert_allclose(found["happiness"], [0, 0, 0, 0.5, 1, 1], atol=1e-6)


def test_seconds_are_25_frames(write):
    found = tracks.read(write("\ufeffseconds,distance\n0,0\n1,5\n"))["distance"]
    np.testing.assert_allclose(found[[0, 5, 25]], [0, 1, 5], atol=1e-6)


def test_what_has_no_column_stays_as_it_was_asked(write):
    path = write("frame,gaze_phi,fear\n0,0.1,0.5\n1,0.2,0.5\n")
    asked = Controls(**tracks.merge({"gaze": (0.3, 0.0), "emotion": {"anger": 0.2}, "steps": 5}, path))
    np.testing.assert_allclose(asked.gaze, [[0.3, 0.1], [0.3, 0.2], [0.3, 0.2]], atol=1e-6)
    assert asked.distance == 0.0 and asked.steps == 5
    np.testing.assert_allclose(asked.emotion_vector()[1, [0, 3]], [0.2, 0.5], atol=1e-6)
    assert tracks.merge({"steps": 5}, None) == {"steps": 5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,distance\n0,0\n", "seconds or frame"),
        ("frame,joy\n0,0\n", "'joy' is unknown"),
        ("frame\n0\n", "beside frame"),
        ("frame,fear,fear\n0,0,0\n", "each once"),
        ("frame,fear\n", "no rows"),
        ("frame,fear\n0,0\n1\n", "line 3: 1 values for 2 columns"),
        ("frame,fear\n0,a bit\n", "line 2: fear 'a bit' is no number"),
        ("frame,fear\n0,2\n", "from -1 to 1"),
        ("frame,gaze_phi\n0,nan\n", "from -1 to 1"),
        ("seconds,distance\n0,0\n3,1\n3,2\n", "line 4: seconds does not rise"),
        ("frame,distance\nnan,0\n", "is no time"),
        ("seconds,distance\n-1,0\n", "between 0 and 600"),
        ("seconds,distance\n601,0\n", "between 0 and 600"),
        ("\n", "the first column"),
    ],
)
def test_one_line_that_says_what_is_wrong(write, text, words):
    with pytest.raises(InputError, match=words) as error:
        tracks.read(write(text))
    assert "\n" not in str(error.value) and "track.csv" in str(error.value)


def test_files_that_hold_no_text(tmp_path):
    (tmp_path / "track.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="no CSV"):
        tracks.read(tmp_path / "track.csv")
    with pytest.raises(InputError, match="does not exist"):
        tracks.read(tmp_path / "absent.csv")
