"""ResNet-18 and ResNet-50 (He et al. 2016) with group norm, the encoders' towers at the paper's size."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import REMAT, Conv, StyleNorm

STAGES = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's images."""


class Residual(nn.Module):
    """Post-activation block of two 3x3 convolutions, or of 1x1, 3x3, 1x1 with four times the channels at the end."""

    width: int
    strides: int = 1
    bottleneck: bool = False
    remat: str = ""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b y x d"]:
        body = nn.remat(Residual._body, policy=REMAT[self.remat]) if self.remat else Residual._body
        return body(self, x)

    def _body(self, x: Array) -> Array:
        wide = 4 * self.width if self.bottleneck else self.width
        convs = [(self.width, 1, 1), (self.width, 3, self.strides), (wide, 1, 1)]
        if not self.bottleneck:
            convs = [(wide, 3, self.strides), (wide, 3, 1)]
        y = x
        for number, (features, size, strides) in enumerate(convs):
            y = StyleNorm()(Conv(features, size=size, strides=strides, standardise=False)(y))
            y = nn.relu(y) if number < len(convs) - 1 else y
        if x.shape != y.shape:
            x = StyleNorm()(Conv(wide, size=1, strides=self.strides, standardise=False)(x))
        return nn.relu(x + y)


class DeepResNet(nn.Module):
    """An image in 0..1 to a map of a 32nd of its size, with 512 (18 layers) or 2048 channels (50).

    `width` are the channels of the first stage, 64 as published.
    """

    layers: int
    remat: str = ""
    width: int = 64

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b y x d"]:
        x = (image - jnp.asarray([[[_MEAN]]], image.dtype)) / jnp.asarray([[[_SPREAD]]], image.dtype)
        x = nn.relu(StyleNorm()(Conv(self.width, size=7, strides=2, standardise=False)(x)))
        x = nn.max_pool(x, (3, 3), (2, 2), "SAME")
        for stage, blocks in enumerate(STAGES[self.layers]):
            for number in range(blocks):
                strides = 2 if stage and not number else 1
                x = Residual(self.width * 2**stage, strides, self.layers >= 50, self.remat)(x)
        return x
