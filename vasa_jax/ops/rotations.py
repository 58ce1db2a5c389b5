"""Head pose as numbers and as matrices. No parameters, no config."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.ops import precise


def euler_to_matrix(angles: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Rotation matrices from angles about x (pitch), y (yaw) and z (roll) in radians, R = Rz Ry Rx."""
    cx, cy, cz = jnp.moveaxis(jnp.cos(angles), -1, 0)
    sx, sy, sz = jnp.moveaxis(jnp.sin(angles), -1, 0)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def transform(pose: Float[Array, "*b 7"], points: Float[Array, "*b k 3"]) -> Float[Array, "*b k 3"]:
    """Canonical points to image coordinates: scale * R @ x + translation."""
    rotation = euler_to_matrix(pose[..., :3])
    return pose[..., None, 6:] * precise.einsum("...ij,...kj->...ki", rotation, points) + pose[..., None, 3:6]


def inverse_transform(pose: Float[Array, "*b 7"], points: Float[Array, "*b k 3"]) -> Float[Array, "*b k 3"]:
    """Image coordinates to canonical points: R^T (x - translation) / scale."""
    rotation = euler_to_matrix(pose[..., :3])
    return precise.einsum("...ji,...kj->...ki", rotation, points - pose[..., None, 3:6]) / pose[..., None, 6:]
