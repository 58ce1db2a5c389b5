"""Patch discriminator over scales, with its intermediate features (spec 1.3, item 8)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import Conv
from vasa_jax.ops.resize import average_pool, space_to_depth


class PatchDiscriminator(nn.Module):
    """Strided convolutions (2, 2, ..., 1), instance norm, leaky ReLU 0.2, 1x1 to logits."""

    widths: tuple[int, ...]
    patch: int = 1

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> tuple[Array, list[Array]]:
        x, features = space_to_depth(image - 0.5, self.patch), []
        for level, width in enumerate(self.widths):
            strides = 1 if level == len(self.widths) - 1 else 2
            x = Conv(width, strides=strides, use_bias=True, standardise=False)(x)
            if level:
                x = nn.InstanceNorm(use_bias=False, use_scale=False)(x)
            x = nn.leaky_relu(x, 0.2)
            features.append(x)
        return Conv(1, size=1, use_bias=True, standardise=False)(x), features


class Discriminator(nn.Module):
    """The same patch network, with its own weights, at each of `scales` halvings of the picture."""

    widths: tuple[int, ...]
    scales: int = 2
    patch: int = 1

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> tuple[list[Array], list[Array]]:
        logits, features = [], []
        for _ in range(self.scales):
            verdict, inner = PatchDiscriminator(self.widths, self.patch)(image)
            logits.append(verdict.astype(jnp.float32))
            features += inner
            image = average_pool(image, (2, 2))
        return logits, features
