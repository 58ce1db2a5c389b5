"""Gaze and expression laid over codes: where, how fast, and that nothing else is touched."""

import numpy as np
import pytest

from vasa_jax.conditions import EMOTIONS
from vasa_jax.inference import leading
from vasa_jax.inference.leading import Courses, Leading, courses_of, told_beside
from vasa_jax.training.expressions import CHANNELS

D = 8
COURSES = Courses(np.eye(D)[:2], np.eye(D)[2:5])
HOME = np.asarray([0, 0, 0, 0, 0, 0, 1.0])
MOTION = np.concatenate([HOME, np.full(D, 0.25)])


def emotion(**strengths) -> np.ndarray:
    return np.asarray([strengths.get(name, 0.0) for name in EMOTIONS])


def led(frames, told=None) -> np.ndarray:
    told = {"gaze": (0.0, 0.0), "emotion": emotion()} | (told or {})
    shown = np.stack(list(Leading(COURSES, HOME, glances=False).over(iter([MOTION] * frames), told)))
    np.testing.assert_array_equal(shown[:, :7], MOTION[None, :7].repeat(frames, 0))
    np.testing.assert_array_equal(shown[:, 12:], 0.25)
    return shown[:, 7:12] - 0.25


def test_who_asks_for_nothing_gets_the_portrait():
    np.testing.assert_array_equal(led(50), 0)


@pytest.mark.parametrize("name", EMOTIONS)
def test_an_emotion_comes_by_degrees_to_its_face(name):
    amounts = led(100, {"emotion": emotion(**{name: 0.5})})[:, 2:]
    np.testing.assert_allclose(amounts[-1], 0.5 * leading.FACES[EMOTIONS.index(name)], atol=1e-3)
    assert (np.abs(np.diff(amounts, axis=0)) <= 0.12).all()
    assert (np.diff(np.abs(amounts), axis=0) >= -1e-12).all()


def test_emotions_add_up_to_what_channels_can():
    asked = emotion(happiness=1.0, surprise=1.0, fear=1.0)
    assert np.abs(led(200, {"emotion": asked})[:, 2:]).max() <= 1.0


def test_faces_name_every_emotion_and_channel():
    """Brows rise with surprise and fear alone, and come together with anger most."""
    faces = dict(zip(EMOTIONS, leading.FACES, strict=True))
    assert leading.FACES.shape == (len(EMOTIONS), len(CHANNELS)) and not faces["neutral"].any()
    assert {name for name, face in faces.items() if face[1] > 0.5} == {"surprise", "fear"}
    assert min(faces, key=lambda name: faces[name][2]) == "anger"


def test_gaze_and_emotion_may_be_tracks_whose_last_holds_on():
    gaze = np.asarray([(0.0, 0.0), (0.1, 0.0), (0.2, 0.1)])
    feeling = np.stack([emotion(), emotion(surprise=1.0)])
    turned = led(120, {"gaze": gaze, "emotion": feeling})
    np.testing.assert_allclose(turned[:4, :2], [(0, 0), (0.1, 0), (0.2, 0.1), (0.2, 0.1)], atol=1e-9)
    assert not turned[0, 2:].any() and turned[1, 3] > 0
    np.testing.assert_allclose(turned[-1, 2:], leading.FACES[EMOTIONS.index("surprise")], atol=1e-3)


def test_a_release_leads_if_it_keeps_both():
    stats = {"mean": 0, "gaze": np.ones((2, D)), "expressions": np.ones((3, D))}
    found = courses_of(stats)
    assert found is not None and found.gaze.shape == (2, D) and found.expressions.shape == (3, D)
    assert courses_of({"mean": 0, "gaze": stats["gaze"]}) is None


def test_the_motion_model_is_told_the_rest():
    told = told_beside({"gaze": np.ones((5, 2)), "emotion": np.ones(8), "distance": 0.5})
    assert told["distance"] == 0.5 and told["emotion"].all()
    np.testing.assert_array_equal(told["gaze"], np.zeros(2))
