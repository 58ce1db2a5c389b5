"""How a rigged head looks: what `synthetic.scene.Renderer` asks of a head, for a `Rig`."""

import types

import cv2
import numpy as np

from data_pipelines.rigged_heads.rig import Rig
from data_pipelines.synthetic.raster import rasterise
from vasa_jax import landmarks


class _Vertices:
    """Vertices in the image, as the renderer takes them."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points


class Figure:
    """A rig with its colours and surfaces.

    Attributes:
      rig: the head.
      triangles, uv, atlas, shine, shade, two_sided, traits: see `synthetic.head.Head`. The atlas [h, n h, 3] in 0..1
        holds the textures beside each other.
    """

    traits = types.SimpleNamespace(style="photo")

    def __init__(self, rig: Rig) -> None:
        self.rig, self.triangles = rig, rig.triangles
        numbers = sorted(rig.textures)
        side = max(max(rig.textures[n].shape[:2]) for n in numbers)
        self.atlas = np.concatenate([_square(rig.textures[n], side) for n in numbers], 1).astype(np.float32) / 255
        self.uv = rig.uv.astype(np.float32)
        column = np.zeros(len(self.uv), np.float32)
        column[rig.triangles] = np.searchsorted(numbers, rig.texture)[:, None]
        self.uv[:, 0] += column
        part, faces = rig.part, rig.part[rig.triangles[:, 0]]
        self.two_sided = (faces == Rig.OTHER) | (faces == Rig.MOUTH)
        self.shine = np.choose(part, [0.16, 0.9, 0.35, 0.10]).astype(np.float32)
        self.shine = self.shine * (0.2 + 0.8 * rig.follow[:, 0].astype(np.float32))  # cloth does not shine
        self.shade = _shade(rig)
        self._open = landmarks.lids(rig.pose({}).landmarks)
        closing = {name: 1.0 for name in ("ReyeClose", "LeyeClose") if name in rig.targets}
        self._shut = np.minimum(landmarks.lids(rig.pose(closing).landmarks), 0.9 * self._open)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Outward unit normals of vertices."""
        return self.rig.normals(points)

    def posed(self, points: np.ndarray) -> _Vertices:
        """What the renderer draws."""
        return _Vertices(points)

    def closure(self, canonical: np.ndarray) -> np.ndarray:
        """Closure of the lids [t, 2] of landmarks in the head's own frame: 0 as at rest, 1 as far shut as they go."""
        return np.clip((self._open - landmarks.lids(canonical)) / (self._open - self._shut), 0, 1)


def _square(texture: np.ndarray, side: int) -> np.ndarray:
    if texture.shape[:2] == (side, side):
        return texture
    return cv2.resize(texture, (side, side), interpolation=cv2.INTER_LINEAR)


def _hidden(rig: Rig) -> np.ndarray:
    """Which vertices [v] lie under the skin when the head at rest is seen from the front: the mouth's inside, lids."""
    side, points = 256, rig.rest.copy()
    points[:, :2] = (points[:, :2] + 1) * (side / 2)
    skin = (rig.part[rig.triangles] == Rig.SKIN).all(-1)
    triangles = rig.triangles[skin]
    seen = rasterise(points, triangles, np.zeros(len(triangles), bool), side, side)
    depth = np.full(side * side, np.inf)
    depth[seen.pixel] = (seen.weights.T * points[triangles[seen.triangle], 2]).sum(-1)
    x, y = np.clip(np.round(points[:, :2]).astype(int), 0, side - 1).T
    return points[:, 2] > depth[y * side + x] + 0.04


def _shade(rig: Rig) -> np.ndarray:
    """How much of the light reaches each vertex [v]: less inside the mouth, under the upper lid and under the chin."""
    points, part = rig.rest, rig.part
    shade = np.ones(len(points), np.float32)
    mouth = part == Rig.MOUTH
    if mouth.any():
        low, high = points[mouth].min(0), points[mouth].max(0)
        inside = np.clip((points[:, 2] - low[2]) / 0.35, 0, 1)  # 0 at the front teeth
        shade[mouth] = (0.92 - 0.6 * np.sqrt(inside))[mouth]
        box = (np.abs(points[:, 0]) < high[0] + 0.1) & (points[:, 1] > low[1] - 0.2) & (points[:, 1] < high[1] + 0.2)
        bag = (part == Rig.SKIN) & box & _hidden(rig)
        shade[bag] = (0.75 - 0.65 * np.clip(inside * 1.6, 0, 1))[bag]
    for ids, (centre, radius) in zip(rig.eye_vertices, rig.eyeballs, strict=True):
        height = (centre[1] - points[ids, 1]) / radius
        shade[ids] = 0.95 - 0.35 * np.clip((height - 0.1) / 0.6, 0, 1)
    under = np.clip((points[:, 1] - 0.62) / 0.2, 0, 1) * np.clip((points[:, 2] - 0.05) / 0.3, 0, 1)
    neck = (part == Rig.SKIN) & (rig.follow[:, 0] > 0.02)
    shade[neck] *= (1 - 0.35 * under * np.sqrt(rig.follow[:, 0]))[neck]
    return shade
