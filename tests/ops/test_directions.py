"""Rotations compose as rotations, and a gaze is that of the eyes in the head, turned along."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vasa_jax.metrics import angles
from vasa_jax.ops import directions

angle = st.floats(-0.8, 0.8)
rotation = st.tuples(angle, angle, angle).map(np.asarray)
gaze = st.tuples(angle, angle).map(np.asarray)
fewer = settings(max_examples=40, deadline=None)


@fewer
@given(rotation)
def test_nothing_changes_by_the_identity_and_all_is_undone_by_the_inverse(turn):
    still = np.zeros(3)
    np.testing.assert_allclose(directions.compose(still, turn), turn, atol=1e-12)
    np.testing.assert_allclose(directions.compose(turn, still), turn, atol=1e-12)
    back = Rotation.from_euler("xyz", turn).inv().as_euler("xyz")
    np.testing.assert_allclose(directions.compose(back, turn), still, atol=1e-12)


@fewer
@given(rotation, rotation)
def test_the_outer_rotation_comes_last(outer, inner):
    points = np.eye(3)
    once = directions.turn(directions.compose(outer, inner), points)
    np.testing.assert_allclose(once, directions.turn(outer, directions.turn(inner, points)), atol=1e-12)


@fewer
@given(rotation, rotation, st.floats(0.001, 0.03))
def test_small_angles_add(outer, inner, size):
    """What adding angles forgets is of the second order."""
    outer, inner = size * outer, size * inner
    error = np.abs(directions.compose(outer, inner) - (outer + inner)).max()
    assert error <= 2 * size**2


@fewer
@given(rotation, gaze)
def test_a_gaze_before_a_turn_is_this_gaze_after_it(turn, wanted):
    before = directions.gaze_before(turn, wanted)
    # Eyes that stand so in a head, which is turned: `camera_gaze` is what an image of it shows.
    np.testing.assert_allclose(angles.camera_gaze(before, turn), wanted, atol=1e-9)
    np.testing.assert_allclose(directions.gaze_before(np.zeros(3), wanted), wanted, atol=1e-12)


def test_tracks_turn_frame_by_frame():
    track, turn = np.linspace(-0.3, 0.3, 10).reshape(5, 2), np.asarray([0.1, -0.4, 0.05])
    rows = [directions.gaze_before(turn, one) for one in track]
    np.testing.assert_allclose(directions.gaze_before(turn, track), rows)
