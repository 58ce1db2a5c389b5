"""A portrait's own colours: an affine frame that its mean and covariance span.

What is written in that frame keeps the cast of the portrait by construction. The axes are taken in the order luma, blue
difference, red difference, and the frame is lower triangular: chroma may depend on luma, never the other way round. A
grey image has no chroma and no chroma comes out, a sepia one has chroma along its luma only.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.ops import precise

# Luma and colour differences of BT.601 [3, 3], rows Y, Cb, Cr; as in JPEG.
_TO_LUMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_FROM_LUMA = np.linalg.inv(_TO_LUMA)
_FLAT = 1.0 / 255.0
"""Deviation of an axis below which nothing is read from it: the rounding of stored images."""


def colour_frame(pixels: Float[Array, "b n 3"], weight: Float[Array, "b n"]) -> Float[Array, "b 3 4"]:
    """Mean and lower triangular spread of weighted pixels in 0..1: [:, :, 3] and [:, :, :3], luma axes."""
    luma = precise.einsum("bnc,dc->bnd", pixels, _TO_LUMA)
    weight = weight / weight.sum(1, keepdims=True)
    mean = precise.einsum("bnd,bn->bd", luma, weight)
    centred = luma - mean[:, None]
    covariance = precise.einsum("bnd,bne,bn->bde", centred, centred, weight)
    return jnp.concatenate([_cholesky(covariance), mean[..., None]], -1)


def _cholesky(c: Float[Array, "b 3 3"]) -> Float[Array, "b 3 3"]:
    """Lower triangular factor; an axis that the others explain gets none of its own instead of a division by zero."""
    zero = jnp.zeros_like(c[:, 0, 0])
    rows: list[list[Array]] = []
    for i in range(3):
        row: list[Array] = []
        for j in range(i):
            left = c[:, i, j] - sum(row[k] * rows[j][k] for k in range(j))
            pivot = rows[j][j]
            row.append(jnp.where(pivot > _FLAT, left / jnp.maximum(pivot, _FLAT), 0.0))
        rest = c[:, i, i] - sum((part**2 for part in row), zero)
        rows.append([*row, jnp.sqrt(jnp.maximum(rest, 0.0))])
    return jnp.stack([jnp.stack([*row, *[zero] * (3 - len(row))], -1) for row in rows], -2)


def from_frame(colours: Float[Array, "b *s 3"], frame: Float[Array, "b 3 4"]) -> Float[Array, "b *s 3"]:
    """Colours in units of the portrait's spread to RGB; not clipped."""
    flat = colours.reshape(colours.shape[0], -1, 3)
    luma = precise.einsum("bnd,bed->bne", flat, frame[..., :3]) + frame[:, None, :, 3]
    return precise.einsum("bnd,cd->bnc", luma, _FROM_LUMA).reshape(colours.shape)


def into_frame(pixels: Float[Array, "b *s 3"], frame: Float[Array, "b 3 4"]) -> Float[Array, "b *s 3"]:
    """RGB in units of the portrait's spread: inverse of `from_frame` where the portrait has colours, 0 on flat axes."""
    flat = pixels.reshape(pixels.shape[0], -1, 3)
    left = precise.einsum("bnc,dc->bnd", flat, _TO_LUMA) - frame[:, None, :, 3]
    units: list[Array] = []
    for i in range(3):
        rest = left[..., i] - sum(units[j] * frame[:, None, i, j] for j in range(i))
        pivot = frame[:, None, i, i]
        units.append(jnp.where(pivot > _FLAT, rest / jnp.maximum(pivot, _FLAT), 0.0))
    return jnp.stack(units, -1).reshape(pixels.shape)
