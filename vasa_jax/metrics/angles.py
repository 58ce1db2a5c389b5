"""Errors of directions and rotations, in degrees."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from vasa_jax.ops.directions import gaze_angles, gaze_direction


def camera_gaze(eyes: Float[np.ndarray, "*b 2"], rotation: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 2"]:
    """Eye angles relative to the head, and the head's Euler angles (pose[:3]), to gaze angles in the camera frame."""
    matrix = Rotation.from_euler("xyz", np.reshape(rotation, (-1, 3))).as_matrix()
    local = gaze_direction(np.reshape(eyes, (-1, 2)))
    return gaze_angles(np.einsum("tij,tj->ti", matrix, local)).reshape(np.shape(eyes))


def mean_gaze(gaze: Float[np.ndarray, "t 2"]) -> Float[np.ndarray, " 2"]:
    """Angles of the mean direction."""
    direction = gaze_direction(np.asarray(gaze, np.float64)).mean(0)
    return gaze_angles(direction / max(np.linalg.norm(direction), 1e-12))


def gaze_error(a: Float[np.ndarray, "*b 2"], b: Float[np.ndarray, "*b 2"]) -> Float[np.ndarray, "*b"] | np.floating:
    """Angle between two gaze directions given by their angles in radians, in degrees."""
    u, v = gaze_direction(np.asarray(a)), gaze_direction(np.asarray(b))
    # Exact for small angles, where the arc cosine of the product is not.
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1)))


def rotation_error(a: Float[np.ndarray, "*b 3"], b: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b"]:
    """Angle of the rotation between two heads given by Euler angles about x, y, z (R = Rz Ry Rx), in degrees."""
    shape = np.shape(a)[:-1]
    first, second = (Rotation.from_euler("xyz", np.reshape(x, (-1, 3))) for x in (a, b))
    return np.degrees((first.inv() * second).magnitude()).reshape(shape)
