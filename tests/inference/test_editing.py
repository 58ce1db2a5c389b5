"""Movements made without speech, and where a head starts."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vasa_jax.inference import editing


def test_names_and_files(tmp_path):
    assert not any(map(editing.is_video, (None, "frontal", "spin", "portrait")))
    assert editing.is_video("./spin") and editing.is_video(tmp_path / "a.mp4")
    assert editing.same_video("a.mp4", "./a.mp4") and not editing.same_video("spin", "spin")


def test_spinning_starts_from_rest_and_returns():
    pose = editing.spin(300)
    np.testing.assert_allclose(pose[0], [0, 0, 0, 0, 0, 0, 1], atol=1e-7)
    np.testing.assert_allclose(pose[100], pose[200], atol=1e-5)  # a round
    assert np.abs(np.diff(pose[:, :2], axis=0)).max() < np.radians(2)  # no jump
    assert np.degrees(pose[:, 1].max()) > 15 and np.degrees(pose[:, 1].min()) < -15
    axis = np.asarray(editing._AXIS)
    places = Rotation.from_euler("xyz", pose[:, :3]).apply(axis) + pose[:, 3:6]
    np.testing.assert_allclose(places, np.broadcast_to(axis, places.shape), atol=1e-6)


@settings(max_examples=50)
@given(st.integers(1, 9), st.integers(0, 60))
def test_forth_and_back_never_jumps(count, at):
    here, there = editing.forth_and_back(at, count), editing.forth_and_back(at + 1, count)
    assert 0 <= here < count and abs(here - there) == (1 if count > 1 else 0)


def test_the_head_starts_where_the_portrait_has_it():
    """The pose of rest, a frontal head in the middle of the crop, becomes the portrait's own."""
    home = np.asarray([0.1, -0.2, 0.05, 0.02, 0.03, 0.0, 0.9])
    rest = np.asarray([0, 0, 0, 0, 0, 0, 1.0, 7, 8])
    np.testing.assert_allclose(editing.from_home(rest, home, turned=True), [*home, 7, 8], atol=1e-12)
    np.testing.assert_allclose(editing.from_home(rest, home, turned=False)[:3], 0.0)
    moved = np.asarray([0, 0, 0, 0.1, 0, 0, 1.1, 0, 0])
    np.testing.assert_allclose(editing.from_home(moved, home, turned=False)[[3, 6]], [0.12, 0.99])


def test_a_portrait_that_faces_the_viewer_leaves_the_motion_as_it_is():
    motion = np.asarray([0.2, -0.3, 0.1, 0.05, 0.02, 0.01, 1.1, 7, 8], np.float32)
    home = np.asarray([0, 0, 0, 0.02, 0.03, 0, 0.9], np.float32)
    turned, plain = (editing.from_home(motion, home, turned=turned) for turned in (True, False))
    assert turned.dtype == np.float32
    np.testing.assert_array_equal(turned, plain)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.6, 0.6), min_size=6, max_size=6))
def test_what_a_head_turns_about_stays_on_a_turned_portrait(angles):
    """A head that nods about its neck nods about its neck, whichever way the portrait is turned."""
    nod, home = np.asarray(angles[:3]), np.asarray([*angles[3:], 0.02, 0.03, 0.0, 1.0])
    neck = np.asarray([0.0, 0.3, 0.35])
    motion = np.asarray([*nod, *(neck - Rotation.from_euler("xyz", nod).apply(neck)), 1.0])
    placed = editing.from_home(motion, home, turned=True)
    shown = [Rotation.from_euler("xyz", pose[:3]).apply(neck) + pose[3:6] for pose in (placed, home)]
    np.testing.assert_allclose(*shown, atol=1e-9)
