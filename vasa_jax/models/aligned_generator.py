"""A generator for small compute: the flow moves the whole portrait, only the face is painted, upright and at scale one.

The paper's `Generator` computes every pixel. Here the warps' flow moves the source image everywhere, at coarse cells,
and detail is computed only in a square about the face that follows the head (`face_square`): mouth and eyes stand at
the same cells whatever the head does, and a quarter of the cells are enough for pixels of the same size.
Colours are written in the portrait's own (`ops.colour`): a grey portrait stays grey whatever is painted.
"""

import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ConvWeights, ResBlock, StyleNorm, side_by_side
from vasa_jax.ops import precise
from vasa_jax.ops.colour import colour_frame, from_frame, into_frame
from vasa_jax.ops.conv3d import fold_depth
from vasa_jax.ops.resize import aligned_resize, depth_to_space, space_to_depth
from vasa_jax.ops.warp import grid_sample, identity_grid

EXTENT, CENTRE = 0.56, 0.17
"""Half-width and middle (down) of the painted square, in the head's units: brows to chin, cheek to cheek."""
REACH = 0.12
"""How far the painted square may correct the flow, in units of half the image: half the height of an open eye."""
_EDGE = 0.2  # share of the square's half-width over which it blends into the image
_RANGE = 4.0  # of painted colours, in deviations of the portrait's own


def face_square(pose: Float[Array, "b 7"], size: int) -> Float[Array, "b s s 2"]:
    """Where the cells of the painted square lie in the image."""
    square = identity_grid((size, size)) * EXTENT + jnp.asarray([[[0.0, CENTRE]]])
    return precise.einsum("bij,hwj->bhwi", _turned(pose), square) + pose[:, None, None, 3:5]


def square_places(pose: Float[Array, "b 7"], places: Float[Array, "#b n 2"]) -> Float[Array, "b n 2"]:
    """Where places of the image lie in the painted square, which spans -1..1: inverse of `face_square`."""
    upright = _turned(pose).swapaxes(1, 2) / jnp.square(pose[:, 6])[:, None, None]
    head = precise.einsum("bij,bnj->bni", upright, places - pose[:, None, 3:5])
    return (head - jnp.asarray([[[0.0, CENTRE]]])) / EXTENT


def _turned(pose: Float[Array, "b 7"]) -> Float[Array, "b 2 2"]:
    cos, sin, scale = jnp.cos(pose[:, 2]), jnp.sin(pose[:, 2]), pose[:, 6]
    return jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2) * scale[:, None, None]


def blend_window(places: Float[Array, "*s 2"]) -> Float[Array, "*s 1"]:
    """1 inside of the painted square, 0 outside, smooth over its edge."""
    inside = jnp.clip((1.0 - jnp.abs(places)) / _EDGE, 0.0, 1.0)
    inside = inside * inside * (3.0 - 2.0 * inside)
    return inside[..., :1] * inside[..., 1:]


def portrait_colours(image: Float[Array, "b h w 3"], pose: Float[Array, "b 7"]) -> Float[Array, "b 3 4"]:
    """The colour frame of the face in a portrait, `ops.colour.colour_frame` over the ellipse in the painted square."""
    square = identity_grid((48, 48)).reshape(-1, 2)
    weight = (jnp.square(square).sum(-1) < 1.0).astype(jnp.float32)
    pixels = grid_sample(image, face_square(pose, 48), "border").reshape(image.shape[0], -1, 3)
    return colour_frame(pixels, jnp.broadcast_to(weight, pixels.shape[:2]))


class AlignedGenerator(nn.Module):
    """Volume, flow and portrait to an image.

    Attributes:
      base, blocks: width and number of residual blocks over the whole image, at the volume's cells.
      widths: channels in the square, at `cells` and at twice as many.
      detail: residual blocks at the finer.
      last_patch: side of the pixels that come out of one of those.
    """

    base: int
    blocks: int
    widths: tuple[int, int]
    cells: int = 32
    detail: int = 2
    last_patch: int = 2
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(
        self,
        volume: Float[Array, "b z y x c"],
        dynamics: Float[Array, "b d"],
        flow: Float[Array, "b z y x 2"],
        image: Float[Array, "b h w 3"],
        pose: Float[Array, "b 7"],
        colours: Float[Array, "b 3 4"],
    ) -> dict[str, Array]:
        """Returns `compose`'s result, and what images of other sizes are composed from: "coarse" [b y x 2], the flow
        of the whole image, and "square" [b s s 6], colours in RGB, what is kept and offsets in the square.
        """
        x = Conv(self.base, size=1, standardise=False, use_bias=True)(fold_depth(volume))
        for _ in range(self.blocks):
            x = ResBlock(self.base, **self.block)(x, dynamics)
        coarse = self._flow(x, flow)
        side = 2 * self.cells * self.last_patch
        near = grid_sample(coarse, face_square(pose, side), "border")
        seen = into_frame(grid_sample(image, near, "border"), colours)
        square = self._paint(x, dynamics, pose, jnp.clip(seen, -_RANGE, _RANGE))
        square = jnp.concatenate([from_frame(square[..., :3], colours), square[..., 3:]], -1)
        return compose(coarse, square, pose, image) | {"coarse": coarse, "square": square}

    def _flow(self, x: Array, flow: Array) -> Float[Array, "b y x 2"]:
        """Chooses softly, per place, among the depth planes' source coordinates and standing still."""
        still = jnp.broadcast_to(identity_grid(flow.shape[2:4]), flow[:, :1].shape)
        candidates = jnp.concatenate([flow, still], 1)
        logits = Conv(candidates.shape[1], standardise=False, use_bias=True, name="planes")(nn.relu(StyleNorm()(x)))
        share = jax.nn.softmax(logits.astype(jnp.float32), -1)
        return precise.einsum("bzhwc,bhwz->bhwc", candidates, share)

    def _paint(self, x: Array, dynamics: Array, pose: Array, seen: Float[Array, "b s s 3"]) -> Float[Array, "b s s 6"]:
        """The square: colours in the portrait's frame, what is kept of the moved source, corrections of the flow."""
        coarse, fine = self.widths
        y = grid_sample(x, face_square(pose, self.cells), "border")
        place = jnp.broadcast_to(identity_grid(y.shape[1:3]), (*y.shape[:3], 2)).astype(y.dtype)
        y = Conv(coarse, size=1, standardise=False, use_bias=True)(jnp.concatenate([y, place], -1))
        y = ResBlock(coarse, **self.block)(y, dynamics)
        y = ResBlock(fine, upsample=True, **self.block)(y, dynamics)
        seen = space_to_depth(seen, self.last_patch).astype(y.dtype)
        y = y + Conv(fine, standardise=False, use_bias=True, name="seen")(seen)
        for _ in range(self.detail):
            y = ResBlock(fine, **self.block)(y, dynamics)
        y = nn.relu(StyleNorm()(y))
        zeros = nn.initializers.zeros
        last = functools.partial(ConvWeights, standardise=False, use_bias=True)
        fine_flow = last(2, init=zeros, name="fine_flow")
        painter = last(4 * self.last_patch**2, name="paint")
        offsets, paint = (part.astype(jnp.float32) for part in side_by_side(y, fine_flow, painter))
        paint = depth_to_space(paint, self.last_patch)
        colour = _RANGE * jnp.tanh(paint[..., :3] / _RANGE)
        blend_mask = jax.nn.sigmoid(paint[..., 3:] + 1.0)
        offsets = aligned_resize(REACH * jnp.tanh(offsets), paint.shape[1:3])
        return jnp.concatenate([colour, blend_mask, offsets], -1)


def compose(
    coarse: Float[Array, "b y x 2"],
    square: Float[Array, "b s s 6"],
    pose: Float[Array, "b 7"],
    image: Float[Array, "b h w 3"],
) -> dict[str, Float[Array, "b h w _"]]:
    """The image, and what it is blended from: the moved source, what is painted, what is kept, the flow."""
    size = image.shape[1:3]
    grid = identity_grid(size).reshape(1, -1, 2)
    places = square_places(pose, grid).reshape(-1, *size, 2)
    window = blend_window(places)
    pasted = grid_sample(square, places, "border")
    blend_mask = 1.0 - window * (1.0 - pasted[..., 3:4])
    sampling_grid = aligned_resize(coarse, size) + window * pasted[..., 4:]
    warped_source = grid_sample(image, sampling_grid, "border")
    synthesised = warped_source + window * (pasted[..., :3] - warped_source)
    blended = blend_mask * warped_source + (1.0 - blend_mask) * pasted[..., :3]
    return {
        "image": blended,
        "warped_source": warped_source,
        "sampling_grid": sampling_grid,
        "synthesised": synthesised,
        "blend_mask": blend_mask,
    }
