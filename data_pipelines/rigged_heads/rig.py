"""A rigged head: textured meshes with expression targets, brought into the head frame of `vasa_jax.landmarks`.

    rig = Rig(readers.read("valid3d/White_F_2_Casual.npz"))
    posed = rig.pose({"MouthOpen": 0.5, "LeyeClose": 1.0}, gaze=schema.gaze_direction(np.array([0.2, 0.0])))

Made for the heads of VALID (Do, Zelenty, Gonzalez-Franco, McMahan 2023, doi 10.3389/frvir.2023.1248915), whose
texture layout is one for all: the places of the face points are named once, by texture coordinate (`places.json`).
"""

import functools
import importlib.resources
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.sparse
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_pipelines.synthetic.head import look
from vasa_jax import landmarks
from vasa_jax.errors import InputError

NECK = np.array([0.0, 0.55, 0.55])
"""Where the head turns, in the canonical head frame."""
_MET = 1e-5
"""Vertices nearer to each other than this, in half crop widths, are one point of the surface cut by the texture."""

_LOWEST = 2.4
"""What lies lower in the canonical frame is never in an image."""


class Mesh(NamedTuple):
    """A part of a head as its file has it: x to the person's left, y up, z to the front, in any unit.

    points [v, 3], uv [v, 2] (0, 0 is the first pixel's corner), triangles [f, 3] counterclockwise from outside,
    texture: its number; targets: name -> (vertex numbers [k], displacements [k, 3]).
    """

    name: str
    points: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray
    texture: int
    targets: dict[str, tuple[np.ndarray, np.ndarray]]


class HeadFile(NamedTuple):
    """What a reader returns: name of the head, its meshes, and textures by number, uint8 [h, w, 3]."""

    name: str
    meshes: list[Mesh]
    textures: dict[int, np.ndarray]


class Posed(NamedTuple):
    """A head with an expression, not yet turned: all vertices [v, 3] and the landmarks [K, 3], canonical frame."""

    points: np.ndarray
    landmarks: np.ndarray


def plain_name(target: str) -> str:
    """Skin and jaw name one shape differently: h_expressions.MouthOpen_h and h_teeth.t_MouthOpen_h -> MouthOpen."""
    return re.sub(r"^(h_expressions\.|h_teeth\.)?(t_)?|_h$", "", target)


@functools.cache
def places() -> np.ndarray:
    """Texture coordinates [K, 2] of the face points on the skin; the irises' are of no meaning."""
    text = importlib.resources.files("data_pipelines.rigged_heads").joinpath("places.json").read_text()
    return np.asarray(json.loads(text)["uv"], np.float64)


def locate(uv: np.ndarray, triangles: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangle under each texture coordinate [n, 2], as its corners [n, 3] and their weights [n, 3].

    Where none lies under it, the nearest counts.
    """
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1])
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    corners, weights = [], []
    for x, y in wanted:
        u = ((b[:, 0] - x) * (c[:, 1] - y) - (c[:, 0] - x) * (b[:, 1] - y)) / area
        v = ((c[:, 0] - x) * (a[:, 1] - y) - (a[:, 0] - x) * (c[:, 1] - y)) / area
        w = np.clip(np.stack([u, v, 1 - u - v], -1), 0, None)
        w /= w.sum(-1, keepdims=True)
        off = w[:, :1] * a + w[:, 1:2] * b + w[:, 2:] * c - [x, y]
        at = int(np.argmin(np.square(off).sum(-1)))
        corners.append(triangles[at])
        weights.append(w[at])
    return np.asarray(corners), np.asarray(weights)


class Rig:
    """A head that can be posed.

    Attributes:
      name: of the head.
      rest [v, 3], triangles [f, 3] (clockwise in the image from outside), uv [v, 2] and texture [f] of all meshes.
      part [v]: 0 skin, 1 eyes, 2 teeth and tongue, 3 the rest (hair, glands).
      targets: names of its expression targets.
      follow [v, 1]: share of the head's turn that a vertex follows; 0 is the body.
    """

    SKIN, EYES, MOUTH, OTHER = range(4)

    def __init__(self, file: HeadFile) -> None:
        self.name, self.textures, meshes = file.name, file.textures, file.meshes
        starts = np.cumsum([0, *(len(m.points) for m in meshes)])
        self.uv = np.concatenate([m.uv for m in meshes]).astype(np.float64)
        self.part = np.concatenate([np.full(len(m.points), _part(m.name)) for m in meshes])
        self.texture = np.concatenate([np.full(len(m.triangles), m.texture) for m in meshes])
        triangles = [m.triangles.astype(np.int64) + s for m, s in zip(meshes, starts, strict=False)]
        self.triangles = np.concatenate(triangles)[:, ::-1].astype(np.int32)  # y turns down, so the sense reverses
        points = np.concatenate([m.points for m in meshes]).astype(np.float64) * [1, -1, -1]
        self._eyes = _eyeballs(file.name, meshes, starts)
        skin = np.flatnonzero((self.part[self.triangles] == self.SKIN).all(-1))
        self._corners, self._weights = locate(self.uv, self.triangles[skin], places())
        self._join_targets(meshes, starts)
        self._to_canonical(points)
        self.follow = _follow(self.rest)
        near = (self.rest[self.triangles, 1] < _LOWEST).any(-1)  # published heads have whole bodies
        self.triangles, self.texture = self.triangles[near], self.texture[near]
        self._weld()

    def _join_targets(self, meshes: list[Mesh], starts: np.ndarray) -> None:
        names = sorted({plain_name(t) for m in meshes for t in m.targets})
        self.targets = tuple(names)
        rows, columns, values = [], [], []
        for mesh, start in zip(meshes, starts, strict=False):
            for target, (ids, moves) in mesh.targets.items():
                at = (np.asarray(ids, np.int64)[:, None] + start) * 3 + np.arange(3)
                columns.append(at.ravel())
                rows.append(np.full(at.size, names.index(plain_name(target))))
                values.append((np.asarray(moves, np.float64) * [1, -1, -1]).ravel())
        shape = (len(names), 3 * int(starts[-1]))
        if rows:
            places_ = (np.concatenate(rows), np.concatenate(columns))
            self._moves = scipy.sparse.csr_matrix((np.concatenate(values), places_), shape)
        else:
            self._moves = scipy.sparse.csr_matrix(shape)

    def _to_canonical(self, points: np.ndarray) -> None:
        """Turns, moves and scales all, so that `landmarks.fit_pose` of the head at rest is the identity."""
        still = self._marks(points, np.array([0, 0, -1.0]), [_sphere(points[ids]) for ids in self._eyes])
        pose = landmarks.fit_pose(still[None])[0].astype(np.float64)
        turn = Rotation.from_euler("xyz", pose[:3]).as_matrix()
        self.unit = float(pose[6])
        self.rest = (points - pose[3:6]) @ turn / self.unit
        moves = self._moves.toarray().reshape(len(self.targets), -1, 3) @ turn / self.unit
        self._moves = scipy.sparse.csr_matrix(moves.reshape(len(self.targets), -1))
        self._balls = [_sphere(self.rest[ids]) for ids in self._eyes]

    def _weld(self) -> None:
        """Sums face normals over all vertices of one place, so that cuts of the texture do not show."""
        order = np.round(self.rest / _MET).astype(np.int64)
        _, same = np.unique(np.concatenate([order, self.part[:, None]], -1), axis=0, return_inverse=True)
        f = len(self.triangles)
        rows = same.reshape(-1)[self.triangles].ravel()
        self._same = same.reshape(-1)
        one = np.ones(3 * f, np.float32)
        self._spread = scipy.sparse.csr_matrix((one, (rows, np.repeat(np.arange(f), 3))), (int(rows.max()) + 1, f))

    def _marks(self, points: np.ndarray, gaze: np.ndarray, balls: list) -> np.ndarray:
        marks = np.einsum("nk,nkc->nc", self._weights, points[self._corners])
        marks[landmarks.SLICES["irises"]] = [centre + radius * gaze for centre, radius in balls]
        return marks

    def pose(self, weights: Mapping[str, float], gaze: Float[np.ndarray, " 3"] | None = None) -> Posed:
        """The head with target strengths and the direction of both eyes, a unit vector in the head's frame.

        Raises:
          InputError: the head has no such target.
        """
        gaze = np.array([0.0, 0.0, -1.0]) if gaze is None else gaze
        vector = np.zeros(len(self.targets))
        for name, strength in weights.items():
            if name not in self.targets:
                raise InputError(
                    f"{self.name}: no expression target {name}, which the heads of VALID have; leave it out"
                )
            vector[self.targets.index(name)] += strength
        used = np.flatnonzero(vector)
        points = self.rest + (vector[used] @ self._moves[used]).reshape(-1, 3)
        turn = look(gaze)
        for ids, (centre, _) in zip(self._eyes, self._balls, strict=True):
            points[ids] = centre + (self.rest[ids] - centre) @ turn.T
        return Posed(points, self._marks(points, gaze, self._balls))

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Outward unit normals [v, 3]."""
        a, b, c = (points[self.triangles[:, k]].astype(np.float32) for k in range(3))
        faces = -np.cross(b - a, c - a)
        total = self._spread @ faces
        return (total / (np.linalg.norm(total, axis=-1, keepdims=True) + 1e-12))[self._same]

    @property
    def eyeballs(self) -> list[tuple[np.ndarray, float]]:
        """Centre and radius of the two eyes, left of the image first."""
        return self._balls

    @property
    def eye_vertices(self) -> list[np.ndarray]:
        """Vertex numbers of the two eyes, left of the image first."""
        return self._eyes


def _part(name: str) -> int:
    name = name.lower()
    if re.search(r"_eye$|eyeball", name):
        return Rig.EYES
    if "teeth" in name or "tongue" in name:
        return Rig.MOUTH
    return Rig.SKIN if name.startswith("h_dds") or "skin" in name else Rig.OTHER


def _eyeballs(head: str, meshes: list[Mesh], starts: np.ndarray) -> list[np.ndarray]:
    """Vertex numbers of the two eyeballs, that on the image's left (the person's right, smaller x) first."""
    found = [(m.points[:, 0].mean(), s + np.arange(len(m.points))) for m, s in zip(meshes, starts, strict=False)
             if _part(m.name) == Rig.EYES]  # fmt: skip
    if len(found) != 2 or not any(_part(m.name) == Rig.SKIN for m in meshes):
        names = ", ".join(m.name for m in meshes)
        raise InputError(f"{head}: not a head of VALID: no skin (H_DDS_...) and two eyes (h_L_eye, h_R_eye) in {names}")
    return [ids for _, ids in sorted(found, key=lambda pair: pair[0])]


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the least-squares sphere through points [n, 3]."""
    middle = points.mean(0)
    p = points - middle
    system = np.concatenate([2 * p, np.ones((len(p), 1))], -1)
    x, *_ = np.linalg.lstsq(system, np.square(p).sum(-1), rcond=None)
    return x[:3] + middle, float(np.sqrt(max(x[3] + x[:3] @ x[:3], 1e-12)))


def _follow(points: np.ndarray) -> np.ndarray:
    """1 for the head, 0 for the shoulders, a ramp along the neck: its line runs from under the chin up to the nape."""
    below = (points[:, 1] - NECK[1]) + 0.45 * (points[:, 2] - NECK[2])
    ramp = np.clip((below - 0.12) / 0.55, 0, 1)
    return (1 - ramp * ramp * (3 - 2 * ramp))[:, None]
