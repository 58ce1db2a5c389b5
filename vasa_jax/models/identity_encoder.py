"""Identity encoder: an image to the identity map z_id [4, 4, c] (VASA-1 section 3.1)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResNet
from vasa_jax.models.resnet import DeepResNet
from vasa_jax.ops.resize import linear_resize


class IdentityEncoder(nn.Module):
    """Residual tower, 1x1 convolution, adaptive pooling to 4x4 so that the map keeps where things are.

    The tower is a small one of `widths`, or, as in the paper, ResNet-50 (`resnet` 50).
    """

    size: int
    features: int
    widths: tuple[int, ...] = ()
    blocks: int = 1
    resnet: int = 0
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 4 4 c"]:
        x = linear_resize(image, (self.size, self.size))
        if self.resnet:
            x = DeepResNet(self.resnet, self.block.get("remat", ""))(x)
        else:
            x = ResNet(self.widths, self.blocks, patch=4, block=self.block)(x)
        x = Conv(self.features, size=1, standardise=False, use_bias=True)(x)
        block = x.shape[1] // 4
        return x.reshape(x.shape[0], 4, block, 4, block, -1).mean((2, 4))


def embedding(identity: Float[Array, "b 4 4 c"]) -> Float[Array, "b c"]:
    """One direction per person for cosine comparisons: the map's mean, unit length."""
    mean = identity.mean((1, 2))
    return mean / jnp.maximum(jnp.linalg.norm(mean, axis=-1, keepdims=True), 1e-6)
