"""Exactness of a posed head: what the labels say is where the image has it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import expression_basis
from data_pipelines.synthetic.head import FrameState, Head
from vasa_jax import landmarks


@pytest.fixture(scope="module")
def person() -> Head:
    return Head(5, texture_size=128)


def _state(rotation=(0, 0, 0), translation=(0, 0, 0), scale=1.0, gaze=(0, 0), **strengths):
    expression = np.zeros(len(expression_basis.NAMES))
    for name, amount in strengths.items():
        expression[expression_basis.NAMES.index(name)] = amount
    rotation = np.asarray(rotation, float)
    return FrameState(
        expression, rotation, np.asarray(translation, float), scale, np.asarray(gaze, float), 0.3 * rotation
    )


def test_fitted_pose_is_the_true_one_up_to_a_constant_of_the_identity(person):
    rng = np.random.default_rng(0)
    first = None
    for _ in range(5):
        rotation, scale = rng.uniform(-0.6, 0.6, 3), rng.uniform(0.8, 1.2)
        state = _state(
            rotation, rng.normal(0, 0.1, 3), scale, jaw=rng.random(), smile=rng.random(), lid_left=rng.random()
        )
        pose = landmarks.fit_pose(person.pose(state).landmarks)
        offset = Rotation.from_euler("xyz", rotation).inv() * Rotation.from_euler("xyz", pose[:3])
        constant = np.append(offset.as_rotvec(), pose[6] / scale)
        first = constant if first is None else first
        # float32 poses: 1e-4 is their rounding through the SVD.
        np.testing.assert_allclose(constant, first, atol=1e-4)
        assert np.abs(constant[:3]).max() < 0.12


def test_surface_landmarks_are_mesh_points(person):
    posed = person.pose(_state((0.2, -0.4, 0.1), jaw=0.4))
    distance = np.linalg.norm(posed.landmarks[:, None] - posed.points[None], axis=-1).min(1)
    surface = np.arange(landmarks.COUNT) < landmarks.SLICES["irises"].start
    assert distance[surface].max() < 1e-9


def test_irises_lie_along_the_gaze_in_the_camera_frame(person):
    for gaze in ((0, 0), (0.3, 0.1), (-0.2, -0.2)):
        state = _state((0.1, 0.4, 0), scale=1.1, gaze=gaze)
        posed = person.pose(state)
        turn = Rotation.from_euler("xyz", state.rotation).as_matrix()
        centres = 1.1 * person.eyes @ turn.T
        direction = posed.landmarks[landmarks.SLICES["irises"]] - centres
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        np.testing.assert_allclose(schema.gaze_angles(direction), np.tile(gaze, (2, 1)), atol=1e-6)


def test_lids_stay_outside_the_eyeball(person):
    for closure in (0.0, 0.5, 1.0):
        canonical = person.pose(_state(lid_left=closure, lid_right=closure)).canonical
        for centre, name in zip(person.eyes, ("eye_left", "eye_right"), strict=True):
            distance = np.linalg.norm(canonical[landmarks.SLICES[name]] - centre, axis=-1)
            assert distance.min() > person.radius


def test_shoulders_follow_the_neck_but_do_not_turn_with_the_head(person):
    still, turned = person.pose(_state()).points, person.pose(_state((0, 0.5, 0))).points
    at = person._spans["shoulders"]
    assert np.isfinite(turned).all()
    assert np.abs(turned[at] - still[at]).max() < np.abs(turned[: at.start] - still[: at.start]).max()
