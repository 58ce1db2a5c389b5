"""Backward warps: trilinear and bilinear sampling of volumes and images at normalised coordinates.

Coordinates are float32, last axis (x, y, z) or (x, y), -1..1 at the centres of the end voxels
("align corners"), see spec of the warp in MegaPortraits section 3.1. Three forms of one sum: "stacked" gathers the rows
of all eight (four) neighbours at once and is by far the quicker to compile on a CPU; "corners" gathers and adds one
neighbour after the other, so that eight times the volume never stands in memory; "planes" does that channel by channel,
for a TPU, where a row of an image's three channels is as long as one of 128. `ops/backends.py` picks.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.ops import backends, precise

Padding = Literal["zeros", "border"]
Form = Literal["stacked", "corners", "planes"]


def identity_grid(shape: Sequence[int]) -> Float[Array, "*shape n"]:
    """Coordinates of the cells of a grid of `shape` ((z, y, x) or (y, x)), last axis (x, y[, z])."""
    axes = [jnp.linspace(-1.0, 1.0, n, dtype=jnp.float32) if n > 1 else jnp.zeros(1) for n in shape]
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij")[::-1], -1)


def grid_sample(grid: Array, coords: Array, padding: Padding = "zeros", form: Form | None = None) -> Array:
    """Samples each item of a batch linearly at its own coordinates.

    Args:
      grid: volumes [b, z, y, x, c] or images [b, h, w, c].
      coords: where to read, [b, ..., 3] or [b, ..., 2], (x, y[, z]) in -1..1 (values outside are allowed).
      padding: "zeros" outside the grid, or "border" for the nearest cell on its edge.
      form: how; by default as picked for the backend.

    Returns:
      [b, ..., c] in the grid's type.
    """
    sizes = grid.shape[1:-1]
    if coords.shape[-1] != len(sizes):
        raise ValueError(f"coords of {coords.shape[-1]} axes cannot read a grid of {len(sizes)}")
    batch, channels = grid.shape[0], grid.shape[-1]
    flat = grid.reshape(batch, -1, channels)
    # One array [b, n] an axis: an array whose last axis has two or three cells takes 40 to 60 times its size on a TPU.
    axes = jnp.moveaxis(coords.reshape(batch, -1, len(sizes))[..., ::-1].astype(jnp.float32), -1, 0)
    places = [(place + 1.0) * 0.5 * (size - 1.0) for place, size in zip(axes, sizes)]
    if padding == "border":
        places = [jnp.clip(place, 0.0, size - 1.0) for place, size in zip(places, sizes)]
    kind: str = form or backends.warp(len(sizes))
    corners = [_corner(places, sizes, steps, padding) for steps in itertools.product((0, 1), repeat=len(sizes))]
    if kind == "stacked":
        index, weight = (jnp.stack(parts, -1) for parts in zip(*corners))
        total = precise.einsum("bnkc,bnk->bnc", _rows(flat, index), weight.astype(grid.dtype))
    elif kind == "corners":
        # In float32 whatever the grid's type: the sum is fused, so that only its result is ever written.
        parts = (_rows(flat, index).astype(jnp.float32) * weight[..., None] for index, weight in corners)
        total = sum(parts, jnp.zeros(())).astype(grid.dtype)
    else:
        planes = jnp.moveaxis(flat, -1, 1)
        parts = (_columns(planes, index).astype(jnp.float32) * weight[:, None] for index, weight in corners)
        total = jnp.moveaxis(sum(parts, jnp.zeros(())).astype(grid.dtype), 1, -1)
    return total.reshape(*coords.shape[:-1], channels)


def _corner(
    places: Sequence[Array], sizes: Sequence[int], steps: Sequence[int], padding: Padding
) -> tuple[Array, Array]:
    """Of one corner of each place's cell: the row in the flat grid, and the weight; each [b, n]."""
    index, weight = jnp.zeros((), jnp.int32), jnp.ones(())
    for place, size, step in zip(places, sizes, steps):
        low = jnp.floor(place)
        cell = low + step
        weight *= place - low if step else 1.0 - (place - low)
        if padding == "zeros":
            weight *= ((cell >= 0) & (cell <= size - 1)).astype(weight.dtype)
        index = index * size + jnp.clip(cell.astype(jnp.int32), 0, size - 1)
    return index, weight


def _rows(flat: Array, index: Array) -> Array:
    return jax.vmap(lambda rows, i: jnp.take(rows, i, axis=0, mode="clip"))(flat, index)


def _columns(planes: Array, index: Array) -> Array:
    return jax.vmap(lambda rows, i: jnp.take(rows, i, axis=1, mode="clip"))(planes, index)
