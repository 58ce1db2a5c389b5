"""Reads the meshes, expression targets and colours of a glTF 2.0 file (.glb) as it stands at rest.

Only what heads need: no library at hand keeps expression targets. Compressed meshes (Draco, meshopt) are refused.
https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

import io
import json
import pathlib
import struct
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from data_pipelines.rigged_heads.rig import HeadFile, Mesh
from vasa_jax.errors import InputError

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_TYPES = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_KNOWN = {"KHR_mesh_quantization", "EXT_texture_webp", "KHR_materials_unlit", "KHR_materials_specular"}
_GREY = np.full((2, 2, 3), 128, np.uint8)


class _File:
    """The parts of an open file."""

    def __init__(self, data: bytes) -> None:
        magic, version, _ = struct.unpack_from("<III", data)
        if (magic, version) != (_MAGIC, 2):
            raise ValueError("no binary glTF 2.0")
        chunks, at = {}, 12
        while at + 8 <= len(data):
            length, kind = struct.unpack_from("<II", data, at)
            if at + 8 + length > len(data):
                raise ValueError("it breaks off")
            chunks[kind] = data[at + 8 : at + 8 + length]
            at += 8 + length
        self.json: dict[str, Any] = json.loads(chunks[_JSON])
        self._bin = chunks.get(_BIN, b"")
        if unknown := set(self.json.get("extensionsRequired", ())) - _KNOWN:
            raise ValueError(f"it needs {', '.join(sorted(unknown))}; write it again without, by gltf-transform copy")

    def view(self, number: int) -> bytes:
        """The bytes of a buffer view."""
        view = self.json["bufferViews"][number]
        start = view.get("byteOffset", 0)
        return self._bin[start : start + view["byteLength"]]

    def _values(self, view: int, offset: int, count: int, width: int, kind: int) -> np.ndarray:
        size = np.dtype(_TYPES[kind]).itemsize * width
        step = self.json["bufferViews"][view].get("byteStride", size)
        raw = np.frombuffer(self.view(view), np.uint8)[offset:]
        rows = np.lib.stride_tricks.as_strided(raw, (count, size), (step, 1)) if count else raw[:0]
        if count and offset + step * (count - 1) + size > len(raw) + offset:
            raise ValueError("an accessor reaches beyond its buffer")
        return np.ascontiguousarray(rows).view(_TYPES[kind]).reshape(count, width)

    def accessor(self, number: int) -> np.ndarray:
        """The values [n, width] of an accessor, sparse ones filled in, normalised integers as fractions."""
        entry = self.json["accessors"][number]
        width, count, kind = _WIDTH[entry["type"]], entry["count"], entry["componentType"]
        if "bufferView" in entry:
            values = self._values(entry["bufferView"], entry.get("byteOffset", 0), count, width, kind).copy()
        else:
            values = np.zeros((count, width), _TYPES[kind])
        if "sparse" in entry:
            sparse, n = entry["sparse"], entry["sparse"]["count"]
            at, new = sparse["indices"], sparse["values"]
            ids = self._values(at["bufferView"], at.get("byteOffset", 0), n, 1, at["componentType"])[:, 0]
            values[ids] = self._values(new["bufferView"], new.get("byteOffset", 0), n, width, kind)
        if entry.get("normalized"):
            return np.maximum(values / np.float32(np.iinfo(_TYPES[kind]).max), -1)
        return values

    def matrices(self) -> list[np.ndarray]:
        """Each node's place in the world [4, 4]."""
        nodes = self.json["nodes"]
        out: list[np.ndarray] = [np.eye(4)] * len(nodes)
        inner = {child for node in nodes for child in node.get("children", ())}
        waiting = [(k, np.eye(4)) for k in range(len(nodes)) if k not in inner]
        while waiting:
            k, parent = waiting.pop()
            out[k] = parent @ _local(nodes[k])
            waiting += [(child, out[k]) for child in nodes[k].get("children", ())]
        return out

    def colours(self, material: int | None) -> tuple[int, np.ndarray]:
        """Number and image of a material's base colour; grey where it has none."""
        if material is None:
            return -1, _GREY
        surface = self.json["materials"][material].get("pbrMetallicRoughness", {})
        tint = (np.asarray(surface.get("baseColorFactor", [1, 1, 1, 1])[:3]) ** (1 / 2.2) * 255).astype(np.uint8)
        if "baseColorTexture" not in surface:
            return -2 - material, np.full((2, 2, 3), tint)
        texture = self.json["textures"][surface["baseColorTexture"]["index"]]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture)["source"]
        data = self.view(self.json["images"][source]["bufferView"])
        return source, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _local(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.asarray(node["matrix"], np.float64).reshape(4, 4).T
    out = np.eye(4)
    out[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix() * node.get("scale", [1, 1, 1])
    out[:3, 3] = node.get("translation", [0, 0, 0])
    return out


def _placement(file: _File, node: dict, primitive: dict, world: list[np.ndarray], own: np.ndarray) -> np.ndarray:
    """What carries each vertex to the world at rest, [v or 1, 4, 4]: its bones if it hangs on some, else its node."""
    attributes = primitive["attributes"]
    if "skin" not in node or "JOINTS_0" not in attributes:
        return own[None]
    skin = file.json["skins"][node["skin"]]
    bones = np.stack([world[k] for k in skin["joints"]])
    if "inverseBindMatrices" in skin:
        bones = bones @ file.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    joints, weights = file.accessor(attributes["JOINTS_0"]), file.accessor(attributes["WEIGHTS_0"])
    return np.einsum("vj,vjab->vab", weights / weights.sum(-1, keepdims=True), bones[joints])


def _mesh(file: _File, node: dict, primitive: dict, names: list[str], place: np.ndarray, texture: int) -> Mesh:
    points = file.accessor(primitive["attributes"]["POSITION"]).astype(np.float64)
    moved = np.einsum("vab,vb->va", np.broadcast_to(place[:, :3, :3], (len(points), 3, 3)), points) + place[:, :3, 3]
    targets = {}
    for name, target in zip(names, primitive.get("targets", ()), strict=False):
        if "POSITION" in target:
            moves = file.accessor(target["POSITION"]).astype(np.float64)
            ids = np.flatnonzero(np.abs(moves).max(-1) > 0)
            turn = np.broadcast_to(place[:, :3, :3], (len(points), 3, 3))[ids]
            targets[name] = ids, np.einsum("vab,vb->va", turn, moves[ids]).astype(np.float32)
    uv = file.accessor(primitive["attributes"]["TEXCOORD_0"]).astype(np.float64)
    triangles = file.accessor(primitive["indices"]).reshape(-1, 3)
    return Mesh(node.get("name", ""), moved, uv, triangles.astype(np.int64), texture, targets)


def read(path: str | pathlib.Path) -> HeadFile:
    """The head in a .glb file: all its textured triangle meshes at rest, in the world's frame.

    Raises:
      InputError: it is no such file, breaks off, or needs an extension that is not known.
    """
    path = pathlib.Path(path)
    try:
        file = _File(path.read_bytes())
        world, meshes, textures = file.matrices(), [], {}
        for k, node in enumerate(file.json["nodes"]):
            if "mesh" not in node:
                continue
            mesh = file.json["meshes"][node["mesh"]]
            names = mesh.get("extras", {}).get("targetNames", [])
            for primitive in mesh["primitives"]:
                if primitive.get("mode", 4) == 4 and "TEXCOORD_0" in primitive["attributes"]:
                    number, image = file.colours(primitive.get("material"))
                    textures[number] = image
                    place = _placement(file, node, primitive, world, world[k])
                    meshes.append(_mesh(file, node, primitive, names, place, number))
    except (OSError, KeyError, IndexError, TypeError, ValueError, struct.error) as error:
        raise InputError(f"{path}: not a head in glTF ({error}); fetch it again") from error
    return HeadFile(path.stem, meshes, textures)
