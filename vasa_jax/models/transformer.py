"""A pre-norm transformer encoder layer (Vaswani et al. 2017), as the motion model stacks it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from vasa_jax.models.layers import REMAT
from vasa_jax.ops import attention


class SelfAttention(nn.Module):
    """Multi-head self-attention in which no token reads a key that the mask leaves out.

    With `position`, one number a token, queries and keys are rotated by it.
    """

    heads: int
    dtype: jax.typing.DTypeLike

    @nn.compact
    def __call__(
        self, x: Float[Array, "b n d"], mask: Bool[Array, "b n"], position: Real[np.ndarray, " n"] | None = None
    ) -> Float[Array, "b n d"]:
        batch, tokens, width = x.shape
        qkv = nn.Dense(3 * width, dtype=self.dtype, name="qkv")(x)
        query, key, value = jnp.moveaxis(qkv.reshape(batch, tokens, 3, self.heads, -1), 2, 0)
        if position is not None:
            query, key = attention.rotate(query, position), attention.rotate(key, position)
        read = attention.attention(query, key, value, mask).reshape(batch, tokens, width)
        return nn.Dense(width, dtype=self.dtype, name="out")(read)


class EncoderBlock(nn.Module):
    """Attention and a perceptron, each behind a layer norm and added to what came in.

    `remat` is "" or a name of `layers.REMAT`.
    """

    heads: int
    mlp_ratio: float
    dtype: jax.typing.DTypeLike
    remat: str = ""

    @nn.compact
    def __call__(
        self, x: Float[Array, "b n d"], mask: Bool[Array, "b n"], position: Real[np.ndarray, " n"] | None = None
    ) -> Float[Array, "b n d"]:
        def body(self: EncoderBlock, x: Array, mask: Array) -> Array:  # the position is a constant, not traced
            return self._body(x, mask, position)

        return (nn.remat(body, policy=REMAT[self.remat]) if self.remat else body)(self, x, mask)

    def _body(
        self, x: Float[Array, "b n d"], mask: Bool[Array, "b n"], position: Real[np.ndarray, " n"] | None
    ) -> Float[Array, "b n d"]:
        width = x.shape[-1]
        read = nn.LayerNorm(dtype=self.dtype, name="norm_attention")(x)
        x = x + SelfAttention(self.heads, self.dtype, name="attention")(read, mask, position).astype(x.dtype)
        hidden = nn.Dense(round(width * self.mlp_ratio), dtype=self.dtype, name="mlp_in")(
            nn.LayerNorm(dtype=self.dtype, name="norm_mlp")(x)
        )
        return x + nn.Dense(width, dtype=self.dtype, name="mlp_out")(nn.gelu(hidden)).astype(x.dtype)
