"""Faces and eyes cut out of images for the networks that want them so; differentiable in the image."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.ops import precise
from vasa_jax.ops.rotations import transform
from vasa_jax.ops.warp import grid_sample, identity_grid
from vasa_jax.recognition import SIDE, TEMPLATE, alignment_marks

EYE_MARGIN = 0.4
"""What an eye's square reaches beyond the corners, as a share of the eye's width: lids and brow's edge are in it."""


def recognition_crop(
    image: Float[Array, "b h w 3"], pose: Float[Array, "b 7"], size: int = SIDE
) -> Float[Array, "b s s 3"]:
    """The face as recognition networks want it (112 px), aligned by where the mean head's points lie in this pose.

    By the pose and not by tracked points, because generated images have none: both sides of a comparison are cut
    the same way. As in `metrics.identity`, by the least-squares rotation, scale and shift.
    """
    head = jnp.broadcast_to(alignment_marks(landmarks.template()), (pose.shape[0], 4, 3))
    seen = transform(pose, head)[..., :2]
    wanted = (TEMPLATE + 0.5) * 2 / SIDE - 1  # pixel centres -> -1..1 at the edges
    place, middle = seen.mean(1, keepdims=True), wanted.mean(0)
    x, y = jnp.moveaxis(jnp.asarray(wanted - middle), -1, 0)[:, None]
    u, v = jnp.moveaxis(seen - place, -1, 0)
    spread = (x**2 + y**2).sum()
    cos, sin = (u * x + v * y).sum(-1) / spread, (v * x - u * y).sum(-1) / spread
    matrix = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)
    square = identity_grid((size, size)) * (1 - 1 / size) - middle[None, None]
    return grid_sample(image, precise.einsum("bij,hwj->bhwi", matrix, square) + place[:, None], "border")


def eye_crops(image: Float[Array, "b h w c"], points: Float[Array, "b k 3"], size: int) -> Float[Array, "n s s c"]:
    """Upright squares around the left eyes of the images, then around the right ones, by their points; n = 2 b."""
    eyes = []
    for name in ("eye_left", "eye_right"):
        eye = points[:, landmarks.SLICES[name], :2]
        low, high = eye.min(1), eye.max(1)
        centre, half = (low + high) / 2, (0.5 + EYE_MARGIN) * (high - low)[:, 0]
        coords = centre[:, None, None] + half[:, None, None, None] * identity_grid((size, size))[None]
        eyes.append(grid_sample(image, coords, "border"))
    return jnp.concatenate(eyes)
