"""Pose encoder: a picture to the 3D head pose z_pose [7] (VASA-1 section 3.1; spec 1.3, item 3)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import ResNet
from vasa_jax.ops.resize import linear_resize


class PoseEncoder(nn.Module):
    """Residual tower to rotation (radians, about x, y, z), translation and scale.

    The last map is flattened, not averaged: translation is a matter of where, not of how much.
    """

    size: int
    widths: tuple[int, ...]
    blocks: int = 1

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 7"]:
        x = linear_resize(image, (self.size, self.size))
        x = ResNet(self.widths, self.blocks)(x)
        x = nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1)))
        raw = nn.Dense(7, kernel_init=nn.initializers.normal(0.01))(x)
        return jnp.concatenate([raw[:, :6], jnp.exp(raw[:, 6:])], -1)
