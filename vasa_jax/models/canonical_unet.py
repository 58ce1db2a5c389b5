"""Canonical U-Net G3D: cleans the canonical volume once per portrait (MegaPortraits)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResBlock, StyleNorm
from vasa_jax.ops.resize import average_pool, linear_resize


class CanonicalUNet(nn.Module):
    """3D U-Net that halves x and y at each width and comes back.

    `depths` are the planes below each width (the paper's figure: 16 doubles to 32 and halves to 16); by default depth
    halves down to four planes. `middle` are the widths at the bottom. With it the net is the paper's: a block on each
    skip, skips added after the blocks of the way up, and one more block at the volume's width. Without it one level
    is meant: the skip is added before the block, and one block of its width stands at the bottom.
    """

    widths: tuple[int, ...]
    middle: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    skip_size: int = 1
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, volume: Float[Array, "b z y x c"]) -> Float[Array, "b z y x c"]:
        def block(width: int, x: Array) -> Array:
            return ResBlock(width, dims=3, skip_size=self.skip_size, **self.block)(x)

        x, skips = volume, []
        for level, width in enumerate(self.widths):
            x = block(width, x)
            skips.append(block(width, x) if self.middle else x)
            x = self._halve(x, level)
        for width in self.middle or self.widths[-1:]:
            x = block(width, x)
        for width, skip in zip(reversed(self.widths), reversed(skips), strict=True):
            x = linear_resize(x, skip.shape[1:-1])
            x = block(width, x) + skip if self.middle else block(width, x + skip)
        if self.middle:
            x = block(volume.shape[-1], x)
        x = nn.relu(StyleNorm()(x))
        return volume + Conv(volume.shape[-1], dims=3, standardise=False, use_bias=True)(x)

    def _halve(self, x: Array, level: int) -> Array:
        """Half of x and y, and the planes that stand below this level."""
        planes = x.shape[1]
        below = self.depths[level] if self.depths else planes // 2 if planes > 4 else planes
        x = average_pool(x, (max(planes // below, 1), 2, 2))
        return linear_resize(x, (below, *x.shape[2:-1])) if below > planes else x
