"""Backward warps: trilinear and bilinear sampling of volumes and pictures at normalised coordinates.

Coordinates are float32, last axis (x, y, z) or (x, y), -1..1 at the centres of the end voxels
("align corners"), see spec of the warp in MegaPortraits section 3.1. Two forms of one sum: "stacked" gathers the rows
of all eight (four) neighbours at once and is by far the quicker to compile; "corners" gathers and adds one neighbour
after the other, so that eight times the volume never stands in memory. `ops/choice.py` picks.
"""

import itertools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.ops import choice

Padding = Literal["zeros", "border"]
Form = Literal["stacked", "corners"]


def identity_grid(shape: Sequence[int]) -> Float[Array, "*shape n"]:
    """Coordinates of the cells of a grid of `shape` ((z, y, x) or (y, x)), last axis (x, y[, z])."""
    axes = [jnp.linspace(-1.0, 1.0, n, dtype=jnp.float32) if n > 1 else jnp.zeros(1) for n in shape]
    return jnp.stack(jnp.meshgrid(*axes, indexing="ij")[::-1], -1)


def grid_sample(grid: Array, coords: Array, padding: Padding = "zeros", form: Form | None = None) -> Array:
    """Samples each item of a batch linearly at its own coordinates.

    Args:
      grid: volumes [b, z, y, x, c] or pictures [b, h, w, c].
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
    place = coords.reshape(batch, -1, len(sizes))[..., ::-1].astype(jnp.float32)
    limits = jnp.asarray(sizes, jnp.float32) - 1.0
    place = (place + 1.0) * 0.5 * limits
    if padding == "border":
        place = jnp.clip(place, 0.0, limits)
    low = jnp.floor(place)
    fraction = place - low
    corners = np.asarray(list(itertools.product((0.0, 1.0), repeat=len(sizes))), np.float32)

    def read(corner: Array) -> tuple[Array, Array]:
        """Rows [b, n, (k,) c] at a corner [(k,) axes] of each place's cell, and their weights [b, n, (k)]."""
        at, part = (jnp.expand_dims(x, 2) if corner.ndim == 2 else x for x in (low, fraction))
        cell = at + corner
        weight = jnp.prod(jnp.where(corner > 0, part, 1.0 - part), -1)
        if padding == "zeros":
            weight *= jnp.all((cell >= 0) & (cell <= limits), -1)
        return _rows(flat, _flat_index(cell, sizes)), weight

    if (form or choice.warp(len(sizes))) == "stacked":
        values, weight = read(corners)
        total = jnp.einsum("bnkc,bnk->bnc", values, weight.astype(grid.dtype))
    else:
        # In float32 whatever the grid's type: the sum is fused, so that only its result is ever written.
        total = sum(values * weight[..., None] for values, weight in map(read, corners)).astype(grid.dtype)
    return total.reshape(*coords.shape[:-1], channels)


def _flat_index(cell: Array, sizes: Sequence[int]) -> Array:
    index = jnp.zeros(cell.shape[:-1], jnp.int32)
    for axis, size in enumerate(sizes):
        index = index * size + jnp.clip(cell[..., axis].astype(jnp.int32), 0, size - 1)
    return index


def _rows(flat: Array, index: Array) -> Array:
    return jax.vmap(lambda rows, i: jnp.take(rows, i, axis=0, mode="clip"))(flat, index)
