"""Face points: pose fitting is exact on transformed templates, mirrors are mirrors, measures have known values."""

import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.ops.rotations import transform


def _poses(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [rng.uniform(-0.7, 0.7, (n, 3)), rng.uniform(-0.3, 0.3, (n, 3)), rng.uniform(0.6, 1.5, (n, 1))], -1
    ).astype(np.float32)


def test_fit_pose_finds_the_pose_of_a_moved_template():
    poses = _poses(20)
    points = np.asarray(transform(poses, np.tile(landmarks.template(), (20, 1, 1))))
    np.testing.assert_allclose(landmarks.fit_pose(points), poses, atol=1e-4)


def test_fit_pose_ignores_an_open_mouth_and_closed_lids():
    points = landmarks.template().copy()
    for name in ("lips_outer", "lips_inner", "eye_left", "eye_right", "irises", "brow_left", "brow_right"):
        points[landmarks.SLICES[name], 1] += 0.1
    np.testing.assert_allclose(landmarks.fit_pose(points)[3:], [0, 0, 0, 1], atol=0.03)


def test_flip_is_an_involution_and_mirrors_the_template():
    order = landmarks.flip_permutation()
    np.testing.assert_array_equal(order[order], np.arange(landmarks.COUNT))
    mirrored = landmarks.template()[order] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, landmarks.template(), atol=1e-6)


def test_measures_do_not_change_with_pose():
    points = np.asarray(transform(_poses(8, 1), np.tile(landmarks.template(), (8, 1, 1))))
    np.testing.assert_allclose(
        landmarks.mouth(points), np.tile(landmarks.mouth(landmarks.template()), (8, 1)), atol=1e-5
    )


@pytest.mark.parametrize("drop", [0.0, 0.05, 0.2])
def test_mouth_opening_is_the_lip_gap_over_the_face_height(drop):
    points = landmarks.template().copy()
    lower = landmarks.SLICES["lips_inner"].start + 5
    points[lower, 1] += drop
    gained = landmarks.mouth(points)[0] - landmarks.mouth(landmarks.template())[0]
    assert gained == pytest.approx(drop / landmarks.face_height(points), abs=0.003)


def test_groups_cover_every_point_once():
    assert len(set(landmarks.MEDIAPIPE_INDICES)) == landmarks.COUNT == 140
    assert sum(s.stop - s.start for s in landmarks.SLICES.values()) == landmarks.COUNT
