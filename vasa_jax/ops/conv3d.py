"""3D convolution, one function with interchangeable implementations.

XLA's native 3D convolution is several times slower on CPU than the same sum written as 2D convolutions, and
for very shallow volumes one dense 2D convolution over folded depth is faster still although it multiplies
some zeros. The three agree to float32 rounding; `ops/backends.py` is the one place that picks.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops import backends

Implementation = Literal["native", "depth_taps", "folded"]


def conv3d(
    x: Float[Array, "b z y x c"], kernel: Float[Array, "k k k c d"], implementation: Implementation | None = None
) -> Float[Array, "b z y x d"]:
    """Stride-1 convolution with zero padding that keeps the size; odd kernel sizes."""
    form = implementation or backends.conv3d(x.shape[1])
    if kernel.shape[:3] == (1, 1, 1):
        return x @ kernel[0, 0, 0]
    return {"native": _native, "depth_taps": _depth_taps, "folded": _folded}[form](x, kernel)


def _native(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1, 1), "SAME", dimension_numbers=("NDHWC", "DHWIO", "NDHWC"))


def _conv2d(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _depth_taps(x: Array, kernel: Array) -> Array:
    b, depth, h, w, c = x.shape
    taps, reach = kernel.shape[0], kernel.shape[0] // 2
    # All taps over depth are channels of one 2D convolution: few channels keep a core's vector units idle.
    across = _conv2d(x.reshape(-1, h, w, c), kernel.transpose(1, 2, 3, 0, 4).reshape(*kernel.shape[1:3], c, -1))
    across = across.reshape(b, depth, h, w, taps, -1)
    total = _moved(across[:, :, :, :, 0], reach)
    for tap in range(1, taps):
        total += _moved(across[:, :, :, :, tap], reach - tap)
    return total


def _moved(x: Array, planes: int) -> Array:
    """x moved so many planes to the back, zeros in its place."""
    empty = jnp.zeros_like(x[:, : abs(planes)])
    if planes > 0:
        return jnp.concatenate([empty, x[:, :-planes]], 1)
    return jnp.concatenate([x[:, -planes:], empty], 1) if planes else x


def _folded(x: Array, kernel: Array) -> Array:
    depth, taps = x.shape[1], kernel.shape[0]
    # reads[i, o, k] = 1 where output plane o reads input plane i through tap k.
    plane = np.arange(depth)
    reads = (plane[:, None, None] - plane[None, :, None] + taps // 2 == np.arange(taps)).astype(np.float32)
    dense = jnp.einsum("iok,khwcd->hwicod", reads.astype(kernel.dtype), kernel)
    dense = dense.reshape(*kernel.shape[1:3], depth * kernel.shape[3], depth * kernel.shape[4])
    out = _conv2d(fold_depth(x), dense)
    return unfold_depth(out, depth)


def fold_depth(x: Float[Array, "b z y x c"]) -> Float[Array, "b y x zc"]:
    """Depth into channels, as in the projection before the 2D generator (MegaPortraits section 3.1)."""
    x = jnp.asarray(x)
    b, z, h, w, c = x.shape
    return x.transpose(0, 2, 3, 1, 4).reshape(b, h, w, z * c)


def unfold_depth(x: Float[Array, "b y x zc"], depth: int) -> Float[Array, "b z y x c"]:
    """Inverse of `fold_depth`."""
    x = jnp.asarray(x)
    b, h, w, zc = x.shape
    return x.reshape(b, h, w, depth, zc // depth).transpose(0, 3, 1, 2, 4)
