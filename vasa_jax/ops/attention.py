"""Attention of tokens to tokens, and the rotation that tells it how far apart they are. No parameters."""

from typing import Literal, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Real

from vasa_jax.ops import backends

_SLOWEST = 10_000.0


def attention(
    query: Float[Array, "b n heads c"],
    key: Float[Array, "b n heads c"],
    value: Float[Array, "b n heads c"],
    mask: Bool[Array, "b n"],
) -> Float[Array, "b n heads c"]:
    """softmax(Q K^T / sqrt(c)) V over the keys that the mask leaves in, the softmax in float32."""
    batch, tokens = mask.shape
    # The fused kernel wants a mask of every query.
    left = jnp.broadcast_to(mask[:, None, None, :], (batch, 1, tokens, tokens))
    form = cast(Literal["cudnn", "xla"], backends.attention(query.dtype, query.shape[-1]))
    return jax.nn.dot_product_attention(query, key, value, mask=left, implementation=form)


def rotate(x: Float[Array, "b n heads c"], position: Real[np.ndarray, " n"]) -> Float[Array, "b n heads c"]:
    """Turns pairs of channels by angles that grow with the position (RoFormer, Su et al. 2021).

    Products of a rotated query and a rotated key depend on the distance of their positions alone.
    """
    half = x.shape[-1] // 2
    angles = np.asarray(position)[:, None] * _SLOWEST ** (-np.arange(half) / half)
    cos, sin = (f(angles)[None, :, None].astype(np.float32) for f in (np.cos, np.sin))
    first, second = jnp.split(x.astype(jnp.float32), [half], -1)
    turned = jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)
    return turned.astype(x.dtype)
