"""Warp generators: identity and dynamics to a field of 3D offsets in canonical space."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResBlock, StyleNorm
from vasa_jax.ops.resize import linear_resize


class WarpField(nn.Module):
    """E = conv(0.5 (linear(z_dyn) + z_id)) -> 4x4x4 -> residual blocks with low-rank norms -> tanh offsets.

    Head pose does not enter: the field is non-rigid and lives in canonical space. The last layer starts at
    zero, so training starts from "nothing moves". Computes in the type of the identity map; the offsets are coordinates
    and come out in float32.
    """

    widths: tuple[int, ...]  # one residual block and one doubling of x and y for each but the first
    depth: int
    features: int = 512
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, dynamics: Float[Array, "b d"], identity: Float[Array, "b 4 4 c"]) -> Float[Array, "b z y x 3"]:
        b, channels = identity.shape[0], identity.shape[-1]
        motion = nn.Dense(16 * channels)(dynamics).reshape(identity.shape).astype(identity.dtype)
        mixed = Conv(self.features, size=1, standardise=False, use_bias=True)(0.5 * (motion + identity))
        style = mixed.reshape(b, 16, -1)
        x = Conv(4 * self.widths[0], size=1, standardise=False, use_bias=True)(mixed)
        x = x.reshape(b, 4, 4, 4, self.widths[0]).transpose(0, 3, 1, 2, 4)
        for width in self.widths[1:]:
            depth = min(2 * x.shape[1], self.depth)
            x = linear_resize(x, (depth, 2 * x.shape[2], 2 * x.shape[3]))
            x = ResBlock(width, dims=3, **self.block)(x, style)
        x = nn.relu(StyleNorm()(x))
        x = Conv(3, dims=3, standardise=False, use_bias=True, init=nn.initializers.zeros)(x)
        return jnp.tanh(x.astype(jnp.float32))
