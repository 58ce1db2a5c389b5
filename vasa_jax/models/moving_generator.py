"""The small model's generator: the warps' flow moves the source image, and what it cannot show is painted over it.

The paper's `Generator` paints every pixel from the volume. With little compute detail is better moved than painted, so
the flow that the warps imply is collapsed over depth and moves the source image, which is blended with the paint. One
more candidate besides the depth planes is "stand still", for the background.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResBlock, StyleNorm
from vasa_jax.ops import precise
from vasa_jax.ops.conv3d import fold_depth
from vasa_jax.ops.resize import aligned_resize, depth_to_space, nearest_upsample, space_to_depth
from vasa_jax.ops.warp import grid_sample, identity_grid

FINE_REACH = 0.12
"""Half the height of an open eye, in units of half the image: how far `refine` may move a place."""


class MovingGenerator(nn.Module):
    """Volume, flow and source image to an image.

    Attributes:
      base, blocks, widths, last_patch: as in `Generator`.
      modulated: the dynamics code also sets the norms, so that what a warp cannot uncover (teeth behind closed lips, a
        lid over an open eye) can still be painted.
      refine: one more block at the last resolution, which also corrects the flow there. A lid or a lip is thinner than
        a cell of the warps; here it has cells of its own. Starts as "no change".
    """

    base: int
    blocks: int
    widths: tuple[int, ...]
    last_patch: int = 1
    modulated: bool = True
    refine: bool = False
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(
        self,
        volume: Float[Array, "b z y x c"],
        dynamics: Float[Array, "b d"],
        flow: Float[Array, "b z y x 2"],
        image: Float[Array, "b h w 3"],
    ) -> dict[str, Array]:
        """Returns "image" and what it is blended from: "synthesised", "warped_source", "blend_mask", "sampling_grid"
        and "still"."""
        style = dynamics if self.modulated else None
        x = Conv(self.base, size=1, standardise=False, use_bias=True)(fold_depth(volume))
        for _ in range(self.blocks):
            x = ResBlock(self.base, **self.block)(x, style)
        out = self._move_source(x, flow, image)
        for width in self.widths[:-1]:
            x = ResBlock(width, upsample=True, **self.block)(x, style)
        x = self._beside_source(x, out["warped_source"])
        x = ResBlock(self.widths[-1], **self.block)(x, style)
        if self.refine:
            x = ResBlock(self.widths[-1], start_as_identity=True, name="detail", **self.block)(x, style)
            out |= self._refine_flow(x, out["sampling_grid"], image)
        x = nn.relu(StyleNorm()(x))
        x = Conv(4 * self.last_patch**2, standardise=False, use_bias=True)(x)
        x = depth_to_space(x, self.last_patch).astype(jnp.float32)
        synthesised, blend_mask = jax.nn.sigmoid(x[..., :3]), jax.nn.sigmoid(x[..., 3:] + 1.0)
        return out | {
            "image": blend_mask * out["warped_source"] + (1.0 - blend_mask) * synthesised,
            "synthesised": synthesised,
            "blend_mask": blend_mask,
        }

    def _move_source(self, x: Array, flow: Array, image: Array) -> dict[str, Array]:
        """Chooses softly, per place, among the depth planes' source coordinates and standing still."""
        still = jnp.broadcast_to(identity_grid(flow.shape[2:4]), flow[:, :1].shape)
        candidates = jnp.concatenate([flow, still], 1)
        logits = Conv(candidates.shape[1], standardise=False, use_bias=True)(nn.relu(StyleNorm()(x)))
        # The planes share the face's motion; start with more trust in them than in standing still.
        share = jax.nn.softmax(logits.astype(jnp.float32), -1)
        sampling_grid = precise.einsum("bzhwc,bhwz->bhwc", candidates, share)
        fine = aligned_resize(sampling_grid, image.shape[1:3])
        return {"warped_source": grid_sample(image, fine, "border"), "sampling_grid": fine, "still": share[..., -1]}

    def _beside_source(self, x: Array, warped_source: Array) -> Array:
        """Features at twice the cells, the moved source beside them."""
        x = nearest_upsample(x, (2, 2))
        seen = (space_to_depth(warped_source, warped_source.shape[1] // x.shape[1]) - 0.5).astype(x.dtype)
        return jnp.concatenate([x, Conv(self.widths[-1], standardise=False, use_bias=True)(seen)], -1)

    def _refine_flow(self, x: Array, sampling_grid: Array, image: Array) -> dict[str, Array]:
        """Adds offsets of at most `FINE_REACH`, read from the finest features, and moves the source again."""
        zeros = nn.initializers.zeros
        offsets = Conv(2, standardise=False, use_bias=True, init=zeros, name="fine_flow")(nn.relu(x))
        offsets = FINE_REACH * jnp.tanh(offsets.astype(jnp.float32))
        fine = sampling_grid + aligned_resize(offsets, image.shape[1:3])
        return {"warped_source": grid_sample(image, fine, "border"), "sampling_grid": fine}
