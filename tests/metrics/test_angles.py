import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from vasa_jax.metrics import angles


def test_same_convention_as_the_data():
    gaze = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 2))
    assert np.allclose(angles.gaze_direction(gaze), schema.gaze_direction(gaze))


def test_gaze_error_is_the_angle():
    assert angles.gaze_error(np.zeros(2), np.radians([0.0, 10.0])) == pytest.approx(10.0)
    assert angles.gaze_error(np.zeros(2), np.radians([1e-4, 0.0])) == pytest.approx(1e-4)
    tiny = np.random.default_rng(1).uniform(-0.5, 0.5, (5, 2))
    assert np.allclose(angles.gaze_error(tiny, tiny), 0.0)


def test_camera_gaze_adds_the_head_s_turn():
    # A head turned by theta about y whose eyes look straight ahead looks where its nose points.
    rotation = np.asarray([[0.0, 0.2, 0.0]])
    nose = Rotation.from_euler("xyz", rotation).as_matrix()[0] @ [0.0, 0.0, -1.0]
    found = angles.camera_gaze(np.zeros((1, 2)), rotation)
    assert np.allclose(angles.gaze_direction(found)[0], nose)
    eyes = np.asarray([[0.1, -0.05]])
    assert np.allclose(angles.camera_gaze(eyes, np.zeros((1, 3))), eyes)


def test_mean_gaze_of_opposite_looks_is_ahead():
    assert np.allclose(angles.mean_gaze(np.asarray([[0.3, 0.1], [-0.3, 0.1]]))[0], 0.0)


def test_rotation_error():
    a = np.radians([[10.0, 0.0, 0.0], [0.0, 20.0, 5.0]])
    b = np.radians([[13.0, 0.0, 0.0], [0.0, 20.0, 5.0]])
    assert np.allclose(angles.rotation_error(a, b), [3.0, 0.0], atol=1e-6)
