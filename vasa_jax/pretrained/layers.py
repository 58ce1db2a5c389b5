"""Layers of a PyTorch state dictionary as plain arrays.

The statistics of batch normalisation are fixed here, so that where it follows a convolution it is folded into it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.torch_file import State

Convolution = tuple[Array, Array]  # weights [h, w, in, out] and bias [out]
Affine = tuple[Array, Array]  # scale [c] and shift [c]

_EPSILON = 1e-5  # of torch.nn.BatchNorm1d and 2d


def _scale_and_shift(state: State, norm: str) -> tuple[np.ndarray, np.ndarray]:
    gamma, beta, mean, variance = (
        state[f"{norm}.{name}"].astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + _EPSILON)
    return scale, beta - mean * scale


def affine(state: State, norm: str) -> Affine:
    """A batch normalisation that stands alone; KeyError where a name is missing (as below)."""
    scale, shift = _scale_and_shift(state, norm)
    return jnp.asarray(scale, jnp.float32), jnp.asarray(shift, jnp.float32)


def folded(state: State, convolution: str, norm: str) -> Convolution:
    """A convolution without bias and the batch normalisation after it."""
    scale, shift = _scale_and_shift(state, norm)
    kernel = state[f"{convolution}.weight"].astype(np.float64) * scale[:, None, None, None]
    return jnp.asarray(kernel.transpose(2, 3, 1, 0), jnp.float32), jnp.asarray(shift, jnp.float32)


def plain(state: State, convolution: str) -> Convolution:
    """A convolution with bias."""
    kernel, bias = state[f"{convolution}.weight"], state[f"{convolution}.bias"]
    return jnp.asarray(kernel.transpose(2, 3, 1, 0), jnp.float32), jnp.asarray(bias, jnp.float32)


def convolve(x: Float[Array, "b h w c"], convolution: Convolution, stride: int = 1) -> Float[Array, "b y x d"]:
    """As torch.nn.Conv2d with a padding of half the kernel; computes in the type of `x`."""
    kernel, bias = (part.astype(x.dtype) for part in convolution)
    pads = [(kernel.shape[0] // 2,) * 2] * 2
    y = jax.lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + bias[None, None, None]


def max_pool(x: Float[Array, "b h w c"], size: int, stride: int, padding: int = 0) -> Float[Array, "b y x c"]:
    """As torch.nn.MaxPool2d: what does not fill a window is left out."""
    return nn.max_pool(x, (size, size), (stride, stride), ((padding, padding),) * 2)
