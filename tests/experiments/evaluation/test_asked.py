"""What photographs are asked for, and how it is scored, with eyes and scores that are known."""

import types

import numpy as np
import pytest

from experiments.evaluation import asked
from vasa_jax.errors import InputError
from vasa_jax.inference import leading

D = 8
COURSES = leading.Courses(np.eye(D)[:2], np.eye(D)[2:5])
HOME = np.asarray([0.05, -0.1, 0.02, 0, 0, 0, 1.0])
LOOK = types.SimpleNamespace(home=HOME, code=np.zeros(D))
IMAGES = 13 + len(asked.SIGNS)


def test_images_ask_for_one_thing_each():
    motions = asked.motions(LOOK, COURSES)
    eyes, amounts = motions[:, 7:9], motions[:, 9:12]
    assert len(motions) == IMAGES
    np.testing.assert_allclose(motions[0], np.concatenate([HOME, np.zeros(D)]), atol=1e-9)
    for where, axis, wanted in (asked.PARTS["aside"], asked.PARTS["up"]):
        # The portrait's head is turned a little itself, so that the angles in the head are about those in the room.
        np.testing.assert_allclose(eyes[where, axis], wanted, atol=0.02)
        assert not amounts[where].any()
    where, _, turned = asked.PARTS["held"]
    assert (np.abs(motions[where, :3] - HOME[:3]).max(-1) > 0.05).all()
    np.testing.assert_allclose(eyes[where, 0], turned, atol=0.02)
    assert not eyes[13:].any() and (np.abs(amounts[13:]).max(-1) > 0.1).all()


def _rows(gain: float, people: int = 3):
    """Eyes that go a share of the way, of one person shut; scores that rise but for disgust."""
    made = []
    for n in range(people):
        eyes = np.zeros((IMAGES, 2))
        for where, axis, wanted in asked.PARTS.values():
            eyes[where, axis] = gain * np.asarray(wanted)
        if n == 0:
            eyes[1:3] = np.nan
        emotions = {name: -0.1 if name == "disgust" else 0.2 for name in asked.SIGNS}
        made.append({"name": str(n), "eyes": eyes.tolist(), "emotions": emotions})
    return made


@pytest.mark.parametrize("gain", (1.0, 0.6, -0.5))
def test_gain_and_sign_are_found(gain):
    report = asked.summary(_rows(gain))
    for name in asked.PARTS:
        assert report[name]["gain"] == pytest.approx(gain)
        assert report[name]["correlation"] == pytest.approx(np.sign(gain))
        assert (report[name]["error_degrees"] == pytest.approx(0, abs=1e-6)) == (gain == 1)
    assert report["emotions"]["disgust"] == pytest.approx({"rise": -0.1, "right": 0.0})
    assert report["emotions"]["anger"] == pytest.approx({"rise": 0.2, "right": 1.0})
    asked.show(report)


def test_a_release_that_leads_nothing_is_told():
    with pytest.raises(InputError, match="vasa-export --lead"):
        asked.run(lambda _: LOOK, lambda *_: None, None, None, [])


def test_portraits_that_nobody_can_read_are_told():
    nobody = types.SimpleNamespace(track=lambda name, frames: types.SimpleNamespace(valid=np.zeros(IMAGES, bool)))
    paint = lambda look, motions: np.zeros((len(motions), 8, 8, 3), np.uint8)  # noqa: E731
    with pytest.raises(InputError, match="reads no portrait"):
        asked.run(lambda _: LOOK, paint, COURSES, nobody, [types.SimpleNamespace(name="a")])
