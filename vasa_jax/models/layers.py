"""Building blocks shared by the networks of stage 1 (MegaPortraits supplement, figures 9 and 10)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops.conv3d import conv3d
from vasa_jax.ops.resize import average_pool, space_to_depth


def group_count(channels: int, most: int = 32) -> int:
    """The largest number of groups up to `most` that leaves at least four channels in each."""
    for groups in range(min(most, max(channels // 4, 1)), 0, -1):
        if channels % groups == 0:
            return groups
    return 1


class Conv(nn.Module):
    """2D or 3D convolution ("same" padding) with optional weight standardisation (Qiao et al. 2019)."""

    features: int
    size: int = 3
    dims: int = 2
    strides: int = 1
    use_bias: bool = False
    standardise: bool = True
    init: Any = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")
    gain_init: Any = nn.initializers.ones

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape = (self.size,) * self.dims + (x.shape[-1], self.features)
        kernel = self.param("kernel", self.init, shape, jnp.float32)
        if self.standardise:
            axes = tuple(range(self.dims + 1))
            kernel = kernel - kernel.mean(axes, keepdims=True)
            gain = self.param("gain", self.gain_init, (self.features,))
            fan_in = kernel.size / self.features
            kernel = gain * kernel * lax.rsqrt(fan_in / 2.0 * jnp.var(kernel, axes, keepdims=True) + 1e-6)
        kernel = kernel.astype(x.dtype)
        if self.dims == 3:
            y = conv3d(x, kernel)
        else:
            strides = (self.strides,) * 2
            y = lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype)
        return y


class StyleNorm(nn.Module):
    """Group norm, its scale and shift given by a style: none, a vector [b, d], or a map [b, s, d].

    The map form is the low-rank product U (c x d) . E (d x s) . V (s x 2) of the warp generators.
    """

    @nn.compact
    def __call__(self, x: Array, style: Array | None = None) -> Array:
        channels = x.shape[-1]
        y = nn.GroupNorm(group_count(channels), dtype=x.dtype, use_bias=style is None, use_scale=style is None)(x)
        if style is None:
            return y
        small = nn.initializers.normal(0.02)
        if style.ndim == 2:
            both = nn.Dense(2 * channels, kernel_init=small)(style).reshape(-1, channels, 2)
        else:
            u = self.param("u", nn.initializers.lecun_normal(), (style.shape[-1], channels))
            v = self.param("v", small, (style.shape[1], 2))
            both = jnp.einsum("bsd,dc,sk->bck", style, u, v)
        spread = (slice(None),) + (None,) * (x.ndim - 2)
        return (y * (1.0 + both[..., 0][spread]) + both[..., 1][spread]).astype(x.dtype)


class ResBlock(nn.Module):
    """Norm, ReLU, conv, twice, plus skip; pre-activation; 1x1 skip where the channels change."""

    features: int
    dims: int = 2
    start_as_identity: bool = False

    @nn.compact
    def __call__(self, x: Array, style: Array | None = None) -> Array:
        y = nn.relu(StyleNorm()(x, style))
        y = Conv(self.features, dims=self.dims)(y)
        y = nn.relu(StyleNorm()(y, style))
        gain = nn.initializers.zeros if self.start_as_identity else nn.initializers.ones
        y = Conv(self.features, dims=self.dims, gain_init=gain)(y)
        if x.shape[-1] != self.features:
            x = Conv(self.features, size=1, dims=self.dims, standardise=False)(x)
        return x + y


class ResNet(nn.Module):
    """Small residual tower over a picture, halving at each stage: [b, h, w, 3] -> [b, h/2^n, w/2^n, c]."""

    widths: tuple[int, ...]
    blocks: int = 1
    patch: int = 2

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        x = Conv(self.widths[0], standardise=False, use_bias=True)(space_to_depth(image - 0.5, self.patch))
        for stage, width in enumerate(self.widths):
            if stage:
                x = average_pool(x, (2, 2))
            for _ in range(self.blocks):
                x = ResBlock(width)(x)
        return nn.relu(StyleNorm()(x))
