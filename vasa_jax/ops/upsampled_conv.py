"""A 3x3 convolution of cells that were repeated, without repeating them."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops import backends, precise
from vasa_jax.ops.resize import nearest_upsample

# Which taps [0, 1, 2] of a row fall on the same cell, for the first and the second of the two it was repeated to.
_SAME_CELL = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)


def upsampled_conv(
    x: Float[Array, "b y x c"], kernel: Float[Array, "3 3 c d"], form: str = ""
) -> Float[Array, "b 2*y 2*x d"]:
    """The convolution ("same" padding) of x with each cell repeated to 2x2.

    Nine taps fall on four cells: summed beforehand they are four 2x2 convolutions, one for each place in a repeated
    cell, and take four ninths of the operations. They run as one, with their places as channels.

    Args:
      form: "phases" or "repeated", as in `backends.upsampled_conv`.
    """
    if (form or backends.upsampled_conv()) == "repeated":
        return _conv(nearest_upsample(x, (2, 2)), kernel, "SAME")
    b, h, w, c = x.shape
    kernels = precise.einsum("pat,qbu,tucd->abcpqd", _SAME_CELL, _SAME_CELL, kernel.astype(jnp.float32))
    y = _conv(x, kernels.reshape(2, 2, c, -1).astype(x.dtype), ((1, 1), (1, 1)))
    y = y.reshape(b, h + 1, w + 1, 2, 2, -1)
    rows = [jnp.stack([y[:, p : p + h, q : q + w, p, q] for q in range(2)], 3) for p in range(2)]
    return jnp.stack(rows, 2).reshape(b, 2 * h, 2 * w, -1)


def _conv(x: Array, kernel: Array, padding: str | tuple[tuple[int, int], ...]) -> Array:
    return lax.conv_general_dilated(
        x, kernel.astype(x.dtype), (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
