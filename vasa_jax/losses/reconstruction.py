"""Pixel losses, weighted towards the regions that talk."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.ops.resize import average_pool
from vasa_jax.ops.warp import identity_grid


def region_boxes(points: Float[Array, "b k c"], margin: float = 0.06) -> Float[Array, "b 3 4"]:
    """Boxes (x0, y0, x1, y1) around mouth, left eye and right eye of the image, crop-normalised."""

    def box(names: tuple[str, ...]) -> Array:
        part = jnp.concatenate([points[:, landmarks.SLICES[n], :2] for n in names], 1)
        return jnp.concatenate([part.min(1) - margin, part.max(1) + margin], -1)

    return jnp.stack([box(("lips_outer",)), box(("eye_left",)), box(("eye_right",))], 1)


def region_mask(boxes: Float[Array, "b 3 4"], size: tuple[int, ...], soft: float = 0.03) -> Float[Array, "b h w 3"]:
    """Soft masks of the three boxes, one in each channel."""
    grid = identity_grid(size)
    inside = [
        jax.nn.sigmoid((grid[None, ..., None, axis] - boxes[:, None, None, :, axis]) / soft)
        * jax.nn.sigmoid((boxes[:, None, None, :, axis + 2] - grid[None, ..., None, axis]) / soft)
        for axis in (0, 1)
    ]
    return inside[0] * inside[1]


def region_weight(mask: Float[Array, "b h w 3"], mouth: float, eyes: float) -> Float[Array, "b h w 1"]:
    """1 everywhere plus `mouth` and `eyes` inside their boxes."""
    return 1.0 + mask @ jnp.asarray([[mouth], [eyes], [eyes]])


def masked_l1(a: Array, b: Array, weight: Array) -> Float[Array, " b"]:
    """Mean absolute difference per item under a weight [b, h, w, 1]."""
    total = (weight.sum((1, 2, 3)) * a.shape[-1]).clip(1e-6)
    return (jnp.abs(a - b).astype(jnp.float32) * weight).sum((1, 2, 3)) / total


def pyramid_l1(a: Array, b: Array, weight: Array, levels: int = 3) -> Float[Array, " b"]:
    """Weighted L1 summed over halvings of the image, and of its gradients at the finest level."""
    total = masked_l1(jnp.diff(a, axis=1), jnp.diff(b, axis=1), weight[:, 1:])
    total += masked_l1(jnp.diff(a, axis=2), jnp.diff(b, axis=2), weight[:, :, 1:])
    for level in range(levels):
        if level:
            a, b, weight = (average_pool(x, (2, 2)) for x in (a, b, weight))
        total += masked_l1(a, b, weight)
    return total
