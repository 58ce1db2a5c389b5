"""Sizes up and down without transposed convolutions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops import backends, precise


def average_pool(x: Array, factors: tuple[int, ...], form: str = "") -> Array:
    """Mean over blocks of the axes between the first and the last, [b, ..., c]; `form` as in `backends.pool`."""
    x = jnp.asarray(x)
    whole = not any(size % factor for size, factor in zip(x.shape[1:-1], factors, strict=True))  # else it fails below
    if whole and (form or backends.pool()) == "window":
        window = (1, *factors, 1)
        total = lax.reduce_window(x.astype(jnp.float32), 0.0, lax.add, window, window, "VALID")
        return (total / math.prod(factors)).astype(x.dtype)
    shape, axes = [x.shape[0]], []
    for size, factor in zip(x.shape[1:-1], factors, strict=True):
        shape += [size // factor, factor]
        axes.append(len(shape) - 1)
    return x.reshape(*shape, x.shape[-1]).mean(tuple(axes))


def nearest_upsample(x: Array, factors: tuple[int, ...]) -> Array:
    """Repeats the cells of the axes between the first and the last, [b, ..., c]."""
    shape, target = [x.shape[0]], [x.shape[0]]
    for size, factor in zip(x.shape[1:-1], factors, strict=True):
        shape += [size, 1]
        target += [size, factor]
    wide = jnp.broadcast_to(x.reshape(*shape, x.shape[-1]), (*target, x.shape[-1]))
    sizes = [s * f for s, f in zip(x.shape[1:-1], factors, strict=True)]
    return wide.reshape(x.shape[0], *sizes, x.shape[-1])


def linear_resize(x: Array, sizes: tuple[int, ...]) -> Array:
    """Linear interpolation of the axes between the first and the last to `sizes` (half-pixel centres)."""
    return jax.image.resize(x, (x.shape[0], *sizes, x.shape[-1]), "linear", antialias=False)


def aligned_resize(x: Float[Array, "b y x c"], sizes: tuple[int, ...]) -> Float[Array, "b h w c"]:
    """Linear interpolation to `sizes`, the centres of the end cells staying where they are ("align corners").

    As two matrix products in full float32, since x may hold coordinates.
    """
    if x.shape[1:3] == sizes:
        return x
    rows, columns = (_aligned_weights(have, want) for have, want in zip(x.shape[1:3], sizes, strict=True))
    return precise.einsum("hy,byxc,wx->bhwc", rows, x, columns)


def _aligned_weights(have: int, want: int) -> Float[np.ndarray, "want have"]:
    places = np.linspace(0.0, have - 1.0, want) if want > 1 else np.full(1, (have - 1.0) / 2)
    return np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(have))).astype(np.float32)


def space_to_depth(x: Float[Array, "b h w c"], block: int) -> Float[Array, "b y x d"]:
    """Blocks of pixels into channels."""
    x = jnp.asarray(x)
    b, h, w, c = x.shape
    x = x.reshape(b, h // block, block, w // block, block, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // block, w // block, block * block * c)


def depth_to_space(x: Float[Array, "b y x d"], block: int) -> Float[Array, "b h w c"]:
    """Inverse of `space_to_depth`."""
    x = jnp.asarray(x)
    b, h, w, c = x.shape
    x = x.reshape(b, h, w, block, block, c // block**2).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h * block, w * block, c // block**2)
