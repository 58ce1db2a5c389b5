"""Building blocks shared by the networks of stage 1 (MegaPortraits supplement, figures 9 and 10)."""

import functools
from collections.abc import Mapping
from typing import Any

import flax
import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vasa_jax.ops.conv3d import conv3d
from vasa_jax.ops.group_norm import group_norm
from vasa_jax.ops.resize import average_pool, nearest_upsample, space_to_depth
from vasa_jax.ops.upsampled_conv import upsampled_conv


def group_count(channels: int, most: int = 32) -> int:
    """The largest number of groups up to `most` that leaves at least four channels in each."""
    for groups in range(min(most, max(channels // 4, 1)), 0, -1):
        if channels % groups == 0:
            return groups
    return 1


BLOCK: Mapping[str, Any] = flax.core.FrozenDict()
"""Options that a network hands to all of its residual blocks (fields of `ResBlock`); none by default."""

REMAT = {
    "blocks": None,
    "norms": lambda primitive, *_, **__: primitive.name in ("conv_general_dilated", "dot_general"),
}
"""What the backward pass computes again instead of keeping it: whole residual blocks, or all but their convolutions."""


def spectral_scale(kernel: Float[Array, "*k c d"], steps: int = 8) -> Float[Array, ""]:
    """Largest singular value of a convolution's weight as a matrix [k c, d] (Miyato et al. 2018).

    Power iteration from a fixed start instead of from the last step's vector, so that there is no state to carry:
    eight rounds cost less than a thousandth of the convolution itself.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    right = jnp.asarray(np.random.default_rng(0).normal(size=kernel.shape[-1]), kernel.dtype)
    fixed = lax.stop_gradient(matrix)
    unit = lambda vector: vector * lax.rsqrt(jnp.square(vector).sum() + 1e-12)  # noqa: E731
    for _ in range(steps):
        left = unit(fixed @ right)
        right = unit(left @ fixed)
    return left @ matrix @ right


class Conv(nn.Module):
    """2D or 3D convolution ("same" padding) in its input's type.

    `standardise`: weight standardisation (Qiao et al. 2019); `spectral`: the weight divided by its spectral norm;
    `upsample`: of x with its cells repeated, twice along each axis.
    """

    features: int
    size: int = 3
    dims: int = 2
    strides: int = 1
    use_bias: bool = False
    standardise: bool = True
    spectral: bool = False
    upsample: bool = False
    init: Any = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")
    gain_init: Any = nn.initializers.ones

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel, bias = self.weights(x)
        if self.upsample and (self.dims, self.size) == (2, 3):
            y = upsampled_conv(x, kernel)
        else:
            y = convolve(nearest_upsample(x, (2,) * self.dims) if self.upsample else x, kernel, self.strides)
        return y if bias is None else y + jnp.expand_dims(bias, range(y.ndim - 1))

    def weights(self, x: Array) -> tuple[Array, Array | None]:
        """Kernel and bias for x, in its type."""
        shape = (self.size,) * self.dims + (x.shape[-1], self.features)
        kernel = self.param("kernel", self.init, shape, jnp.float32)
        if self.standardise:
            axes = tuple(range(self.dims + 1))
            kernel = kernel - kernel.mean(axes, keepdims=True)
            gain = self.param("gain", self.gain_init, (self.features,))
            fan_in = kernel.size / self.features
            scale = lax.rsqrt(fan_in / 2.0 * jnp.var(kernel, axes, keepdims=True) + 1e-6)
            kernel = jnp.expand_dims(gain, axes) * kernel * scale
        if self.spectral:
            kernel = kernel / spectral_scale(kernel)
        bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(x.dtype) if self.use_bias else None
        return kernel.astype(x.dtype), bias


class ConvWeights(Conv):
    """Kernel and bias of a `Conv`, without applying them: two convolutions of one array run as one (`side_by_side`)."""

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array | None]:
        return self.weights(x)


def convolve(x: Array, kernel: Array, strides: int = 1) -> Array:
    """2D or 3D convolution, as the kernel has axes."""
    if kernel.ndim == 5:
        return conv3d(x, kernel)
    return lax.conv_general_dilated(x, kernel, (strides,) * 2, "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def side_by_side(x: Array, *convolutions: ConvWeights) -> list[Array]:
    """What each of them makes of x. A convolution to two channels costs a CPU as much as one to twenty."""
    kernels, biases = zip(*(convolution(x) for convolution in convolutions), strict=True)
    y = convolve(x, jnp.concatenate(kernels, -1)) + jnp.concatenate(biases)[None, None, None]
    return jnp.split(y, np.cumsum([kernel.shape[-1] for kernel in kernels])[:-1], -1)


class GroupNorm(nn.Module):
    """Group norm; `group_count` says how many. With a style's `scale` and `shift` [b, c] it has none of its own."""

    @nn.compact
    def __call__(self, x: Array, scale: Array | None = None, shift: Array | None = None) -> Array:
        channels = x.shape[-1]
        if scale is None or shift is None:
            scale = self.param("scale", nn.initializers.ones, (channels,))[None]
            shift = self.param("bias", nn.initializers.zeros, (channels,))[None]
        return group_norm(x, group_count(channels), scale, shift)


class StyleNorm(nn.Module):
    """Group norm, its scale and shift given by a style: none, a vector [b, d], or a map [b, s, d].

    The map form is the low-rank product U (c x d) . E (d x s) . V (s x 2) of the warp generators.
    """

    @nn.compact
    def __call__(self, x: Array, style: Array | None = None) -> Array:
        channels = x.shape[-1]
        norm = GroupNorm()
        if style is None:
            return norm(x)
        small = nn.initializers.normal(0.02)
        if style.ndim == 2:
            both = nn.Dense(2 * channels, kernel_init=small)(style).reshape(-1, channels, 2)
        else:
            u = self.param("u", nn.initializers.lecun_normal(), (style.shape[-1], channels))
            v = self.param("v", small, (style.shape[1], 2))
            both = jnp.einsum("bsd,dc,sk->bck", style.astype(u.dtype), u, v)
        return norm(x, 1.0 + both[..., 0], both[..., 1])


class ResBlock(nn.Module):
    """Norm, ReLU, conv, twice, plus skip where the channels change; pre-activation.

    `skip_size` is the skip's kernel: 3 in the figure of the paper, 1 in the code of its first author. `remat` is ""
    or a name of `REMAT`. `upsample` doubles the cells first; what gives the same on repeated cells as before they are
    repeated (norm, ReLU, a 1x1 skip) is computed before.
    """

    features: int
    dims: int = 2
    start_as_identity: bool = False
    upsample: bool = False
    skip_size: int = 1
    standardise: bool = True
    spectral: bool = False
    remat: str = ""

    @nn.compact
    def __call__(self, x: Array, style: Array | None = None) -> Array:
        body = nn.remat(ResBlock._body, policy=REMAT[self.remat]) if self.remat else ResBlock._body
        return body(self, x, style)

    def _body(self, x: Array, style: Array | None) -> Array:
        conv = functools.partial(Conv, self.features, dims=self.dims, spectral=self.spectral)
        widen = functools.partial(nearest_upsample, factors=(2,) * self.dims) if self.upsample else lambda x: x
        y = nn.relu(StyleNorm()(x, style))
        y = conv(standardise=self.standardise, upsample=self.upsample)(y)
        y = nn.relu(StyleNorm()(y, style))
        gain = nn.initializers.zeros if self.start_as_identity else nn.initializers.ones
        y = conv(standardise=self.standardise, gain_init=gain)(y)
        if x.shape[-1] == self.features:
            return widen(x) + y
        skip = conv(size=self.skip_size, standardise=False)
        return (widen(skip(x)) if self.skip_size == 1 else skip(widen(x))) + y


class ResNet(nn.Module):
    """Small residual tower over an image, halving at each stage: [b, h, w, 3] -> [b, h/2^n, w/2^n, c]."""

    widths: tuple[int, ...]
    blocks: int = 1
    patch: int = 2
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        x = Conv(self.widths[0], standardise=False, use_bias=True)(space_to_depth(image - 0.5, self.patch))
        for stage, width in enumerate(self.widths):
            if stage:
                x = average_pool(x, (2, 2))
            for _ in range(self.blocks):
                x = ResBlock(width, **self.block)(x)
        return nn.relu(StyleNorm()(x))
