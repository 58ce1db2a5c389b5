"""Canonical U-Net G3D: cleans the canonical volume once per portrait (spec 1.3, item 6)."""

import flax.linen as nn
from jaxtyping import Array, Float

from vasa_jax.models.layers import Conv, ResBlock, StyleNorm
from vasa_jax.ops.resize import average_pool, linear_resize


class CanonicalUNet(nn.Module):
    """3D U-Net that halves x and y (and depth, down to four planes) at each width and comes back."""

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, volume: Float[Array, "b z y x c"]) -> Float[Array, "b z y x c"]:
        x, skips = volume, []
        for width in self.widths:
            x = ResBlock(width, dims=3)(x)
            # A block on each skip as in the paper's figure; a one-level net is too small to need it.
            skips.append(ResBlock(width, dims=3)(x) if len(self.widths) > 1 else x)
            x = average_pool(x, (2 if x.shape[1] > 4 else 1, 2, 2))
        x = ResBlock(self.widths[-1], dims=3)(x)
        for width, skip in zip(reversed(self.widths), reversed(skips), strict=True):
            x = ResBlock(width, dims=3)(linear_resize(x, skip.shape[1:-1]) + skip)
        x = nn.relu(StyleNorm()(x))
        return volume + Conv(volume.shape[-1], dims=3, standardise=False, use_bias=True)(x)
