"""Tiny heads that the tests make up: a face-like surface that carries the face points where VALID's heads do."""

import functools
import io
import json
import struct

import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator

from data_pipelines.rigged_heads import acting, rig
from data_pipelines.synthetic import voice
from vasa_jax import landmarks

_GRID = 44


@functools.cache
def target_names() -> tuple[str, ...]:
    """Every target that a performance may use."""
    take = acting.perform(voice.synthesise(["sil", "aa", "m"]), 3, np.random.default_rng(0))
    return tuple(sorted(take.weights))


@functools.cache
def _surface() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of a grid over the texture [v, 3] (x right, y down, z away), their texture coordinates, triangles."""
    keep = [k for k in range(landmarks.COUNT) if k not in range(*landmarks.SLICES["irises"].indices(landmarks.COUNT))]
    spread = RBFInterpolator(rig.places()[keep], landmarks.template()[keep], kernel="linear")
    u, v = np.meshgrid(np.linspace(0.12, 0.53, _GRID), np.linspace(0.10, 0.46, _GRID))
    uv = np.stack([u.ravel(), v.ravel()], -1)
    at = np.arange(_GRID * _GRID).reshape(_GRID, _GRID)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel()
    # Counterclockwise from the front, where y points up.
    triangles = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    return spread(uv), uv, triangles


def _bumps(uv: np.ndarray, name: str) -> np.ndarray:
    """Displacements [v, 3] of a target, y down: jaws fall, lids close, all else shifts something a little."""
    places, out = rig.places(), np.zeros((len(uv), 3))

    def near(point: int, reach: float) -> np.ndarray:
        away = np.linalg.norm(uv - places[landmarks.MEDIAPIPE_INDICES.index(point)], axis=-1)
        return np.exp(-np.square(away / reach))

    if name in ("MouthOpen", "AE_AA", "AO_a"):
        out[:, 1] = 0.2 * near(14, 0.02) * (uv[:, 1] > 0.36)
    elif name.endswith("eyeClose"):
        upper, lower = (159, 145) if name[0] == "R" else (386, 374)
        out[:, 1] = 0.06 * near(upper, 0.014) - 0.06 * near(lower, 0.014)
    else:
        seed = int.from_bytes(name.encode()[:4], "big")
        out[:, 0] = 0.004 * near(61 if seed % 2 else 291, 0.02)
    return out


def meshes(size: float = 1.0) -> list[rig.Mesh]:
    """Skin and two eyes, as a file has them: y up, z to the front, the size of a head in metres."""
    points, uv, triangles = _surface()
    up = np.array([1, -1, -1]) * 0.13
    points = points * [size, 1, 1]
    targets = {}
    for name in target_names():
        moves = _bumps(uv, name)
        ids = np.flatnonzero(np.abs(moves).max(-1) > 1e-5)
        file_name = f"h_teeth.{name}_h" if name.endswith("_tg") or name == "MPB" else f"h_expressions.{name}_h"
        targets[file_name] = ids, (moves[ids] * up).astype(np.float32)
    out = [rig.Mesh("H_DDS_HighRes", (points * up).astype(np.float32), uv, triangles, 1, targets)]
    for name, x in (("h_L_eye", 0.24), ("h_R_eye", -0.24)):
        out.append(_eye(name, np.array([x * size, -0.20, -0.03])))
    return out


def _eye(name: str, centre: np.ndarray) -> rig.Mesh:
    angle, round_ = np.meshgrid(np.linspace(0, 1.4, 5), np.linspace(0, 2 * np.pi, 9)[:-1], indexing="ij")
    ball = np.stack([np.sin(angle) * np.cos(round_), np.sin(angle) * np.sin(round_), -np.cos(angle)], -1)
    points = (centre + 0.08 * ball.reshape(-1, 3)) * [1, -1, -1] * 0.13
    at = np.arange(40).reshape(5, 8)
    a, b, c, d = (x.ravel() for x in (at[:-1], np.roll(at, -1, 1)[:-1], at[1:], np.roll(at, -1, 1)[1:]))
    triangles = np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)])
    return rig.Mesh(name, points.astype(np.float32), np.full((40, 2), 0.9), triangles, 1, {})


def _image(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(90, 220, (8, 8, 3), np.uint8)
    return Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC)


def head_file(seed: int = 0) -> rig.HeadFile:
    """A head as a reader returns it."""
    return rig.HeadFile(f"Made_F_{seed}_Casual", meshes(1 + 0.02 * seed), {1: np.asarray(_image(seed))})


def write_npz(folder, name: str, seed: int = 0) -> None:
    """A converted head: NAME.npz and its texture."""
    arrays, entries = {}, []
    for i, mesh in enumerate(meshes(1 + 0.02 * seed)):
        arrays |= {f"v{i}": mesh.points, f"uv{i}": mesh.uv.astype(np.float32), f"t{i}": mesh.triangles}
        for k, (ids, moves) in enumerate(mesh.targets.values()):
            arrays |= {f"d{i}_{k}_i": ids.astype(np.uint16), f"d{i}_{k}_v": moves.astype(np.float16)}
        entries.append({"i": i, "name": mesh.name, "tex": 1, "targets": list(mesh.targets)})
    meta = json.dumps({"name": name, "meshes": entries}).encode()
    np.savez(folder / f"{name}.npz", meta=np.frombuffer(meta, np.uint8), **arrays)
    _image(seed).save(folder / f"{name}_tex1.webp", lossless=True)


class _Glb:
    """Collects a .glb."""

    def __init__(self) -> None:
        self.data, self.views, self.accessors = b"", [], []

    def view(self, raw: bytes) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(raw)})
        self.data += raw
        return len(self.views) - 1

    def add(self, values: np.ndarray, kind: str, code: int) -> int:
        self.accessors.append(
            {"bufferView": self.view(values.tobytes()), "componentType": code, "count": len(values), "type": kind}
        )
        return len(self.accessors) - 1

    def add_sparse(self, count: int, ids: np.ndarray, values: np.ndarray) -> int:
        entry = {"componentType": 5126, "count": count, "type": "VEC3"}
        if len(ids):
            entry["sparse"] = {
                "count": len(ids),
                "indices": {"bufferView": self.view(ids.astype(np.uint16).tobytes()), "componentType": 5123},
                "values": {"bufferView": self.view(values.astype(np.float32).tobytes())},
            }
        self.accessors.append(entry)
        return len(self.accessors) - 1


def write_glb(path, seed: int = 0, required: tuple[str, ...] = ()) -> None:
    """A published head: in centimetres below a node that scales it; the skin hangs on a bone, turned there and back."""
    glb, nodes, shapes = _Glb(), [{"name": "root", "scale": [0.01] * 3, "children": [1, 2, 3, 4]}], []
    turn, back = [0, 0, np.sin(np.pi / 4), np.cos(np.pi / 4)], np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    for k, mesh in enumerate(meshes(1 + 0.02 * seed)):
        points = (mesh.points * 100).astype(np.float32)
        attributes = {
            "POSITION": glb.add(points, "VEC3", 5126),
            "TEXCOORD_0": glb.add(mesh.uv.astype(np.float32), "VEC2", 5126),
        }
        if not k:
            bind = np.eye(4, dtype=np.float32)
            bind[:3, :3] = back
            attributes["JOINTS_0"] = glb.add(np.zeros((len(points), 4), np.uint8), "VEC4", 5121)
            attributes["WEIGHTS_0"] = glb.add(np.tile(np.float32([1, 0, 0, 0]), (len(points), 1)), "VEC4", 5126)
            bones = glb.add(bind.T.reshape(1, 16).copy(), "MAT4", 5126)
        primitive = {"attributes": attributes, "material": 0,
                     "indices": glb.add(mesh.triangles.astype(np.uint32).reshape(-1, 1), "SCALAR", 5125)}  # fmt: skip
        primitive["targets"] = [
            {"POSITION": glb.add_sparse(len(points), ids, moves * 100)} for ids, moves in mesh.targets.values()
        ]
        shapes.append({"primitives": [primitive], "extras": {"targetNames": list(mesh.targets)}})
        nodes.append({"name": mesh.name, "mesh": k} | ({"skin": 0} if not k else {}))
    nodes.append({"name": "bone", "rotation": turn})
    stream = io.BytesIO()
    _image(seed).save(stream, "PNG")
    content = {
        "asset": {"version": "2.0"}, "nodes": nodes, "meshes": shapes, "accessors": glb.accessors,
        "skins": [{"joints": [4], "inverseBindMatrices": bones}], "extensionsRequired": list(required),
        "images": [{"bufferView": glb.view(stream.getvalue()), "mimeType": "image/png"}], "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "bufferViews": glb.views, "buffers": [{"byteLength": len(glb.data)}],
    }  # fmt: skip
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    data = glb.data + b"\0" * (-len(glb.data) % 4)
    body = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(body)) + body)
