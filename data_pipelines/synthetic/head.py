"""One procedural person: the mesh with this identity's shape, posed frame by frame, with its exact landmarks."""

import dataclasses
import functools

import numpy as np
import scipy.sparse
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import expression_basis, hair, head_mesh, head_parts, textures
from data_pipelines.synthetic.traits import Traits, deform, sample
from vasa_jax import landmarks

NECK = np.array([0.0, 0.55, 0.50])
"""Where the head turns, in the canonical head frame."""
SKULL_LOW = np.array([0.0, 0.25, 0.40])
"""Where a beard's hairs point away from."""
_EYE_CENTRES = np.array([[-0.237, -0.207, -0.048], [0.237, -0.207, -0.048]])
_EYE_RADIUS = 0.088
_EYE_RINGS = ("eye_left", "eye_right")


@dataclasses.dataclass(frozen=True)
class FrameState:
    """What a head does in one frame.

    expression: strengths in the order of `expression_basis.NAMES`. rotation, translation, scale: of the head, as in a
    pose. gaze: (theta, phi) in the camera frame. body: rotation of the shoulders. tongue: raised tip, 0..1.
    """

    expression: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    scale: float
    gaze: np.ndarray
    body: np.ndarray
    tongue: float = 0.0


class Posed:
    """A head in a frame: all vertices [v, 3] and the landmarks [K, 3], both crop-normalised."""

    def __init__(self, points: np.ndarray, marks: np.ndarray, canonical: np.ndarray) -> None:
        self.points, self.landmarks, self.canonical = points, marks, canonical


class Head:
    """Mesh of an identity. Vertices: skin first, then the parts in the order in which they were added."""

    def __init__(self, identity: int, texture_size: int = 512) -> None:
        self.traits: Traits = sample(identity)
        mesh = head_mesh.skin()
        self._mesh = mesh
        self.skin = deform(self.traits, mesh.points)
        self._basis = mesh.basis.reshape(len(mesh.basis), -1)
        self.eyes = deform(self.traits, _EYE_CENTRES)
        self.radius = _EYE_RADIUS * (1 + 0.075 * self.traits.shape["eye_size"]) * (1 + 0.02 * self.traits.shape["fat"])
        self._near = [np.flatnonzero(np.linalg.norm(self.skin - c, axis=-1) < 0.21) for c in self.eyes]
        self._spans: dict[str, slice] = {}
        self._chunks = {"triangles": [], "uv": [], "two_sided": [], "shine": [], "shade": []}
        self._static: dict[str, np.ndarray] = {}
        self._count = 0
        self._add_skin()
        self._add_insides()
        self._add_hair()
        self._add_rest()
        joined = {name: np.concatenate(parts) for name, parts in self._chunks.items()}
        self.triangles, self.uv = joined["triangles"].astype(np.int32), joined["uv"].astype(np.float32)
        self.two_sided, self.shine, self.shade = (
            joined["two_sided"],
            joined["shine"],
            joined["shade"].astype(np.float32),
        )
        f = len(self.triangles)
        rows, columns = self.triangles.ravel(), np.repeat(np.arange(f), 3)
        self._spread = scipy.sparse.csr_matrix((np.ones(3 * f, np.float32), (rows, columns)), (self._count, f))
        scalp = np.concatenate([mesh.layout, hair.growth(self.traits, mesh.points)[:, None]], -1)
        self.atlas = textures.paint(self.traits, texture_size, scalp)

    def _add(
        self,
        name: str,
        count: int,
        triangles: np.ndarray,
        uv: np.ndarray,
        shine: float,
        shade: np.ndarray | float = 1.0,
        two_sided: bool = False,
    ) -> np.ndarray:
        """Reserves vertices; returns their numbers. Triangles are given in the mesh's own numbering."""
        ids = self._count + np.arange(count)
        self._spans[name] = slice(self._count, self._count + count)
        self._count += count
        self._chunks["triangles"].append(triangles)
        self._chunks["two_sided"].append(np.full(len(triangles), two_sided))
        self._chunks["uv"].append(uv)
        self._chunks["shine"].append(np.full(count, shine, np.float32))
        self._chunks["shade"].append(np.broadcast_to(np.asarray(shade, np.float32), count))
        return ids

    def _add_part(self, name: str, part: head_parts.Part, patch: str, shine: float, **options: object) -> None:
        points, triangles, uv = part
        self._static[name] = points
        self._add(name, len(points), triangles + self._count, textures.patch_coordinates(patch, uv), shine, **options)

    def _add_skin(self) -> None:
        mesh, (x, y) = self._mesh, self._mesh.layout.T
        under = (mesh.ring_share > 0) & (mesh.points[:, 1] > 0.25)
        shade = 1 - 0.35 * under * np.clip(mesh.ring_share * 8, 0, 1)
        for cx in (-0.14, 0.14):
            shade = shade * (1 - 0.16 * np.exp(-(((x - cx) / 0.05) ** 2) - ((y + 0.215) / 0.07) ** 2))
        self._add("skin", len(x), mesh.triangles, textures.layout_coordinates(mesh.layout), 0.20, shade)

    def _add_insides(self) -> None:
        """Lid rims, the mouth's cavity, eyeballs, teeth and tongue."""
        mesh = self._mesh
        for i, name in enumerate(_EYE_RINGS):
            ring, layout = mesh.rings[name], mesh.layout[mesh.rings[name]]
            uv = textures.layout_coordinates(layout.mean(0) + 0.80 * (layout - layout.mean(0)))
            ids = self._count + np.arange(len(ring))
            self._add(f"rim_{i}", len(ring), head_mesh.strip(ring, ids)[:, ::-1], uv, 0.3, 0.85, two_sided=True)
        ring, layout = mesh.rings["lips_inner"], mesh.layout[mesh.rings["lips_inner"]]
        n, centre = len(ring), layout.mean(0)
        ids = self._count + np.arange(3 * n)
        triangles = [
            head_mesh.strip(a, b)[:, ::-1]
            for a, b in ((ring, ids[:n]), (ids[:n], ids[n : 2 * n]), (ids[n : 2 * n], ids[2 * n :]))
        ]
        uv = [textures.layout_coordinates(centre + k * (layout - centre)) for k in (0.6, 0.4, 0.1)]
        shade = np.repeat([0.75, 0.5, 0.15], n)
        self._add("cavity", 3 * n, np.concatenate(triangles), np.concatenate(uv), 0.0, shade, two_sided=True)
        for i in range(2):
            self._add_part(f"eye_{i}", head_parts.eyeball(), "eye", 0.9)
        for name in ("upper", "lower"):
            self._add_part(
                f"teeth_{name}", head_parts.teeth(name == "upper"), f"teeth_{name}", 0.3, shade=0.86, two_sided=True
            )
            self._static[f"teeth_{name}"] = deform(self.traits, self._static[f"teeth_{name}"])
        self._add_part("tongue", head_parts.tongue(), "tongue", 0.25, shade=0.62, two_sided=True)
        self._tongue_move = expression_basis.jaw_rotation(self._static["tongue"])
        self._teeth_move = expression_basis.jaw_rotation(head_parts.teeth(False)[0])
        self._static["tongue"] = deform(self.traits, self._static["tongue"])

    def _shell(self, name: str, height: np.ndarray, patch: np.ndarray, reach: float, shine: float) -> None:
        used = (height > reach)[self._mesh.triangles].any(1)
        triangles = self._mesh.triangles[used]
        ids, local = np.unique(triangles, return_inverse=True)
        outward = self.skin - (head_mesh.SKULL_CENTRE if name == "hair" else SKULL_LOW)
        outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
        self._static[name] = outward[ids] * height[ids, None]
        self._shell_ids = getattr(self, "_shell_ids", {}) | {name: ids}
        uv = textures.patch_coordinates("hair", patch[ids])
        self._add(name, len(ids), local.reshape(-1, 3) + self._count, uv, shine)

    def _add_hair(self) -> None:
        mesh, traits = self._mesh, self.traits
        patch = hair.shell_patch(mesh.layout)
        if traits.hair_style != "bald":
            value = hair.growth(traits, mesh.points)
            self._shell("hair", hair.lift(traits, mesh.points, value), patch, 0.0, 0.16)
        if traits.beard > 0:
            self._shell("beard", hair.beard_lift(traits, mesh.layout), hair.shell_patch(mesh.layout, 9), 0.0, 0.04)
        rng = np.random.default_rng([traits.seed, 7007])
        if traits.hair_style in hair.HANGING:
            end = rng.uniform(0.40, 0.75) if traits.hair_style == "bob" else rng.uniform(0.95, 1.7)
            part = head_parts.curtain(
                rng.uniform(0.95, 1.55), end, rng.uniform(0.03, 0.16), rng.uniform(0, 0.035), rng.uniform(-0.1, 0.3)
            )
            part[2][:, 0] = np.abs((part[2][:, 0] * 5) % 2 - 1)
            shade = np.where(part[0][:, 2] > 0.7, 0.6, 1.0)
            self._add_part("curtain", part, "hair", 0.16, two_sided=True, shade=shade)
            self._static["curtain"] = deform(traits, part[0])
        if traits.hair_style == "bun":
            self._add_part("bun", head_parts.bun(rng.uniform(0.6, 1.0)), "hair", 0.16, two_sided=True)

    def _add_rest(self) -> None:
        traits = self.traits
        size = 1 + 0.09 * traits.shape["ear_size"]
        for side in (-1, 1):
            part = head_parts.ear(side, size, 0.5 * traits.shape["ear_out"])
            inner = np.linalg.norm(part[2] - 0.5, axis=-1)
            self._add_part(
                f"ear_{side}", part, "ear", 0.15, two_sided=True, shade=0.62 + 0.38 * np.clip(inner / 0.30, 0, 1)
            )
            self._static[f"ear_{side}"] = deform(traits, part[0])
        part, self._follow = head_parts.neck(traits.shape["neck"])
        self._add_part("neck", part, "neck", 0.1, shade=0.50 + 0.50 * np.clip((part[0][:, 1] - 0.45) / 0.45, 0, 1))
        rng = np.random.default_rng([traits.seed, 7008])
        body = head_parts.shoulders(0.05 * traits.shape["neck"], rng.uniform(0, 0.06))
        self._add_part("shoulders", body, "shirt", 0.05)
        if traits.glasses is not None:
            part = head_parts.glasses(rng.uniform(0.85, 1.05), rng.uniform(0, 1))
            self._add_part("glasses", part, "glasses", 0.6, two_sided=True)
            self._static["glasses"] = deform(traits, part[0])

    def normals(self, points: np.ndarray, triangles: np.ndarray | None = None) -> np.ndarray:
        """Outward unit normals of vertices."""
        own = triangles is None
        triangles = self.triangles if own else triangles
        a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
        u, v = b - a, c - a
        faces = -np.stack([u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1], u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2],
                           u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]], -1)  # fmt: skip
        if own:
            total = self._spread @ faces
        else:
            total = np.zeros_like(points)
            for k in range(3):
                np.add.at(total, triangles[:, k], faces)
        return total / (np.linalg.norm(total, axis=-1, keepdims=True) + 1e-12)

    def neutral_lids(self) -> np.ndarray:
        """Eye opening [2] of this identity at rest, as `landmarks.lids` measures it."""
        still = np.zeros(3)
        state = FrameState(np.zeros(len(expression_basis.NAMES)), still, still, 1.0, np.zeros(2), still)
        return landmarks.lids(self.pose(state).canonical)

    def _skin_at(self, expression: np.ndarray) -> np.ndarray:
        points = self.skin + (expression @ self._basis).reshape(-1, 3)
        for centre, near in zip(self.eyes, self._near, strict=True):
            # Lids slide over the eyeball.
            away = points[near] - centre
            distance = np.linalg.norm(away, axis=-1, keepdims=True)
            least = 1.05 * self.radius
            points[near] = centre + away * np.where(away[:, 2:] < 0, np.maximum(distance, least) / distance, 1)
        return points

    def _inside_at(self, skin: np.ndarray, state: FrameState, gaze: np.ndarray, out: np.ndarray) -> None:
        jaw = state.expression[0]
        for i, name in enumerate(_EYE_RINGS):
            out[self._spans[f"rim_{i}"]] = self.eyes[i] + 0.84 * (skin[self._mesh.rings[name]] - self.eyes[i])
            out[self._spans[f"eye_{i}"]] = self.eyes[i] + self.radius * (self._static[f"eye_{i}"] @ look(gaze).T)
        ring = skin[self._mesh.rings["lips_inner"]]
        centre = ring.mean(0)
        away = ring - centre
        side = away / (np.linalg.norm(away, axis=-1, keepdims=True) + 1e-6)
        rows = [
            ring + 0.03 * side + [0, 0, 0.03],
            ring + 0.03 * side + [0, 0, 0.16],
            centre + 0.3 * away + [0, 0, 0.28],
        ]
        out[self._spans["cavity"]] = np.concatenate(rows)
        out[self._spans["teeth_upper"]] = self._static["teeth_upper"]
        out[self._spans["teeth_lower"]] = self._static["teeth_lower"] + jaw * self._teeth_move
        lift = np.array([0, -0.07, -0.015]) * state.tongue
        out[self._spans["tongue"]] = (
            self._static["tongue"] + jaw * self._tongue_move + lift * (self._static["tongue"][:, 2:] < 0)
        )

    def pose(self, state: FrameState) -> Posed:
        """All points of the head in a frame."""
        head = Rotation.from_euler("xyz", state.rotation).as_matrix()
        gaze = head.T @ schema.gaze_direction(np.asarray(state.gaze))
        skin = self._skin_at(state.expression)
        out = np.zeros((self._count, 3))
        out[self._spans["skin"]] = skin
        self._inside_at(skin, state, gaze, out)
        for name in self._shell_ids if hasattr(self, "_shell_ids") else ():
            out[self._spans[name]] = skin[self._shell_ids[name]] + self._static[name]
        for name in ("ear_-1", "ear_1", "curtain", "bun", "glasses", "neck", "shoulders"):
            if name in self._spans:
                out[self._spans[name]] = self._static[name]
        canonical = np.empty((landmarks.COUNT, 3))
        irises = landmarks.SLICES["irises"]
        canonical[[i for i, m in enumerate(landmarks.MEDIAPIPE_INDICES) if m < 468]] = skin[self._mesh.landmarks]
        canonical[irises] = self.eyes + self.radius * gaze
        moved = state.scale * out @ head.T + state.translation
        base = state.scale * head @ NECK + state.translation
        body = Rotation.from_euler("xyz", state.body).as_matrix()
        for name, share in (("neck", self._follow[:, None]), ("shoulders", 1.0)):
            at = self._spans[name]
            still = state.scale * (out[at] - NECK) @ body.T + base
            moved[at] = (1 - share) * moved[at] + share * still
        return Posed(moved, state.scale * canonical @ head.T + state.translation, canonical)


def look(direction: np.ndarray) -> np.ndarray:
    """Rotation that carries -z to a unit direction, without roll."""
    back = -direction
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], -1)


@functools.lru_cache(maxsize=4)
def head(identity: int, texture_size: int = 512) -> Head:
    """The head of an identity, kept for the next clips of the same person."""
    return Head(identity, texture_size)
