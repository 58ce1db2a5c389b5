"""The noise that a window of motion starts from: colder than what the model was trained on, coldest along the lips.

    start = scale * noise
    start = start - (its part along the lips)       where a release tells which directions those are

The colder the start, the closer the motion comes to the likeliest one: lips in better time with the audio, a face that
is less alive. So the directions of the code along which lips move start from zero, and all others stay alive
(docs/evaluation.md, "Lips that start from no noise").
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Held-out GRID sentences of s1 after 500 steps of motion/small: correlation of the mouth's changes with the real ones
# 0.54 at 1, 0.63 at 0.6, 0.71 at 0, where the face stops being alive (experiments/results/motion_sampling.json).
DYNAMICS_TEMPERATURE = 0.6


class StartingNoise(NamedTuple):
    """How standard normal noise becomes a window's start.

    Attributes:
      scale: one for all or one per value of the motion.
      lips: orthonormal directions of the standardised code along which nothing is random; None: there are none.
    """

    scale: Float[Array | np.ndarray, "*m"]
    lips: Float[Array | np.ndarray, "k d"] | None = None

    def of(self, noise: Float[Array | np.ndarray, "*b w m"]) -> Float[Array, "*b w m"]:
        """The start."""
        scale = jnp.asarray(self.scale)
        start = jnp.expand_dims(scale, range(noise.ndim - scale.ndim)) * noise
        if self.lips is None:
            return start
        pose, code = start[..., :7], start[..., 7:]
        lips = jnp.asarray(self.lips)
        return jnp.concatenate([pose, code - (code @ lips.T) @ lips], -1)


def usual(motion_dim: int, lips: Float[Array | np.ndarray, "k d"] | None = None) -> StartingNoise:
    """1 for the pose, `DYNAMICS_TEMPERATURE` for the dynamics."""
    return StartingNoise(np.where(np.arange(motion_dim) < 7, 1.0, DYNAMICS_TEMPERATURE).astype(np.float32), lips)
