"""Gaze (theta, phi) and rotations of heads as angles, in NumPy; about x (pitch), y (yaw), z (roll), R = Rz Ry Rx.

Axes are x right, y down, z away from the viewer. Angles of rotations are not added: rotations are composed.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


def gaze_direction(angles: Float[np.ndarray, "*b 2"]) -> Float[np.ndarray, "*b 3"]:
    """Gaze angles (theta: + image right, phi: + up; radians) as unit vectors; (0, 0) looks at the viewer."""
    theta, phi = angles[..., 0], angles[..., 1]
    return np.stack([np.sin(theta) * np.cos(phi), -np.sin(phi), -np.cos(theta) * np.cos(phi)], -1)


def gaze_angles(direction: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 2"]:
    """Inverse of `gaze_direction`."""
    x, y, z = np.moveaxis(direction, -1, 0)
    return np.stack([np.arctan2(x, -z), np.arcsin(np.clip(-y, -1, 1))], -1)


def compose(outer: Float[np.ndarray, " 3"], inner: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Angles of what is turned by `inner`, and then by `outer`."""
    turned = Rotation.from_euler("xyz", outer) * Rotation.from_euler("xyz", inner)
    return turned.as_euler("xyz")


def turn(rotation: Float[np.ndarray, " 3"], points: Float[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 3"]:
    """Points turned by a rotation."""
    return np.asarray(points) @ Rotation.from_euler("xyz", rotation).as_matrix().T


def gaze_before(rotation: Float[np.ndarray, " 3"], gaze: Float[np.ndarray, "*b 2"]) -> Float[np.ndarray, "*b 2"]:
    """The gaze that this rotation, of the head with its eyes, turns into `gaze`."""
    matrix = Rotation.from_euler("xyz", rotation).as_matrix()
    return gaze_angles(gaze_direction(np.asarray(gaze, np.float64)) @ matrix)
