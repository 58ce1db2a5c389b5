"""A z-buffer triangle rasteriser in vectorised numpy.

Triangles become rows, rows become pixels, and the nearest pixel wins. Nothing loops over triangles, so the
cost is that of the pixels covered.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Fragments(NamedTuple):
    """What is seen: for each covered pixel its flat index, its triangle and the barycentric weights of the corners."""

    pixel: Int[np.ndarray, " n"]
    triangle: Int[np.ndarray, " n"]
    weights: Float[np.ndarray, "3 n"]


def _enumerate(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Owner and rank within the owner of every unit of `counts`."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    rank = np.arange(len(owner), dtype=np.int32) - starts[owner]
    return owner, rank


def _low(rows: np.ndarray) -> np.ndarray:
    return np.minimum(np.minimum(rows[0], rows[1]), rows[2])


def _high(rows: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(rows[0], rows[1]), rows[2])


def _sum(rows: np.ndarray) -> np.ndarray:
    return rows[0] + rows[1] + rows[2]


def rasterise(
    points: Float[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "f 3"],
    two_sided: np.ndarray,
    height: int,
    width: int,
) -> Fragments:
    """Finds the front-most triangle under every pixel centre.

    Args:
      points: x, y in pixels (centres at whole numbers), z away from the viewer.
      triangles: vertex indices; clockwise in the image (y down) means seen from outside.
      two_sided: bool [f], whether the back of a triangle is seen as well.
      height: of the image, in pixels.
      width: of the image, in pixels.
    """
    x, y, z = (np.ascontiguousarray(points[:, k], np.float32)[triangles.T] for k in range(3))  # [3, f] each
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    top = np.maximum(np.ceil(_low(y)), 0).astype(np.int32)
    bottom = np.minimum(np.floor(_high(y)), height - 1).astype(np.int32)
    seen = ((area > 1e-6) | (two_sided & (area < -1e-6))) & (bottom >= top) & (_high(x) >= 0) & (_low(x) <= width - 1)
    kept = np.flatnonzero(seen)
    x, y, z, area, top, bottom = x[:, kept], y[:, kept], z[:, kept], area[kept], top[kept], bottom[kept]
    # Barycentric weights are affine in the pixel: w_i = a_i x + b_i y + c_i.
    after, before = [1, 2, 0], [2, 0, 1]
    a = (y[after] - y[before]) / area
    b = (x[before] - x[after]) / area
    c = (x[after] * y[before] - x[before] * y[after]) / area
    owner, row = _enumerate(bottom - top + 1)
    row += top[owner]
    slope, offset = a[:, owner], b[:, owner] * row.astype(np.float32) + c[:, owner]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = -offset / slope
    low = _high(np.where(slope > 0, crossing, np.float32(-1)))
    high = _low(np.where(slope < 0, crossing, np.float32(width)))
    empty = ((slope == 0) & (offset < 0)).any(0)
    low = np.ceil(np.maximum(low - 1e-4, 0)).astype(np.int32)
    high = np.floor(np.minimum(high + 1e-4, width - 1)).astype(np.int32)
    span, column = _enumerate(np.where(empty, 0, np.maximum(high - low + 1, 0)))
    column += low[span]
    # Depth above, candidate below, in one integer: the smallest is the nearest.
    depth_slope = _sum(a * z)[owner]
    depth_offset = _sum(offset * z[:, owner])
    depth = depth_offset[span] + depth_slope[span] * column.astype(np.float32)
    key = np.clip((depth + 16.0) * 2.0**25, 0, 2.0**31 - 1).astype(np.int64) << 32
    key |= np.arange(len(key))
    nearest = np.full(height * width, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(nearest, row[span] * width + column, key)
    covered = np.flatnonzero(nearest != np.iinfo(np.int64).max)
    winner = nearest[covered] & 0xFFFFFFFF
    of_row = span[winner]
    weights = offset[:, of_row] + slope[:, of_row] * column[winner].astype(np.float32)
    return Fragments(covered, kept[owner[of_row]], np.clip(weights, 0.0, 1.0))
