"""The head as a triangle mesh: topology, rest shape and expression basis, the same for every identity.

The face is the mean of tracked speakers (468 surface points, `head_template.json`) refined by thin-plate
interpolation over its frontal image, the *layout*, in which the mouth stands slightly open so that the two lips
are apart. Skull, ears, eyeballs, mouth cavity, teeth, tongue, neck and shoulders are parametric surfaces. All
coordinates are those of the canonical head frame of `vasa_jax.landmarks` (x right, y down, z away).
Triangles are clockwise in the image when seen from outside.
"""

import functools
import importlib.resources
import json
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline, RBFInterpolator
from scipy.spatial import Delaunay, cKDTree

from data_pipelines.synthetic import expression_basis
from vasa_jax import landmarks

RINGS = 13
"""Rings of the skull between the face's oval and the back of the head."""
SKULL_CENTRE = np.array([0.0, -0.15, 0.42])
LAYOUT_EXTENT = 1.28
"""The layout spans -LAYOUT_EXTENT..LAYOUT_EXTENT both ways; the skull lies around the face."""


class Skin(NamedTuple):
    """Face and skull: points [v, 3], layout [v, 2], triangles [f, 3], basis {name: [v, 3]} and named vertices."""

    points: np.ndarray
    layout: np.ndarray
    triangles: np.ndarray
    basis: np.ndarray
    landmarks: np.ndarray
    rings: dict[str, np.ndarray]
    face_count: int
    ring_share: np.ndarray


@functools.cache
def template_points() -> np.ndarray:
    """Mean neutral face [468, 3] in the order of the MediaPipe face mesh."""
    text = importlib.resources.files("data_pipelines.synthetic").joinpath("head_template.json").read_text()
    return np.asarray(json.loads(text)["points"], np.float64)


def group(name: str) -> np.ndarray:
    """MediaPipe indices of a landmark group."""
    return np.asarray(landmarks.GROUPS[name])


@functools.cache
def template_layout() -> np.ndarray:
    """Frontal image of the template with the lips parted, [468, 2]."""
    points = template_points()
    layout = points[:, :2].copy()
    x, y = layout.T
    lower = y > 0.3565
    inner = group("lips_inner")
    lower[inner[1:10]], lower[inner[11:]] = True, False
    part = 0.035 * np.clip(1 - (x / 0.169) ** 2, 0, 1) ** 0.7 * np.exp(-np.abs(y - 0.356) / 0.12)
    layout[:, 1] += np.where(lower, part, -part)
    return layout


def _refine_ring(ring: np.ndarray, factor: int) -> np.ndarray:
    """Points of a closed curve through `ring` [n, 2], `factor` to a step, the given ones first in each step."""
    n = len(ring)
    closed = np.concatenate([ring, ring[:1]])
    spline = CubicSpline(np.arange(n + 1), closed, bc_type="periodic")
    points = spline(np.arange(n * factor) / factor)
    points[::factor] = ring
    return points


def _inside(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points [n, 2] lie inside a closed polygon [m, 2] (even-odd rule)."""
    a, b = polygon, np.roll(polygon, -1, 0)
    y = points[:, None, 1]
    straddle = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return (straddle & (points[:, None, 0] < cut)).sum(1) % 2 == 1


def _face_layout() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Dense layout points [n, 2], template index of each (-1: new) and vertices of the refined rings."""
    layout = template_layout()
    rings = {
        name: _refine_ring(layout[group(name)], 2)
        for name in ("oval", "lips_inner", "lips_outer", "eye_left", "eye_right")
    }
    points, origin = [layout], [np.arange(468)]
    vertices, count = {}, 468
    for name, ring in rings.items():
        fresh = ring[1::2]
        points.append(fresh)
        origin.append(np.full(len(fresh), -1))
        ids = np.empty(len(ring), int)
        ids[::2] = group(name)
        ids[1::2] = count + np.arange(len(fresh))
        vertices[name] = ids
        count += len(fresh)
    known = np.concatenate(points)
    step = 0.034
    gx, gy = np.meshgrid(np.arange(-0.6, 0.6, step), np.arange(-0.65, 0.75, step * 0.87))
    gx = gx + (np.arange(len(gx)) % 2)[:, None] * step / 2
    grid = np.stack([gx.ravel(), gy.ravel()], -1)
    keep = _inside(rings["oval"], grid) & (cKDTree(known).query(grid)[0] > 0.62 * step)
    for hole in ("lips_inner", "eye_left", "eye_right"):
        keep &= ~_inside(rings[hole], grid)
    points.append(grid[keep])
    origin.append(np.full(int(keep.sum()), -1))
    return np.concatenate(points), np.concatenate(origin), vertices


def _triangulate(layout: np.ndarray, rings: dict[str, np.ndarray]) -> np.ndarray:
    triangles = Delaunay(layout).simplices
    middle = layout[triangles].mean(1)
    keep = _inside(layout[rings["oval"]], middle)
    for hole in ("lips_inner", "eye_left", "eye_right"):
        keep &= ~_inside(layout[rings[hole]], middle)
    a, b, c = np.moveaxis(layout[triangles], 1, 0)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles = np.where(area[:, None] > 0, triangles, triangles[:, ::-1])
    return triangles[keep & (np.abs(area) > 1e-7)]


def strip(first: np.ndarray, second: np.ndarray, closed: bool = True) -> np.ndarray:
    """Triangles between two rows of vertices of equal length."""
    if closed:
        first, second = np.append(first, first[0]), np.append(second, second[0])
    a, b, c, d = first[:-1], first[1:], second[:-1], second[1:]
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])


def _skull(oval: np.ndarray, oval_layout: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rings [RINGS * n, 3] from the oval [n, 3] over the cranium and under the jaw to the back; layout; share."""

    def radii(points: np.ndarray) -> np.ndarray:
        below = points[..., 1] > SKULL_CENTRE[1]
        return np.stack([np.full(below.shape, 0.61), np.where(below, 0.62, 0.80), np.full(below.shape, 0.74)], -1)

    start = (oval - SKULL_CENTRE) / radii(oval)
    length = np.linalg.norm(start, axis=-1, keepdims=True)
    start, back = start / length, np.array([0.0, 0.0, 1.0])
    angle = np.arccos(np.clip(start @ back, -1, 1))[:, None]
    points, layout, share = [], [], []
    for j in range(1, RINGS + 1):
        s = min(j / RINGS, 0.999)
        direction = (np.sin((1 - s) * angle) * start + np.sin(s * angle) * back) / np.sin(angle)
        reach = 1 + (length - 1) * np.exp(-6.0 * s)
        boxy = (np.abs(direction) ** 2.5).sum(-1, keepdims=True) ** (-1 / 2.5)  # skulls are squarer than eggs
        stretched = direction * (1 + s * (boxy - 1)) * radii(SKULL_CENTRE + direction)
        points.append(SKULL_CENTRE + reach * stretched)
        layout.append(oval_layout * (1 + 0.45 * s))
        share.append(np.full(len(oval), s))
    return np.concatenate(points), np.concatenate(layout), np.concatenate(share)


@functools.cache
def skin() -> Skin:
    """The deformable surface; basis [n, v, 3] is in the order of `expression_basis.NAMES`."""
    layout, _, rings = _face_layout()
    triangles = _triangulate(layout, rings)
    source = template_layout()
    deltas = expression_basis.deltas(template_points(), source)
    columns = np.concatenate([template_points(), *deltas], -1)
    dense = RBFInterpolator(source, columns, kernel="thin_plate_spline")(layout)
    dense[:468] = columns
    face = dense[:, :3]
    basis = np.stack([dense[:, 3 + 3 * i : 6 + 3 * i] for i in range(len(deltas))])
    oval = rings["oval"]
    skull, skull_layout, share = _skull(face[oval], layout[oval])
    n, count = len(oval), len(face)
    row = oval
    parts = [triangles]
    for j in range(RINGS):
        following = count + j * n + np.arange(n)
        parts.append(strip(row, following))
        row = following
    fading = np.exp(-5.0 * share)[:, None]
    skull_basis = basis[:, np.tile(oval, RINGS)] * fading
    return Skin(
        points=np.concatenate([face, skull]),
        layout=np.concatenate([layout, skull_layout]),
        triangles=np.concatenate(parts),
        basis=np.concatenate([basis, skull_basis], 1),
        landmarks=np.array([i for i in landmarks.MEDIAPIPE_INDICES if i < 468]),
        rings=rings,
        face_count=count,
        ring_share=np.concatenate([np.zeros(count), share]),
    )
