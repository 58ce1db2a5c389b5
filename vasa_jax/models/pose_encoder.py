"""Pose encoder: an image to the 3D head pose z_pose [7] (VASA-1 section 3.1)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResNet
from vasa_jax.models.resnet import DeepResNet
from vasa_jax.ops.resize import linear_resize


class PoseEncoder(nn.Module):
    """Residual tower to rotation (radians, about x, y, z), translation and scale.

    The last map is flattened, not averaged: translation is a matter of where, not of how much. The tower is a small one
    of `widths`, or, as in the paper, ResNet-18 (`resnet` 18), its map then narrowed to 64 channels.
    """

    size: int
    widths: tuple[int, ...] = ()
    blocks: int = 1
    resnet: int = 0
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 7"]:
        x = linear_resize(image, (self.size, self.size))
        if self.resnet:
            x = DeepResNet(self.resnet, self.block.get("remat", ""))(x)
            x = Conv(64, size=1, standardise=False, use_bias=True)(x)
        else:
            x = ResNet(self.widths, self.blocks, block=self.block)(x)
        x = nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1).astype(jnp.float32)))
        raw = nn.Dense(7, kernel_init=nn.initializers.normal(0.01))(x)
        return jnp.concatenate([raw[:, :6], jnp.exp(raw[:, 6:])], -1)
