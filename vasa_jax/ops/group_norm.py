"""Group normalisation whose scale and shift may differ by item, in one pass over the array after its statistics."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops import backends, precise

EPSILON = 1e-6


def group_norm(
    x: Float[Array, "b *s c"],
    groups: int,
    scale: Float[Array, "#b c"],
    shift: Float[Array, "#b c"],
    moments: str = "",
) -> Float[Array, "b *s c"]:
    """`scale` times x with mean 0 and variance 1 in each group of neighbouring channels, plus `shift`.

    Wu and He 2018. Statistics are float32 whatever x is; the result has x's type.

    Args:
      moments: form of the sums, as in `backends.moments`.
    """
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    mean, squares = (_of_groups(sums, groups, flat.shape[1]) for sums in _sums(flat, moments or backends.moments()))
    gain = lax.rsqrt(jnp.maximum(squares - mean * mean, 0.0) + EPSILON) * scale
    offset = shift - mean * gain
    spread = (slice(None), None)
    return (flat.astype(jnp.float32) * gain[spread] + offset[spread]).astype(x.dtype).reshape(x.shape)


def _sums(flat: Float[Array, "b n c"], form: str) -> tuple[Float[Array, "b c"], Float[Array, "b c"]]:
    """Of values and of squares. XLA sums down columns slowly on a CPU; products are what it does well there."""
    flat = jnp.asarray(flat, jnp.float32)
    if form == "reduce":
        return flat.sum(1), jnp.square(flat).sum(1)
    ones = np.ones((1, flat.shape[1]), np.float32)
    total, squares = (precise.einsum("on,bnc->boc", ones, values)[:, 0] for values in (flat, jnp.square(flat)))
    return total, squares


def _of_groups(sums: Float[Array, "b c"], groups: int, count: int) -> Float[Array, "b c"]:
    """The mean over each group, at each of its channels."""
    batch, channels = sums.shape
    means = sums.reshape(batch, groups, -1).sum(-1) / (count * channels // groups)
    return jnp.repeat(means, channels // groups, -1)
