"""Projection and 2D generator G2D: the posed, warped volume to an image (MegaPortraits)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResBlock, StyleNorm
from vasa_jax.ops.conv3d import fold_depth
from vasa_jax.ops.resize import depth_to_space


class Generator(nn.Module):
    """Depth folds into channels, residual blocks, upsampling blocks, sigmoid image.

    It has the interface of all generators (`generators.GENERATORS`): the volume, the dynamics code, which this one
    knows from the warps alone, and what else the face model gives the kind; "image" and what it is made from.
    """

    base: int
    blocks: int
    widths: tuple[int, ...]
    last_patch: int = 1
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(
        self, volume: Float[Array, "b z y x c"], dynamics: Float[Array, "b d"]
    ) -> dict[str, Float[Array, "b h w 3"]]:
        x = Conv(self.base, size=1, standardise=False, use_bias=True)(fold_depth(volume))
        for _ in range(self.blocks):
            x = ResBlock(self.base, **self.block)(x)
        for width in self.widths:
            x = ResBlock(width, upsample=True, **self.block)(x)
        x = nn.relu(StyleNorm()(x))
        x = Conv(3 * self.last_patch**2, standardise=False, use_bias=True)(x)
        return {"image": jax.nn.sigmoid(depth_to_space(x, self.last_patch).astype(jnp.float32))}
