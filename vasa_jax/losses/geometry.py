"""A start for the warps: tracked points tell where things go (not in the paper; for small compute).

Canonical space is anchored at the mean face, so each warp has to carry known points onto known points. Learned
from pixels alone, a small model never gets the mouth going; see the lab note of configs/face/small_128.py.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import landmarks


def point_weights(
    lips: float = 4.0, lids: float = 4.0, oval: float = 0.4, irises: float = 4.0, brows: float = 1.0
) -> np.ndarray:
    """How much each of the K points counts [K], mean one."""
    weight = np.ones(landmarks.COUNT, np.float32)
    for name in ("lips_outer", "lips_inner"):
        weight[landmarks.SLICES[name]] = lips
    for name in ("eye_left", "eye_right"):
        weight[landmarks.SLICES[name]] = lids
    for name in ("brow_left", "brow_right"):
        weight[landmarks.SLICES[name]] = brows
    weight[landmarks.SLICES["irises"]] = irises
    weight[landmarks.SLICES["oval"]] = oval
    return weight / weight.mean()


def point_error(
    found: Float[Array, "b k c"], wanted: Float[Array, "b k c"], weight: Float[Array, " k"]
) -> Float[Array, " b"]:
    """Charbonnier distance between point sets in crop-normalised units, weighted mean per item."""
    distance = jnp.sqrt(jnp.square(found - wanted).sum(-1) + 1e-6) - 1e-3
    return (distance * weight[None]).mean(-1)


_POSE_SPREAD = (0.1, 0.1, 0.1, 0.06, 0.06, 0.2, 0.08)


def pose_error(found: Float[Array, "b 7"], wanted: Float[Array, "b 7"]) -> Float[Array, " b"]:
    """L1 between head poses, each part in units of how much it varies between the frames of a clip.

    Depth counts little: it is hardly visible in an image.
    """
    return jnp.abs((found - wanted) / jnp.asarray([_POSE_SPREAD])).mean(-1)
