"""Crops read where they should: images whose colours are their own coordinates tell."""

import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.losses.alignment import eye_crops, recognition_crop
from vasa_jax.ops.rotations import transform
from vasa_jax.ops.warp import identity_grid
from vasa_jax.recognition import TEMPLATE, alignment_marks

POSES = np.asarray([[0, 0, 0, 0, 0, 0, 1], [0.1, -0.2, 0.4, 0.1, -0.05, 0, 0.8]], np.float32)


def _coordinates(n: int, side: int = 64) -> np.ndarray:
    grid = np.asarray(identity_grid((side, side)))
    return np.tile(np.concatenate([grid, grid[..., :1]], -1), (n, 1, 1, 1))


def test_recognition_crops_hold_eyes_and_mouth_where_the_networks_expect_them():
    crops = np.asarray(recognition_crop(_coordinates(len(POSES)), POSES))
    assert crops.shape == (2, 112, 112, 3)
    head = np.tile(alignment_marks(landmarks.template()), (len(POSES), 1, 1))
    seen = np.asarray(transform(POSES, head))[..., :2]
    for crop, points, limit in zip(crops, seen, (0.03, 0.06), strict=True):
        for (x, y), wanted in zip(TEMPLATE, points, strict=True):
            # The mean head is not the networks' mean face: up to a few hundredths of the image, more when turned.
            np.testing.assert_allclose(crop[round(float(y)), round(float(x)), :2], wanted, atol=limit)


def test_recognition_crops_undo_roll_place_and_size():
    upright = recognition_crop(_coordinates(1), POSES[:1])
    pose = np.asarray([[0, 0, 0.5, 0.2, -0.1, 0, 0.6]], np.float32)
    moved = np.asarray(transform(pose, np.concatenate([upright[..., :2].reshape(1, -1, 2),
                                                       np.zeros((1, 112 * 112, 1))], -1)))  # fmt: skip
    np.testing.assert_allclose(
        recognition_crop(_coordinates(1), pose)[..., :2].reshape(1, -1, 2), moved[..., :2], atol=1e-5
    )


@pytest.mark.parametrize("side", [8, 9])
def test_eye_crops_are_centred_on_the_eyes_left_ones_first(side):
    points = np.asarray(transform(POSES, np.tile(landmarks.template(), (len(POSES), 1, 1))))
    crops = np.asarray(eye_crops(jnp.asarray(_coordinates(len(POSES))), points, side))
    assert crops.shape == (4, side, side, 3)
    for n, name in ((0, "eye_left"), (2, "eye_right")):
        eye = points[:, landmarks.SLICES[name], :2]
        np.testing.assert_allclose(crops[n : n + 2, ..., :2].mean((1, 2)), (eye.min(1) + eye.max(1)) / 2, atol=1e-5)
        width = crops[n : n + 2, 0, -1, 0] - crops[n : n + 2, 0, 0, 0]
        np.testing.assert_allclose(width, 1.8 * np.ptp(eye[..., 0], axis=1), rtol=1e-4)
