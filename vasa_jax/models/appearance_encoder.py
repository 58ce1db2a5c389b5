"""Appearance encoder E_app: an image to a volume that still has the image's pose (VASA-1 section 3.1)."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResBlock, StyleNorm
from vasa_jax.ops.conv3d import unfold_depth
from vasa_jax.ops.resize import average_pool, space_to_depth


class AppearanceEncoder(nn.Module):
    """2D tower, then depth unfolded from channels, then 3D blocks.

    `patch` 1 is the paper's form, a 7x7 stem at full resolution; a larger patch folds blocks of pixels into
    channels first, which is what makes the small configurations cheap. At the paper's size every stage halves the
    image: 512 to 64 in three, 256 to 64 in two.
    """

    stem: int
    widths: tuple[int, ...]
    volume: tuple[int, int]  # depth, channels
    blocks_3d: int
    patch: int = 1
    skip_size: int = 1
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b z y x c"]:
        depth, channels = self.volume
        options = {"skip_size": self.skip_size, **self.block}
        x = space_to_depth(image - 0.5, self.patch)
        x = Conv(self.stem, size=7 if self.patch == 1 else 3, standardise=False, use_bias=True)(x)
        for stage, width in enumerate(self.widths):
            x = ResBlock(width, **options)(x)
            if stage < len(self.widths) - 1 or self.patch == 1:
                x = average_pool(x, (2, 2))
        x = nn.relu(StyleNorm()(x))
        x = Conv(depth * channels, size=1, standardise=False, use_bias=True)(x)
        x = unfold_depth(x, depth)
        for _ in range(self.blocks_3d):
            x = ResBlock(channels, dims=3, **options)(x)
        return x
