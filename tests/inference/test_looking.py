"""Eyes that stay where they are asked to look: against a geometry of its own, not that of the code."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vasa_jax.inference import looking
from vasa_jax.inference.looking import LIMIT, SPEED, Looking
from vasa_jax.ops.directions import gaze_angles, gaze_direction

D = 5
COURSE = np.eye(2, D)
HOMES = ((0, 0, 0), (0.05, 0.3, -0.1))


def motion(rotations) -> np.ndarray:
    made = np.zeros((len(rotations), 7 + D))
    made[:, :3] = rotations
    made[:, 7:] = 0.25  # what else the code says
    return made


def eyes(performance: Looking, rotations, gaze=(0.0, 0.0)) -> np.ndarray:
    """Radians by which the eyes turn from where the portrait has them."""
    shown = np.stack([performance.frame(frame, np.asarray(gaze)) for frame in motion(rotations)])
    np.testing.assert_array_equal(shown[:, :7], motion(rotations)[:, :7])
    np.testing.assert_array_equal(shown[:, 9:], 0.25)
    return shown[:, 7:9] - 0.25


def steady(rotation) -> Looking:
    """Eyes that do not glance elsewhere."""
    return Looking(COURSE, home(rotation), glances=False)


def home(rotation) -> np.ndarray:
    return np.asarray([*rotation, 0, 0, 0, 1], float)


@pytest.mark.parametrize("rotation", HOMES)
def test_a_portrait_that_stays_keeps_its_eyes(rotation):
    np.testing.assert_allclose(eyes(steady(rotation), [rotation] * 60), 0, atol=1e-9)


@pytest.mark.parametrize("rotation", HOMES)
@pytest.mark.parametrize("gaze", ((0.0, 0.0), (0.15, -0.1)))
def test_the_direction_in_the_room_is_the_one_asked_for_wherever_the_head_turns(rotation, gaze):
    """The eyes in the head, which the portrait had into the camera, and then the head: the gaze."""
    wander = np.asarray(rotation) + 0.12 * np.sin(np.arange(80)[:, None] / [9, 7, 11])
    turned = eyes(steady(rotation), wander, gaze)
    into_camera = gaze_angles(Rotation.from_euler("xyz", rotation).inv().apply(gaze_direction(np.zeros(2))))
    heads = Rotation.from_euler("xyz", wander)
    got = gaze_angles(heads.apply(gaze_direction(into_camera + turned)))
    np.testing.assert_allclose(got[5:], np.tile(gaze, (75, 1)), atol=1e-6)


def test_far_is_as_far_as_eyes_go_and_no_faster():
    turned = eyes(steady(HOMES[0]), [(0, 0, 0)] * 20, (1.0, -1.0))
    np.testing.assert_allclose(turned[-1], [LIMIT[0], -LIMIT[1]])
    assert np.abs(np.diff(turned, axis=0)).max() <= SPEED + 1e-9


def test_glances_are_small_short_and_by_the_seed():
    some, other = (eyes(Looking(COURSE, home(HOMES[0]), seed), [(0, 0, 0)] * 1500) for seed in (0, 1))
    np.testing.assert_array_equal(some, eyes(Looking(COURSE, home(HOMES[0]), 0), [(0, 0, 0)] * 1500))
    assert not np.array_equal(some, other)
    assert np.abs(some[:25]).max() == 0  # a video starts from the portrait as it is
    moved = np.flatnonzero(np.abs(np.diff(some, axis=0)).max(-1) > 0)
    assert 20 < len(moved) < 120  # of a minute
    assert (some.std(0) > 0.3 * looking.GLANCE).all() and (np.abs(some).max(0) < 5 * looking.GLANCE).all()
    assert (np.abs(some.mean(0)) < looking.GLANCE).all()
