"""Wishes are checked where they are made, with the nearest name that would be right."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vasa_jax import conditions
from vasa_jax.conditions import EMOTIONS
from vasa_jax.errors import UsageError
from vasa_jax.inference.controls import Controls


def test_parsing():
    parse_gaze, parse_emotion = (conditions.get(name).parse for name in ("gaze", "emotion"))
    assert parse_gaze("0.2,-0.1") == (0.2, -0.1)
    assert parse_emotion("") == {}
    assert parse_emotion("happiness:0.6, surprise:0.2") == {"happiness": 0.6, "surprise": 0.2}
    assert parse_emotion("fear") == {"fear": 1.0}
    for text in ("1", "1,2,3", "left,up", ""):
        with pytest.raises(UsageError, match="theta,phi"):
            parse_gaze(text)
    with pytest.raises(UsageError, match="happiness:0.6"):
        parse_emotion("happiness:lots")


@given(st.sampled_from(EMOTIONS), st.floats(-1, 1))
def test_emotions_keep_their_order(name, value):
    vector = Controls(emotion={name: value}).emotion_vector()
    assert vector[EMOTIONS.index(name)] == np.float32(value) and np.count_nonzero(vector) <= 1


@pytest.mark.parametrize(
    "given, words",
    [
        ({"emotion": {"hapiness": 0.5}}, "did you mean happiness"),
        ({"emotion": {"xyz": 0.5}}, "one of anger"),
        ({"emotion": {"fear": 1.5}}, "from -1 to 1"),
        ({"emotion": {"fear": float("nan")}}, "from -1 to 1"),
        ({"blinks": "sometimes"}, "one of auto, model, off"),
        ({"gaze": (2.0, 0.0)}, "radians"),
        ({"gaze": (float("nan"), 0.0)}, "radians"),
        ({"distance": 9.0}, "from -5 to 5"),
        ({"steps": 0}, "from 1 to 1000"),
        ({"cfg_audio": -1.0}, "from 0 to 20"),
        ({"cfg_gaze": float("inf")}, "from 0 to 20"),
        ({"seed": -1}, "whole number"),
        ({"cfg_previous": 21.0}, "from 0 to 20"),
        ({"sampler": "euler"}, "ddpm, ddim"),
        ({"hop": 0}, "at least 1"),
        ({"gaze": np.zeros((4, 3))}, "radians"),
        ({"gaze": np.full((4, 2), np.nan)}, "radians"),
        ({"gaze": "left"}, "as numbers"),
        ({"distance": [0.0, 6.0]}, "from -5 to 5"),
        ({"distance": []}, "from -5 to 5"),
        ({"emotion": {"fear": [0.0, 2.0]}}, "emotion fear"),
    ],
)
def test_what_cannot_be_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Controls(**given)


def test_tracks_of_unequal_length_hold_their_last_value():
    vector = Controls(
        emotion={"fear": [0.0, 0.5], "anger": np.asarray([0.1, 0.2, 0.3]), "sadness": 0.4}
    ).emotion_vector()
    assert vector.shape == (3, 8)
    np.testing.assert_allclose(vector[:, EMOTIONS.index("fear")], [0, 0.5, 0.5])
    np.testing.assert_allclose(vector[:, EMOTIONS.index("anger")], [0.1, 0.2, 0.3])
    np.testing.assert_allclose(vector[:, EMOTIONS.index("sadness")], 0.4)


def test_what_guides_and_what_a_report_says():
    asked = Controls(cfg_audio=0.0, cfg_emotion=1.5, gaze=np.zeros((7, 2)), distance=np.zeros(3), emotion={"fear": 0.5})
    assert asked.guidance() == {"gaze": 1.0, "emotion": 1.5}
    said = json.loads(json.dumps(asked.described()))
    assert said["gaze"] == "track of 7 frames" and said["distance"] == "track of 3 frames"
    assert said["emotion"] == {"fear": 0.5} and said["cfg_emotion"] == 1.5
    assert json.loads(json.dumps(Controls().described()))["gaze"] == [0, 0]
